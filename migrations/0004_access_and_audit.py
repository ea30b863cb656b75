"""Access beyond keys, and the audit log's chain, in plain SQL beside this file."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Rotation, revoked sessions, identity providers, origins, trusted documents, the chained audit log."""

    dependencies: ClassVar = [("models", "0003_effects_and_rounds")]
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
