"""Text made fit for a sentence, a log line or a record: pure, and lowest of all: imports nothing of nvaha.

What others wrote (operators, NVAs, Azure, libraries) is told through `safe`, the one place where secrets are
looked for and where what a terminal or a log would act on is made visible.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "…"
"""Stands where a secret was, and where something was cut out."""

_NAME = r"(?:sig|signature|key|token|secret|credentials?|password|passwd|passphrase|pwd)"
_WORD = r"(?:password|passwd|passphrase|pwd|client_?secret|account_?key)"
_SPACE = r"(?:\s|%20)"
_QUOTE = r"(?:\\{0,9}[\"']|%22)"
_QUOTED = rf"{_QUOTE}[^\"']+{_QUOTE}?"
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), told)
    for pattern, told in (
        # A private key, to its end or that of the text.
        (r"-----BEGIN[A-Z %20+]{1,40}PRIVATE.{1,3}KEY.*?(?:-----END[A-Z %20+]{1,40}KEY-----|\Z)", HIDDEN),
        # A URL's user part; whoever does not quote a password puts slashes into it, so up to the last @.
        (r"(?<=\w://)[^\s\"'<>]{0,1000}@", f"{HIDDEN}@"),
        (
            r"(?<![^\s\"'<>=,;()\[{/])[^\s:/@\"'<>=,;()\[{]{1,64}:(?!//)[^\s@\"'<>]{1,256}@(?=[\w\[])",
            f"{HIDDEN}@",
        ),
        # name=value: in connection strings, queries, and what people call things; quoted as may be.
        (rf"({_NAME}{_QUOTE}?{_SPACE}?(?:=|%3D){_SPACE}?)(?:{_QUOTED}|[^\s&;\"']+)", rf"\1{HIDDEN}"),
        (r"((?:[?&]|%3F|%26)code=)[^\s&;\"']+", rf"\1{HIDDEN}"),
        (rf"({_QUOTE}[\w -]{{0,40}}{_NAME}{_QUOTE}{_SPACE}?:{_SPACE}?){_QUOTED}", rf"\1{HIDDEN}"),
        (rf"({_WORD}{_SPACE}?:{_SPACE}+)(?:{_QUOTED}|[^\s\"',;]+)", rf"\1{HIDDEN}"),
        (rf"(\b(?:bearer|sharedkey|sharedkeylite){_SPACE}+)[^\s\"',;]+", rf"\1{HIDDEN}"),
        (r"(\bbasic\s+)[\w+/]{16,}={0,2}", rf"\1{HIDDEN}"),
        # What tells itself: a JSON web token, base64 with its padding (every key of storage and Functions),
        # a client secret of Entra.
        (r"\beyJ[\w-]{5,}(?:\.[\w-]+)*", HIDDEN),
        (r"(?<![\w+/-])[\w+/-]{20,}+={1,2}(?![\w=])", HIDDEN),
        (r"[\w.~-]{3}\dQ~[\w.~-]{20,}", HIDDEN),
    )
)


_MARKS = ("=", "@", "q~", "eyj", "-----begin", "%3d", "bearer", "basic", "sharedkey")
_NAMED = ("sig", "key", "token", "secret", "credential", "pass", "pwd")
"""No pattern finds anything in a text without a mark, or without a colon and one of these."""


def without_secrets(text: str) -> str:
    """Return a text with `…` in the place of everything that looks like a secret.

    Found are connection strings, keys, signatures, tokens and passwords by their name or their form, and user
    parts of URLs. It is to be called before a text is cut: half a secret may not look like one.
    """
    # Nearly every text is a name, a number or a sentence without any of this: looking costs a hundredth of
    # trying every pattern, and an answer about a thousand groups holds a hundred thousand texts.
    folded = text.casefold()
    named = ":" in folded and any(name in folded for name in _NAMED)
    if not named and not any(mark in folded for mark in _MARKS):
        return text
    for pattern, told in _SECRETS:
        text = pattern.sub(told, text)
    return text


def has_secret(text: str) -> bool:
    """Tell whether something in a text looks like a secret."""
    return without_secrets(text) != text


def visible(text: str) -> str:
    """Return a text as one line on which nothing acts: what cannot be printed is written as Python does.

    So a line end is `\\n`, an escape `\\x1b`, and a mark that turns the direction of writing `\\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def safe(text: str) -> str:
    """Return what others wrote as it may be told: without secrets, on one line, with nothing invisible."""
    return visible(without_secrets(text))


def in_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return plain values, such as JSON's, with each text in them changed; what is no text stays as it is."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {in_texts(key, change): in_texts(below, change) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [in_texts(below, change) for below in value]
    return value


def shown(value: str, longest: int) -> str:
    """Return the value of a setting or an argument as an error shows it: safe, without a query, and short."""
    before, asks, _ = safe(value).partition("?")
    return shortened(before + (f"?{HIDDEN}" if asks else ""), longest)


def fit_to_raise(error: Exception) -> Exception:
    """Return an error that may go to where whatever is raised gets logged.

    That is the error itself, cut off from its causes if those tell a secret; only if its own text does, it is
    another one with that text made safe.
    """
    own, *causes = _chain(error)
    if not any(has_secret(str(each)) for each in (own, *causes)):
        return error
    error.__cause__ = error.__context__ = None
    if not isinstance(error, BaseExceptionGroup) and not has_secret(str(error)):
        return error
    told = RuntimeError(f"{type(error).__name__}: {safe(str(error))}")
    told.__suppress_context__ = True  # which will be the error itself, where this one is raised
    return told.with_traceback(error.__traceback__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that a traceback would show with it."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        more = [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
        todo += [other for other in more if isinstance(other, BaseException)]


def shortened(text: str, longest: int, *, tail: int = 0) -> str:
    """Return at most `longest` characters of a text, with `…` where something was cut out.

    Args:
        text: what may be too long.
        longest: how many characters may stay, at least 1 and more than `tail`.
        tail: how many of them are kept from the end; resource ids differ there.
    """
    if len(text) <= longest:
        return text
    head = longest - tail - 1
    return f"{text[:head]}{HIDDEN}{text[len(text) - tail :]}"


def one_line(text: str) -> str:
    """Return a text with every run of white space, line ends among them, made one space."""
    return " ".join(text.split())


def last_part(resource_id: str) -> str:
    """Return the name at the end of a resource id."""
    return resource_id.rstrip("/").rpartition("/")[2]


_OWN = re.compile(
    r"/subscriptions/[^\s'\",;)]+|Microsoft\.\w+/\w+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
"""What differs in two tellings of one reason: the resource, its kind, the request."""
_SHORTEST_REASON, _MOST_COMPARED, _MOST_NAMED = 30, 500, 3


def alike(sentences: Iterable[str]) -> list[str]:
    """Return sentences of which those that end in the same reason are one, with how many they are.

    So a role that is missing for five resources is told once, of the first, and the others are named. A
    reason is what stands behind a colon; resources, their kinds and ids of requests in it may differ.
    """
    everything = list(dict.fromkeys(sentences))
    compared = [_reasons(each) for each in everything[:_MOST_COMPARED]]
    counted = Counter(reason for reasons in compared for reason in reasons)
    groups: dict[str, tuple[str, int, dict[str, None]]] = {}
    for sentence, reasons in zip(everything, compared, strict=False):
        key = next((each for each in reasons if counted[each] > 1), sentence)
        length = reasons.get(key, 0)
        head = sentence[: len(sentence) - length].rpartition(": ")[2]
        groups.setdefault(key, (sentence, length, {}))[2][head] = None
    told = [_told(first, reason, list(heads)[1:]) for first, reason, heads in groups.values()]
    return [*told, *everything[_MOST_COMPARED:]]


def without_ids(text: str) -> str:
    """Return a text by which to tell whether another says the same of another resource."""
    return _OWN.sub(HIDDEN, text)


def _reasons(sentence: str) -> dict[str, int]:
    """Return what stands behind each colon of a sentence, the longest first, with how long it is there."""
    ends = [len(sentence) - each.end() for each in re.finditer(": ", sentence)]
    return {without_ids(sentence[-end:]): end + 2 for end in ends if end >= _SHORTEST_REASON}


def _told(first: str, reason: int, others: list[str]) -> str:
    if not others:
        return first
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    named = f" (the same for {len(others)} more: {', '.join(others[:_MOST_NAMED])}{more})"
    return f"{first[:-reason]}{named}{first[-reason:]}"
