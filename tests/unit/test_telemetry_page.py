"""The page on telemetry names what the code traces."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
SHELLS = ("state", "watch", "switch", "azure")


def test_every_span_stands_on_the_page() -> None:
    """The tree has each span that is begun, and no other."""
    sources = [
        path.read_text(encoding="utf-8") for each in SHELLS for path in (ROOT / "nvaha" / each).rglob("*.py")
    ]
    begun = {name for text in sources for name in re.findall(r'"(nvaha\.[a-z]+)"', text)} - {"nvaha.outcome"}
    tree = PAGE.split("```")[1]
    assert set(re.findall(r"nvaha\.[a-z]+", tree)) == begun
