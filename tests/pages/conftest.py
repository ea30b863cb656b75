"""Fixtures of the pages' tests."""

from tests.browser import chromium_page

__all__ = ["chromium_page"]
