"""What slips in where text is copied: characters that only look right, and addresses in the place of ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote

_QUOTES = "‘’‚‛“”„‟«»‹›"
_DASHES = "‐‑‒–—―−"
_PORTAL = re.compile(r"(?:https://)?(?:[a-z]+\.)?portal\.azure\.(?:com|us|cn)/", re.IGNORECASE)
_TENANT = re.compile(r"#@[\w.-]*", re.ASCII)
_PLAIN = re.compile(r"(/[\w.()-]+)+", re.ASCII)
_RESOURCE = re.compile(r"/subscriptions/.*?/providers/[^/?#]+/[^/?#]+/[^/?#]+", re.IGNORECASE | re.DOTALL)


def odd_character(text: str) -> tuple[str, str] | None:
    """Return what is wrong with the first character that only looks right, and the remedy; or None."""
    for each in text:
        if each.isascii() and each != "\t":
            continue
        code = f"U+{ord(each):04X}"
        if each == "\t":
            return "holds a tab", "write spaces instead"
        if each in _QUOTES:
            return f"holds a curly quote, {each} ({code})", "write straight quotes, or none"
        if each in _DASHES:
            return f"holds a long dash, {each} ({code})", "write - instead"
        name = unicodedata.name(each, "without a name").lower()
        if unicodedata.category(each) == "Zs":
            return f"holds a {name} ({code})", "write an ordinary space, or none"
        if unicodedata.category(each) == "Cf":
            return f"holds a character that cannot be seen: {name} ({code})", "delete it"
    return None


def without_tenant(text: str) -> str:
    """Return an address of the portal without its `#@tenant`, which looks like the user part of a URL."""
    return _TENANT.sub("#", text, count=1) if _PORTAL.match(text.strip()) else text


def _from_portal(text: str) -> str:
    found = _RESOURCE.search(text) if _PORTAL.search(text) else None
    return found[0] if found else text


def _typed(text: str) -> str:
    """Return a text as it would have been typed."""
    plain = dict.fromkeys(_DASHES, "-") | dict.fromkeys(_QUOTES, '"')
    kept = (" " if unicodedata.category(each) == "Zs" else plain.get(each, each) for each in text)
    return "".join(each for each in kept if unicodedata.category(each) != "Cf")


_SLIPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("has white space around it", str.strip),
    ("has quotes around it", lambda text: text.strip("\"'`").strip()),
    ("is an address of the portal, not a resource id", _from_portal),
    ("is URL-encoded", lambda text: unquote(text) if re.search("%2f", text, re.IGNORECASE) else text),
    (
        "is a URL, not a resource id",
        lambda text: re.sub(r"^https?://[^/]*(?=/subscriptions/)", "", text, flags=re.IGNORECASE),
    ),
    ("has a query", lambda text: re.split("[?#]", text, maxsplit=1)[0]),
    (
        "begins with a folder of this machine, as Git Bash on Windows makes of a leading slash",
        lambda text: re.sub(r"^[a-z]:[/\\].*?(?=/subscriptions/)", "", text, flags=re.IGNORECASE),
    ),
    (
        "does not begin with a slash",
        lambda text: f"/{text}" if re.match("subscriptions/", text, re.IGNORECASE) else text,
    ),
    ("has two slashes in a row", lambda text: re.sub("/{2,}", "/", text)),
    ("ends with a slash", lambda text: text.rstrip("/")),
)


def slipped(text: str) -> tuple[str, str] | None:
    """Return what is wrong with what is nearly a resource id, and the id that was meant; or None."""
    if _PLAIN.fullmatch(text):
        return None
    odd = odd_character(text)
    wrong, text = [odd[0]] if odd else [], _typed(text)
    before = None
    while before != text:  # what is within quotes may end with a slash, and so on
        before = text
        for sentence, mend in _SLIPS:
            mended = mend(text)
            if mended != text:
                wrong.append(sentence)
                text = mended
    return ("; ".join(dict.fromkeys(wrong)), text) if wrong else None
