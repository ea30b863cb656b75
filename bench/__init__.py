"""Measures speed, as ratios taken in one run: nothing here decides a test."""
