"""Stripe's conventions over HTTP: forms, routes, keys, errors, lists and expansion."""
