"""The checks across parts of a configuration: what fits together, what is named twice, what is missing."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from nvaha.config.draft import Draft, GroupDraft, NvaDraft, ProbeDraft, build_probe
from nvaha.config.forms import write_duration
from nvaha.config.problems import Findings, Unshown, at
from nvaha.core.look_interval import READS_PER_HOUR
from nvaha.model import Policy, ProbeSpec, ReceiverKind, same_id
from nvaha.model.events import EVENTS
from nvaha.ports import LEASE_MARGIN_S, LEASE_S

DETECTION_S = LEASE_S - LEASE_MARGIN_S
"""The longest that `fall` failed probes may take.

A leader counts failures by itself. They have to lead to a decision within one lease, with room for a renewal
that is lost and sent again; else a monitor that keeps losing the lease never gets as far as `down`.
"""

_HTTP_ONLY = ("path", "expect", "host", "verify_tls")


def check(draft: Draft, findings: Findings) -> None:
    """Add everything that is wrong across the parts of a draft."""
    for group in draft.groups:
        _check_members(group, findings)
        _check_roles(group, findings)
        _check_public_ips(group, findings)
        for nva in group.nvas:
            _check_target(nva, findings)
            _check_http(nva.probe, findings)
            _check_times(nva.probe, findings)
        _check_hold_down(group, findings)
        _check_drift_interval(group, findings)
    _check_names(draft, findings)
    _check_resources(draft, findings)
    _check_probed_twice(draft, findings)
    _check_canary(draft, findings)
    _check_receivers(draft, findings)


def _check_members(group: GroupDraft, findings: Findings) -> None:
    if not group.resources_written:
        findings.error(
            group.path,
            Unshown.NONE,
            "has neither route tables nor public IPs, so nothing could follow the active NVA",
            "add route_tables, public_ips or both",
        )


def _check_roles(group: GroupDraft, findings: Findings) -> None:
    """Every NVA must have the same roles: a route or a public IP moves to the same role of the next one."""
    known = [nva for nva in group.nvas if nva.roles is not None]
    if not known:
        return
    usual, _ = Counter(frozenset(nva.roles or ()) for nva in known).most_common(1)[0]
    model = next(nva for nva in known if frozenset(nva.roles or ()) == usual)
    for nva in known:
        roles, path = nva.roles or (), at(nva.path, "interfaces")
        missing = [role for role in model.roles or () if role not in roles]
        extra = [role for role in roles if role not in usual]
        other = model.name or findings.rename(model.path)
        if not roles:
            findings.error(path, Unshown.NONE, "names no interface", "write ROLE: NIC id for each interface")
        elif missing or extra:
            lacks = f"lacks {_roles(missing)}, which {other} has" if missing else ""
            has = f"has {_roles(extra)}, which {other} has not" if extra else ""
            near = difflib.get_close_matches(missing[0], extra, n=1, cutoff=0.6) if missing else []
            same = "give every NVA of the group the same roles"
            remedy = f"did you mean {missing[0]} where {near[0]} is written?" if near else same
            findings.error(path, ", ".join(roles), ", and ".join(filter(None, (lacks, has))), remedy)


def _roles(names: list[str]) -> str:
    return f"the role{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _check_public_ips(group: GroupDraft, findings: Findings) -> None:
    roles = {role for nva in group.nvas for role in nva.roles or ()}
    taken: dict[tuple[str, str], str] = {}
    for path, address in group.public_ips:
        if roles and address.role not in roles:
            near = difflib.get_close_matches(address.role, roles, n=1)
            findings.error(
                path,
                address.id,
                f"has the role {address.role}, which no NVA of the group has",
                f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(roles))}",
            )
        place = (address.role, (address.ip_configuration or "").casefold())
        if place in taken:
            findings.error(
                path,
                address.id,
                f"shares an IP configuration with {findings.named(taken[place])}, and each carries only one",
                "name another ip_configuration of the NIC: {id: …, ip_configuration: …}",
            )
        taken.setdefault(place, path)


def _check_target(nva: NvaDraft, findings: Findings) -> None:
    probe = nva.probe
    if probe.broken & {"address", "interface"} or nva.roles is None:
        return
    address, interface = probe.values.get("address"), probe.values.get("interface")
    path = probe.where("address", "interface")
    if address and interface:
        findings.error(
            path,
            f"{address} and {interface}",
            "names both an address and an interface",
            "keep one of the two",
        )
    elif interface and nva.roles and interface not in nva.roles:
        near = difflib.get_close_matches(interface, nva.roles, n=1)
        findings.error(
            at(path, "interface"),
            interface,
            f"is no role of {nva.name or 'this NVA'}",
            f"did you mean {near[0]}?" if near else f"use one of {', '.join(nva.roles)}",
        )
    elif not address and not interface and len(nva.roles) > 1:
        findings.error(
            probe.path,
            Unshown.NONE,
            "says neither which interface to ask nor at which address",
            f"add interface: {nva.roles[0]} (or {', '.join(nva.roles[1:])}), or address: the IP to ask",
        )


def _check_http(probe: ProbeDraft, findings: Findings) -> None:
    if "type" in probe.broken or probe.values.get("type", "tcp") != "tcp":
        return
    for name in _HTTP_ONLY:
        if name in probe.values:
            findings.warn(
                at(probe.where(name), name),
                probe.values[name],
                "is not used by a tcp probe",
                "delete it, or set type: http or https",
            )


def _check_times(probe: ProbeDraft, findings: Findings) -> None:
    default = ProbeSpec()
    interval = probe.values.get("interval", default.interval_s)
    fast = probe.values.get("fast_interval", default.fast_interval_s)
    timeout = probe.values.get("timeout", default.timeout_s)
    fall = probe.values.get("fall", default.fall)
    if not probe.broken & {"interval", "fast_interval"} and fast > interval:
        findings.error(
            at(probe.where("fast_interval", "interval"), "fast_interval"),
            write_duration(fast),
            f"is longer than the interval of {write_duration(interval)}",
            f"lower fast_interval to {write_duration(interval)} or less, or raise interval",
        )
    if not probe.broken & {"interval", "timeout"} and timeout > interval:
        findings.error(
            at(probe.where("timeout", "interval"), "timeout"),
            write_duration(timeout),
            f"is longer than the interval of {write_duration(interval)}, when the next probe is due",
            f"lower timeout to {write_duration(interval)} or less, or raise interval",
        )
    if probe.broken & {"fall", "fast_interval", "timeout"} or fall * (fast + timeout) <= DETECTION_S + 1e-9:
        return
    findings.error(
        probe.where("fall", "fast_interval", "timeout"),
        f"fall {fall}, fast_interval {write_duration(fast)}, timeout {write_duration(timeout)}",
        f"makes fall * (fast_interval + timeout) {write_duration(fall * (fast + timeout))}; it may be at "
        f"most {write_duration(DETECTION_S)}, the leader's lease of {write_duration(LEASE_S)} less a margin",
        _how_to_be_faster(fall, fast, timeout),
    )


def _how_to_be_faster(fall: int, fast: float, timeout: float) -> str:
    ways = []
    for name, other in (("timeout", fast), ("fast_interval", timeout)):
        most = math.floor((DETECTION_S / fall - other) * 10 + 1e-9) / 10
        if most >= 0.1:
            ways.append(f"{name} to {write_duration(most)}")
    fewer = math.floor(DETECTION_S / (fast + timeout) + 1e-9)
    if fewer >= 1:
        ways.append(f"fall to {fewer}")
    return f"lower {' or '.join(ways)}" if ways else "lower all three"


def detection_s(probe: ProbeSpec) -> float:
    """Return the seconds within which an NVA that goes silent is called down.

    Intervals count from start to start, and a probe never starts before the one before it has ended.
    """
    between = max(probe.fast_interval_s, probe.timeout_s)
    return probe.interval_s + (probe.fall - 1) * between + probe.timeout_s


def _check_hold_down(group: GroupDraft, findings: Findings) -> None:
    times = {"interval", "fast_interval", "timeout", "fall"}
    if "hold_down" in group.policy_broken or any(nva.probe.broken & times for nva in group.nvas):
        return
    hold_down = group.policy.get("hold_down", Policy().hold_down_s)
    longest = max((detection_s(_timed(nva)) for nva in group.nvas), default=0.0)
    if hold_down < longest:
        findings.warn(
            at(at(group.path, "policy"), "hold_down"),
            write_duration(hold_down),
            f"is shorter than the {write_duration(longest)} that it can take to see an NVA down, "
            "so a switch may follow before the one before it could prove itself",
            f"raise hold_down to {write_duration(math.ceil(longest))} or more",
        )


def _check_drift_interval(group: GroupDraft, findings: Findings) -> None:
    """Say when a look would cost more reads than a group at rest may have."""
    interval_s = group.policy.get("drift_interval")
    nics = {nic.casefold() for nva in group.nvas for nic in nva.ids.values()}
    reads = len(nics) + len(group.route_tables) + len(group.public_ips)
    allowed_s = reads * 3600.0 / READS_PER_HOUR
    if interval_s is not None and interval_s < allowed_s:
        findings.warn(
            at(at(group.path, "policy"), "drift_interval"),
            write_duration(interval_s),
            f"is shorter than Azure is read for this group: one look takes {reads} reads, and a group at "
            f"rest has {READS_PER_HOUR} in an hour, so there is one every {write_duration(allowed_s)}",
            f"write {write_duration(allowed_s)} or more, or leave it out",
        )


def _timed(nva: NvaDraft) -> ProbeSpec:
    times = ("type", "interval", "fast_interval", "timeout", "fall")
    values = {name: value for name, value in nva.probe.values.items() if name in times}
    return build_probe(replace(nva, probe=replace(nva.probe, values=values)))


def _check_canary(draft: Draft, findings: Findings) -> None:
    """Report what a canary would share with a group: it must not be able to move anybody's traffic."""
    if draft.canary is None:
        return
    (canary_table,) = draft.canary.route_tables
    for group in draft.groups:
        if group.name == draft.canary.name:
            message = "is the name that the canary has in status, history and log"
            findings.error(at(group.path, "name"), group.name, message, "give the group another name")
        for path, table in group.route_tables:
            if same_id(table, canary_table):
                message = f"is already {findings.named(path)}, and a canary's table carries no traffic"
                remedy = "name a table that nothing uses; docs/deploy.md says how to make one"
                findings.error(at("canary", "route_table"), canary_table, message, remedy)


_TAKES = {
    ReceiverKind.WEBHOOK: ("url_setting", "key_setting"),
    ReceiverKind.TEAMS: ("url_setting",),
    ReceiverKind.SLACK: ("url_setting",),
    ReceiverKind.PAGERDUTY: ("key_setting", "url_setting"),
    ReceiverKind.EVENT_GRID: ("endpoint",),
}
"""What says where each kind is: the first is needed, and what is not there is of no use."""
_WAYS = ("url_setting", "key_setting", "endpoint")


def _check_receivers(draft: Draft, findings: Findings) -> None:
    names = ((each.name, at(path, "name"), each.name) for path, each, _ in draft.receivers)
    _unique(names, "is already the name of {first}", "give each receiver its own name", findings)
    groups = {group.name for group in draft.groups if group.name}
    groups |= {draft.canary.name} if draft.canary else set()
    for path, each, broken in draft.receivers:
        needed = _TAKES[each.kind][0]
        if getattr(each, needed) is None and needed not in broken:
            what = (
                "of the topic"
                if needed == "endpoint"
                else "the name of the application setting that holds it"
            )
            remedy = f"add {needed}: {what}"
            findings.error(at(path, needed), Unshown.NONE, f"is missing for type {each.kind}", remedy)
        for way in _WAYS:
            if getattr(each, way) is not None and way not in _TAKES[each.kind]:
                remedy = f"delete it: a receiver of type {each.kind} has {' and '.join(_TAKES[each.kind])}"
                findings.error(at(path, way), getattr(each, way), "is of no use", remedy)
        if each.kind is ReceiverKind.WEBHOOK and each.url_setting and each.key_setting is None:
            remedy = "add key_setting, by which the receiver can tell who has sent it"
            findings.warn(at(path, "key_setting"), Unshown.NONE, "is missing: nothing is signed", remedy)
        for index, event in enumerate(each.events):
            if event not in EVENTS:
                near = difflib.get_close_matches(event, EVENTS, n=1)
                remedy = f"did you mean {near[0]}?" if near else "docs/monitoring.md has the events"
                findings.error(at(at(path, "events"), index), event, "is no event", remedy)
        for index, group in enumerate(each.groups):
            if groups and group not in groups:
                findings.error(
                    at(at(path, "groups"), index), group, "is no group", "name a group of the file"
                )


Entries = Iterable[tuple[str, str, str]]


def _check_names(draft: Draft, findings: Findings) -> None:
    groups = ((group.name, at(group.path, "name"), group.name) for group in draft.groups if group.name)
    _unique(groups, "is already the name of {first}", "give each group its own name", findings)
    for group in draft.groups:
        nvas = ((nva.name.casefold(), at(nva.path, "name"), nva.name) for nva in group.nvas if nva.name)
        _unique(nvas, "is already the name of {first}", "give each NVA of the group its own name", findings)


def _check_resources(draft: Draft, findings: Findings) -> None:
    """Report what two places claim.

    A route table may belong to several groups: each moves the routes to its own NVAs only, whose NICs are
    nobody else's, and every write keeps what others have changed.
    """
    _unique(_nics(draft), "is already {first}", "give each NVA and role its own NIC", findings)
    _unique(_public_ips(draft), "is already {first}", "list each public IP once, in one group", findings)
    for group in draft.groups:
        inside = ((table.casefold(), path, table) for path, table in group.route_tables)
        _unique(inside, "is already {first}", "list each route table once", findings)


def _nics(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for group in draft.groups:
        for nva in group.nvas:
            for role, nic in nva.ids.items():
                yield nic.casefold(), at(at(nva.path, "interfaces"), role), nic


def _public_ips(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for group in draft.groups:
        for path, address in group.public_ips:
            yield address.id.casefold(), path, address.id


def _check_probed_twice(draft: Draft, findings: Findings) -> None:
    """Two NVAs behind one probe address would always be up and down together."""
    probed = []
    for group in draft.groups:
        for nva in group.nvas:
            address = nva.probe.values.get("address")
            if address and "port" not in nva.probe.broken and "type" not in nva.probe.broken:
                socket = f"{address} port {nva.probe.port}"
                probed.append((socket, at(nva.probe.path, "address"), socket))
    targets = [
        (f"{target.address} port {target.port}", path, f"{target.address} port {target.port}")
        for path, target in draft.control_targets
    ]
    remedy = "give each NVA the address of its own, and control targets that are no NVA"
    _unique([*probed, *targets], "is already asked for {first}", remedy, findings)


def _unique(entries: Entries, message: str, remedy: str, findings: Findings) -> None:
    first: dict[str, str] = {}
    for key, path, value in entries:
        if key in first:
            findings.error(path, value, message.format(first=findings.named(first[key])), remedy)
        first.setdefault(key, path)
