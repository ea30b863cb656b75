"""Tests of the production invariants and of retention."""
