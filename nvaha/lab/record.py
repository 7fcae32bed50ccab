"""Records of drills in a page: written between markers, never by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvaha.lab.stage.azurite import LabError

_END = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a drill went: in a few words, and all that was seen of it."""

    words: str
    text: str


def write(where: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Put outcomes into a page, each where the page has its markers; everything else stays.

    Args:
        where: the page, or a folder of pages, of which each outcome goes into the one that has its place.
        outcomes: by the drill's name.

    Raises:
        LabError: a page cannot be read or written, or there is no place for one of them.
    """
    try:
        pages = sorted(where.glob("*.md")) if where.is_dir() else [where]
        texts = {page: page.read_text(encoding="utf-8") for page in pages}
        for name, outcome in outcomes.items():
            begin = f"<!-- last {name} -->"
            page = next((each for each in pages if begin in texts[each]), where)
            if page not in texts:
                raise LabError(f"no page in {where} has {begin}")
            text = _put(texts[page], f"last {name}", outcome.words, page)
            text = _put(text, f"record {name}", f"\n```log\n{outcome.text}\n```\n", page)
            page.write_text(text, encoding="utf-8")
            texts[page] = text
    except OSError as error:
        raise LabError(f"{where} cannot be written: {error.strerror}") from error


def _put(text: str, marker: str, content: str, page: Path) -> str:
    begin = f"<!-- {marker} -->"
    place = re.compile(f"({re.escape(begin)}).*?({re.escape(_END)})", re.DOTALL)
    text, count = place.subn(lambda found: f"{found[1]}{content}{found[2]}", text)
    if count != 1:
        raise LabError(f"{page} has {count} places between {begin} and {_END}; one is needed")
    return text
