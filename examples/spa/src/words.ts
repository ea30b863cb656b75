// What the API says, in the customer's words.
import type { OverviewQuery } from "./gql/graphql";

export type Plan = OverviewQuery["plans"]["nodes"][number];
export type Subscription = OverviewQuery["subscriptions"]["nodes"][number];
export type Invoice = OverviewQuery["invoices"]["nodes"][number];

/** The API writes amounts for it: it knows how many decimals Stripe's numbers have in each currency. */
export const locale = new Intl.Locale(navigator.language).baseName;

const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
export const day = (iso: string | null | undefined): string => (iso ? days.format(new Date(iso)) : "an unknown day");
export const moment = (iso: string): string => moments.format(new Date(iso));

export const nameOf = (one: Subscription): string => one.items.map(({ plan }) => plan?.name ?? "a plan").join(", ");
export const isEnding = (one: Subscription): boolean => one.cancelAtPeriodEnd || Boolean(one.cancelAt);
export const isRunning = (one: Subscription): boolean => ["ACTIVE", "TRIALING", "PAST_DUE"].includes(one.status);

export function priceOf({ price, interval, intervalCount }: Plan): string {
  const unit = interval.toLowerCase();
  const period = intervalCount === 1 ? `per ${unit}` : `every ${intervalCount} ${unit}s`;
  return `${price?.formatted ?? "priced by use"} ${period}`;
}

export function stateOf(one: Subscription): string {
  if (isRunning(one) && isEnding(one)) return `ends on ${day(one.cancelAt ?? one.currentPeriodEnd)}`;
  switch (one.status) {
    case "ACTIVE": return `active, renews on ${day(one.currentPeriodEnd)}`;
    case "TRIALING": return `free trial until ${day(one.trialEnd)}`;
    case "PAST_DUE": return "payment is overdue";
    case "UNPAID": return "unpaid";
    case "INCOMPLETE": return "waits for its first payment";
    case "INCOMPLETE_EXPIRED": return "was never paid";
    case "CANCELED": return `ended on ${day(one.endedAt)}`;
    case "PAUSED": return "paused";
    case "OTHER": return one.statusRaw; // a word that is newer than this page
  }
}

export function invoiceState(one: Invoice): string {
  switch (one.status) {
    case "DRAFT": return "draft";
    case "OPEN": return "to be paid";
    case "PAID": return "paid";
    case "UNCOLLECTIBLE": return "not collected";
    case "VOID": return "void";
    case "OTHER": return one.statusRaw ?? "";
  }
}
