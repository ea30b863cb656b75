"""Stripe's events, from the socket to the mirror."""
