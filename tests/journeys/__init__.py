"""Journeys: what users do, over real HTTP, with every process and a real browser."""
