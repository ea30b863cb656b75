// Everything that the page asks; the types are generated from these documents and the customer's schema.
import { graphql } from "./gql";

export const Overview = graphql(`
  query Overview($locale: String!) {
    viewer { customer { email name } tenant { name } }
    # what the tenant does not allow its customers is not in their schema
    mutations: __type(name: "Mutation") { fields { name } }
    plans(first: 20, filter: { active: true }) {
      nodes { id name interval intervalCount price { currency formatted(locale: $locale) } }
    }
    subscriptions(first: 10) {
      nodes {
        id
        status
        statusRaw
        cancelAtPeriodEnd
        cancelAt
        trialEnd
        endedAt
        currentPeriodEnd
        items { plan { id name price { currency } } }
        freshness { asOf }
      }
    }
    invoices(first: 10) {
      nodes {
        id
        number
        status
        statusRaw
        created
        total { formatted(locale: $locale) }
        hostedInvoiceUrl
        freshness { asOf }
      }
    }
  }
`);

export const Checkout = graphql(`
  mutation Checkout($plan: ID!, $back: String!, $key: String!) {
    checkoutSessionCreate(input: { plan: $plan, successUrl: $back, cancelUrl: $back, idempotencyKey: $key }) {
      checkoutSession { url }
      errors { message }
    }
  }
`);

export const Portal = graphql(`
  mutation Portal($back: String!) {
    portalSessionCreate(input: { returnUrl: $back }) {
      url
      errors { message }
    }
  }
`);

export const Preview = graphql(`
  mutation Preview($subscription: ID!, $plan: ID!, $locale: String!) {
    subscriptionChangePreview(input: { subscription: $subscription, plan: $plan }) {
      preview {
        amountDue { formatted(locale: $locale) }
        lines { description amount { formatted(locale: $locale) } }
      }
      errors { message }
    }
  }
`);

export const Change = graphql(`
  mutation Change($subscription: ID!, $plan: ID!, $key: String!) {
    subscriptionChange(input: { subscription: $subscription, plan: $plan, idempotencyKey: $key }) {
      subscription { id }
      errors { message }
    }
  }
`);

export const Cancel = graphql(`
  mutation Cancel($subscription: ID!, $key: String!) {
    subscriptionCancel(input: { subscription: $subscription, idempotencyKey: $key }) {
      subscription { id }
      errors { message }
    }
  }
`);

export const Uncancel = graphql(`
  mutation Uncancel($subscription: ID!, $key: String!) {
    subscriptionUncancel(input: { subscription: $subscription, idempotencyKey: $key }) {
      subscription { id }
      errors { message }
    }
  }
`);

export const Changes = graphql(`
  subscription Changes($after: String) {
    billingChanged(after: $after) { revision }
  }
`);
