// A stand-in for Stripe.js: the same calls, answered by this sandbox. Card data stays in its own iframe.
(() => {
  "use strict";
  const origin = new URL(document.currentScript.src).origin;
  const CONFIRM = { payment: "confirm_payment", setup: "confirm_setup" };

  // A frame of the sandbox's, and a promise for each question that is put to it.
  class Frame {
    constructor(parent, kind, settings) {
      this.waiting = new Map();
      this.next = 1;
      this.heard = () => {};
      this.frame = document.createElement("iframe");
      this.frame.src = `${origin}/js/frame?kind=${kind}`;
      this.frame.title = kind === "card" ? "Secure card payment input frame" : "Secure frame";
      this.frame.style.cssText = kind === "card" ? "border:0;width:100%;height:11em" : "display:none";
      this.ready = new Promise((resolve) => (this.arrived = resolve));
      window.addEventListener("message", (event) => this.receive(event));
      parent.append(this.frame);
      this.settings = settings;
    }
    receive(event) {
      if (event.source !== this.frame.contentWindow || event.origin !== origin) return;
      const { id, event: kind, result } = event.data;
      if (kind === "ready") this.arrived();
      if (kind) this.heard(kind, event.data);
      const answer = this.waiting.get(id);
      if (answer) { this.waiting.delete(id); answer(result); }
    }
    async ask(action, params = {}) {
      await this.ready;
      const id = this.next++;
      return new Promise((resolve) => {
        this.waiting.set(id, resolve);
        this.frame.contentWindow.postMessage({ id, action, params: { ...this.settings, ...params } }, origin);
      });
    }
    remove() { this.frame.remove(); }
  }

  class Element {
    constructor(kind, settings) {
      this.kind = kind;
      this.settings = settings;
      this.listeners = {};
    }
    mount(where) {
      const parent = typeof where === "string" ? document.querySelector(where) : where;
      if (!parent) throw new Error(`The selector you specified (${where}) applies to no DOM elements.`);
      this.frame = new Frame(parent, "card", this.settings);
      this.frame.heard = (kind, data) => (this.listeners[kind] ?? []).forEach((each) => each(data.detail ?? {}));
    }
    on(kind, listener) { (this.listeners[kind] ??= []).push(listener); return this; }
    unmount() { this.frame?.remove(); }
    destroy() { this.unmount(); }
    focus() { this.frame?.ask("focus"); }
    clear() { this.frame?.ask("clear"); }
  }

  class Elements {
    constructor(settings, options) {
      this.settings = settings;
      this.options = options ?? {};
      this.made = [];
    }
    create(kind) {
      if (kind !== "card" && kind !== "payment") throw new Error(`The sandbox has no ${kind} element.`);
      const element = new Element(kind, this.settings);
      this.made.push(element);
      return element;
    }
    getElement(kind) { return this.made.find((each) => each.kind === kind) ?? null; }
    async submit() { return {}; }
  }

  class Stripe {
    constructor(key, options) {
      if (!/^pk_test_/.test(key ?? "")) throw new Error("Please call Stripe() with your test publishable key.");
      this.settings = { key, account: options?.stripeAccount ?? null };
    }
    elements(options) { return new Elements(this.settings, options); }
    calls() { return (this.controller ??= new Frame(document.body, "calls", this.settings)); }

    retrievePaymentIntent(secret) { return this.calls().ask("retrieve", { client_secret: secret }); }
    retrieveSetupIntent(secret) { return this.calls().ask("retrieve", { client_secret: secret }); }

    async createPaymentMethod({ type, card, elements, billing_details, params } = {}) {
      const element = card ?? elements?.made[0];
      if (element === undefined || (type ?? "card") !== "card") throw new Error("The sandbox has card elements only.");
      return element.frame.ask("create", { billing_details: billing_details ?? params?.billing_details });
    }
    confirmCardPayment(secret, data, options) { return this.confirm("payment", secret, data, options); }
    confirmCardSetup(secret, data, options) { return this.confirm("setup", secret, data, options); }
    confirmPayment(given) { return this.confirmWith("payment", given); }
    confirmSetup(given) { return this.confirmWith("setup", given); }
    async handleNextAction({ clientSecret }) {
      return this.authenticate(await this.calls().ask("retrieve", { client_secret: clientSecret }), clientSecret);
    }
    async handleCardAction(secret) { return this.handleNextAction({ clientSecret: secret }); }

    async confirm(what, secret, data = {}, options = {}) {
      const method = data.payment_method;
      const element = method?.card;
      const given = { client_secret: secret, return_url: data.return_url };
      if (typeof method === "string") given.payment_method = method;
      const frame = element?.frame ?? this.calls();
      const billing = { billing_details: method?.billing_details };
      const result = await frame.ask(CONFIRM[what], { ...given, ...billing });
      return options.handleActions === false ? result : this.authenticate(result, secret);
    }
    async confirmWith(what, { elements, clientSecret, confirmParams = {}, redirect } = {}) {
      const secret = clientSecret ?? elements?.options.clientSecret;
      const method = confirmParams.payment_method;
      const details = confirmParams.payment_method_data?.billing_details;
      const element = elements?.made[0];
      const data = { payment_method: method ?? (element && { card: element, billing_details: details }) };
      const result = await this.confirm(what, secret, data);
      if (result.error || redirect === "if_required") return result;
      const intent = result.paymentIntent ?? result.setupIntent;
      const target = new URL(confirmParams.return_url);
      target.searchParams.set(intent.object, intent.id);
      target.searchParams.set(`${intent.object}_client_secret`, secret);
      target.searchParams.set("redirect_status", intent.status === "succeeded" ? "succeeded" : "pending");
      window.location.assign(target);
      return new Promise(() => {});
    }

    // 3-D Secure: the bank's page over this one until it has been answered.
    async authenticate(result, secret) {
      const intent = result.paymentIntent ?? result.setupIntent;
      if (result.error || intent?.status !== "requires_action") return result;
      const action = intent.next_action;
      const url = action.redirect_to_url?.url ?? action.use_stripe_sdk.stripe_js;
      const overlay = document.createElement("iframe");
      overlay.src = `${origin}${new URL(url).pathname}?framed=1`;
      overlay.title = "3-D Secure";
      overlay.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0;z-index:2147483647";
      document.body.append(overlay);
      try {
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          const now = await this.calls().ask("retrieve", { client_secret: secret });
          const found = now.paymentIntent ?? now.setupIntent;
          if (now.error || found.status !== "requires_action") {
            const refused = found?.last_payment_error ?? found?.last_setup_error;
            return refused ? { error: refused } : now;
          }
        }
      } finally {
        overlay.remove();
      }
    }
  }

  window.Stripe = (key, options) => new Stripe(key, options);
})();
