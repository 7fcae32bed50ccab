"""nvaha.config.hanva: what ha-nva's JSON means, and the native text it becomes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.config import ConfigError, parse
from nvaha.config.checks import DETECTION_S
from nvaha.config.hanva import to_native
from nvaha.model import Policy, PublicIp

CASES = Path(__file__).parent / "config_cases"
GOOD = sorted((CASES / "good").glob("*.yaml"))
NETWORK = (
    "/subscriptions/0f3a1c52-7b1e-4e0b-9d55-1b2c3d4e5f60/resourceGroups/ha-nva-rg/providers/Microsoft.Network"
)
REMOTE = json.loads((CASES / "good" / "hanva_remote.yaml").read_text("utf-8"))
SETTINGS = "daemon.monitors[0].settings"


def nic(name: str) -> str:
    """Return the id of one of the sample's NICs."""
    return f"{NETWORK}/networkInterfaces/{name}"


def changed(**changes: Any) -> dict[str, Any]:
    """Return the sample with other settings; None takes one away."""
    tree: dict[str, Any] = copy.deepcopy(REMOTE)
    inner = tree["daemon"]["monitors"][0]["settings"]
    inner.update(changes)
    tree["daemon"]["monitors"][0]["settings"] = {
        key: value for key, value in inner.items() if value is not None
    }
    return tree


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.stem)
def test_native_text_of_any_good_file_is_read_back_as_equal(
    case: Path,
) -> None:
    """What `nvaha import` prints is read back as the same configuration, and nothing in it is ha-nva's."""
    configuration = parse(case.read_text("utf-8")).configuration
    again = parse(to_native(configuration))
    assert again.configuration == configuration
    assert not any("daemon" in warning.path or "zookeeper" in warning.path for warning in again.warnings)


def test_a_monitor_becomes_a_group() -> None:
    """NICs, ports, route tables, public IPs and times of a monitor arrive in one group."""
    group = parse(json.dumps(REMOTE)).configuration.groups[0]
    assert group.name == "ha-nva-pip"
    assert group.names == ("nva1", "nva2")
    assert dict(group.nvas[1].interfaces) == {"nic1": nic("ha-nva-vm2-nic1"), "nic2": nic("ha-nva-vm2-nic2")}
    assert group.route_tables == (
        f"{NETWORK}/routeTables/ha-nva-udr",
        f"{NETWORK}/routeTables/ha-nva-mgmt-udr",
    )
    assert group.public_ips == (PublicIp("nic1", f"{NETWORK}/publicIPAddresses/ha-nva-pip"),)
    assert group.policy == Policy(select="cycle", adopt="repair")
    probe = group.nvas[0].probe
    assert (probe.interface, probe.port, probe.fall) == ("nic2", 9010, 3)
    assert (probe.interval_s, probe.fast_interval_s, probe.timeout_s) == (3.0, 0.5, 3.0)


def test_the_oldest_form_with_one_nic_has_one_role() -> None:
    """One NIC for routes, public IP and probe becomes one role."""
    text = (CASES / "good" / "hanva_flat.yaml").read_text("utf-8")
    group = parse(text).configuration.groups[0]
    assert dict(group.nvas[0].interfaces) == {"nic1": nic("ha-nva-vm1-nic1")}
    assert group.public_ips[0].role == group.nvas[0].probe.interface == "nic1"


def test_the_oldest_form_with_two_nics_has_two_roles() -> None:
    """Different NICs for public IP and routes become the roles public and route."""
    tree = json.loads((CASES / "good" / "hanva_flat.yaml").read_text("utf-8"))
    for number, nva in enumerate(tree["daemon"]["monitors"][0]["settings"]["nvas"], 1):
        nva["routeNetworkInterface"] = nva["probeNetworkInterface"] = nic(f"ha-nva-vm{number}-nic2")
    group = parse(json.dumps(tree)).configuration.groups[0]
    assert dict(group.nvas[1].interfaces) == {
        "public": nic("ha-nva-vm2-nic1"),
        "route": nic("ha-nva-vm2-nic2"),
    }
    assert group.public_ips[0].role == "public"
    assert group.nvas[0].probe.interface == "route"


def test_each_monitor_becomes_a_group_of_its_own_name() -> None:
    """All monitors are read; a probed NIC outside networkInterfaces becomes the role probe."""
    text = (CASES / "good" / "hanva_two_monitors.yaml").read_text("utf-8")
    first, second = parse(text).configuration.groups
    assert (first.name, second.name) == ("ha-nva-pip", "other-udr")
    assert second.nvas[1].interfaces["probe"] == nic("ha-nva-vm4-nic3")
    assert second.nvas[1].probe.interface == "probe"
    assert second.nvas[1].probe.port == 9011


def test_groups_keep_their_names_when_monitors_change_places() -> None:
    """A group's name comes from its resources, not from its place in the file."""
    tree = json.loads((CASES / "good" / "hanva_two_monitors.yaml").read_text("utf-8"))
    before = {group.name: group.route_tables for group in parse(json.dumps(tree)).configuration.groups}
    tree["daemon"]["monitors"].reverse()
    after = {group.name: group.route_tables for group in parse(json.dumps(tree)).configuration.groups}
    assert before == after


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"routeTables": None, "publicIpAddresses": None}, SETTINGS),
        ({"routeTables": ["<route_table_1_id>"]}, f"{SETTINGS}.routeTables[0]"),
        ({"routeTables": "udr"}, f"{SETTINGS}.routeTables"),
        ({"nvas": None}, f"{SETTINGS}.nvas"),
        ({"publicIpAddresses": [{"name": "nic1", "id": "<id>"}]}, f"{SETTINGS}.publicIpAddresses[0].id"),
        ({"publicIpAddresses": [{"name": "nic1"}]}, f"{SETTINGS}.publicIpAddresses[0].id"),
        ({"probeConnectTimeout": "soon"}, f"{SETTINGS}.probeConnectTimeout"),
        ({"probePollingInterval": 0}, f"{SETTINGS}.probePollingInterval"),
        ({"azure": "none"}, f"{SETTINGS}.azure"),
        ({"apiToken": {"secret": "hunter2"}}, f"{SETTINGS}.apiToken.secret"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_error_has_the_path_of_ha_nvas_file(changes: dict[str, Any], path: str) -> None:
    """What is wrong is told with the path that the user wrote it under."""
    with pytest.raises(ConfigError) as refused:
        parse(json.dumps(changed(**changes)))
    assert path in [problem.path for problem in refused.value.problems]
    assert not any(problem.path.startswith("groups") for problem in refused.value.problems)


def test_every_key_is_carried_over_or_named() -> None:
    """A key that means nothing here is named in a warning, whether ha-nva knew it or not."""
    tree = changed(colour="red")
    tree["other"] = tree["zookeeper"]["daemon"] = tree["daemon"]["pace"] = 1
    tree["daemon"]["monitors"][0]["label"] = 1
    tree["daemon"]["monitors"][0]["settings"]["nvas"][0]["weight"] = 1
    tree["daemon"]["monitors"][0]["settings"]["nvas"][0]["networkInterfaces"][0]["mtu"] = 1
    named = {warning.path for warning in parse(json.dumps(tree)).warnings}
    assert {
        "other",
        "zookeeper.connectionString",
        "zookeeper.retrySleepTime",
        "zookeeper.numberOfRetries",
        "zookeeper.leaderSelectorPath",
        "zookeeper.daemon",
        "daemon.shutdownAwaitTime",
        "daemon.pace",
        "daemon.monitors[0].label",
        f"{SETTINGS}.colour",
        f"{SETTINGS}.azure.subscriptionId",
        f"{SETTINGS}.azure.servicePrincipal.clientId",
        f"{SETTINGS}.azure.servicePrincipal.tenantId",
        f"{SETTINGS}.nvas[0].weight",
        f"{SETTINGS}.nvas[0].networkInterfaces[0].mtu",
    } == named


@given(
    st.none() | st.integers(1, 10**9),
    st.none() | st.integers(1, 10**9),
    st.none() | st.integers(1, 10**9),
)
@settings(max_examples=200, deadline=None)
def test_any_times_of_ha_nva_are_made_to_fit(
    fall: int | None, timeout: int | None, interval: int | None
) -> None:
    """Whatever threshold, timeout and interval ha-nva had, the result fits, and each change is told."""
    written = {
        "numberOfFailuresThreshold": fall,
        "probeConnectTimeout": timeout,
        "probePollingInterval": interval,
    }
    loaded = parse(json.dumps(changed(**written)))
    probe = loaded.configuration.groups[0].nvas[0].probe
    assert probe.fall * (probe.fast_interval_s + probe.timeout_s) <= DETECTION_S + 1e-9
    meant = {
        "numberOfFailuresThreshold": (probe.fall, fall or 3),
        "probeConnectTimeout": (probe.timeout_s, (timeout or 10000) / 1000),
        "probePollingInterval": (probe.interval_s, (interval or 3000) / 1000),
    }
    lowered = {key for key, (is_now, was) in meant.items() if abs(is_now - was) > 1e-6}
    told = {warning.path.rpartition(".")[2] for warning in loaded.warnings}
    assert told & set(meant) == lowered


def test_every_key_of_ha_nva_s_samples_and_readme_is_known() -> None:
    """Each has its place here or is said to have another one; none is called unknown."""
    tree = changed(publicIpAddress=None)
    tree["zookeeper"]["leaderSelectionPath"] = tree["zookeeper"].pop("leaderSelectorPath")
    tree["zookeeper"]["retrySleepTimeMs"] = tree["zookeeper"].pop("retrySleepTime")
    tree["daemon"]["shudownAwaitTimeMs"] = tree["daemon"].pop("shutdownAwaitTime")
    warnings = {each.path: each for each in parse(json.dumps(tree)).warnings}
    for path in ("zookeeper.leaderSelectionPath", "zookeeper.retrySleepTimeMs", "daemon.shudownAwaitTimeMs"):
        assert warnings[path].message == "is not carried over"
    assert not [each for each in warnings.values() if "no key of ha-nva" in each.message]


@pytest.mark.parametrize(
    ("place", "key", "said"),
    [
        (("azure",), "probeConnectTimeout", "belongs under settings"),
        (("nvas", 0), "leaderSelectorPath", "a blob lease elects the leader"),
        (("nvas", 0), "routeTables", "belongs under settings"),
        ((), "monitors", "belongs under daemon"),
        ((), "networkInterfaces", "belongs under an entry of nvas"),
        ((), "probePollInterval", "did you mean probePollingInterval?"),
    ],
)
def test_a_key_of_ha_nva_in_the_wrong_place_is_misplaced(
    place: tuple[str | int, ...], key: str, said: str
) -> None:
    """ha-nva itself ignores it there, without a word."""
    tree = changed()
    inner: Any = tree["daemon"]["monitors"][0]["settings"]
    for each in place:
        inner = inner[each]
    inner[key] = 1
    path = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in (*place, key))
    [warning] = [each for each in parse(json.dumps(tree)).warnings if each.path == f"{SETTINGS}{path}"]
    assert said in f"{warning.message}; {warning.remedy}"
