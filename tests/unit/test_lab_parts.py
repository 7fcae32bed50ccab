"""Fake NVAs, the traffic client's counting, the check of the result, and the reading of logs."""

from __future__ import annotations

import asyncio
import copy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.nva import Down, FakeNva, place_all
from nvaha.lab.stage.outside import PING_SETTING, URL_SETTING, Outside
from nvaha.lab.stage.process import HostEvent, HostProcess, News, read_event
from nvaha.lab.stage.sample import environment
from nvaha.lab.stage.stage import Lab
from nvaha.lab.stage.traffic import IN_A_ROW, Flow, Traffic
from nvaha.lab.verify import check

SAMPLE = environment()
FIRST, SECOND = (nva.name for nva in SAMPLE.nvas)


async def answer(nva: FakeNva) -> str:
    """Connect to an NVA's probe port: `accepted`, `refused` or `silence`."""
    try:
        async with asyncio.timeout(0.3):
            _, writer = await asyncio.open_connection(nva.address, nva.probe_port)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silence"
    writer.close()
    return "accepted"


async def eventually(nva: FakeNva, met: str) -> bool:
    """Connect until that is met; False if it never is."""
    for _ in range(500):
        if await answer(nva) == met:
            return True
        await asyncio.sleep(0.01)
    return False


def on_stage(scenario: Callable[[Sequence[FakeNva]], Awaitable[None]]) -> None:
    """Run a scenario with two NVAs."""

    async def run() -> None:
        nvas = [FakeNva("one", ["10.0.0.1"]), FakeNva("two", ["10.0.0.2"])]
        with ExitStack() as stack:
            for nva in nvas:
                stack.callback(nva.close)
            place_all(nvas)
            await scenario(nvas)

    asyncio.run(run())


class TestNvas:
    """How an NVA is gone and comes back."""

    @pytest.mark.parametrize(("how", "met"), [(Down.REFUSE, "refused"), (Down.SILENT, "silence")])
    def test_a_stopped_nva_is_gone_in_the_way_asked_for(self, how: Down, met: str) -> None:
        """Its connections are refused, or never answered, until it is started at the same port again."""

        async def scenario(nvas: Sequence[FakeNva]) -> None:
            one, two = nvas
            port = one.probe_port
            assert await answer(one) == "accepted"
            one.stop(how)
            assert [await answer(one) for _ in range(3)] == [met] * 3
            assert await answer(two) == "accepted"
            one.start()
            assert await answer(one) == "accepted"
            assert one.probe_port == port

        on_stage(scenario)

    def test_an_unsteady_nva_refuses_for_a_while_after_each_answer(self) -> None:
        """Then it answers again, at the same port, until it is revived or gone; the others are as ever."""

        async def scenario(nvas: Sequence[FakeNva]) -> None:
            one, two = nvas
            one.limp(0.2)
            for _ in range(2):
                assert await eventually(one, "accepted")
                assert await eventually(one, "refused")
            assert [await answer(two) for _ in range(3)] == ["accepted"] * 3
            one.start()
            assert [await answer(one) for _ in range(3)] == ["accepted"] * 3
            one.limp(0.01)
            await answer(one)
            one.stop()
            await asyncio.sleep(0.05)
            assert await answer(one) == "refused"

        on_stage(scenario)

    def test_an_nva_remembers_when_it_was_probed(self) -> None:
        """What nobody probed, nobody watched: so the gap in watching is known from the NVA itself."""

        async def scenario(nvas: Sequence[FakeNva]) -> None:
            one, two = nvas
            before = time.monotonic()
            await answer(one)
            one.stop()
            await answer(one)
            one.start()
            await answer(one)
            await wait_for(lambda: len(one.probed) == 2)
            assert before <= one.probed[0] <= one.probed[1] <= time.monotonic()
            assert two.probed == ()

        on_stage(scenario)

    def test_nvas_have_addresses_of_their_own(self) -> None:
        """No two NVAs answer at the same address and port."""

        async def scenario(nvas: Sequence[FakeNva]) -> None:
            assert len({(nva.address, nva.probe_port) for nva in nvas}) == 2

        on_stage(scenario)


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    """With the way out; nothing was started or written."""

    async def run() -> None:
        async with Lab(port=taken.getsockname()[1], folder=tmp_path / "lab"):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LabError, match="--port 0"):
        asyncio.run(run())
    assert not (tmp_path / "lab").exists()


def test_who_stands_outside_counts_what_it_takes_and_refuses_when_told_to() -> None:
    """Neither a ping nor a notification that was refused counts as taken."""

    async def play() -> None:
        outside = Outside()
        await outside.start()
        try:
            async with ClientSession() as session:

                async def send() -> list[int]:
                    ping = await session.get(outside.settings[PING_SETTING])
                    hook = await session.post(outside.settings[URL_SETTING], data=b"{}")
                    return [ping.status, hook.status]

                outside.refuses = True
                assert await send() == [503, 503]
                assert (outside.pinged_at, outside.taken) == (None, 0)
                outside.refuses = False
                assert await send() == [200, 200]
                assert outside.pinged_at is not None
                assert outside.taken == 1
        finally:
            await outside.stop()

    asyncio.run(play())


def test_a_folder_without_an_app_is_no_release_to_start(tmp_path: Path) -> None:
    """It is named, and no process is started."""
    host = HostProcess("monitor-a", Path(), {}, tmp_path)
    with pytest.raises(LabError, match=rf"{tmp_path.name}.*function_app\.py"):
        asyncio.run(host.start(tmp_path))
    assert not host.running
    assert not host.log.exists()


class TestTraffic:
    """What the client counts."""

    def test_traffic_follows_the_data_path(self) -> None:
        """Requests go to the NVA that the path leads to, and a new path ends the outage."""

        async def scenario(nvas: Sequence[FakeNva]) -> None:
            hop = ["10.0.0.1"]
            flow = Flow("table", "route", lambda: hop[0])
            async with Traffic([flow], nvas, interval_s=0.01) as traffic:
                await wait_for(lambda: any(ok for _, ok, _ in flow.samples))
                nvas[0].stop()
                since = asyncio.get_running_loop().time()
                await wait_for(lambda: not flow.samples[-1][1])
                assert traffic.outage(since) is None
                hop[0] = "10.0.0.2"
                await wait_for(lambda: traffic.outage(since) is not None)
                assert flow.samples[-1][2] == "two"

        on_stage(scenario)

    @given(st.lists(st.booleans(), max_size=30))
    def test_an_outage_ends_with_the_first_of_some_answers_in_a_row(self, answers: list[bool]) -> None:
        """An outage is over exactly if the last answers are all good, and lasted to the first of these."""
        flow = Flow("table", "route", lambda: None)
        flow.samples += [(100.0 + i, ok, None) for i, ok in enumerate(answers)]
        lasting = next((i for i in range(len(answers)) if all(answers[i:])), len(answers))
        restored = flow.restored_at(100.0)
        if len(answers) - lasting < IN_A_ROW:
            assert restored is None
        elif lasting == 0:
            assert restored == 100.0
        else:
            assert restored == 100.0 + lasting

    def test_directions_count_apart_and_together(self) -> None:
        """The longest outage of a direction counts for it, the longest of all for everything."""
        flows = [Flow("a", "route", lambda: None), Flow("b", "route", lambda: None)]
        flows.append(Flow("c", "public_ip", lambda: None))
        for flow, failures in zip(flows, (1, 3, 6), strict=True):
            flow.samples += [(float(i), i >= failures, None) for i in range(20)]
        outage = Traffic(flows, []).outage(0.0)
        assert outage is not None
        assert (outage.by_direction, outage.total_s) == ({"route": 3.0, "public_ip": 6.0}, 6.0)


async def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds, five seconds at most."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within five seconds")


def bodies() -> dict[str, Any]:
    """Return the sample's resources by id."""
    return {body["id"]: copy.deepcopy(body) for body in SAMPLE.resources}


def moved() -> dict[str, Any]:
    """Return them as a right failover leaves them, written out by hand."""
    after = bodies()
    first, second = SAMPLE.nvas
    for table in SAMPLE.route_tables:
        for route in after[table]["properties"]["routes"]:
            if route["name"].startswith("to-nva"):
                route["properties"]["nextHopIpAddress"] = second.addresses["internal"]
        after[table]["etag"] = 'W/"new"'
    old, new = (
        after[nva.interfaces["external"]]["properties"]["ipConfigurations"][0] for nva in (first, second)
    )
    public_ip = old["properties"].pop("publicIPAddress")
    new["properties"]["publicIPAddress"] = {"id": public_ip["id"]}
    after[SAMPLE.public_ips[0]]["properties"]["ipConfiguration"] = {"id": new["id"]}
    return after


class TestCheck:
    """Whether the result is as it should be."""

    def test_a_right_failover_has_no_problems(self) -> None:
        """Moved routes and public IP are what is expected, and nothing at all before any switch."""
        assert check(SAMPLE, bodies(), moved(), SECOND) == []
        assert check(SAMPLE, bodies(), bodies(), FIRST) == []

    def test_a_mark_is_no_problem_and_any_other_tag_is_one(self) -> None:
        """What a switch writes says whose it is, and nothing else more than before."""
        after = moved()
        tags = after[SAMPLE.route_tables[0]]["tags"]
        tags["nvaha-1a2b3c4d"] = "stnvaha/edge"
        assert check(SAMPLE, bodies(), after, SECOND) == []
        tags["nvaha-hold"] = ""
        assert len(check(SAMPLE, bodies(), after, SECOND)) == 1

    def test_an_nva_left_behind_is_found(self) -> None:
        """Untouched resources are not in order when another NVA should be active."""
        assert len(check(SAMPLE, bodies(), bodies(), SECOND)) >= 4

    def test_every_lost_property_is_found(self) -> None:
        """A property that a write dropped or changed, anywhere, is named with its place."""
        after = moved()
        nic = after[SAMPLE.nvas[1].interfaces["external"]]
        del nic["properties"]["ipConfigurations"][0]["properties"]["sampleServiceHint"]
        nic["properties"]["enableIPForwarding"] = False
        after[SAMPLE.route_tables[0]]["tags"] = {}
        found = " ".join(check(SAMPLE, bodies(), after, SECOND))
        for place in ("sampleServiceHint", "enableIPForwarding", "tags"):
            assert place in found

    def test_a_changed_foreign_route_is_found(self) -> None:
        """A route that leads to somebody else's appliance must not be moved."""
        after = moved()
        for route in after[SAMPLE.route_tables[0]]["properties"]["routes"]:
            if route["name"] == "other-appliance":
                route["properties"]["nextHopIpAddress"] = SAMPLE.nvas[1].addresses["internal"]
        assert len(check(SAMPLE, bodies(), after, SECOND)) == 1

    def test_lost_and_new_resources_are_found(self) -> None:
        """A resource that is gone or new is a problem."""
        after = moved()
        del after[SAMPLE.public_ips[0]]
        after["/new"] = {}
        assert len(check(SAMPLE, bodies(), after, SECOND)) == 2


class TestLog:
    """Events as hosts log them."""

    def test_an_event_is_read_from_its_line(self) -> None:
        """Time, sentence and fields are those that were logged."""
        line = '[2026-01-02T03:04:05.250Z] edge: a {b} is down {"event": "nva_down", "nva": "a"}'
        event = read_event(line, "host")
        assert event is not None
        assert (event.at, event.event, event.text) == (1767323045.25, "nva_down", "edge: a {b} is down")
        assert event.fields["nva"] == "a"

    def test_an_event_is_news_once(self) -> None:
        """A notice told twice is news once; one of another host, older and read later, is not lost."""

        def event(at: float, host: str, **fields: str) -> HostEvent:
            return HostEvent(at, host, "switch_done", f"at {at}", fields)

        first, second = event(1.0, "a", id="n1"), event(3.0, "a")
        again, earlier = event(4.0, "b", id="n1"), event(2.0, "b")
        news = News()
        assert news.among([first, second]) == [first, second]
        assert news.among([first, earlier, second, again]) == [earlier]

    @given(st.text())
    def test_no_other_line_breaks_the_reading(self, line: str) -> None:
        """Whatever an app logs is an event or is passed over."""
        assert read_event(line, "host") is None
        read_event(f'[2026-01-02T03:04:05.250Z] {line} {{"event": {line}', "host")


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_what_falls_down_after_an_interrupt_is_no_failure_of_the_lab(way: signal.Signals) -> None:
    """Ctrl-C reaches the app, too: the lab may see that it is gone before it sees the Ctrl-C."""
    script = f"""
import asyncio, os, sys, typer
from nvaha.lab.commands import _run

async def work():
    try:
        os.kill(os.getpid(), {int(way)})
        await asyncio.sleep(30)
    finally:
        raise RuntimeError("the function app is gone")

try:
    _run(work())
except typer.Exit as left:
    sys.exit(left.exit_code)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 130
