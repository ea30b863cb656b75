"""The example operations that GraphiQL offers to whose schema has them; a test runs each against the whole schema."""

from pages.graphiql import Example

_KEY = "graphiql-{unique}"  # the page puts random letters in, so that opening an example again acts again

_WHO = """
query Who {
  viewer {
    role
    scopes
    tenant { slug name livemode }
    customer { id email }
  }
}
"""
_PLANS = """
query Plans {
  plans(first: 10, filter: { active: true }) {
    totalCount
    nodes { id name interval intervalCount price { amount currency formatted(locale: "en-US") } }
  }
}
"""
_CUSTOMERS = """
# For the next page, give `after` the endCursor of this one.
query Customers($first: Int!, $after: String) {
  customers(first: $first, after: $after) {
    totalCount
    nodes { id email name externalId delinquent balance { formatted } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_CUSTOMER_CREATE = """
# Run it twice: the same idempotencyKey with the same input acts once, and answers the same again.
mutation CreateCustomer($input: CustomerCreateInput!) {
  customerCreate(input: $input) {
    customer { id stripeId email }
    errors { code message field }
    revision
  }
}
"""
_CUSTOMER_UPDATE = """
# A customer's own token leaves `customer` out.
mutation UpdateCustomer($input: CustomerUpdateInput!) {
  customerUpdate(input: $input) {
    customer { id email name phone }
    errors { code message field }
    revision
  }
}
"""
_CUSTOMER_SESSION = """
# For the customer's browser: it lives for minutes and opens this one customer. Give it above to see as a customer sees.
mutation CreateCustomerToken($input: CustomerTokenCreateInput!) {
  customerTokenCreate(input: $input) {
    token
    errors { code message field }
  }
}
"""
_SUBSCRIPTIONS = """
query Subscriptions {
  subscriptions(first: 10) {
    totalCount
    nodes {
      id
      status
      currentPeriodEnd
      cancelAtPeriodEnd
      customer { email }
      items { quantity plan { id name } }
      latestInvoice { number status total { formatted } }
      freshness { asOf source lagSeconds }
    }
  }
}
"""
_SUBSCRIBE = """
# The customer needs a saved means of payment, or the plan a trial: see “Checkout page” for a customer who has neither.
mutation Subscribe($input: SubscriptionCreateInput!) {
  subscriptionCreate(input: $input) {
    subscription { id status trialEnd items { plan { name } } latestInvoice { status total { formatted } } }
    errors { code message field ... on CardError { declineCode adviceCode } }
    revision
  }
}
"""
_CHANGE_PREVIEW = """
# What the change would cost, by Stripe's own preview. It changes nothing.
mutation PreviewChange($input: SubscriptionChangePreviewInput!) {
  subscriptionChangePreview(input: $input) {
    preview { total { formatted } amountDue { formatted } lines { description proration amount { formatted } } }
    errors { code message field }
  }
}
"""
_CHANGE = """
mutation ChangePlan($input: SubscriptionChangeInput!) {
  subscriptionChange(input: $input) {
    subscription { id status items { quantity plan { name } } latestInvoice { status total { formatted } } }
    errors { code message field }
    revision
  }
}
"""
_INVOICE_PREVIEW = """
mutation PreviewInvoice($input: InvoicePreviewInput!) {
  invoicePreview(input: $input) {
    preview { total { formatted } amountDue { formatted } lines { description periodEnd amount { formatted } } }
    errors { code message field }
  }
}
"""
_CANCEL = """
mutation Cancel($input: SubscriptionCancelInput!) {
  subscriptionCancel(input: $input) {
    subscription { id status cancelAtPeriodEnd cancelAt endedAt }
    errors { code message field }
    revision
  }
}
"""
_CHECKOUT = """
# Open the url, and pay with 4242 4242 4242 4242. A customer's own token leaves `customer` out.
mutation OpenCheckout($input: CheckoutSessionCreateInput!) {
  checkoutSessionCreate(input: $input) {
    checkoutSession { id url status expiresAt }
    errors { code message field }
  }
}
"""
_PORTAL = """
# A page of Stripe's for cards and subscriptions; the url is a secret. A customer's own token leaves `customer` out.
mutation OpenPortal($input: PortalSessionCreateInput!) {
  portalSessionCreate(input: $input) {
    url
    errors { code message field }
  }
}
"""
_PAYMENT_METHOD_SAVE = """
# The clientSecret is for Stripe.js in the customer's browser. A customer's own token leaves `customer` out.
mutation SavePaymentMethod($input: SetupIntentCreateInput!) {
  setupIntentCreate(input: $input) {
    clientSecret
    errors { code message field }
  }
}
"""
_PAYMENT_METHODS = """
query PaymentMethods {
  customers(first: 5) {
    nodes { email paymentMethods(first: 5) { nodes { id type cardBrand cardLast4 cardExpMonth cardExpYear } } }
  }
}
"""
_INVOICES = """
query Invoices {
  invoices(first: 10, filter: { status: [OPEN, PAID] }) {
    nodes {
      id
      number
      status
      total { amount currency formatted }
      amountRemaining { formatted }
      hostedInvoiceUrl
      lines { description amount { formatted } }
      payments { status declineCode failureMessage }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_LIVE = """
# Run it, then change something elsewhere: each change is told as it happens, until you press stop.
subscription Live {
  billingChanged { revision }
}
"""
_KEYS = """
query Keys {
  apiTokens { publicId name role scopes created lastUsedAt expiresAt revokedAt replacedBy }
}
"""
_KEY_ISSUE = """
# The whole key is shown this once.
mutation IssueKey($input: ApiTokenIssueInput!) {
  apiTokenIssue(input: $input) {
    token
    apiToken { publicId role scopes expiresAt }
    errors { code message field }
  }
}
"""
_KEY_ROTATE = """
# The old key goes on for `overlapSeconds`.
mutation RotateKey($input: ApiTokenRotateInput!) {
  apiTokenRotate(input: $input) {
    token
    apiToken { publicId }
    errors { code message field }
  }
}
"""
_KEY_REVOKE = """
mutation RevokeKey($input: ApiTokenRevokeInput!) {
  apiTokenRevoke(input: $input) {
    apiToken { publicId revokedAt }
    errors { code message field }
  }
}
"""
_AUDIT = """
query AuditEntries {
  auditEntries(first: 20) {
    totalCount
    nodes { at actor action target outcome requestId place hash }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_SYNC = """
query SyncStatus {
  syncStatus {
    waitingEvents
    oldestWaitingSeconds
    deadEvents
    jobs { kind state created finished objectsSeen objectsDiffering differences { object stripeId kind fields } }
  }
}
"""
_RECONCILE = """
# Follow it with “How the mirror stands”.
mutation Reconcile($input: ReconcileStartInput!) {
  reconcileStart(input: $input) {
    started
    errors { code message }
  }
}
"""


def _input(**fields: object) -> dict[str, object]:
    return {"input": fields}


_OF_CUSTOMERS, _OF_PLANS = "an id from “Customers”", "an id from “Plans”"
_OF_SUBSCRIPTIONS, _OF_KEYS = "an id from “Subscriptions”", "a publicId from “API keys”"

EXAMPLES = (
    Example("Who am I?", _WHO),
    Example("Plans", _PLANS),
    Example("Customers, page by page", _CUSTOMERS, {"first": 5, "after": None}),
    Example(
        "Create a customer",
        _CUSTOMER_CREATE,
        _input(email="ada@example.org", name="Ada Lovelace", idempotencyKey=_KEY),
    ),
    Example("Change a customer", _CUSTOMER_UPDATE, _input(customer=_OF_CUSTOMERS, phone="+15550100")),
    Example("Token for a customer's browser", _CUSTOMER_SESSION, _input(customer=_OF_CUSTOMERS, lifetimeSeconds=900)),
    Example("Subscriptions", _SUBSCRIPTIONS),
    Example(
        "Subscribe",
        _SUBSCRIBE,
        _input(customer=_OF_CUSTOMERS, plan=_OF_PLANS, trialPeriodDays=14, idempotencyKey=_KEY),
    ),
    Example("Preview a change of plan", _CHANGE_PREVIEW, _input(subscription=_OF_SUBSCRIPTIONS, plan=_OF_PLANS)),
    Example("Change the plan", _CHANGE, _input(subscription=_OF_SUBSCRIPTIONS, plan=_OF_PLANS, idempotencyKey=_KEY)),
    Example("Preview the next invoice", _INVOICE_PREVIEW, _input(subscription=_OF_SUBSCRIPTIONS)),
    Example("Cancel", _CANCEL, _input(subscription=_OF_SUBSCRIPTIONS, atPeriodEnd=True, idempotencyKey=_KEY)),
    Example(
        "Checkout page",
        _CHECKOUT,
        _input(customer=_OF_CUSTOMERS, plan=_OF_PLANS, successUrl="https://example.com/paid", idempotencyKey=_KEY),
    ),
    Example("Billing portal", _PORTAL, _input(customer=_OF_CUSTOMERS, returnUrl="https://example.com/account")),
    Example("Payment methods", _PAYMENT_METHODS),
    Example("Save a payment method", _PAYMENT_METHOD_SAVE, _input(customer=_OF_CUSTOMERS)),
    Example("Invoices", _INVOICES),
    Example("Live changes", _LIVE),
    Example("API keys", _KEYS),
    Example("Issue an API key", _KEY_ISSUE, _input(name="back end", role="PARTNER", expiresInDays=90)),
    Example("Rotate an API key", _KEY_ROTATE, _input(publicId=_OF_KEYS, overlapSeconds=86_400)),
    Example("End an API key", _KEY_REVOKE, _input(publicId=_OF_KEYS)),
    Example("Audit entries", _AUDIT),
    Example("How the mirror stands", _SYNC),
    Example("Check the mirror", _RECONCILE, _input(sample=True)),
)
