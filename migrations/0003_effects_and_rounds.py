"""The tables of effects and rounds, in plain SQL beside this file."""

from pathlib import Path
from typing import ClassVar

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Effects each once, rounds of checks, and payloads whose time is over."""

    dependencies: ClassVar = [("models", "0002_order_and_jobs")]
    operations: ClassVar = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
