"""Idempotency keys by owner, in plain SQL beside this file."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Each customer has a space of keys of its own, and the back end of its tenant another."""

    dependencies: ClassVar = [("models", "0004_access_and_audit")]
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
