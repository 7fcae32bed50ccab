"""Reads ha-nva's `nvadaemon` JSON as the native form.

The JSON becomes a native tree, and a map of paths leads each error back to where the user wrote it. Every
key is carried over or named in a warning with what replaces it; secrets were refused before this point.
Facts about ha-nva: mspnp/ha-nva, `AzureProbeMonitor.java` and the classes of its `config` package.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from azure.mgmt.core.tools import parse_resource_id

from nvaha.config.checks import DETECTION_S
from nvaha.config.draft import GROUPS, NVAS, within
from nvaha.config.forms import write_duration
from nvaha.config.native import to_native
from nvaha.config.problems import Findings, Unshown, at
from nvaha.model import same_id

__all__ = ["is_hanva", "to_native", "to_native_tree"]

_LEASE = "a blob lease elects the leader, in the storage account that NVAHA_STORAGE names; delete it"
_JAVA_STORE = "AZURE_CLIENT_CERTIFICATE_PATH, with the certificate as PEM or PFX; better a managed identity"
_CREDENTIALS = {
    "subscriptionId": "each resource id names its own subscription; delete it",
    "tenantId": "AZURE_TENANT_ID as an application setting; nothing with a managed identity",
    "clientId": "AZURE_CLIENT_ID as an application setting; nothing with a system-assigned managed identity",
    "keyStorePath": _JAVA_STORE,
}
_ZOOKEEPER = dict.fromkeys(
    (
        "connectionString",
        "retrySleepTime",
        "retrySleepTimeMs",
        "numberOfRetries",
        "leaderSelectorPath",
        "leaderSelectionPath",  # so in ha-nva's README; its code reads the one above
    ),
    _LEASE,
)
_SHUTDOWN = dict.fromkeys(
    ("shutdownAwaitTime", "shutdownAwaitTimeMs", "shudownAwaitTimeMs"),
    "the Functions host ends a tick, and a switch that was cut off is resumed; delete it",
)
_DEFAULTS = {"numberOfFailuresThreshold": 3, "probeConnectTimeout": 10000, "probePollingInterval": 3000}
_TIMES = {
    "numberOfFailuresThreshold": "fall",
    "probeConnectTimeout": "timeout",
    "probePollingInterval": "interval",
}
_FAST_INTERVAL_S = 0.5
_ONE_NIC = ("publicIpNetworkInterface", "routeNetworkInterface")
_USED = {
    "": {"zookeeper", "daemon"},
    "zookeeper": set(),
    "daemon": {"monitors"},
    "monitor": {"monitorClass", "settings"},
    "settings": {"azure", "nvas", "routeTables", "publicIpAddresses", "publicIpAddress", *_DEFAULTS},
    "azure": {"servicePrincipal"},
    "servicePrincipal": {"clientCertificate"},
    "clientCertificate": set(),
    "nva": {"networkInterfaces", "probeNetworkInterface", "probePort", *_ONE_NIC},
    "named": {"name", "id"},
}
_DROPPED = _ZOOKEEPER | _SHUTDOWN | _CREDENTIALS
_PLACES = {"": "the top level", "monitor": "an entry of monitors", "nva": "an entry of nvas"}


def is_hanva(tree: object) -> bool:
    """Tell whether a file is ha-nva's, by its top keys."""
    return isinstance(tree, dict) and "groups" not in tree and not {"zookeeper", "daemon"}.isdisjoint(tree)


def to_native_tree(tree: dict[str, Any], findings: Findings) -> tuple[dict[str, Any], Callable[[str], str]]:
    """Turn ha-nva's values into native ones.

    Returns:
        The native values, and a function from a path in them to the path in ha-nva's file.
    """
    reader = _Reader(findings)
    return {"groups": reader.groups(tree)}, reader.rename


@dataclass(slots=True)
class _Reader:
    findings: Findings
    origins: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def rename(self, path: str) -> str:
        """Return where the user wrote what the native path names."""
        ends = [match.start() for match in re.finditer(r"[.\[]|$", path)]
        for end in reversed(ends):
            if path[:end] in self.origins:
                return self.origins[path[:end]] + path[end:]
        return path

    def mapping(self, value: object, path: str, section: str) -> dict[str, Any]:
        """Return a mapping, after a warning for each key of it that has another place or no meaning now."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.findings.error(path, value, "is not a JSON object", "write it as ha-nva's sample has it")
            self.findings.unread.add(path)
            return {}
        for key, item in value.items():
            if key in _DROPPED:
                self.findings.warn(at(path, key), item, "is not carried over", f"instead: {_DROPPED[key]}")
            elif key not in _USED[section]:
                self.findings.warn(at(path, key), Unshown.HIDDEN, *_unknown(key, section))
        return value

    def items(self, value: object, path: str, bounds: tuple[int, int] | None = None) -> list[Any]:
        """Return a list, of no more entries than allowed; anything else is an error."""
        if value is None or isinstance(value, list):
            return within(path, value or [], bounds, self.findings) if bounds else value or []
        self.findings.error(path, value, "is not a list", "write it as ha-nva's sample has it")
        self.findings.unread.add(path)
        return []

    def groups(self, tree: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a group for each monitor."""
        self.mapping(tree, "", "")
        self.mapping(tree.get("zookeeper"), "zookeeper", "zookeeper")
        daemon = self.mapping(tree.get("daemon"), "daemon", "daemon")
        path = "daemon.monitors"
        self.origins["groups"] = path
        groups = []
        for index, value in enumerate(self.items(daemon.get("monitors"), path, GROUPS)):
            monitor_path = at(path, index)
            monitor = self.mapping(value, monitor_path, "monitor")
            name = monitor.get("monitorClass")
            if not isinstance(name, str) or name.rpartition(".")[2] != "AzureProbeMonitor":
                message = "is not AzureProbeMonitor; its settings are read as that one's"
                remedy = "check that a TCP connection to the probe port tells whether the NVA lives"
                self.findings.warn(at(monitor_path, "monitorClass"), name or Unshown.NONE, message, remedy)
            groups.append(
                self.group(monitor.get("settings"), at(monitor_path, "settings"), at("groups", index))
            )
        return groups

    def group(self, value: object, path: str, native: str) -> dict[str, Any]:
        """Return one monitor's settings as a group."""
        self.origins[native] = path
        settings = self.mapping(value, path, "settings")
        azure_path = at(path, "azure")
        azure = self.mapping(settings.get("azure"), azure_path, "azure")
        principal_path = at(azure_path, "servicePrincipal")
        principal = self.mapping(azure.get("servicePrincipal"), principal_path, "servicePrincipal")
        certificate_path = at(principal_path, "clientCertificate")
        self.mapping(principal.get("clientCertificate"), certificate_path, "clientCertificate")
        nvas_path = at(path, "nvas")
        written = [
            self.mapping(item, at(nvas_path, index), "nva")
            for index, item in enumerate(self.items(settings.get("nvas"), nvas_path, NVAS))
        ]
        group: dict[str, Any] = {"nvas": self.nvas(written, nvas_path, at(native, "nvas"))}
        self.origins[at(native, "route_tables")] = at(path, "routeTables")
        tables = self.items(settings.get("routeTables"), at(path, "routeTables"))
        group["route_tables"] = tables or settings.get("routeTables")  # what is no list is not left out
        public_ips = self.public_ips(settings, path, at(native, "public_ips"), group["nvas"])
        group["public_ips"] = {role: ids[0] if len(ids) == 1 else ids for role, ids in public_ips.items()}
        group["name"] = self.name([*chain.from_iterable(public_ips.values()), *tables])
        group["probe"] = self.times(settings, path, at(native, "probe"))
        group["policy"] = {"select": "cycle", "adopt": "repair"}
        return group

    def nvas(self, written: list[dict[str, Any]], path: str, native: str) -> list[dict[str, Any]]:
        """Return the NVAs, named by their order, as ha-nva had no names for them."""
        self.origins[native] = path
        interfaces = []
        for index, value in enumerate(written):
            nva_path, nva_native = at(path, index), at(native, index)
            self.origins[at(nva_native, "interfaces")] = at(nva_path, "networkInterfaces")
            self.origins[at(nva_native, "probe")] = nva_path
            self.origins[at(nva_native, "probe.port")] = at(nva_path, "probePort")
            self.origins[at(nva_native, "probe.interface")] = at(nva_path, "probeNetworkInterface")
            if "networkInterfaces" in value:
                interfaces.append(self.interfaces(value["networkInterfaces"], nva_path, nva_native))
            else:
                interfaces.append(self.flat_interfaces(value, written, nva_path, nva_native))
        outside = [self.probe_role(nva, nics) is None for nva, nics in zip(written, interfaces, strict=True)]
        nvas = []
        for index, (value, nics) in enumerate(zip(written, interfaces, strict=True)):
            asked_path = at(at(path, index), "probeNetworkInterface")
            if outside[index]:
                self.add_probe_nic(
                    value.get("probeNetworkInterface"), nics, asked_path, all_of_them=all(outside)
                )
                self.origins[at(at(native, index), "interfaces.probe")] = asked_path
            port = value.get("probePort")
            if port is None:
                self.findings.error(
                    at(at(path, index), "probePort"), Unshown.NONE, "is missing", "add the port to probe"
                )
            probe = {
                "port": _number(port),
                "interface": self.probe_role(value, nics) or next(iter(nics), None),
            }
            nvas.append({"name": f"nva{index + 1}", "interfaces": nics, "probe": probe})
        return nvas

    def interfaces(self, value: object, path: str, native: str) -> dict[str, Any]:
        """Return `networkInterfaces` as ids by role."""
        list_path = at(path, "networkInterfaces")
        found: dict[str, Any] = {}
        for index, item in enumerate(self.items(value, list_path)):
            item_path = at(list_path, index)
            named = self.mapping(item, item_path, "named")
            role = self.role(named, item_path)
            if role in found:
                self.findings.error(
                    at(item_path, "name"), role, "is already the name of another", "rename one"
                )
            elif role:
                self.origins[at(at(native, "interfaces"), role)] = at(item_path, "id")
                found[role] = named.get("id")
        return found

    def role(self, named: dict[str, Any], path: str) -> str | None:
        """Return the name of a named id, or None after an error."""
        role = named.get("name")
        if isinstance(role, str) and role:
            return role
        self.findings.error(
            at(path, "name"), role or Unshown.NONE, "is no name", "write the interface's name"
        )
        return None

    def flat_interfaces(
        self, value: dict[str, Any], everyone: list[dict[str, Any]], path: str, native: str
    ) -> dict[str, Any]:
        """Return the NICs of the oldest form: one role if public IP and routes share one NIC on every NVA."""
        shared = all(_same(nva.get(_ONE_NIC[0]), nva.get(_ONE_NIC[1])) for nva in everyone)
        roles = {"nic1": _ONE_NIC[0]} if shared else {"public": _ONE_NIC[0], "route": _ONE_NIC[1]}
        found = {role: value[key] for role, key in roles.items() if value.get(key) is not None}
        for role in found:
            self.origins[at(at(native, "interfaces"), role)] = at(path, roles[role])
        return found

    def probe_role(self, nva: dict[str, Any], nics: dict[str, Any]) -> str | None:
        """Return the role of the NIC that is probed."""
        asked = nva.get("probeNetworkInterface")
        return next((role for role, nic in nics.items() if _same(nic, asked)), None)

    def add_probe_nic(self, nic: object, nics: dict[str, Any], path: str, *, all_of_them: bool) -> None:
        """Make the probed NIC a role of its own, if every NVA of the monitor has such a one."""
        if nic is None:
            self.findings.error(
                path, Unshown.NONE, "is missing", "write the id of one of the networkInterfaces"
            )
        elif all_of_them and "probe" not in nics:
            nics["probe"] = nic
            message = (
                "is not among networkInterfaces, so it becomes an interface of its own with the role probe"
            )
            self.findings.warn(
                path, nic, message, "know that routes to its addresses will follow the active NVA too"
            )
        else:
            remedy = "list it under networkInterfaces with one name on every NVA, or probe one that is listed"
            self.findings.error(path, nic, "is not among this NVA's networkInterfaces", remedy)

    def public_ips(
        self, settings: dict[str, Any], path: str, native: str, nvas: list[dict[str, Any]]
    ) -> dict[str, list[Any]]:
        """Return the public IPs by role, from the list or from the oldest form's one id."""
        list_path = at(path, "publicIpAddresses")
        self.origins[native] = list_path
        found: dict[str, list[Any]] = {}
        places: dict[str, list[str]] = {}
        if settings.get("publicIpAddress") is not None:
            roles = nvas[0]["interfaces"] if nvas else {}
            role = "nic1" if "nic1" in roles else "public"
            found[role], places[role] = [settings["publicIpAddress"]], [at(path, "publicIpAddress")]
        for index, item in enumerate(self.items(settings.get("publicIpAddresses"), list_path)):
            item_path = at(list_path, index)
            named = self.mapping(item, item_path, "named")
            if role_name := self.role(named, item_path):
                found.setdefault(role_name, []).append(named.get("id"))
                places.setdefault(role_name, []).append(at(item_path, "id"))
        for role, paths in places.items():
            self.origins[at(native, role)] = paths[0]
            for index, place in enumerate(paths if len(paths) > 1 else []):
                self.origins[at(at(native, role), index)] = place
        return found

    def name(self, ids: list[Any]) -> str:
        """Return a group's name from its first resource, so that it stays when monitors are reordered."""
        parts = parse_resource_id(ids[0]) if ids and isinstance(ids[0], str) else {}
        resource = str(parts.get("name", "")) if "type" in parts else ""
        plain = re.sub(r"[^a-z0-9]+", "-", resource.lower())[:36].strip("-")
        base = plain or f"group{len(self.names) + 1}"
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}-{count}"
        self.names.add(name)
        return name

    def whole_numbers(self, settings: dict[str, Any], path: str, native: str) -> dict[str, int]:
        """Return the three numbers as written, or ha-nva's defaults for them."""
        values: dict[str, int] = {}
        for key, default in _DEFAULTS.items():
            value = _number(settings.get(key))
            self.origins[at(native, _TIMES[key])] = at(path, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                self.findings.error(
                    at(path, key), value, "is not a whole number above 0", "correct or delete it"
                )
                value = None
            values[key] = default if value is None else value
        return values

    def times(self, settings: dict[str, Any], path: str, native: str) -> dict[str, Any]:
        """Return threshold, timeout and interval, lowered where they would not fit together here."""
        values = self.whole_numbers(settings, path, native)
        fall = min(values["numberOfFailuresThreshold"], 20)
        interval = min(max(values["probePollingInterval"] / 1000, 0.1), 60.0)
        fast = min(_FAST_INTERVAL_S, interval)
        room = DETECTION_S / fall - fast
        if room < 0.1:
            fast, room = 0.1, DETECTION_S / fall - 0.1
        timeout = max(
            min(values["probeConnectTimeout"] / 1000, interval, math.floor(room * 10 + 1e-9) / 10, 10.0), 0.1
        )
        carried: dict[str, tuple[float, str]] = {
            "numberOfFailuresThreshold": (fall, str(fall)),
            "probePollingInterval": (interval * 1000, write_duration(interval)),
            "probeConnectTimeout": (timeout * 1000, write_duration(timeout)),
        }
        rule = (
            f"fall is at most 20, fall * (fast_interval + timeout) at most {write_duration(DETECTION_S)}, "
            "and a timeout at most its interval; change the values if another balance suits you"
        )
        for key, (carried_as, text) in carried.items():
            if abs(carried_as - values[key]) > 1e-6:
                default = f"is not written, and ha-nva's default of {values[key]} ms "
                origin = "" if settings.get(key) is not None else default
                message = f"{origin}does not fit here: it becomes {_TIMES[key]}: {text}"
                self.findings.warn(at(path, key), settings.get(key, Unshown.NONE), message, rule)
        return {
            "interval": write_duration(interval),
            "fast_interval": write_duration(fast),
            "timeout": write_duration(timeout),
            "fall": fall,
        }


def _unknown(key: str, section: str) -> tuple[str, str]:
    """Return what is wrong with a key that ha-nva does not know in this section, and the remedy."""
    homes = [_PLACES.get(each, each) for each, keys in _USED.items() if key in keys and each != "named"]
    if homes:
        return f"is misplaced, so ha-nva ignores it: {key} belongs under {homes[0]}", "move it there"
    near = difflib.get_close_matches(key, {*_USED[section], *_DROPPED}, n=1, cutoff=0.8)
    return "is no key of ha-nva, and ignored", f"did you mean {near[0]}?" if near else "delete it"


def _number(value: object) -> object:
    """Return digits as a number: ha-nva's JSON reader took both."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value


def _same(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and same_id(one, other)
