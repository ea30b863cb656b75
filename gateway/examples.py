"""The example operations that GraphiQL offers; a test runs each against the schema."""

from pages.graphiql import Example

_WHO = "query Who {\n  viewer {\n    role\n    scopes\n    tenant { slug name }\n    customer { email }\n  }\n}\n"
_PLANS = (
    "query Plans {\n  plans(first: 10, filter: { active: true }) {\n    totalCount\n"
    "    nodes { id name price { amount currency } interval intervalCount }\n  }\n}\n"
)
_SUBSCRIPTIONS = (
    "query Subscriptions {\n  subscriptions(first: 10) {\n    nodes {\n      id\n      status\n      currentPeriodEnd\n"
    "      customer { email }\n      items { quantity plan { name } }\n"
    "      latestInvoice { number status total { amount currency } }\n      freshness { asOf source }\n    }\n  }\n}\n"
)
_CUSTOMER = (
    "mutation NewCustomer($input: CustomerCreateInput!) {\n  customerCreate(input: $input) {\n"
    "    customer { id email }\n    errors { code message field }\n    revision\n  }\n}\n"
)

EXAMPLES = (
    Example("Who am I?", _WHO),
    Example("Plans", _PLANS),
    Example("Subscriptions with their invoices", _SUBSCRIPTIONS),
    Example("Create a customer", _CUSTOMER, {"input": {"email": "ada@example.org", "name": "Ada Lovelace"}}),
)
