"""Checkout sessions: what is bought, and what completing one creates."""
