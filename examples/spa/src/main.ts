// A page of one customer: what it has, what it can do about it, and live updates.
import { SignedOutError, accepted, act, ask, follow } from "./api";
import { confirmed, element, fill, find, keepingFocus, tell } from "./dom";
import type { OverviewQuery } from "./gql/graphql";
import { Cancel, Change, Checkout, Overview, Portal, Preview, Uncancel } from "./operations";
import { forgetSession, here } from "./session";
import { day, invoiceState, isEnding, isRunning, locale, moment, nameOf, priceOf, stateOf } from "./words";
import type { Invoice, Plan, Subscription } from "./words";

let plans: Plan[] = [];
let allowed = new Set<string>();
let newest = 0;

/** Does something, and shows the person what went wrong. */
async function attempt(something: () => Promise<void>): Promise<void> {
  try {
    await something();
  } catch (error) {
    if (error instanceof SignedOutError) signOut();
    else tell("problem", (error as Error).message);
  }
}

/** What the person begins takes the place of what was said before; what happens by itself does not. */
function begin(something: () => Promise<void>): Promise<void> {
  tell("problem", "");
  tell("notice", "");
  return attempt(something);
}

function signOut(): void {
  forgetSession();
  find("account").hidden = true;
  find("signed-out").hidden = false;
}

async function refresh(): Promise<void> {
  const mine = ++newest;
  const data = await ask(Overview, { locale });
  if (mine === newest) keepingFocus(() => show(data)); // else a later question is under way
}

function show(data: OverviewQuery): void {
  plans = data.plans.nodes;
  allowed = new Set(data.mutations?.fields?.map(({ name }) => name));
  find("who").textContent = `${data.viewer.customer?.email ?? "You"} at ${data.viewer.tenant.name}`;
  find("portal").hidden = !allowed.has("portalSessionCreate");
  fill("subscriptions", data.subscriptions.nodes.map(subscriptionRow), "You have no subscription yet: choose a plan.");
  fill("plans", plans.map(planRow), "No plans are offered at the moment.");
  fill("invoices", data.invoices.nodes.map(invoiceRow), "No invoices yet.");
  find("account").hidden = false;
}

function row(words: (Node | string)[], asOf: string | undefined, ...buttons: HTMLElement[]): HTMLElement {
  const made = element("li", {}, element("span", {}, ...words));
  if (asOf) {
    const time = element("time", { dateTime: asOf }, moment(asOf));
    made.append(element("small", { className: "quiet" }, "as of ", time));
  }
  made.append(...buttons);
  return made;
}

/** The id lets the focus find the button again after a refresh; `about` tells apart what looks alike. */
function button(id: string, text: string, about: string, press: () => Promise<void>): HTMLElement {
  const made = element("button", { type: "button", id, ariaLabel: `${text}: ${about}` }, text);
  made.addEventListener("click", () => {
    if (made.ariaBusy) return; // not `disabled`: that would take the focus away
    made.ariaBusy = "true";
    void begin(press).finally(() => (made.ariaBusy = null));
  });
  return made;
}

function planRow(plan: Plan): HTMLElement {
  const buttons = allowed.has("checkoutSessionCreate")
    ? [button(`buy-${plan.id}`, "Subscribe", plan.name, () => buy(plan))]
    : [];
  return row([`${plan.name}, ${priceOf(plan)}`], undefined, ...buttons);
}

function subscriptionRow(one: Subscription): HTMLElement {
  const offered: [string, string, boolean, () => Promise<void>][] = [
    ["subscriptionChange", "Change plan", !isEnding(one) && othersThan(one).length > 0, () => changePlan(one)],
    ["subscriptionCancel", "Cancel", !isEnding(one), () => cancel(one)],
    ["subscriptionUncancel", "Keep it", isEnding(one), () => keep(one)],
  ];
  const buttons = offered
    .filter(([mutation, , possible]) => isRunning(one) && possible && allowed.has(mutation))
    .map(([mutation, text, , press]) => button(`${mutation}-${one.id}`, text, nameOf(one), press));
  return row([`${nameOf(one)}: ${stateOf(one)}`], one.freshness.asOf, ...buttons);
}

function invoiceRow(one: Invoice): HTMLElement {
  const name = `Invoice ${one.number ?? `of ${day(one.created)}`}`;
  const link = one.hostedInvoiceUrl ? element("a", { href: one.hostedInvoiceUrl }, name) : name;
  return row([link, `: ${one.total?.formatted ?? ""}, ${invoiceState(one)}`], one.freshness.asOf);
}

async function buy(plan: Plan): Promise<void> {
  const data = await act(Checkout, { plan: plan.id, back: here, key: crypto.randomUUID() });
  location.assign(accepted(data.checkoutSessionCreate).checkoutSession!.url!);
}

async function openPortal(): Promise<void> {
  const data = await act(Portal, { back: here });
  location.assign(accepted(data.portalSessionCreate).url!);
}

async function cancel(one: Subscription): Promise<void> {
  const ends = day(one.status === "TRIALING" ? one.trialEnd : one.currentPeriodEnd);
  const sure = await confirmed(`Cancel ${nameOf(one)}?`, "Cancel the subscription", (body) =>
    body.append(element("p", {}, `It goes on until ${ends} and is not renewed.`)),
  );
  if (!sure) return;
  accepted((await act(Cancel, { subscription: one.id, key: crypto.randomUUID() })).subscriptionCancel);
  tell("notice", `${nameOf(one)} ends on ${ends}.`);
  await refresh();
}

async function keep(one: Subscription): Promise<void> {
  accepted((await act(Uncancel, { subscription: one.id, key: crypto.randomUUID() })).subscriptionUncancel);
  tell("notice", `${nameOf(one)} goes on.`);
  await refresh();
}

/** What the subscription can be changed to: a plan of its own currency. */
function othersThan({ items }: Subscription): Plan[] {
  const [item, more] = items;
  if (more) return []; // a subscription to several plans is changed in the portal
  return plans.filter(({ id, price }) => id !== item?.plan?.id && price?.currency === item?.plan?.price?.currency);
}

async function changePlan(one: Subscription): Promise<void> {
  const option = (plan: Plan) => element("option", { value: plan.id }, `${plan.name}, ${priceOf(plan)}`);
  const choice = element("select", { id: "choice" }, ...othersThan(one).map(option));
  const sure = await confirmed(`Change ${nameOf(one)}`, "Change the plan", (body, yes) => {
    const cost = element("div", { role: "status" });
    body.append(element("label", { htmlFor: "choice" }, "New plan"), choice, cost);
    const preview = () => void showCost(one, choice, cost, yes);
    choice.addEventListener("change", preview);
    preview();
  });
  if (!sure) return;
  // A key for each decision: however often it is sent, the change is made once.
  const given = { subscription: one.id, plan: choice.value, key: crypto.randomUUID() };
  accepted((await act(Change, given)).subscriptionChange);
  tell("notice", `Your plan is now ${choice.selectedOptions[0]?.text ?? "changed"}.`);
  await refresh();
}

/** Shows what the chosen plan would cost, by Stripe's own preview; until it is known nobody can consent to it. */
async function showCost(
  one: Subscription,
  choice: HTMLSelectElement,
  cost: HTMLElement,
  yes: HTMLButtonElement,
): Promise<void> {
  const plan = choice.value;
  yes.disabled = true;
  cost.textContent = "Asking what it costs…";
  try {
    const data = await act(Preview, { subscription: one.id, plan, locale });
    if (plan !== choice.value) return; // another one was chosen meanwhile
    const { lines, amountDue } = accepted(data.subscriptionChangePreview).preview!;
    const rows = lines.map(({ description, amount }) => element("li", {}, `${description}: ${amount?.formatted}`));
    const total = element("strong", {}, amountDue?.formatted ?? "");
    cost.replaceChildren(element("ul", {}, ...rows), element("p", {}, "Your next invoice: ", total));
    yes.disabled = false;
  } catch (error) {
    if (plan !== choice.value) return;
    cost.textContent = error instanceof SignedOutError ? "Your session has ended." : (error as Error).message;
  }
}

find("portal").addEventListener("click", () => void begin(openPortal));
void attempt(async () => {
  await refresh();
  follow(() => void attempt(refresh), (error) => void attempt(() => Promise.reject(error)));
});
