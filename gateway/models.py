"""The modules that declare Tortoise models, in one place for whoever opens the database."""

from typing import Final

MODELS: Final = ("tenants.models", "mirror.models")
