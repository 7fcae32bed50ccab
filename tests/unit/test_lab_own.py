"""Somebody's own configuration in the lab: what is made of it, where probes lead, what is never called."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from rich.console import Console

from nvaha.config import parse
from nvaha.core.survey import survey
from nvaha.lab import acts, by_hand, up
from nvaha.lab.arm import ArmSimulator
from nvaha.lab.screen import Screen
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.nva import FakeNva
from nvaha.lab.stage.own import MOST_NVAS, not_stood_in, redirected, stand_ins
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import Environment
from nvaha.lab.stage.scenery import Scenery
from nvaha.model import Configuration, Nva, ProbeSpec, Resource, Snapshot
from nvaha.probes.prober import NetworkProber
from tests.unit.test_config_properties import files

HERE = Path(__file__).parent
GOOD = sorted((HERE / "config_cases" / "good").glob("*.yaml"))
PLACE = ("127.0.0.1", 1)
A, B = (f"/subscriptions/{each * 8}-0000-0000-0000-000000000000/resourceGroups" for each in "ab")
NETWORK = "providers/Microsoft.Network"


def machine(name: str, *roles: str, group: str = "hub") -> dict[str, Any]:
    """Return an NVA of a file."""
    nics = {role: f"{A}/{group}/{NETWORK}/networkInterfaces/{group}-{name}-{role}" for role in roles}
    return {"name": name, "interfaces": nics}


OWN = parse(
    yaml.safe_dump({
        "control_targets": ["10.20.0.132:22"],
        "notify": [
            {"name": "ops", "type": "webhook", "url_setting": "OPS_URL", "key_setting": "OPS_KEY"},
            {"name": "duty", "type": "pagerduty", "key_setting": "DUTY_KEY"},
        ],
        "groups": [
            {
                "name": "hub",
                "nvas": [machine("fw-a", "outside", "inside"), machine("fw-b", "outside", "inside")],
                "route_tables": [f"{B}/spokes/{NETWORK}/routeTables/shared"],
                "public_ips": {"outside": f"{A}/hub/{NETWORK}/publicIPAddresses/egress"},
                "probe": {"type": "https", "interface": "inside", "host": "fw.example.com", "expect": [401]},
                "policy": {"hold_down": "20s"},
            },
            {
                "name": "branch",
                "nvas": [machine("fw-a", "nic", group="branch"), machine("fw-c", "nic", group="branch")],
                "route_tables": [
                    f"{B}/spokes/{NETWORK}/routeTables/shared", f"{A}/branch/{NETWORK}/routeTables/own",
                ],
            },
        ],
    })
).configuration  # fmt: skip


def there(nva: Nva) -> Nva:
    """Return an NVA that is probed at the place, and in nothing else another."""
    return replace(nva, probe=replace(nva.probe, address=PLACE[0], port=PLACE[1], interface=None))


def azure(environments: dict[str, Environment], folder: Path) -> ArmSimulator:
    """Return the simulated Azure of a configuration, that nobody listens at."""
    resources = next(iter(environments.values())).resources
    return ArmSimulator(resources, PROFILES["fast"], folder=folder)


def seen(simulator: ArmSimulator) -> Snapshot:
    """Return all of an Azure as the app reads it."""
    bodies = simulator.snapshot().items()
    return Snapshot({key.casefold(): Resource(key, body["etag"], body) for key, body in bodies})


def assert_whole(configuration: Configuration) -> None:
    """Assert that the app finds all of each group on its first NVA, and every NVA ready."""
    now = seen(azure(stand_ins(configuration), HERE))
    for group in configuration.groups:
        found = survey(group, now, {})
        first = group.names[0]
        assert found.owners == (first,)
        assert not found.off[first]
        assert not any(found.unready.values()), found.unready
        assert found.public_ips.get(first, 0) == len(group.public_ips)
        assert found.routes.get(first, 0) >= len(group.route_tables)


def on_stage(scenario: Callable[[Scenery], Awaitable[None]], of: Configuration, folder: Path) -> None:
    """Run a scenario with the machines of a configuration."""

    async def run() -> None:
        scenery = Scenery(of, stand_ins(of), folder)
        try:
            scenery.start()
            await scenario(scenery)
        finally:
            scenery.stop()

    asyncio.run(run())


class TestAzure:
    """The Azure that is made of a file."""

    @settings(max_examples=10)
    @given(files())
    def test_whatever_the_file_it_is_all_there_and_only_probes_go_elsewhere(
        self, tree: dict[str, Any]
    ) -> None:
        """With the app's own eyes: everything is on the first NVA of each group, and could be on any.

        What monitors read is the file, but for the addresses and ports of probes.
        """
        configuration = parse(yaml.safe_dump(tree)).configuration
        assert_whole(configuration)
        places = {(group.name, name): PLACE for group in configuration.groups for name in group.names}
        targets = [PLACE for _ in configuration.control_targets]
        read = redirected(configuration, places, targets)
        for before, after in zip(configuration.groups, read.groups, strict=True):
            assert after == replace(before, nvas=tuple(map(there, before.nvas)))
        assert [(each.address, each.port) for each in read.control_targets] == targets

    @pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
    def test_each_kind_of_file_has_its_azure(self, path: Path) -> None:
        """Native or ha-nva's, in each of its forms."""
        assert_whole(parse(path.read_text(encoding="utf-8")).configuration)

    def test_names_stay_as_they_are_across_subscriptions(self, tmp_path: Path) -> None:
        """Every resource that the file names is there by its very id; no private address is there twice."""
        now = azure(stand_ins(OWN), tmp_path).snapshot()
        assert {each for group in OWN.groups for each in group.resource_ids} == set(now)
        nics = [body for body in now.values() if body["type"].endswith("networkInterfaces")]
        configurations = [each for body in nics for each in body["properties"]["ipConfigurations"]]
        addresses = [each["properties"]["privateIPAddress"] for each in configurations]
        assert len(set(addresses)) == len(addresses) == 6

    def test_a_shared_table_has_a_way_to_each_group(self, tmp_path: Path) -> None:
        """Traffic of each group finds its own NVAs."""
        environments = stand_ins(OWN)
        effective = azure(environments, tmp_path).effective
        for group in OWN.groups:
            sample = environments[group.name]
            inside = sample.prefixes[-1].replace(".0/24", ".5")
            hop = effective.next_hop(group.route_tables[0], inside)
            assert hop in sample.nvas[0].addresses.values()

    def test_more_than_a_lab_can_have_is_refused(self) -> None:
        """The refusal says how many there are, and may be."""
        groups = tuple(replace(OWN.groups[0], name=f"g{number}") for number in range(MOST_NVAS))
        with pytest.raises(LabError, match=f"{2 * MOST_NVAS} NVAs.*{MOST_NVAS}"):
            stand_ins(Configuration(groups))

    def test_a_route_is_broken_to_the_next_nva_of_its_own_group(self, tmp_path: Path) -> None:
        """In a table that groups share, too."""
        environments = stand_ins(OWN)
        lab: Any = SimpleNamespace(simulator=azure(environments, tmp_path), samples=environments)
        asyncio.run(acts.Acts(lab).obey("break route own"))
        hub, branch = environments["hub"].nvas, environments["branch"].nvas
        [_, route] = by_hand.named(lab.simulator, "own")["properties"]["routes"]
        assert route["properties"]["nextHopIpAddress"] == branch[0].addresses["nic"]
        [first, _] = by_hand.named(lab.simulator, "own")["properties"]["routes"]
        assert first["properties"]["nextHopIpAddress"] == branch[1].addresses["nic"]
        asyncio.run(acts.Acts(lab).obey("break route shared"))
        shared = by_hand.named(lab.simulator, "shared")["properties"]["routes"]
        assert shared[0]["properties"]["nextHopIpAddress"] == hub[1].addresses["inside"]

    def test_one_of_several_of_a_name_is_named_with_its_resource_group(self, tmp_path: Path) -> None:
        """Whoever names one that is there twice is told both; an id or a command's own scope will do."""
        twice = [f"{A}/{group}/{NETWORK}/routeTables/udr" for group in ("hub", "branch")]
        groups = [
            replace(group, route_tables=(table,)) for group, table in zip(OWN.groups, twice, strict=True)
        ]
        simulator = azure(stand_ins(replace(OWN, groups=tuple(groups))), tmp_path)
        with pytest.raises(LabError, match=r"several.*hub/udr, branch/udr"):
            by_hand.named(simulator, "udr")
        assert by_hand.named(simulator, "Hub/udr")["id"] == twice[0]
        assert by_hand.named(simulator, twice[1].upper())["id"] == twice[1]
        assert by_hand.named(simulator, "udr", scope=f"{A}/branch/")["id"] == twice[1]


class TestProbes:
    """Where probes lead, and what they are answered."""

    def test_each_kind_of_probe_is_answered_as_if_its_nva_were_well(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """HTTPS with a certificate for the name in the file, which is verified; TCP; and a control target."""

        async def scenario(scenery: Scenery) -> None:
            for name, value in scenery.settings.items():
                monkeypatch.setenv(name, value)
            read = parse(scenery.file(())).configuration
            async with NetworkProber() as prober:

                async def ask(of: ProbeSpec) -> Any:
                    return await prober.probe(of.address or "", replace(of, timeout_s=5.0))

                probes = [each.probe for group in read.groups for each in group.nvas]
                assert all([(await ask(probe)).ok for probe in probes])
                assert await prober.reachable(read.control_targets[0], 5.0)
                assert (await ask(replace(probes[0], expect=(200,)))).error == "status 401"
                assert not (await ask(replace(probes[0], host="other.example.com"))).ok
                scenery.nva("hub/fw-a").stop()
                scenery.nva("10.20.0.132:22").stop()
                assert not (await ask(probes[0])).ok
                assert not await prober.reachable(read.control_targets[0], 5.0)
                scenery.nva("hub/fw-a").start()
                assert (await ask(probes[0])).ok

        on_stage(scenario, OWN, tmp_path)

    def test_an_nva_is_called_as_in_the_file(self, tmp_path: Path) -> None:
        """By its group too where another has one of that name; what names none or two is refused."""

        def found(name: str) -> FakeNva:
            return scenery.nva(name)

        scenery = Scenery(OWN, stand_ins(OWN), tmp_path)
        assert [each.name for each in scenery.nvas] == ["hub/fw-a", "fw-b", "branch/fw-a", "fw-c"]
        assert found("FW-B") is found("nva2") is scenery.nvas[1]
        assert found("branch/fw-a") is scenery.nvas[2]
        with pytest.raises(LabError, match=r"several.*hub/fw-a, branch/fw-a"):
            found("fw-a")
        with pytest.raises(LabError, match=r"no NVA.*fw-b"):
            found("nva9")


class TestNobodyIsCalled:
    """A lab calls nobody outside."""

    def test_nothing_that_monitors_read_leads_outside(self, tmp_path: Path) -> None:
        """No receiver, no setting of one, and no address but on loopback."""

        async def scenario(scenery: Scenery) -> None:
            text = scenery.file(())
            addresses = re.findall(r"\d+\.\d+\.\d+\.\d+", text)
            assert addresses
            assert all(each.startswith("127.0.") for each in addresses)
            assert not any(word in text for word in ("notify", "OPS_URL", "DUTY_KEY", "webhook"))

        on_stage(scenario, OWN, tmp_path)

    def test_what_a_lab_cannot_stand_in_for_is_said(self) -> None:
        """Each receiver and control target by its name."""
        said = "\n".join(not_stood_in(OWN))
        assert all(name in said for name in ("ops", "duty", "10.20.0.132:22", "HTTPS", "NVAHA_PING_URL"))


def test_a_broken_file_is_refused_as_validate_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every problem with its path, value and remedy; nothing is started."""
    case = HERE / "config_cases" / "bad" / "several_at_once"
    file = tmp_path / "several_at_once.yaml"
    file.write_text(case.with_suffix(".yaml").read_text())
    code = asyncio.run(up.run(profile="fast", hosts=1, port=0, key=None, file=file))
    assert code == 1
    assert case.with_suffix(".txt").read_text().strip() in capsys.readouterr().err


class TestPrompt:
    """What people read."""

    @pytest.mark.parametrize("width", [40, 60, 80, 120])
    def test_no_word_is_cut_and_a_command_can_be_copied_at_any_width(self, width: int) -> None:
        """Help beside its usage or below it; a shell puts a folded command together again."""
        out = io.StringIO()
        screen = Screen(Console(file=out, width=width, force_terminal=True, color_system=None))
        listed = up.typed()
        for usage, about in listed.items():
            screen.tell(about, head=f"  {usage.ljust(34)}  ")
        command = "nvaha failover hub --to fw-b --wait --reason upgrade"
        screen.command(command)
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(each for pair in listed.items() for each in pair).split()
        assert " ".join(lines).replace(" \\ ", " ").split() == [*words, *command.split()]
        assert out.getvalue().replace("\\\n", " ").split()[-len(command.split()) :] == command.split()

    def test_a_line_has_its_time_and_how_long_after_the_last_fault_it_came(self) -> None:
        """Before the first fault, and long after it, there is the time alone, as wide."""
        before, soon, late = up.clock(1000.0, None), up.clock(1002.5, 1000.0), up.clock(9e5, 1000.0)
        assert re.fullmatch(r"\d\d:\d\d:\d\d {9}", before)
        assert re.fullmatch(r"\d\d:\d\d:\d\d {3}\+2\.5  ", soon)
        assert len({len(each) for each in (before, soon, late)}) == 1
        assert "+" not in late
