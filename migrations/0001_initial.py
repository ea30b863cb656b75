"""The first floor of the database, in plain SQL beside this file (docs/decisions/0003 says why)."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Tables, keys, row-level security, grants and functions."""

    initial = True
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
