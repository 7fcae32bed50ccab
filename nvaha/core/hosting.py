"""What the Functions host is told, against what nvaha needs of it: pure.

The one place that says what is needed of host.json and of the settings beside nvaha's own. Values are never
repeated but those of host.json, which holds no secrets, and of a few settings that are words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from nvaha.core.findings import Area, Finding, found, well
from nvaha.text import shown

OVERRIDE: Final = "AzureFunctionsJobHost__"
_UNRESOLVED: Final = "@Microsoft.KeyVault("
_SPAN: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,7})?)")
_LEVELS: Final = ("trace", "debug", "information", "warning", "error", "critical", "none")
_YES: Final = {"1", "true", "yes"}
_LONGEST: Final = 80
_COMMANDS: Final = {"NVAHA_URL", "NVAHA_KEY", "NVAHA_TARGET"}
"""The command's own, which an app that was started from the same shell inherits."""
TRIGGERED: Final = ("probe", "switch", "poison")


def seconds(value: object) -> float | None:
    """Return the seconds of a .NET TimeSpan such as `00:00:00.300`; None if it is none."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes, rest = match.groups()
    return int(days or 0) * 86400.0 + int(hours) * 3600.0 + int(minutes) * 60.0 + float(rest)


def _at_most(limit_s: float) -> Callable[[object], bool]:
    return lambda value: (found_s := seconds(value)) is not None and found_s <= limit_s


def _at_least(limit_s: float) -> Callable[[object], bool]:
    return lambda value: value == "-1" or ((found_s := seconds(value)) is not None and found_s >= limit_s)


def _number(least: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and value >= least


def _is(wanted: object) -> Callable[[object], bool]:
    return lambda value: str(value).casefold() == str(wanted).casefold()


@dataclass(frozen=True, slots=True)
class Need:
    """What one value of host.json has to be.

    Args:
        path: where it stands, with dots.
        absent: what the host takes where it does not stand there; None for nothing.
        good: tells whether a value will do.
        wanted: what to set it to.
        why: what happens otherwise.
        breaks: whether nvaha does not work at all then.
    """

    path: str
    absent: object
    good: Callable[[object], bool]
    wanted: str
    why: str
    breaks: bool = False


NEEDS: Final = (
    Need("version", None, _is("2.0"), '"2.0"', "the host reads no other", breaks=True),
    Need(
        "extensionBundle.id",
        None,
        _is("Microsoft.Azure.Functions.ExtensionBundle"),
        '"Microsoft.Azure.Functions.ExtensionBundle"',
        "without it no queue is listened to, so nothing is switched",
        breaks=True,
    ),
    Need(
        "extensionBundle.version",
        None,
        lambda value: re.match(r"[\[(]4\.", str(value)) is not None,
        '"[4.0.0, 5.0.0)"',
        "nvaha is tested with bundle 4, and identities need it",
    ),
    Need(
        "functionTimeout",
        "00:30:00",
        _at_least(900.0),
        '"00:15:00" or more',
        "a switch may last 14 minutes, and is cut off by it",
    ),
    Need(
        "singleton.listenerLockPeriod",
        "00:01:00",
        _at_most(15.0),
        '"00:00:15"',
        "another instance of the app takes the timer over that much later",
    ),
    Need(
        "singleton.listenerLockRecoveryPollingInterval",
        "00:01:00",
        _at_most(15.0),
        '"00:00:15"',
        "another instance of the app takes the timer over that much later",
    ),
    Need(
        "extensions.http.routePrefix",
        "api",
        _is("api"),
        '"api"',
        "the command, the status page and the alerts ask below /api",
        breaks=True,
    ),
    Need(
        "extensions.http.maxConcurrentRequests",
        100,
        _number(36),
        "36 or more",
        "what is looked at may keep a command from being taken in",
    ),
    Need(
        "extensions.queues.maxPollingInterval",
        "00:01:00",
        _at_most(2.0),
        '"00:00:00.300"',
        "a switch waits that long before it begins",
    ),
    Need(
        "extensions.queues.visibilityTimeout",
        "00:00:00",
        lambda value: (found_s := seconds(value)) is not None and 1.0 <= found_s <= 15.0,
        '"00:00:05"',
        "a switch that failed is tried again at once, or only after that long",
    ),
    Need(
        "extensions.queues.batchSize",
        16,
        _number(16),
        "16",
        "fewer groups are switched at a time when a zone is lost",
    ),
    Need(
        "extensions.queues.newBatchThreshold",
        8,
        _number(8),
        "8",
        "fewer groups are switched at a time when a zone is lost",
    ),
    Need(
        "extensions.queues.maxDequeueCount",
        5,
        _number(5),
        "5",
        "a switch is given up after so few attempts",
    ),
    Need(
        "extensions.queues.messageEncoding",
        "base64",
        _is("base64"),
        '"base64"',
        "the host cannot read what nvaha puts on the queue, so nothing is switched",
        breaks=True,
    ),
    Need(
        "logging.applicationInsights.samplingSettings.isEnabled",
        "true",
        _is("false"),
        "false",
        "events are lost, and with them alerts",
    ),
)


def of_host(host: Mapping[str, Any] | None, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with host.json as it is deployed, and as settings change it.

    Args:
        host: what the file holds; None if it cannot be read as an object.
        environ: the application settings.
    """
    if host is None:
        return [found(Area.HOST, "host_unreadable", "host.json", "it is not there, or not a JSON object")]
    overrides = {
        name[len(OVERRIDE) :].replace("__", ".").casefold(): (name, value)
        for name, value in environ.items()
        if name.casefold().startswith(OVERRIDE.casefold())
    }
    wrong = [finding for need in NEEDS for finding in _unmet(need, host, overrides)]
    wrong += _unlogged(host, overrides)
    return wrong or [well(Area.HOST, "host.json", f"all {len(NEEDS)} values that nvaha needs are so")]


def _unmet(
    need: Need, host: Mapping[str, Any], overrides: Mapping[str, tuple[str, str]]
) -> Iterator[Finding]:
    value: Any
    setting, value = overrides.get(need.path.casefold(), ("", _at(host, need.path)))
    value = need.absent if value is None else value
    if setting and value.isdecimal():
        value = int(value)
    if need.good(value):
        return
    is_text = "not set" if value is None else f"{shown(str(value), _LONGEST)!r}"
    if _at(host, need.path) is None and not setting and value is not None:
        is_text = f"not set, so {is_text}"
    override = f" (the setting {setting} says otherwise: remove it)" if setting else ""
    code = "host_breaks" if need.breaks else "host_differs"
    text = f"it is {is_text}: {need.why}"
    yield found(Area.HOST, code, need.path, text, wanted=need.wanted, override=override)


def _at(host: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path, without regard to case, as the host reads it."""
    value: Any = host
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = next((each for name, each in value.items() if name.casefold() == part.casefold()), None)
    return value


def _unlogged(host: Mapping[str, Any], overrides: Mapping[str, tuple[str, str]]) -> Iterator[Finding]:
    """Find functions whose events, by which people are told, are not kept."""
    stands = _at(host, "logging.logLevel")
    levels = {name.casefold(): str(level) for name, level in (stands or {}).items()}
    levels |= {
        path.removeprefix("logging.loglevel."): value
        for path, (_, value) in overrides.items()
        if path.startswith("logging.loglevel.")
    }
    for name in TRIGGERED:
        category = f"function.{name}.user"
        matching = [each for each in levels if category.startswith(each)]
        level = levels[max(matching, key=len)] if matching else levels.get("default", "Information")
        if level.casefold() not in _LEVELS[:3]:
            path = f"logging.logLevel.Function.{name}.User"
            text = (
                f"it is {shown(level, _LONGEST)!r}: the events of {name} are not kept, and no alert sees them"
            )
            yield found(Area.HOST, "host_differs", path, text, wanted='"Information"')


def of_settings(
    environ: Mapping[str, str], connection: str, own: Iterable[str], named: Iterable[str]
) -> list[Finding]:
    """Return what is wrong with the settings beside what nvaha's own reader says of its own.

    Args:
        environ: the application settings.
        connection: the name of nvaha's storage connection.
        own: the names of nvaha's own settings.
        named: the settings that the configuration names.
    """
    folded, own = {name.casefold(): (name, value) for name, value in environ.items()}, set(own)
    wrong = [
        *_storage(folded, connection),
        *_names(environ, own),
        *_references(folded, {*own, *named}, set(named)),
        *_functions(folded),
        *_runtime(folded),
    ]
    there = ", ".join(sorted(name for name in environ if name in own)) or "none"
    return wrong or [well(Area.SETTINGS, "application settings", f"nvaha's own that are set: {there}")]


def _storage(folded: Mapping[str, tuple[str, str]], connection: str) -> Iterator[Finding]:
    for name in dict.fromkeys(("AzureWebJobsStorage", connection)):
        whole = folded.get(name.casefold(), ("", ""))
        parts = [each for key, (each, _) in folded.items() if key.startswith(f"{name}__".casefold())]
        if whole[1].strip() and parts:
            text = f"a connection string stands beside the identity's settings ({', '.join(sorted(parts))})"
            yield found(Area.SETTINGS, "connection_string_beside_identity", whole[0], text)


def _names(environ: Mapping[str, str], own: set[str]) -> Iterator[Finding]:
    for name in sorted(environ):
        if name.startswith("NVAHA_") and name not in own | _COMMANDS:
            near = get_close_matches(name, own, 1)
            text = f"nvaha has no such setting{f'; it has {near[0]}' if near else ''}"
            yield found(Area.SETTINGS, "setting_unknown", name, text)


def _references(folded: Mapping[str, tuple[str, str]], read: set[str], named: set[str]) -> Iterator[Finding]:
    for name in sorted(read):
        _, value = folded.get(name.casefold(), ("", ""))
        if value.startswith(_UNRESOLVED):
            yield found(Area.SETTINGS, "setting_unresolved", name, "its Key Vault reference is not resolved")
        elif name in named and not value.strip():
            yield found(
                Area.SETTINGS, "setting_missing", name, "the configuration names it, and it is not set"
            )


def _functions(folded: Mapping[str, tuple[str, str]]) -> Iterator[Finding]:
    for name in TRIGGERED:
        for form in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs__{name}__Disabled"):
            setting, value = folded.get(form.casefold(), ("", ""))
            if value.strip().casefold() in _YES:
                yield found(Area.SETTINGS, "function_disabled", setting, f"the function {name} is disabled")


def _runtime(folded: Mapping[str, tuple[str, str]]) -> Iterator[Finding]:
    def value(name: str) -> str:
        return folded.get(name.casefold(), ("", ""))[1].strip()

    extension, worker = value("FUNCTIONS_EXTENSION_VERSION"), value("FUNCTIONS_WORKER_RUNTIME")
    if extension and not re.match(r"~?4(\.|$)", extension):
        text = f"it is {shown(extension, _LONGEST)!r}"
        yield found(Area.SETTINGS, "runtime_unsuited", "FUNCTIONS_EXTENSION_VERSION", text, wanted="~4")
    if worker and worker.casefold() != "python":
        text = f"it is {shown(worker, _LONGEST)!r}"
        yield found(Area.SETTINGS, "runtime_unsuited", "FUNCTIONS_WORKER_RUNTIME", text, wanted="python")
    if not value("WEBSITE_SITE_NAME"):
        return  # no platform, so nothing is expected of one
    if value("WEBSITE_SKU").casefold() == "dynamic":
        text = "the app runs on the Consumption plan, which lets it sleep"
        yield found(Area.SETTINGS, "plan_unsuited", "WEBSITE_SKU", text)
    if not value("IDENTITY_ENDPOINT") and not value("AZURE_TENANT_ID"):
        yield found(
            Area.SETTINGS, "no_identity", "IDENTITY_ENDPOINT", "the app has no identity to ask Azure as"
        )
    if not value("APPLICATIONINSIGHTS_CONNECTION_STRING") and not value("APPINSIGHTS_INSTRUMENTATIONKEY"):
        text = "no Application Insights is named"
        yield found(Area.SETTINGS, "no_telemetry", "APPLICATIONINSIGHTS_CONNECTION_STRING", text)


def of_versions(versions: Mapping[str, str]) -> list[Finding]:
    """Return what of the versions is not supported.

    Args:
        versions: {what: version}, as far as it can be seen.
    """
    wrong = []
    python = tuple(int(each) for each in re.findall(r"\d+", versions.get("python", ""))[:2])
    if python and not (3, 11) <= python < (3, 14):
        text = f"Python {versions['python']} is not one that nvaha is tested with"
        wrong.append(found(Area.VERSIONS, "version_unsupported", "python", text, wanted="3.11 to 3.13"))
    bundle = versions.get("bundle", "")
    if bundle and not bundle.startswith("4."):
        text = f"the newest extension bundle in sight is {bundle}"
        wrong.append(found(Area.VERSIONS, "version_unsupported", "bundle", text, wanted="bundle 4"))
    said = ", ".join(f"{what} {version}" for what, version in sorted(versions.items()))
    return wrong or [well(Area.VERSIONS, "versions", said)]
