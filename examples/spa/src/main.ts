// A page of one customer: reads, three mutations, and live updates.
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { createClient } from "graphql-ws";
import type { OverviewQuery } from "./gql/graphql";
import { Cancel, Changes, Checkout, Overview, Portal } from "./operations";

const given = new URLSearchParams(location.hash.slice(1));
const api = given.get("api") ?? "http://127.0.0.1:8000/graphql";
const token = given.get("token") ?? "";
let revision: string | undefined;

const client = new Client({
  url: api,
  exchanges: [cacheExchange, fetchExchange],
  requestPolicy: "network-only",
  preferGetMethod: false,
  fetchOptions: () => ({
    headers: {
      Authorization: `Bearer ${token}`,
      // whichever process answers, it knows of what this page has seen
      ...(revision ? { "Billing-Min-Revision": revision } : {}),
    },
  }),
});

const find = (id: string): HTMLElement => document.getElementById(id)!;
const money = (price: { amount: number; currency: string } | null | undefined): string => {
  if (!price) return "";
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency: price.currency.toUpperCase() });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(price.amount / 10 ** digits);
};

function complain(text: string | undefined): void {
  find("problem").hidden = !text;
  find("problem").textContent = text ?? "";
}

// The answer of an operation; what is wrong is shown to the person.
async function run<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  mutates = false,
): Promise<Data | undefined> {
  const result = await (mutates ? client.mutation(document, variables) : client.query(document, variables)).toPromise();
  complain(result.error?.message);
  return result.data;
}

function item(list: string, text: string, ...more: HTMLElement[]): void {
  const row = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = text;
  row.append(words, ...more);
  find(list).append(row);
}

function button(text: string, act: () => Promise<void>): HTMLElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => {
    made.disabled = true;
    void act().finally(() => (made.disabled = false));
  });
  return made;
}

function show(data: OverviewQuery): void {
  for (const list of ["plans", "subscriptions", "invoices"]) find(list).replaceChildren();
  find("who").textContent = `${data.viewer.customer?.email ?? "You"} at ${data.viewer.tenant.name}`;
  for (const plan of data.plans.nodes) {
    item("plans", `${plan.name}, ${money(plan.price)} per ${plan.interval.toLowerCase()}`, button("Subscribe", () => buy(plan.id)));
  }
  for (const one of data.subscriptions.nodes) {
    const names = one.items.map((each) => each.plan?.name ?? "").join(", ");
    const state = one.cancelAtPeriodEnd ? "ends with the period" : one.status.toLowerCase();
    const cancel = one.status === "ACTIVE" && !one.cancelAtPeriodEnd ? [button("Cancel", () => end(one.id))] : [];
    item("subscriptions", `${names}: ${state}`, ...cancel);
    find("as-of").textContent = one.freshness.asOf;
  }
  for (const one of data.invoices.nodes) {
    item("invoices", `${one.number ?? one.id}: ${one.status.toLowerCase()}, ${money(one.total)}`);
  }
}

async function refresh(): Promise<void> {
  const data = await run(Overview, {});
  if (data) show(data);
}

async function buy(plan: string): Promise<void> {
  const data = await run(Checkout, { plan, back: location.href, key: crypto.randomUUID() }, true);
  const made = data?.checkoutSessionCreate;
  if (made?.checkoutSession?.url) location.assign(made.checkoutSession.url);
  else complain(made?.errors[0]?.message);
}

async function end(subscription: string): Promise<void> {
  const data = await run(Cancel, { subscription, key: crypto.randomUUID() }, true);
  complain(data?.subscriptionCancel.errors[0]?.message);
  revision = data?.subscriptionCancel.revision ?? revision;
  await refresh();
}

find("portal").addEventListener("click", async () => {
  const data = await run(Portal, { back: location.href }, true);
  if (data?.portalSessionCreate.url) location.assign(data.portalSessionCreate.url);
  else complain(data?.portalSessionCreate.errors[0]?.message);
});

const live = createClient({
  url: api.replace(/^http/, "ws"),
  connectionParams: { Authorization: `Bearer ${token}` },
});
live.subscribe<{ billingChanged: { revision: string } }>(
  { query: Changes },
  {
    next: ({ data }) => {
      if (!data) return;
      revision = data.billingChanged.revision;
      find("revision").textContent = revision;
      void refresh();
    },
    error: () => complain("The connection for live updates has ended. Reload the page."),
    complete: () => {},
  },
);
void refresh();
