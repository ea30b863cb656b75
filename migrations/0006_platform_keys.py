"""Platform keys that rotate, what was done with them, and tenants that were removed, in plain SQL beside this file."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """A platform key knows what replaced it; its issue, rotation and end are recorded; a tenant may be closed."""

    dependencies: ClassVar = [("models", "0005_keys_by_owner")]
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
