"""What the user writes: read, checked, all errors at once, and turned into the values of nvaha.model.

docs/configuration.md says what each key means. ha-nva's own JSON is read too, by nvaha.config.hanva.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nvaha.config.checks import check
from nvaha.config.draft import build, read_draft
from nvaha.config.hanva import is_hanva, to_native_tree
from nvaha.config.problems import START, ConfigError, Findings, Place, Problem, Unshown, describe, show
from nvaha.config.text import MAX_CHARACTERS, TextError, read_tree, take_secrets_out
from nvaha.model import Configuration
from nvaha.text import shown

__all__ = ["ConfigError", "Loaded", "Problem", "describe", "load", "parse"]

DEFAULT_FILES = ("nvaha.yaml", "nvaha.yml", "nvaha.json")
SETTING = "NVAHA_CONFIG"
_LONGEST_SHOWN = 1000
_QUOTES = ("'", '"', "“", "‘")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what is worth saying about it."""

    configuration: Configuration
    warnings: tuple[Problem, ...] = ()


def parse(text: str, source: str = "nvaha.yaml") -> Loaded:
    """Read a configuration from YAML or JSON, native or ha-nva's.

    Args:
        text: the whole file.
        source: what to call it in errors.

    Returns:
        The configuration with its warnings.

    Raises:
        ConfigError: with every error that was found.
    """
    findings = Findings()
    try:
        tree = take_secrets_out(read_tree(text, findings), "", findings)
    except TextError as unreadable:
        findings.error("", Unshown.NONE, unreadable.message, unreadable.remedy, unreadable.place)
        raise ConfigError(tuple(findings.errors), source) from None
    configuration = _understand(tree, findings)
    errors, warnings = findings.in_file_order()
    if errors:
        raise ConfigError(errors, source, warnings)
    return Loaded(configuration, warnings)


def _understand(tree: Any, findings: Findings) -> Configuration:
    if tree is None:
        findings.error(
            "", Unshown.NONE, "is empty", "write groups: and the first group; see nvaha.sample.yaml"
        )
        return Configuration(())
    if is_hanva(tree):
        tree, findings.rename = to_native_tree(tree, findings)
    draft = read_draft(tree, findings)
    check(draft, findings)
    return Configuration(()) if findings.errors else build(draft)


def load(setting: str | None, base: Path, read_url: Callable[[str], str] | None = None) -> Loaded:
    """Read the configuration that the setting NVAHA_CONFIG names.

    Args:
        setting: a file, JSON itself (starts with a brace), or the https URL of a blob; None or empty for the
            default file beside host.json.
        base: the folder of host.json; relative files are taken from here.
        read_url: returns the text behind a URL.

    Returns:
        The configuration with its warnings.

    Raises:
        ConfigError: it cannot be read, or has errors. Other errors than OSError of `read_url` pass through.
    """
    setting = (setting or "").strip().removeprefix("\ufeff")
    if setting[:1] in _QUOTES and setting[1:].lstrip()[:1] == "{":
        raise _unreadable(Unshown.HIDDEN, "has quotes around it", "write the JSON alone, from { to }")
    if setting.startswith("{"):
        return parse(setting, SETTING)
    if "://" in setting:
        return _load_url(setting, read_url)
    return _load_file(setting, base)


def _load_url(url: str, read_url: Callable[[str], str] | None) -> Loaded:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unreadable(Unshown.HIDDEN, "is not a URL", "write the blob's URL, https://…") from None
    # The query may hold a SAS, and the part before the host a password.
    name = shown(url, _LONGEST_SHOWN)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise _unreadable(
            name, "is not an https URL", "write the blob's URL, https://…; it is read with the identity"
        )
    if read_url is None:
        raise _unreadable(name, "is a URL, which cannot be read here", "name a file")
    try:
        text = read_url(url)
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__  # its text may repeat the URL with its query
        raise _unreadable(
            name,
            f"could not be read: {reason}",
            "check the URL, the network and the role Storage Blob Data Reader",
        ) from None
    return parse(text, name)


def _load_file(setting: str, base: Path) -> Loaded:
    candidates = [base / setting] if setting else [base / name for name in DEFAULT_FILES]
    path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
    try:
        too_large = path.stat().st_size > 4 * MAX_CHARACTERS  # a character has at most four bytes
        text = "" if too_large else path.read_text("utf-8")
    except UnicodeDecodeError as problem:
        before = problem.object[: problem.start]
        place = Place(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        wide = problem.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        message = "is UTF-16 text, as Windows PowerShell's > writes it" if wide else "is not UTF-8 text"
        raise _not_text(path, place, message, "save the file as UTF-8") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        remedy = f"write the file (nvaha.sample.yaml shows how), or set {SETTING}"
        raise _unreadable(shown(str(path), _LONGEST_SHOWN), f"could not be read: {reason}", remedy) from None
    if too_large:
        remedy = f"name the right file, here or in {SETTING}"
        raise _not_text(path, START, "is far too large for a configuration", remedy)
    return parse(text, path.name)


def _not_text(path: Path, place: Place, message: str, remedy: str) -> ConfigError:
    findings = Findings()
    findings.error("", Unshown.NONE, message, remedy, place)
    return ConfigError(tuple(findings.errors), path.name)


def _unreadable(value: object, message: str, remedy: str) -> ConfigError:
    # No text was read, so there is no line.
    return ConfigError((Problem(SETTING, show(value), message, remedy),), SETTING)
