"""From text to plain values: YAML or JSON within bounds, duplicate keys and secrets found.

YAML is read from PyYAML's event stream, not through its constructors, for three reasons: aliases, tags and
depth are refused before anything is built; each duplicate key is seen; and only `true` and `false` are
booleans, so that `drift: off` stays the word it is.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from nvaha.config import syntax
from nvaha.config.problems import START, Findings, Place, Unshown, at
from nvaha.config.slips import without_tenant
from nvaha.text import has_secret

MAX_CHARACTERS = 2 * 1024 * 1024
MAX_DEPTH = 16

# libyaml is about ten times faster; every wheel of PyYAML has it, a source build may not.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{0,17}")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

_SECRET_NAME = re.compile(
    r".*(password|passwd|passphrase|secret).*|pwd|key|token|sas|.*(private|account|access|api|function|host"
    r"|master|storage|shared)key|(sas|access|bearer|refresh|auth)token|credentials?"
)
_ROLES = ("interfaces", "public_ips")
_BELONGS = {
    "clientsecret": "delete it here; use a managed identity, or the application setting AZURE_CLIENT_SECRET "
    "(best as a Key Vault reference)",
    "keystorepassword": "delete it here; use a managed identity, or the application settings "
    "AZURE_CLIENT_CERTIFICATE_PATH (PEM or PFX, no Java key store) and "
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
}
_BELONGS["certificatepassword"] = _BELONGS["keystorepassword"]
_BELONGS["path"] = "probe a path that needs no secret: what is probed stands in this file"
_ELSEWHERE = (
    "delete it here; use a managed identity, or an application setting (best as a Key Vault reference): "
    "AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, or the connection that NVAHA_STORAGE names"
)


class TextError(ValueError):
    """The text cannot be read at all; `place` is where."""

    def __init__(self, place: Place, message: str, remedy: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.remedy = remedy


class _Pairs(list[tuple[str, Place, Any]]):
    """A mapping as written, duplicates and order included: each key with its place and its value."""


class _Items(list[tuple[Place, Any]]):
    """A list as written, each entry with its place."""


def read_tree(text: str, findings: Findings) -> Any:
    """Return the text's values as dicts, lists and scalars, and remember in `findings` where each one stands.

    Raises:
        TextError: the text is no YAML or JSON, or goes beyond what is accepted.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(
            START, f"is longer than {MAX_CHARACTERS} characters", "split the groups over several apps"
        )
    text = _clean(text).removeprefix("\ufeff")
    if text.lstrip()[:1] == "{":
        return _plain(_read_json(text), "", findings)
    return _plain(_read_yaml(text), "", findings)


def _read_json(text: str) -> Any:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a JSON value")

    try:
        json.loads(text, parse_int=len, parse_constant=refuse)
        return _json_node(_Tokens(text))
    except RecursionError:
        raise _too_deep(START) from None
    except TextError:
        raise
    except ValueError as problem:
        # YAML's flow style looks like JSON; what is neither was probably meant as JSON, and is told so.
        try:
            return _read_yaml(text)
        except TextError as other:
            if not isinstance(problem, json.JSONDecodeError):
                raise
            place = Place(problem.lineno, problem.colno)
            raise TextError(place, *syntax.of_json(text, place, problem.msg)) from other


class _Tokens:
    """The tokens of a text that is valid JSON, each with its place: the standard library tells none."""

    _TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._found = self._TOKEN.finditer(text)

    def next(self) -> tuple[str, Place]:
        """Return the next one."""
        found = next(self._found)
        line = bisect_right(self._starts, found.start())
        return found[0], Place(line, found.start() - self._starts[line - 1] + 1)


def _json_node(tokens: _Tokens, depth: int = 0) -> Any:
    return _json_value(tokens, *tokens.next(), depth)


def _json_value(tokens: _Tokens, first: str, place: Place, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _too_deep(place)
    if first == "{":
        pairs = _Pairs()
        while (key := tokens.next())[0] != "}":
            if key[0] != ",":
                tokens.next()  # the colon
                pairs.append((json.loads(key[0]), key[1], _json_node(tokens, depth + 1)))
        return pairs
    if first == "[":
        items = _Items()
        while (item := tokens.next())[0] != "]":
            if item[0] != ",":
                items.append((item[1], _json_value(tokens, *item, depth + 1)))
        return items
    return json.loads(first, parse_int=lambda digits: int(digits) if len(digits) < 19 else digits)


def _read_yaml(text: str) -> Any:
    try:
        return _document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as problem:
        place = _place(problem.problem_mark or problem.context_mark)
        begins = _place(problem.context_mark) if problem.context_mark else None
        wrong = syntax.of_yaml(text, place, problem.problem or "", problem.context or "", begins)
        raise TextError(*wrong) from None
    except yaml.YAMLError:
        # Only the reader's errors have no mark: a character that YAML does not allow.
        raise _not_allowed(text) from None


def _not_allowed(text: str) -> TextError:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    before = text[: found.start()] if found else ""
    place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
    code = f": U+{ord(found[0]):04X}" if found else ""
    message = f"holds a character that YAML does not allow{code}"
    return TextError(place, message, "delete it, and save the file as plain UTF-8 text")


def _document(events: Iterator[Any]) -> Any:
    next(events)  # the start of the stream
    event = next(events)
    if isinstance(event, yaml.StreamEndEvent):
        return None
    value = _node(events, next(events), 0)
    next(events)  # the end of the document
    event = next(events)
    if not isinstance(event, yaml.StreamEndEvent):
        raise TextError(
            _place(event.start_mark), "starts a second document", "write one document; delete the line ---"
        )
    return value


def _node(events: Iterator[Any], event: Any, depth: int) -> Any:
    place = _place(event.start_mark)
    if depth > MAX_DEPTH:
        raise _too_deep(place)
    if isinstance(event, yaml.AliasEvent):
        raise TextError(place, "refers to another part of the file by an alias", "write the values out")
    if event.tag is not None:
        raise TextError(place, "has a YAML tag", "delete the tag (the word that starts with !)")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        items = _Items()
        while not isinstance(following := next(events), yaml.SequenceEndEvent):
            items.append((_place(following.start_mark), _node(events, following, depth + 1)))
        return items
    pairs = _Pairs()
    while not isinstance(following := next(events), yaml.MappingEndEvent):
        if not isinstance(following, yaml.ScalarEvent):
            if isinstance(following, yaml.MappingStartEvent) and _place(following.start_mark) == (
                place.line,
                place.column + 1,
            ):
                remedy = "fill the template in first, or write the value"
                raise TextError(place, "begins with {{, as what a template fills in does", remedy)
            raise TextError(
                _place(following.start_mark), "is not a simple key", "write a word before the colon"
            )
        key, where = following.value, _place(following.start_mark)
        pairs.append((key, where, _node(events, next(events), depth + 1)))
    return pairs


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else START


def _too_deep(place: Place) -> TextError:
    return TextError(
        place, f"is nested deeper than {MAX_DEPTH} levels", "a configuration needs no more than 7"
    )


def _plain(value: Any, path: str, findings: Findings) -> Any:
    """Turn pairs into dicts; the first of two equal keys is kept, and the second reported."""
    if isinstance(value, _Pairs):
        mapping: dict[str, Any] = {}
        for key, place, below in value:
            key_path = at(path, key)
            if key in mapping:
                message = f"is written twice, first on line {findings.place(key_path).line}"
                findings.error(key_path, Unshown.NONE, message, "keep one of the two", place)
            else:
                findings.places.setdefault(key_path, place)
                mapping[_clean(key)] = _plain(below, key_path, findings)
        return mapping
    if isinstance(value, _Items):
        items = []
        for index, (place, below) in enumerate(value):
            item_path = at(path, index)
            findings.places.setdefault(item_path, place)
            items.append(_plain(below, item_path, findings))
        return items
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can escape and nothing can print."""
    return text.encode("utf-8", "replace").decode()


def take_secrets_out(value: Any, path: str, findings: Findings, parent: str = "") -> Any:
    """Return the values without what looks like a secret; each one is an error that does not show it.

    In a list the place of each one is kept, so that all others keep theirs.
    """
    if isinstance(value, list):
        return [take_secrets_out(below, at(path, index), findings) for index, below in enumerate(value)]
    if isinstance(value, dict):
        mapping = {}
        for key, below in value.items():
            if _names_secret(key, below, parent):
                _refuse_secret(key, at(path, key), findings)
            elif (rest := take_secrets_out(below, at(path, key), findings, key)) is not Unshown.SECRET:
                mapping[key] = rest
        return mapping
    if isinstance(value, str) and has_secret(without_tenant(value)):
        _refuse_secret(parent, path, findings)
        return Unshown.SECRET
    return value


def _names_secret(key: str, value: Any, parent: str) -> bool:
    if parent in _ROLES and not (isinstance(value, str) and not value.startswith("/")):
        return False  # a role may have any name
    return _SECRET_NAME.fullmatch(_letters(key)) is not None


def _refuse_secret(key: str, path: str, findings: Findings) -> None:
    message = "is a secret, and secrets do not belong in this file"
    findings.error(path, Unshown.SECRET, message, _BELONGS.get(_letters(key), _ELSEWHERE))
    findings.secret.add(path)


def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())
