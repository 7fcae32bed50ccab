"""Drills: what can be typed at a lab, the mechanism that tells and judges, the page of records."""

from __future__ import annotations

import asyncio
import io
import re
import shlex
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from nvaha.lab import acts, by_hand, record, up
from nvaha.lab.arm import ArmSimulator
from nvaha.lab.drill import Do, Drill, See, Type, Untouched, Verdict, perform
from nvaha.lab.drills import DRILLS
from nvaha.lab.rehearsals import REHEARSALS
from nvaha.lab.runbook import Over, Shows
from nvaha.lab.scene import Scene
from nvaha.lab.screen import Record, Screen, folded
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.process import HostEvent
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import environment

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    name: (drills, (DOCS / f"{name}.md").read_text(encoding="utf-8"))
    for name, drills in (("drills", DRILLS), ("rehearsals", REHEARSALS))
}
SAMPLE = environment()


class TestLines:
    """What is typed at a lab."""

    @pytest.mark.parametrize(
        ("line", "verb", "given"),
        [
            ("kill nva1", "kill", ["nva1"]),
            ("kill nva1 silent", "kill", ["nva1", "silent"]),
            ("break route udr", "break", ["udr"]),
            ("fail next put", "fail", []),
            ("fail next put ha-nva-udr", "fail", ["ha-nva-udr"]),
            ("storage off", "storage", ["off"]),
            ("arm slow", "arm", ["slow"]),
            ("token on", "token", ["on"]),
            ("hold udr", "hold", ["udr"]),
            ("unhold udr", "unhold", ["udr"]),
            ("config without mgmt-udr", "config", ["without", "mgmt-udr"]),
            ("unfence all", "unfence", []),
            (
                "set monitor-a AzureWebJobs.switch.Disabled true",
                "set",
                ["monitor-a", "AzureWebJobs.switch.Disabled", "true"],
            ),
            ("leases off monitor-b", "leases", ["off", "monitor-b"]),
            ("row spoil", "row", ["spoil"]),
            ("message 'no message'", "message", ["no message"]),
            ("start monitor-a", "start", ["monitor-a"]),
            ("start monitor-a ../v0.1.0", "start", ["monitor-a", "../v0.1.0"]),
            ("az tag update --tags 'a=b c'", "az", ["tag", "update", "--tags", "a=b c"]),
        ],
    )
    def test_a_line_is_read_by_its_usage(self, line: str, verb: str, given: list[str]) -> None:
        """Names and choices are given on; words that only make a sentence of it are not."""
        found, words = acts.read(line)
        assert (found.name, words) == (verb, given)

    @pytest.mark.parametrize(
        "line",
        ["kill", "kill nva1 loudly", "break udr", "fail", "fail put", "storage", "arm later", "token maybe",
         "hold udr mgmt-udr", "explode", "az 'tag", "unfence"],
    )  # fmt: skip
    def test_a_line_that_does_not_fit_is_answered_with_what_does(self, line: str) -> None:
        """The refusal names the verb's usage, or all verbs."""
        with pytest.raises(LabError) as refused:
            acts.read(line)
        verb = acts.VERBS.get(line.split(maxsplit=1)[0])
        assert line == "az 'tag" or (verb.usage if verb else "kill, revive") in str(refused.value)

    def test_the_prompts_list_has_every_line(self) -> None:
        """What can be done, and the prompt's own words, are listed with a meaning each."""
        listed = up.typed()
        assert all(listed[verb.usage] == verb.about for verb in acts.VERBS.values())
        assert {"status", "help", "quit"} <= set(listed)
        assert all(listed.values())

    def test_every_line_and_command_of_a_drill_can_be_read(self) -> None:
        """No drill ends at a word that nobody knows."""
        for drill in (DRILLS | REHEARSALS).values():
            for step in drill.steps:
                if isinstance(step, Do):
                    assert acts.read(step.line)
                elif isinstance(step, Type):
                    assert shlex.split(step.command)[0] == "nvaha"


def test_a_line_is_folded_between_words_below_its_beginning() -> None:
    """No word is cut, also one that is longer than the line; a pipe gets lines as they are."""
    text = "  one two-three /a/very/long/word/that/fits/nowhere four"
    lines = folded(text, 20)
    assert [word for line in lines for word in line.split()] == text.split()
    assert all(line.startswith("  ") for line in lines)
    assert folded(text, None) == [text]
    out = io.StringIO()
    Screen(Console(file=out, width=20)).tell("word " * 20)
    assert out.getvalue().count("\n") == 1


def test_a_record_has_no_name_of_this_machine_however_it_is_folded() -> None:
    """What stands instead is put there before a line is cut."""
    told = Record(40, {"alice on jump1": "you on lab"})
    for words in range(12):
        told.tell(f"{'word ' * words}by alice on jump1, who knows")
    assert told.text.count("lab,") == 12
    assert not any(word in told.text for word in ("alice", "jump1"))


class TestByHand:
    """What people do to Azure by hand."""

    @pytest.fixture
    def simulator(self, tmp_path: Path) -> ArmSimulator:
        """Return a simulated Azure that nobody listens at."""
        return ArmSimulator(SAMPLE.resources, PROFILES["fast"], folder=tmp_path)

    def test_the_commands_of_a_sheet_move_what_they_say(
        self, simulator: ArmSimulator, tmp_path: Path
    ) -> None:
        """Route, detach, attach and hold; what a remark says is not done."""
        [first, second] = SAMPLE.nvas
        public_ip = SAMPLE.public_ips[0]
        sheet = tmp_path / "sheet.azcli"
        nic = "az network nic ip-config update --subscription s -g g --nic-name"
        sheet.write_text(
            "# remark\n\n"
            f"az tag update --resource-id {SAMPLE.route_tables[0]} --operation merge --tags nvaha-hold=x\n"
            "az network route-table route update --subscription s -g g --route-table-name ha-nva-udr "
            f"-n to-nva-1 --next-hop-ip-address {second.addresses['internal']}\n"
            f"{nic} ha-nva-vm1-nic1 -n ipconfig1 --public-ip-address null\n"
            f"{nic} ha-nva-vm2-nic1 -n ipconfig1 --public-ip-address {public_ip}\n"
            f"# az tag update --resource-id {SAMPLE.route_tables[0]} --operation delete --tags nvaha-hold=x\n"
        )
        assert by_hand.follow(simulator, sheet) == 4
        now = simulator.snapshot()
        table = now[SAMPLE.route_tables[0]]
        assert table["tags"]["nvaha-hold"] == "x"
        assert table["properties"]["routes"][0]["properties"]["nextHopIpAddress"] == "10.0.0.101"
        assert now[public_ip]["properties"]["ipConfiguration"]["id"].startswith(second.interfaces["external"])
        first_nic = now[first.interfaces["external"]]["properties"]["ipConfigurations"][0]["properties"]
        assert "publicIPAddress" not in first_nic

    @pytest.mark.parametrize(
        "line",
        ["group delete", "tag update --operation merge --tags a=b",
         "network nic ip-config update --nic-name no -n x",
         "network route-table route update --route-table-name udr -n nothing --next-hop-ip-address 1.2.3.4"],
    )  # fmt: skip
    def test_what_is_not_there_is_named(self, simulator: ArmSimulator, line: str) -> None:
        """Another command, a lacking option, a resource or route that is not there: nothing is changed."""
        before = simulator.snapshot()
        with pytest.raises(LabError):
            by_hand.az(simulator, line.split())
        assert simulator.snapshot() == before

    def test_what_is_done_to_azure_is_undone_by_its_counterpart(self, simulator: ArmSimulator) -> None:
        """A hold, a lock, a fence, a lack of tokens and of speed: afterwards nothing of them is left."""
        lab: Any = SimpleNamespace(
            simulator=simulator,
            sample=SAMPLE,
            samples={"edge": SAMPLE},
            host=lambda name: SimpleNamespace(name=name),
            nva=lambda _: SimpleNamespace(name="ha-nva-vm2"),
        )

        async def play() -> None:
            done = acts.Acts(lab)
            for line in ("hold udr", "lock udr", "token off", "token off", "throttle on", "throttle on"):
                await done.obey(line)
            assert len(simulator.faults.waiting) == 3
            for line in ("throttle off", "arm slow", "fence monitor-a", "forwarding off nva2"):
                await done.obey(line)
            assert _without_etags(simulator.snapshot()) != before
            assert simulator.profile is PROFILES["slow"]
            undo = ("unhold udr", "unlock udr", "token on", "arm fast", "unfence all", "forwarding on nva2")
            for line in undo:
                await done.obey(line)

        before = _without_etags(simulator.snapshot())
        asyncio.run(play())
        assert simulator.faults.waiting == ()
        assert simulator.profile is PROFILES["fast"]
        assert _without_etags(simulator.snapshot()) == before

    def test_a_broken_route_leads_to_another_nva(self, simulator: ArmSimulator) -> None:
        """One route of the table, and no other."""
        lab: Any = SimpleNamespace(simulator=simulator, samples={"edge": SAMPLE})
        asyncio.run(acts.Acts(lab).obey("break route udr"))
        routes = simulator.snapshot()[SAMPLE.route_tables[0]]["properties"]["routes"]
        hops = [each["properties"].get("nextHopIpAddress") for each in routes]
        assert hops[:2] == ["10.0.0.101", "10.0.0.100"]


def _without_etags(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_etags(each) for key, each in value.items() if key != "etag"}
    return [_without_etags(each) for each in value] if isinstance(value, list) else value


class FakeLab:
    """As much of a lab as a drill needs: events, requests, and what is wrong at the end."""

    def __init__(self) -> None:
        self.options = SimpleNamespace(profile="fast")
        self.hosts = [SimpleNamespace(name="monitor-a")]
        self.simulator = SimpleNamespace(log=[])
        self.wrong: list[str] = []
        self.logged: list[HostEvent] = []
        self.begun = False

    def host(self, name: str) -> Any:
        """Return a monitor."""
        return next(each for each in self.hosts if each.name == name)

    def nva(self, name: str) -> str:
        """Return an NVA."""
        return name

    def events(self) -> list[HostEvent]:
        """Return what was logged."""
        return list(self.logged)

    def log(self, event: str, at: float = 0.0) -> None:
        """Log an event."""
        self.logged.append(HostEvent(time.time() + at, "monitor-a", event, f"{event} was told", {}))

    def write(self, by: str = "monitor-a") -> None:
        """Write to Azure."""
        self.simulator.log.append(
            SimpleNamespace(
                method="PUT", resource_id="/x", principal=by, took_effect=True, time=time.monotonic()
            )
        )

    async def ready(self) -> None:
        """Be ready."""

    async def problems(self, _: object, *, host: int) -> list[str]:
        """Return what is wrong."""
        return self.wrong

    async def call(self, *_: object, **__: object) -> tuple[int, Any]:
        """Answer with a history, in which there is one more operation from the second time on."""
        begun, self.begun = self.begun, True
        return 200, {
            "operations": [{"id": "new", "status": "done"}] * begun + [{"id": "old", "status": "failed"}]
        }


def performed(fake: FakeLab, *steps: Any, verdict: Verdict | None = None) -> tuple[bool, str]:
    """Go through a drill; return whether it went well, and what was told."""
    told = Record(100)
    meant = verdict or Verdict(on="b", wrote={}, ended=("done",))
    lab: Any = fake
    good = asyncio.run(perform(Drill(name="d", purpose="", steps=steps, verdict=meant), lab, told))
    return good, told.text


class Log(Do):
    """A step that lets something be logged, or written."""

    async def take(self, scene: Scene) -> None:
        """Log it."""
        fake: Any = scene.lab
        scene.act()
        if self.line == "write":
            fake.write()
        else:
            fake.log(self.line)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing for long."""
    monkeypatch.setattr("nvaha.lab.drill._SETTLED_S", 0.0)


class TestMechanism:
    """What a drill sees, tells and judges."""

    def test_what_is_seen_is_told_with_its_time(self) -> None:
        """Events are shown as they come, those for queries are not."""
        good, told = performed(FakeLab(), Log("nva_down"), Log("heartbeat"), See(("nva_down",)))
        assert good
        assert re.search(r"^ +\d\.\d  monitor-a: nva_down was told$", told, re.M)
        assert "heartbeat" not in told
        assert "✓" in told

    def test_what_was_seen_once_is_not_seen_again(self) -> None:
        """An event counts for one step; the second waits for another one, in vain here."""
        steps = (Log("nva_up"), See(("nva_up",)), See(("nva_up",), within_s=0.0))
        good, told = performed(FakeLab(), *steps)
        assert not good
        assert "✗  not within 0 s: nva_up" in told

    def test_events_of_one_batch_are_seen_one_after_the_other(self) -> None:
        """What came with what was waited for is not lost for the next step."""
        steps = (Log("nva_down"), Log("switch_done"), See(("nva_down",)), See(("switch_done",), within_s=0.0))
        assert performed(FakeLab(), *steps)[0]

    def test_what_may_come_early_is_seen_all_the_same(self) -> None:
        """Of two monitors nobody knows whose word comes first."""
        steps = (Log("rival"), Log("nva_up"), See(("nva_up",)))
        assert performed(FakeLab(), *steps, See(("rival",), within_s=0.0, early=True))[0]
        assert not performed(FakeLab(), *steps, See(("rival",), within_s=0.0))[0]

    def test_what_was_logged_before_the_drill_counts_for_nothing(self) -> None:
        """A lab that has been running has had events of the same name."""
        fake = FakeLab()
        fake.log("nva_down")
        assert not performed(fake, See(("nva_down",), within_s=0.0))[0]

    def test_a_write_where_none_may_be_is_a_failure(self) -> None:
        """Only what is written since the last thing was done counts."""
        wrote = Verdict(on="b", wrote={"monitor-a": 1}, ended=("done",))
        assert not performed(FakeLab(), Log("write"), Untouched(0.0), verdict=wrote)[0]
        assert performed(FakeLab(), Log("write"), Log("nva_up"), Untouched(0.0), verdict=wrote)[0]

    @pytest.mark.parametrize(
        ("wrong", "wrote", "ended"),
        [(["a route leads to a"], {}, ("done",)), ([], {"monitor-a": 1}, ("done",)), ([], {}, ())],
    )  # fmt: skip
    def test_the_verdict_is_the_worlds(
        self, wrong: list[str], wrote: dict[str, int], ended: tuple[str, ...]
    ) -> None:
        """What leads elsewhere, a write more or less, an operation that ended otherwise: not as meant."""
        fake = FakeLab()
        fake.wrong = wrong
        good, told = performed(fake, verdict=Verdict(on="b", wrote=wrote, ended=ended))
        assert not good
        assert "✗" in told

    def test_what_was_written_before_counts_for_nothing(self) -> None:
        """A lab in which another drill has been."""
        fake = FakeLab()
        fake.write()
        assert performed(fake)[0]

    def test_a_command_of_another_program_is_refused(self) -> None:
        """A drill types `nvaha`, and nothing else of this machine."""
        assert not performed(FakeLab(), Type("rm -r x"))[0]


class TestPage:
    """docs/drills.md and docs/rehearsals.md."""

    @pytest.mark.parametrize("page", PAGES)
    def test_a_page_has_every_drill_and_no_other(self, page: str) -> None:
        """In the table with its purpose, under its heading, and with a place for its record, in order."""
        drills, text = PAGES[page]
        names = list(drills)
        rows = re.findall(r"^\| \[([\w-]+)\]\(#([\w-]+)\) \| (.*?) \| <!-- last ([\w-]+) -->", text, re.M)
        assert rows == [(each.name, each.name, each.purpose, each.name) for each in drills.values()]
        assert re.findall(r"^## (.*)$", text, re.M) == names
        assert re.findall(r"^<!-- record ([\w-]+) -->", text, re.M) == names

    @pytest.mark.parametrize("page", PAGES)
    def test_every_drill_has_a_record_that_went_well(self, page: str) -> None:
        """Each was gone through, and its record is of the steps that it has now."""
        drills, text = PAGES[page]
        for drill in drills.values():
            found = re.search(
                f"<!-- record {drill.name} -->\n```log\n(.*?)\n```\n<!-- end -->", text, re.DOTALL
            )
            assert found, f"nvaha lab drill {drill.name} --record docs"
            assert "✗" not in found[1]
            flat = " ".join(found[1].split())
            lines = [f"lab> {each.line} #" for each in drill.steps if isinstance(each, Do)]
            lines += [f"$ {each.command}" for each in drill.steps if isinstance(each, Type)]
            lines += [f"✓ {each.section}: in" for each in drill.steps if isinstance(each, Shows)]
            lines += [f"✓ {each.section} is over after" for each in drill.steps if isinstance(each, Over)]
            assert [each for each in lines if " ".join(each.split()) not in flat] == []
            assert f"<!-- last {drill.name} -->2" in text

    def test_a_record_goes_where_its_markers_are(self, tmp_path: Path) -> None:
        """What stood there is replaced, also by text with backslashes; the rest of the page stays."""
        page = tmp_path / "page.md"
        page.write_text(
            "| <!-- last a -->old<!-- end --> | <!-- last b -->b<!-- end --> |\n"
            "<!-- record a -->\nold\n<!-- end -->\nx\n"
        )
        record.write(page, {"a": record.Outcome("new", r"\1 C:\g")})
        assert page.read_text() == (
            "| <!-- last a -->new<!-- end --> | <!-- last b -->b<!-- end --> |\n"
            "<!-- record a -->\n```log\n\\1 C:\\g\n```\n<!-- end -->\nx\n"
        )

    def test_of_a_folder_the_page_that_has_the_place_is_written(self, tmp_path: Path) -> None:
        """The others stay; where none has it, the folder is named."""
        for name in "ab":
            text = f"<!-- last {name} -->old<!-- end -->\n<!-- record {name} -->\nold\n<!-- end -->\n"
            (tmp_path / f"{name}.md").write_text(text)
        record.write(tmp_path, {"b": record.Outcome("new", "text")})
        assert "old" in (tmp_path / "a.md").read_text()
        assert "old" not in (tmp_path / "b.md").read_text()
        with pytest.raises(LabError, match="last c"):
            record.write(tmp_path, {"c": record.Outcome("new", "text")})

    def test_a_page_without_the_markers_is_left_alone(self, tmp_path: Path) -> None:
        """Who names another page is told which place it lacks."""
        page = tmp_path / "page.md"
        page.write_text("# a page\n")
        with pytest.raises(LabError, match="last a"):
            record.write(page, {"a": record.Outcome("new", "text")})
        assert page.read_text() == "# a page\n"
