"""A stateful stand-in for Stripe's API, over HTTP."""
