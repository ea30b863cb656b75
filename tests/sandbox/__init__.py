"""Tests of the sandbox, over real HTTP where it is about behaviour."""
