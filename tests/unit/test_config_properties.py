"""nvaha.config by properties: the valid round-trips, the planted is found, garbage is only refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.config import ConfigError, parse
from nvaha.config.checks import DETECTION_S
from nvaha.config.native import to_native

NETWORK = "/subscriptions/0f3a1c52-7b1e-4e0b-9d55-1b2c3d4e5f60/resourceGroups/rg/providers/Microsoft.Network"
Tree = dict[str, Any]

labels = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
group_names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


def milliseconds(low: int, high: int) -> st.SearchStrategy[str]:
    """Durations in one of the ways to write them."""
    ways: list[Callable[[int], str]] = [
        lambda ms: f"{ms}ms",
        lambda ms: f"{ms / 1000:.3f}s",
        lambda ms: f"{ms // 60000}m{ms % 60000}ms",
    ]
    return st.builds(lambda ms, way: way(ms), st.integers(low, high), st.sampled_from(ways))


@st.composite
def probe_times(draw: st.DrawFn) -> Tree:
    """Probe settings whose times fit together."""
    fall = draw(st.integers(1, 20))
    room = int(DETECTION_S * 1000 / fall)
    timeout = draw(st.integers(100, min(10_000, room - 100)))
    fast = draw(st.integers(100, room - timeout))
    interval = draw(st.integers(max(timeout, fast), 60_000))
    return {
        "fall": fall,
        "timeout": f"{timeout}ms",
        "fast_interval": f"{fast}ms",
        "interval": f"{interval}ms",
    }


@st.composite
def groups(draw: st.DrawFn, name: str, number: int) -> Tree:
    """One valid group whose resources have numbers of their own."""
    roles = draw(st.lists(labels, min_size=1, max_size=3, unique=True))
    names = draw(st.lists(labels, min_size=2, max_size=4, unique_by=str.casefold))
    nvas: list[Tree] = []
    for index, nva in enumerate(names):
        interfaces = {
            role: f"{NETWORK}/networkInterfaces/g{number}-{index}-{at}" for at, role in enumerate(roles)
        }
        probe = draw(
            st.fixed_dictionaries({}, optional={"port": st.integers(1, 65535), "rise": st.integers(1, 20)})
        )
        probe |= draw(
            st.sampled_from([{"address": f"10.{number}.0.{index + 1}"}, {"interface": roles[-1]}, {}])
            if len(roles) == 1
            else st.sampled_from([{"address": f"fd00:{number}::{index + 1}"}, {"interface": roles[-1]}])
        )
        nvas.append({"name": nva, "interfaces": interfaces, "probe": probe})
    group: Tree = {"name": name, "nvas": nvas}
    group["route_tables"] = [
        f"{NETWORK}/routeTables/g{number}-{table}" for table in range(draw(st.integers(0, 3)))
    ]
    public_roles = draw(
        st.lists(st.sampled_from(roles), unique=True, min_size=0 if group["route_tables"] else 1)
    )
    group["public_ips"] = {
        role: draw(
            st.sampled_from(
                [
                    f"{NETWORK}/publicIPAddresses/g{number}-{at}",
                    [
                        {"id": f"{NETWORK}/publicIPAddresses/g{number}-{at}"},
                        {"id": f"{NETWORK}/publicIPAddresses/h{number}-{at}", "ip_configuration": "second"},
                    ],
                ]
            )
        )
        for at, role in enumerate(public_roles)
    }
    group["probe"] = draw(probe_times()) | draw(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["http", "https"])},
            optional={
                "path": st.from_regex(r"/[!-~]{0,20}", fullmatch=True),
                "expect": st.lists(st.integers(100, 599) | st.just("200-299"), min_size=1, max_size=5),
                "host": labels,
                "verify_tls": st.booleans(),
            },
        )
        | st.fixed_dictionaries({"type": st.just("tcp"), "port": st.integers(1, 65535)})
    )
    group["policy"] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "automatic": st.booleans(),
                "select": st.sampled_from(["order", "cycle"]),
                "failback": st.sampled_from(["manual", "automatic"]),
                "failback_after": milliseconds(10_000, 86_400_000),
                "hold_down": milliseconds(0, 86_400_000),
                "max_switches_per_hour": st.integers(1, 60),
                "drift": st.sampled_from(["repair", "report", "off"]),
                "unsteady": st.sampled_from(["report", "down"]),
                "drift_interval": milliseconds(60_000, 86_400_000),
                "deadline": milliseconds(30_000, 840_000),
            },
        )
    )
    return group


@st.composite
def files(draw: st.DrawFn) -> Tree:
    """One valid file."""
    names = draw(st.lists(group_names, min_size=1, max_size=3, unique=True))
    targets = draw(st.lists(st.sampled_from(["192.0.2.1:53", "[2001:db8::1]:443"]), unique=True))
    return {
        "control_targets": targets,
        "groups": [draw(groups(name, number)) for number, name in enumerate(names)],
    }


def _set(*path: str | int) -> Callable[[Tree, object], None]:
    def put(tree: Tree, value: object) -> None:
        at: Any = tree
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return put


PROBE = ("groups", 0, "probe")
POLICY = ("groups", 0, "policy")
NVA = ("groups", 0, "nvas", 1)
PLANTED = [
    (("groups", 0, "nvass"), 1, "groups[0].nvass"),
    (("extra",), {}, "extra"),
    (("groups", 0, "name"), "-edge", "groups[0].name"),
    ((*NVA, "name"), "two words", "groups[0].nvas[1].name"),
    ((*NVA, "interfaces"), {}, "groups[0].nvas[1].interfaces"),
    (
        (*NVA, "interfaces"),
        {"one too many": f"{NETWORK}/networkInterfaces/x"},
        "groups[0].nvas[1].interfaces",
    ),
    ((*NVA, "interfaces"), None, "groups[0].nvas[1].interfaces"),
    ((*NVA, "probe"), {"interface": "nowhere", "port": 1}, "groups[0].nvas[1].probe.interface"),
    ((*NVA, "probe"), {"address": "nowhere"}, "groups[0].nvas[1].probe.address"),
    (("groups", 0, "route_tables"), ["udr"], "groups[0].route_tables[0]"),
    (
        ("groups", 0, "route_tables"),
        [f"{NETWORK}/routeTables/u", f"{NETWORK}/ROUTETABLES/U"],
        "groups[0].route_tables[1]",
    ),
    (("groups", 0, "public_ips"), {"x": f"{NETWORK}/routeTables/u"}, "groups[0].public_ips.x"),
    (("groups", 0, "public_ips"), {"x": []}, "groups[0].public_ips.x"),
    (("groups", 0, "password"), "hunter2", "groups[0].password"),
    ((*PROBE, "port"), 65536, "groups[0].probe.port"),
    ((*PROBE, "port"), "22", "groups[0].probe.port"),
    ((*PROBE, "type"), "icmp", "groups[0].probe.type"),
    ((*PROBE, "timeout"), 1, "groups[0].probe.timeout"),
    ((*PROBE, "timeout"), "11s", "groups[0].probe.timeout"),
    ((*PROBE, "interval"), "1m x 30s", "groups[0].probe.interval"),
    ((*PROBE, "fall"), 21, "groups[0].probe.fall"),
    ((*PROBE, "rise"), 0, "groups[0].probe.rise"),
    ((*PROBE, "expect"), [], "groups[0].probe.expect"),
    ((*POLICY, "automatic"), "on", "groups[0].policy.automatic"),
    ((*POLICY, "deadline"), "29s", "groups[0].policy.deadline"),
    ((*POLICY, "hold_down"), True, "groups[0].policy.hold_down"),
    ((*POLICY, "max_switches_per_hour"), 0, "groups[0].policy.max_switches_per_hour"),
    (("control_targets",), ["10.0.0.4"], "control_targets[0]"),
]


@given(files(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_is_valid_is_read_and_round_trips(tree: Tree, as_json: bool) -> None:
    """Any valid file is read, as YAML and as JSON alike, and its native text is read back as equal."""
    text = json.dumps(tree) if as_json else yaml.safe_dump(tree)
    configuration = parse(text).configuration
    assert [group.name for group in configuration.groups] == [group["name"] for group in tree["groups"]]
    native = to_native(configuration)
    assert parse(native).configuration == configuration
    assert to_native(parse(native).configuration) == native
    assert not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(native, Loader=yaml.SafeLoader))


@given(files(), st.sampled_from(PLANTED))
@settings(max_examples=60, deadline=None)
def test_a_planted_mistake_is_reported_at_its_path(
    tree: Tree, planted: tuple[tuple[str | int, ...], object, str]
) -> None:
    """One mistake planted in a valid file is reported with its path, and with the line that it is on."""
    place, value, path = planted
    tree = copy.deepcopy(tree)
    _set(*place)(tree, value)
    text = yaml.safe_dump(tree, width=10_000)
    with pytest.raises(ConfigError) as refused:
        parse(text)
    found = [problem for problem in refused.value.problems if problem.path == path]
    assert found
    for problem in found:
        assert problem.line is not None
        line = text.splitlines()[problem.line - 1].strip()
        key = "" if path.endswith("]") else f"{path.rpartition('.')[2]}:"
        assert line.removeprefix("- ").startswith(key)
        assert key or line.startswith("- ")


@given(files(), st.sampled_from(PLANTED), st.sampled_from(PLANTED))
@settings(max_examples=30, deadline=None)
def test_two_planted_mistakes_are_reported_together(
    tree: Tree,
    one: tuple[tuple[str | int, ...], object, str],
    other: tuple[tuple[str | int, ...], object, str],
) -> None:
    """Two mistakes in different parts of a file are reported by one reading."""
    if one[0][: len(other[0])] == other[0] or other[0][: len(one[0])] == one[0]:
        return
    if one[0][:4] == other[0][:4] == NVA:
        return  # an NVA that names no good interface has no roles to check its probe against
    tree = copy.deepcopy(tree)
    for place, value, _ in (one, other):
        _set(*place)(tree, value)
    with pytest.raises(ConfigError) as refused:
        parse(json.dumps(tree))
    assert {one[2], other[2]} <= {problem.path for problem in refused.value.problems}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
known_keys = st.sampled_from(
    [
        "groups",
        "name",
        "nvas",
        "interfaces",
        "route_tables",
        "public_ips",
        "probe",
        "policy",
        "control_targets",
        "type",
        "port",
        "interface",
        "address",
        "path",
        "expect",
        "host",
        "interval",
        "timeout",
        "fall",
        "id",
        "ip_configuration",
        "zookeeper",
        "daemon",
        "monitors",
        "settings",
        "azure",
        "servicePrincipal",
        "networkInterfaces",
        "probeNetworkInterface",
        "probePort",
        "publicIpAddress",
        "publicIpAddresses",
        "routeTables",
        "numberOfFailuresThreshold",
        "probeConnectTimeout",
        "probePollingInterval",
        "publicIpNetworkInterface",
        "clientSecret",
    ]
)
garbage = st.recursive(
    scalars | st.sampled_from([f"{NETWORK}/networkInterfaces/n", "1s", "<id>", 22]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(known_keys | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)


def _only_refuses(text: str) -> None:
    try:
        parse(text)
    except ConfigError as refused:
        print(str(refused).encode())  # what is refused must be printable


@given(st.dictionaries(st.sampled_from(["groups", "daemon", "zookeeper", "control_targets"]), garbage))
@settings(max_examples=100, deadline=None)
def test_values_of_any_shape_are_read_or_refused(tree: Tree) -> None:
    """JSON and YAML of any shape under the known keys raises nothing but ConfigError."""
    _only_refuses(json.dumps(tree))
    _only_refuses(yaml.dump(tree))


@given(st.lists(garbage, max_size=3), st.sampled_from(["nvas", "route_tables", "probe", "settings"]))
@settings(max_examples=200, deadline=None)
def test_lists_of_any_shape_below_a_group_are_read_or_refused(items: list[Any], key: str) -> None:
    """Any list in the place of a group's or a monitor's part raises nothing but ConfigError."""
    _only_refuses(json.dumps({"groups": [{"name": "edge", key: items}]}))
    _only_refuses(json.dumps({"daemon": {"monitors": [{"settings": {"nvas": items, key: items}}]}}))


@given(st.text(alphabet=st.characters() | st.sampled_from("{}[]:,&*!|>'\"#%@`-? \n\t0"), max_size=60))
@settings(max_examples=500, deadline=None)
def test_text_of_any_kind_is_read_or_refused(text: str) -> None:
    """Any text raises nothing but ConfigError."""
    _only_refuses(text)
    _only_refuses("groups: " + text)
    _only_refuses("{" + text)
