"""What a release stores and what of it another one reads: names by kind, and the words of each choice.

`format-RELEASE.json` says it of a release that is out, and is not edited any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

Format = dict[str, dict[str, list[str]]]


def file_of(release: str) -> Path:
    """Return where the format of a release is kept."""
    return Path(__file__).parent / f"format-{release}.json"


def format_of(model: Any) -> Format:
    """Return what a release's `nvaha.model` stores: {"names": {kind: …}, "words": {choice: …}}."""
    found: Format = {"names": {}, "words": {}}
    for kind in _kinds({model.GroupState, model.LeaderRecord, model.Operation}):
        if issubclass(kind, StrEnum):
            found["words"][kind.__name__] = [str(each) for each in kind]
        else:
            names = [each.name for each in dataclasses.fields(kind) if each.name != "rest"]
            found["names"][kind.__name__] = names
    return {part: dict(sorted(each.items())) for part, each in found.items()}


def _kinds(left: set[Any]) -> Iterator[Any]:
    seen: set[Any] = set()
    while left:
        kind = left.pop()
        if kind in seen:
            continue
        seen.add(kind)
        left.update(get_args(kind))
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            left.update(get_type_hints(kind)[each.name] for each in dataclasses.fields(kind))
            yield kind
        elif isinstance(kind, type) and issubclass(kind, StrEnum):
            yield kind
