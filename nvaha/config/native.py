"""Writes a configuration as native YAML, as short as it can be: defaults and repetitions are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import yaml

from nvaha.config.forms import write_duration
from nvaha.model import CanarySpec, Configuration, Group, Nva, Policy, ProbeSpec, PublicIp, Receiver

_FILE_NAMES = {"kind": "type"}


_OBSERVING = """\
# Observing: nvaha probes, looks and tells, and moves nothing by itself (automatic: false), so whatever moves
# these groups now may go on doing so. docs/migrate-from-ha-nva.md has the way from here:
#   1. deploy this file, and compare for some days: nvaha status, nvaha plan GROUP --to NVA
#   2. stop the other one for good; nvaha status has to name the NVA that is active, without drift
#   3. delete `automatic: false` and `drift: report` of each group here, deploy, and test a failover
"""


def to_native(configuration: Configuration, *, observe: bool = False) -> str:
    """Return YAML that `nvaha.config.parse` reads back to an equal configuration.

    Args:
        configuration: what to write.
        observe: write it so that nothing is moved by itself, with a comment on how to go on.
    """
    if observe:
        groups = tuple(replace(group, policy=_observing(group.policy)) for group in configuration.groups)
        return _OBSERVING + to_native(replace(configuration, groups=groups))
    tree: dict[str, Any] = {}
    if configuration.control_targets:
        tree["control_targets"] = [
            f"[{target.address}]:{target.port}"
            if ":" in target.address
            else f"{target.address}:{target.port}"
            for target in configuration.control_targets
        ]
    if configuration.canary is not None and configuration.canary.canary is not None:
        written = _written(configuration.canary.canary, CanarySpec())
        tree["canary"] = {"route_table": configuration.canary.route_tables[0], **written}
    if configuration.receivers:
        tree["notify"] = [_receiver(each) for each in configuration.receivers]
    tree["groups"] = [_group(group) for group in configuration.groups]
    return yaml.dump(tree, Dumper=_WithoutAnchors, sort_keys=False, allow_unicode=True, width=1000)


def _observing(policy: Policy) -> Policy:
    drift = "report" if policy.drift == "repair" else policy.drift
    return replace(policy, automatic=False, drift=drift)


def _receiver(receiver: Receiver) -> dict[str, Any]:
    default = Receiver(receiver.name, receiver.kind)
    tree: dict[str, Any] = {"name": receiver.name, "type": str(receiver.kind)}
    for item in fields(receiver):
        value = getattr(receiver, item.name)
        if value != getattr(default, item.name):
            tree[item.name] = list(value) if isinstance(value, tuple) else value
    return tree


class _WithoutAnchors(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write equal values out each time."""
        return True


def _group(group: Group) -> dict[str, Any]:
    probes = [_written(nva.probe, ProbeSpec()) for nva in group.nvas]
    for nva, probe in zip(group.nvas, probes, strict=True):
        probe["port"] = nva.probe.port  # its default depends on the type; always shown, as people look for it
    shared = _shared(probes)
    tree: dict[str, Any] = {
        "name": group.name,
        "nvas": [_nva(nva, probe, shared) for nva, probe in zip(group.nvas, probes, strict=True)],
    }
    if group.route_tables:
        tree["route_tables"] = list(group.route_tables)
    if group.public_ips:
        tree["public_ips"] = _public_ips(group.public_ips)
    if shared:
        tree["probe"] = shared
    if policy := _written(group.policy, Policy()):
        tree["policy"] = policy
    return tree


def _nva(nva: Nva, probe: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": nva.name, "interfaces": dict(nva.interfaces)}
    if own := {name: value for name, value in probe.items() if name not in shared}:
        tree["probe"] = own
    return tree


def _shared(probes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields that every NVA's probe has with the same value."""
    return {
        name: value
        for name, value in probes[0].items()
        if all(name in probe and probe[name] == value for probe in probes)
    }


def _written(
    values: ProbeSpec | Policy | CanarySpec, default: ProbeSpec | Policy | CanarySpec
) -> dict[str, Any]:
    """Return the fields that differ from their default, with the file's names and units."""
    tree: dict[str, Any] = {}
    for item in fields(values):
        value = getattr(values, item.name)
        if value == getattr(default, item.name):
            continue
        if item.name.endswith("_s"):
            tree[item.name.removesuffix("_s")] = write_duration(value)
        elif item.name == "expect":
            tree["expect"] = list(_ranges(value))
        else:
            tree[_FILE_NAMES.get(item.name, item.name)] = (
                value if isinstance(value, bool | int) else str(value)
            )
    return tree


def _ranges(codes: Iterable[int]) -> Iterable[int | str]:
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return (low if low == high else f"{low}-{high}" for low, high in runs)


def _public_ips(addresses: Iterable[PublicIp]) -> dict[str, Any]:
    by_role: dict[str, list[Any]] = {}
    for address in addresses:
        entry: Any = address.id
        if address.ip_configuration is not None:
            entry = {"id": address.id, "ip_configuration": address.ip_configuration}
        by_role.setdefault(address.role, []).append(entry)
    return {role: entries[0] if len(entries) == 1 else entries for role, entries in by_role.items()}
