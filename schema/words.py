"""What each word of the API's enums means; a test asks for every one."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "BillingErrorCode": {
        "INVALID_INPUT": "A value can't be used; `field` says which.",
        "NOT_FOUND": "There is no such object, or it is not the caller's: the two are told alike.",
        "FORBIDDEN": "The token may not do this.",
        "CARD_DECLINED": "The bank or Stripe declined; `declineCode` and `adviceCode` say why and what to do.",
        "IDEMPOTENCY_KEY_REUSED": "The key was used with another input.",
        "IDEMPOTENCY_KEY_IN_USE": "The first request with this key is still running: try again.",
        "STRIPE_REFUSED": "Stripe refused the request; the message is Stripe's.",
        "STRIPE_UNAVAILABLE": "Stripe did not answer, and may have done it: try again with the same key.",
        "RATE_LIMITED": "Too much at once: try again later with the same key.",
        "TENANT_NOT_READY": "The tenant is not connected to Stripe.",
    },
    "CancellationFeedback": {
        "CUSTOMER_SERVICE": "The service for customers was not good enough.",
        "LOW_QUALITY": "The quality was not good enough.",
        "MISSING_FEATURES": "Something is missing.",
        "SWITCHED_SERVICE": "They go to another provider.",
        "TOO_COMPLEX": "It is too hard to use.",
        "TOO_EXPENSIVE": "It costs too much.",
        "UNUSED": "They don't use it enough.",
        "OTHER": "Another reason.",
    },
    "CheckoutPaymentStatus": {
        "PAID": "The money is there.",
        "UNPAID": "The money is not there yet.",
        "NO_PAYMENT_REQUIRED": "Nothing is to be paid now, as in a trial.",
    },
    "CheckoutStatus": {
        "OPEN": "The page waits for its customer.",
        "COMPLETE": "The customer has done it; the payment may still be under way.",
        "EXPIRED": "The page has closed; open another.",
    },
    "CollectionMethod": {
        "CHARGE_AUTOMATICALLY": "With a saved means of payment, by itself.",
        "SEND_INVOICE": "By the customer, who is sent the invoice.",
    },
    "DifferenceKind": {
        "MISSING": "The mirror did not have the object.",
        "CHANGED": "Some fields were otherwise.",
        "GONE": "Stripe no longer has the object.",
    },
    "Industry": {
        "HEALTHCARE": "Hospitals and practices.",
        "EDUCATION": "Schools and universities.",
        "SAAS": "Software as a service.",
        "OTHER": "Something else.",
    },
    "Interval": {"DAY": "By days.", "WEEK": "By weeks.", "MONTH": "By months.", "YEAR": "By years."},
    "InvoiceStatus": {
        "DRAFT": "It can still change, and is not to be paid yet.",
        "OPEN": "It waits for payment.",
        "PAID": "It is paid, or nothing was to be paid.",
        "UNCOLLECTIBLE": "Nobody expects its payment any more.",
        "VOID": "It was a mistake and counts for nothing.",
    },
    "KeyRole": {
        "PARTNER": "The tenant's back end.",
        "ADMIN": "The tenant's administrators: also keys, sessions, the audit log.",
        "SUPPORT": "Reads, with personal data masked.",
    },
    "Order": {"NEWEST_FIRST": "The latest comes first.", "OLDEST_FIRST": "The earliest comes first."},
    "PaymentStatus": {
        "REQUIRES_PAYMENT_METHOD": "It was not paid, or declined: another means of payment is needed.",
        "REQUIRES_CONFIRMATION": "It waits to be confirmed.",
        "REQUIRES_ACTION": "The customer must do something, as for 3-D Secure.",
        "PROCESSING": "The money is on its way.",
        "REQUIRES_CAPTURE": "The money is held, and not taken yet.",
        "CANCELED": "It will not be paid.",
        "SUCCEEDED": "It is paid.",
    },
    "ProrationBehavior": {
        "CREATE_PRORATIONS": "Credit and debit come with the next invoice.",
        "ALWAYS_INVOICE": "Credit and debit are invoiced now.",
        "NONE": "Nothing is reckoned for the rest of the period.",
    },
    "Role": {
        "CUSTOMER": "One customer of a tenant, through a page.",
        "PARTNER": "A tenant's back end.",
        "ADMIN": "A tenant's administrators.",
        "SUPPORT": "Reads of one tenant, with personal data masked.",
        "PLATFORM": "Who runs the gateway, acting for a tenant.",
    },
    "Source": {
        "API": "By the answer to a request of the gateway's.",
        "EVENT": "By a webhook.",
        "REREAD": "By reading it again from Stripe.",
    },
    "SubscriptionStatus": {
        "INCOMPLETE": "The first invoice waits for payment, for 23 hours.",
        "INCOMPLETE_EXPIRED": "The first invoice was not paid in time: it has ended.",
        "TRIALING": "In its trial.",
        "ACTIVE": "In good standing.",
        "PAST_DUE": "The latest invoice was not paid; Stripe tries again.",
        "CANCELED": "It has ended.",
        "UNPAID": "The latest invoice was not paid, and Stripe no longer tries.",
        "PAUSED": "The trial ended without a means of payment.",
    },
    "SyncKind": {
        "BACKFILL": "Everything, into an empty mirror.",
        "RECONCILE": "Everything, held against Stripe's lists.",
        "SAMPLE": "The newest page of each type, and one from a random place.",
    },
    "SyncState": {
        "WAITING": "It has not begun.",
        "RUNNING": "It is under way.",
        "DONE": "It has ended.",
        "FAILED": "It gave up.",
    },
    "TenantStatus": {
        "PENDING": "It has no account yet.",
        "ACTIVE": "It has an account.",
        "DISCONNECTED": "It has taken its account away: reads go on, writes are refused.",
        "OTHER": "A state that this version does not know.",
    },
    "TokenScope": {
        "READ": "Reads.",
        "CUSTOMERS_WRITE": "Creates and changes customers and their means of payment.",
        "SUBSCRIPTIONS_WRITE": "Starts, changes and ends subscriptions, and previews that.",
        "PAYMENTS_WRITE": "Pays invoices.",
        "SESSIONS_WRITE": "Opens Checkout and portal pages, and makes tokens for customers.",
        "TENANT_ADMIN": "Keys, sessions, the audit log, the mirror's state.",
    },
}
OTHER = "A word of Stripe's that this version does not know; the raw word stands beside it."
