"""A Linux machine of the test environment as its cloud-init sets it up: forwarding, routes, packet filter."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import yaml

from .sent import Json, Sent


class LostError(Exception):
    """A packet does not arrive, for the reason said."""


@dataclass(frozen=True)
class Packet:
    """A TCP packet by its addresses and the server's port; an answer has the port at its source.

    `connection` tells connections apart, as the client's port does.
    """

    source: str
    destination: str
    port: int
    connection: str
    answer: bool = False

    def answered(self) -> Packet:
        """Return the answer to it."""
        return replace(self, source=self.destination, destination=self.source, answer=not self.answer)


@dataclass(frozen=True)
class FilterRule:
    """One rule of nftables: its conditions and its verdict."""

    conditions: dict[str, str]
    verdict: str

    def matches(self, packet: Packet, come_in: str, go_out: str, *, established: bool) -> bool:
        """Tell whether a packet on its way from one interface to another meets every condition."""
        facts = {
            "iifname": come_in,
            "oifname": go_out,
            "ip daddr": packet.destination,
            "ip saddr": packet.source,
        }
        for name, wanted in self.conditions.items():
            if name == "tcp dport":
                if packet.answer or str(packet.port) not in re.findall(r"\d+", wanted):
                    return False
            elif name == "ct state":
                if not established:
                    return False
            elif facts[name] != wanted.strip('"'):
                return False
        return True


CONDITION = re.compile(r'(iifname|oifname|ip [ds]addr|tcp dport|ct state) ("\w+"|\{[^}]*\}|[\w.,]+)\s*')


def _rule(line: str) -> FilterRule:
    conditions = dict(CONDITION.findall(line))
    verdict = CONDITION.sub("", line).strip()
    if not re.fullmatch(r"accept|drop|masquerade|dnat to [\d.]+", verdict):
        raise LostError(f"nftables does not understand {line!r}")
    return FilterRule(conditions, verdict)


@cache
def chains(content: str) -> dict[str, tuple[str, list[FilterRule]]]:
    """Return policy and rules of each chain by the hook that it stands at."""
    found: dict[str, tuple[str, list[FilterRule]]] = {}
    rules: list[FilterRule] = []
    for line in (line.strip() for line in content.splitlines()):
        hook = re.fullmatch(r"type (\w+) hook (\w+) priority (\w+); policy (\w+);", line)
        if line.startswith("chain "):
            rules = []
        elif hook is not None:
            kind, place, priority, policy = hook.groups()
            kinds = {
                "prerouting": ("nat", "dstnat"),
                "postrouting": ("nat", "srcnat"),
                "forward": ("filter", "filter"),
            }
            if kinds.get(place) != (kind, priority):
                raise LostError(f"nftables: {kind} at {place} with {priority} does nothing")
            found[place] = (policy, rules)
        elif line and not line.startswith(("#", "flush", "table", "}")):
            rules.append(_rule(line))
    return found


@cache
def _setup(custom_data: str) -> Json:
    setup: Json = yaml.safe_load(base64.b64decode(custom_data))
    return setup


class Machine:
    """One machine: its files and commands from cloud-init, and its interfaces in order."""

    def __init__(self, sent: Sent) -> None:
        self.name = sent.name
        profile = sent.properties["networkProfile"]["networkInterfaces"]
        self.interfaces: list[str] = [each["id"] for each in profile]
        self.primary = [each["properties"]["primary"] for each in profile]
        self.flows: list[tuple[Packet, Packet, str, str]] = []
        setup = _setup(sent.properties["osProfile"]["customData"])
        self._files = {each["path"]: each["content"] for each in setup.get("write_files", [])}
        self._commands: list[list[str]] = setup.get("runcmd", [])

    def file(self, path: str, *started: str) -> str:
        """Return a file that cloud-init writes, and that a command with these words makes count."""
        if path not in self._files:
            raise LostError(f"{self.name}: there is no {path}")
        if not any(set(started) <= set(command) for command in self._commands):
            raise LostError(f"{self.name}: nothing runs {' '.join(started)}")
        content: str = self._files[path]
        return content

    def forward(self, packet: Packet, come_in: str) -> tuple[Packet, str]:
        """Return what a packet becomes on its way through, and the interface that it leaves by."""
        settings = self.file("/etc/sysctl.d/60-forwarding.conf", "sysctl", "--system")
        if not re.search(r"^net\.ipv4\.ip_forward\s*=\s*1$", settings, re.M):
            raise LostError(f"{self.name} does not forward")
        for before, after, came, went in self.flows:
            if packet == after.answered() and come_in == went:
                self._filter(packet, come_in, came, established=True)
                return before.answered(), self._leaves(before.answered(), came)
        rules = chains(self.file("/etc/nftables.conf", "systemctl", "nftables.service"))
        changed = self._translate(rules, "prerouting", packet, come_in, "")
        go_out = self.route(changed.destination)
        self._filter(changed, come_in, go_out, established=False)
        left = self._translate(rules, "postrouting", changed, "", go_out)
        self.flows.append((packet, left, come_in, go_out))
        return left, go_out

    def _leaves(self, packet: Packet, wanted: str) -> str:
        go_out = self.route(packet.destination)
        if go_out != wanted:
            raise LostError(f"{self.name} answers {packet.destination} by {go_out}, not by {wanted}")
        return go_out

    def _filter(self, packet: Packet, come_in: str, go_out: str, *, established: bool) -> None:
        rules = chains(self.file("/etc/nftables.conf", "systemctl", "nftables.service"))
        policy, forward = rules.get("forward", ("accept", []))
        state = {"established": established}
        found = next((each for each in forward if each.matches(packet, come_in, go_out, **state)), None)
        if (found.verdict if found else policy) != "accept":
            raise LostError(f"{self.name} drops {packet} from {come_in} to {go_out}")

    def _translate(
        self, rules: dict[str, tuple[str, list[FilterRule]]], hook: str, packet: Packet, *ways: str
    ) -> Packet:
        for rule in rules.get(hook, ("accept", []))[1]:
            if rule.matches(packet, *ways, established=False):
                if rule.verdict == "masquerade":
                    return replace(packet, source=f"address of {ways[1]}")
                if rule.verdict.startswith("dnat to "):
                    return replace(packet, destination=rule.verdict.removeprefix("dnat to "))
        return packet

    def routes(self) -> Iterator[tuple[str, str, str]]:
        """Yield prefix, gateway and interface of each route that is written."""
        if len(self.interfaces) > 1:
            plan: Any = yaml.safe_load(self.file("/etc/netplan/60-internal.yaml", "netplan", "apply"))
            for name, settings in plan["network"]["ethernets"].items():
                for route in settings.get("routes", []):
                    yield route["to"], route["via"], name

    def route(self, destination: str) -> str:
        """Return the interface that a packet leaves by; Azure gives the first one the default route."""
        address = ip_address(destination)
        found = [
            (ip_network(to).prefixlen, name) for to, _, name in self.routes() if address in ip_network(to)
        ]
        return max(found)[1] if found else "eth0"
