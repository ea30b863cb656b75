"""Subscriptions: made, changed, renewed and ended."""
