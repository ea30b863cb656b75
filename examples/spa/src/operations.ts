// Everything that the page asks; the types are generated from these documents and the customer's schema.
import { graphql } from "./gql";

export const Overview = graphql(`
  query Overview {
    viewer { customer { email name } tenant { name } }
    plans(first: 20, filter: { active: true }) {
      nodes { id name interval price { amount currency } }
    }
    subscriptions(first: 10) {
      nodes {
        id
        status
        cancelAtPeriodEnd
        currentPeriodEnd
        items { plan { name } }
        freshness { asOf }
      }
    }
    invoices(first: 10) {
      nodes { id number status total { amount currency } hostedInvoiceUrl }
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

export const Cancel = graphql(`
  mutation Cancel($subscription: ID!, $key: String!) {
    subscriptionCancel(input: { subscription: $subscription, idempotencyKey: $key }) {
      subscription { id cancelAtPeriodEnd }
      revision
      errors { message }
    }
  }
`);

export const Changes = `subscription { billingChanged { revision } }`;
