"""Our copy of Stripe's objects, and the one door into it."""
