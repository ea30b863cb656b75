"""Stripe's resources, one module each; a module registers its operations when it is imported."""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every resource module of this folder."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
