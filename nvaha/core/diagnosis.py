"""From what was read, tried and asked to findings: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from nvaha.core.findings import Area, Finding, found, well
from nvaha.core.inputs import Survey
from nvaha.model import (
    ControlTarget,
    Group,
    InstanceRecord,
    ProbeSpec,
    Reading,
    Snapshot,
    TokenSeen,
    Tried,
)

OFF_S, FAR_OFF_S = 5.0, 240.0
"""A clock is good to two seconds here; five minutes off, tokens and signatures are refused."""
ROLES = {
    "blob": "Storage Blob Data Owner",
    "table": "Storage Table Data Contributor",
    "queue": "Storage Queue Data Contributor",
}
_KEYS_REFUSED = frozenset(
    {"KeyBasedAuthenticationNotPermitted", "AuthenticationFailed", "InvalidAuthenticationInfo"}
)
_LOCKED = {
    "scopelocked": "remove the lock that it names",
    "readonlydisabledsubscription": "have the subscription enabled again",
}
_NETWORK = frozenset({"AuthorizationFailure", "IPAuthorizationError"})


def who(identity: str | None) -> str:
    """Return an identity as remedies name it."""
    return f" (object id {identity})" if identity else ""


def unread(group: Group, snapshot: Snapshot) -> tuple[dict[str, str], dict[str, str]]:
    """Return why what is missing of a group is not there, by id: what will stay so, and what may pass."""
    lasting: dict[str, str] = {}
    passing: dict[str, str] = {}
    for each in group.resource_ids:
        if (why := snapshot.missing.get(each.casefold())) is not None:
            (passing if each.casefold() in snapshot.unanswered else lasting)[each] = why
    return lasting, passing


def beside_reads(sentences: Iterable[str], snapshot: Snapshot) -> tuple[str, ...]:
    """Return those sentences that are not about what could not be read, which is said once, by itself."""
    return tuple(
        dict.fromkeys(each for each in sentences if not any(why in each for why in snapshot.missing.values()))
    )


def of_reads(group: Group, snapshot: Snapshot, identity: str | None) -> list[Finding]:
    """Return which of a group's resources Azure does not show."""
    lasting, passing = unread(group, snapshot)
    wrong = []
    for each, why in (lasting | passing).items():
        code = "not_answered" if each in passing else "id_unreadable"
        if each.casefold() in snapshot.absent:
            code = "id_missing"
        elif each.casefold() in snapshot.denied:
            code = "read_denied"
        wrong.append(found(Area.AZURE, code, each, f"{group.name}: {why}", who=who(identity)))
    return wrong or [
        well(Area.AZURE, group.name, f"all of its resources are read ({len(group.resource_ids)})")
    ]


def of_silence(group: Group, resource_id: str, fault: str, text: str) -> Finding:
    """Return that Azure answered for none of a group's resources, told once and of the first.

    Args:
        group: whose resources.
        resource_id: the one of which it is told.
        fault: why there was no answer; without a token nothing was asked.
        text: that in words.
    """
    others = len(group.resource_ids) - 1
    text = f"{group.name}: {text}{f' (and {others} more)' if others else ''}"
    if fault == "no_token":
        return found(Area.AZURE, "follows", resource_id, text, wanted="identity")
    return found(Area.AZURE, "not_answered", resource_id, text)


def of_unread(area: Area, group: Group, ids: Iterable[str], snapshot: Snapshot, what: str) -> list[Finding]:
    """Return what could not be done of an area because of what was not read; nothing if all was.

    Args:
        area: which.
        group: whose resources.
        ids: what is needed.
        snapshot: what was read.
        what: what was not done, such as `not tried`.
    """
    lost = [each for each in ids if snapshot.get(each) is None]
    if not lost:
        return []
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    return [found(area, "follows", group.name, f"{what}, since {lost[0]} was not read{more}", wanted="azure")]


def of_offer(resource_id: str, fault: str, code: str | None, text: str, identity: str | None) -> Finding:
    """Return what Azure objects to in a write that it was offered.

    Args:
        resource_id: of what.
        fault: what kind of objection it is.
        code: ARM's error code.
        text: ARM's words.
        identity: whose rights they are, if that is known.
    """
    kinds = {
        "denied": "write_denied",
        "policy": "write_forbidden",
        "unreadable": "write_taken",
        "no_token": "follows",
    }
    wanted = {"policy": "exempt the resource from the policy that it names", "no_token": "identity"}.get(
        fault
    )
    kind = kinds.get(fault, "write_unproven")
    if (locked := _LOCKED.get((code or "").casefold())) is not None:
        kind, wanted = "write_forbidden", locked
    return found(Area.RIGHTS, kind, resource_id, text, who=who(identity), wanted=wanted or "")


def of_readiness(group: Group, said: Survey, snapshot: Snapshot) -> list[Finding]:
    """Return what would keep a switch to one of the NVAs from working."""
    wrong: dict[str, list[str]] = {}
    for name, sentences in said.unready.items():
        for sentence in beside_reads(sentences, snapshot):
            wrong.setdefault(sentence, []).append(name)
    findings = []
    for sentence, names in wrong.items():
        text = sentence if len(names) < len(group.names) else f"whichever NVA is active: {sentence}"
        subject = f"{group.name}/{names[0]}" if len(names) < len(group.names) else group.name
        findings.append(found(Area.READINESS, "not_ready", subject, text))
    findings += of_unread(Area.READINESS, group, group.resource_ids, snapshot, "not all of it is known")
    if findings:
        return findings
    active = said.owner()
    others = [each for each in group.names if each != active]
    if group.canary is not None:
        return [well(Area.READINESS, group.name, f"its route can be moved to {' or '.join(others)}")]
    return [well(Area.READINESS, group.name, f"{', '.join(others)} ready to stand in for {active or 'any'}")]


def of_probe(
    group: Group, name: str, address: str | None, spec: ProbeSpec, reading: Reading | None
) -> Finding:
    """Return what the probe of one NVA came to; without an address there is no reading."""
    subject = f"{group.name}/{name}"
    if address is None or reading is None:
        text = f"no address to probe: that of its interface {spec.interface} is not known"
        return found(Area.PROBES, "probe_no_address", subject, text)
    where = f"{spec.kind} {address}:{spec.port}"
    if reading.ok:
        return well(Area.PROBES, subject, f"{where} answers")
    error = reading.error or ""
    return found(Area.PROBES, _probe_code(error), subject, f"{where}: {error}")


def _probe_code(error: str) -> str:
    for start, code in (
        ("refused", "probe_refused"),
        ("reset", "probe_refused"),
        ("timed out", "probe_silent"),
        ("unreachable", "probe_unreachable"),
        ("name not found", "probe_unreachable"),
        ("no network", "probe_unreachable"),
        ("certificate", "probe_tls"),
        ("TLS", "probe_tls"),
        ("status", "probe_status"),
    ):
        if error.startswith(start):
            return code
    return "probe_other"


def of_targets(readings: Sequence[tuple[ControlTarget, Reading]]) -> list[Finding]:
    """Return which control targets do not answer."""
    silent = [(target, reading) for target, reading in readings if not reading.ok]
    code = "targets_all_silent" if len(silent) == len(readings) else "target_silent"
    wrong = [
        found(
            Area.PROBES,
            code,
            f"{target.address}:{target.port}",
            f"the control target does not accept a connection: {reading.error}",
        )
        for target, reading in silent
    ]
    if wrong or not readings:
        return wrong
    return [well(Area.PROBES, "control targets", f"{len(readings)} of {len(readings)} answer")]


def of_storage(tried: Iterable[Tried], identity: str | None) -> list[Finding]:
    """Return what of storage did not let itself be used, and why."""
    tried = list(tried)
    places = ", ".join(f"{each.service} {each.place}" for each in tried if each.failed is None)
    good = [well(Area.STORAGE, "storage", f"written, read and removed: {places}")] if places else []
    return [*good, *_folded(_of_storage(each, identity) for each in tried if each.failed is not None)]


def _folded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding for all that differ in nothing but where they are."""
    places: dict[Finding, list[str]] = {}
    for each in findings:
        places.setdefault(replace(each, subject=""), []).append(each.subject)
    return (replace(each, subject=", ".join(subjects)) for each, subjects in places.items())


def _of_storage(tried: Tried, identity: str | None) -> Finding:
    kind, status = "storage_refused", tried.status
    if status is None or status >= 500:
        kind = "no_token" if "no token" in tried.error else "storage_silent"
    elif tried.code in _NETWORK:
        kind = "storage_network"
    elif tried.code in _KEYS_REFUSED or status == 401:
        kind = "storage_keys_refused"
    elif status == 403:
        kind = "storage_role_missing"
    subject, text = f"{tried.service} {tried.place}", f"to {tried.failed}: {tried.error}"
    return found(Area.STORAGE, kind, subject, text, who=who(identity), role=ROLES[tried.service])


def of_token(seen: TokenSeen) -> Finding:
    """Return how it stands with the tokens for a service."""
    if seen.until is None:
        return found(Area.IDENTITY, "no_token", seen.service, seen.trouble or "none is held")
    if seen.trouble is not None:
        text = f"{seen.trouble}; the one that is held ends at {seen.until:%Y-%m-%d %H:%M:%S} UTC"
        return found(Area.IDENTITY, "token_not_renewed", seen.service, text)
    of = f" of the object id {seen.identity}" if seen.identity else ""
    text = f"a token{of}, good until {seen.until:%Y-%m-%d %H:%M} UTC"
    return well(Area.IDENTITY, seen.service, text)


def of_clocks(ahead_s: Mapping[str, float]) -> list[Finding]:
    """Return how this machine's clock stands against those of the services that have answered."""
    wrong = []
    for service, seconds in ahead_s.items():
        if abs(seconds) >= OFF_S:
            code = "clock_far_off" if abs(seconds) >= FAR_OFF_S else "clock_off"
            way = "behind" if seconds > 0 else "ahead of"
            text = f"this machine's clock is {abs(seconds):.0f} s {way} that of {service}"
            wrong.append(found(Area.CLOCK, code, service, text))
    if wrong or not ahead_s:
        return wrong
    return [well(Area.CLOCK, "clock", f"within {OFF_S:g} s of that of {' and '.join(ahead_s)}")]


def of_instances(rows: Iterable[InstanceRecord], standbys: int) -> Iterator[Finding]:
    """Return what of the instances is worth knowing though nothing is wrong with it."""
    rows = list(rows)
    releases = sorted({each.version for each in rows if each.version})
    if len(releases) > 1:
        text = f"instances run {', '.join(releases)}"
        yield found(Area.MONITORS, "releases_differ", "monitors", text)
    if not standbys:
        yield found(Area.MONITORS, "alone", "monitors", "no other instance could lead")
