"""What the order of snapshots, the inbox's lanes and the jobs need, in plain SQL beside this file."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Columns of the mirror and the inbox, and the table of jobs."""

    dependencies: ClassVar = [("models", "0001_initial")]
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
