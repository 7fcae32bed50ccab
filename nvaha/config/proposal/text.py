"""A proposal as the file that somebody reads, corrects and keeps: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from nvaha.config.proposal.nvas import Item
from nvaha.config.proposal.propose import Proposal
from nvaha.model import Group, PublicIp
from nvaha.text import last_part, safe

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/_.()-]*")
_WORDS = {"true", "false", "null"}

_HEAD = """\
The first configuration of nvaha, made by nvaha init from Azure as it was at {read_at}.
Read were {scopes}: route tables elsewhere are not in here.
CHECK marks what Azure cannot say. What is left out stands behind a #, with the reason.
Every key, its default and its limits: docs/configuration.md"""
_NAME = "CHECK: it is in URLs, logs and the stored state, where a renamed group begins anew"
_PORT = """\
CHECK: Azure cannot say which TCP port answers as long as an NVA works, and no longer. {port} is a guess."""
_ASKED = "The TCP port that answers as long as an NVA works, on the private address of this role's NIC."
_POLICY = "It looks and reports, and moves nothing. Delete `automatic: false` once you trust the rest."


def text_of(proposal: Proposal, scopes: Sequence[str], read_at: datetime) -> str:
    """Return the YAML of a proposal, which reads back as its group.

    Args:
        proposal: what to write.
        scopes: ids of the subscriptions and resource groups that were read.
        read_at: when Azure was asked, in UTC.
    """
    head = _HEAD.format(read_at=f"{read_at:%Y-%m-%d %H:%M} UTC", scopes=safe(", ".join(scopes)))
    return "".join(f"{line}\n" for line in (*_remarks(head), *_lines(proposal)))


def _lines(proposal: Proposal) -> Iterator[str]:
    group = proposal.group
    yield ""
    yield "groups:"
    yield f"  - name: {_scalar(group.name)}  # {_NAME}"
    yield ""
    active = f"; {proposal.active} is active now" if proposal.active else ""
    yield from _remarks(f"In order of preference{active}.", 4)
    yield from _nvas(proposal)
    yield ""
    yield from _remarks(
        "Routes in these tables whose next hop is an address of one NVA move to the same role of the other.",
        4,
    )
    yield from _tables(proposal)
    if proposal.public_ips:
        yield ""
        yield from _remarks("These move to the NIC with their role.", 4)
        yield from _public_ips(group, proposal)
    yield ""
    probe = group.nvas[0].probe
    yield from _remarks(_ASKED if proposal.port_known else _PORT.format(port=probe.port), 4)
    yield f"    probe: {{interface: {_scalar(str(probe.interface))}, port: {probe.port}}}"
    yield ""
    yield from _remarks(_POLICY, 4)
    yield "    policy: {automatic: false}"
    if proposal.notes:
        yield ""
        yield from _remarks("Worth knowing:")
        for note in proposal.notes:
            yield from _remarks(f"- {safe(note)}")


def _nvas(proposal: Proposal) -> Iterator[str]:
    subnets = {role: subnet for subnet, role in proposal.roles.items()}
    yield "    nvas:"
    for machine, nva in zip(proposal.nvas.machines, proposal.group.nvas, strict=True):
        yield f"      - name: {_scalar(nva.name)}"
        yield "        interfaces:"
        for role, nic in nva.interfaces.items():
            (interface,) = machine.on(subnets[role])
            where = f"{interface.primary.private_ip} in {last_part(interface.subnet)}"
            yield from _remarks(safe(where), 10)
            yield f"          {_scalar(role)}: {_scalar(nic)}"
    for each in proposal.aside:
        yield from _remarks(f"Not in a role: {safe(each)}", 6)


def _tables(proposal: Proposal) -> Iterator[str]:
    taken = [each for each in proposal.tables if each.taken]
    yield "    route_tables:" if taken else "    # route_tables:"
    for each in taken:
        yield from _remarks(safe(each.why), 6)
        yield f"      - {_scalar(each.id)}"
    yield from _left_out((each, f"- {_scalar(each.id)}") for each in proposal.tables if not each.taken)


def _public_ips(group: Group, proposal: Proposal) -> Iterator[str]:
    by_role: dict[str, list[PublicIp]] = {}
    for each in group.public_ips:
        by_role.setdefault(each.role, []).append(each)
    why = {each.id: each.why for each in proposal.public_ips}
    yield "    public_ips:" if by_role else "    # public_ips:"
    for role, public_ips in by_role.items():
        if len(public_ips) == 1:
            yield from _remarks(safe(why[public_ips[0].id]), 6)
            yield f"      {_scalar(role)}: {_carried(public_ips[0])}"
            continue
        yield f"      {_scalar(role)}:"
        for each in public_ips:
            yield from _remarks(safe(why[each.id]), 8)
            yield f"        - {_carried(each)}"
    left = [each for each in proposal.public_ips if not each.taken]
    roles = [proposal.roles.get(each.subnets[0], "ROLE") for each in left]
    carried = (
        _carried(PublicIp(role, each.id, each.configuration)) for each, role in zip(left, roles, strict=True)
    )
    lines = (f"{_scalar(role)}: {line}" for role, line in zip(roles, carried, strict=True))
    yield from _left_out(zip(left, lines, strict=True))


def _carried(public_ip: PublicIp) -> str:
    if public_ip.ip_configuration is None:
        return _scalar(public_ip.id)
    return f"{{id: {_scalar(public_ip.id)}, ip_configuration: {_scalar(public_ip.ip_configuration)}}}"


def _left_out(items: Iterable[tuple[Item, str]]) -> Iterator[str]:
    """Yield what is not in the group, each with why and the line that it would be."""
    for each, line in items:
        why = each.bar or (f"{each.doubt}; --take {each.name} takes it in" if each.open else "as was said")
        yield ""
        yield from _remarks(f"{safe(each.why)}\nLEFT OUT: {safe(why)}\n{safe(line)}", 6)


def _remarks(text: str, indent: int = 0) -> Iterator[str]:
    """Yield lines that are no part of the configuration, whatever stands in a name."""
    for line in text.splitlines():
        yield f"{' ' * indent}# {line}"


def _scalar(text: str) -> str:
    """Return a text as the YAML that reads back as this text."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
