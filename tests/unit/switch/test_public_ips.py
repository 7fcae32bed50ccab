"""Public IPs that Azure refuses: asked for first, kept where they work, put back where they came from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Phase, PublicIp, Resource, Trigger
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from tests.builders import (
    address,
    azure_of,
    down,
    nic,
    pip,
    pip_id,
    request_to,
    switching,
    up,
)
from tests.fakes import Outside, after
from tests.unit.switch.stage import GROUP, NEW_NIC, OLD_NIC, PIP, TABLE, attempt, moved, record

REFUSED = NetworkError(NetworkFault.REFUSED, NEW_NIC, "400: a policy forbids it")


class TestAskedFirst:
    """An NVA that still answers keeps its public IP until Azure would take it at the other."""

    @pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.FAILBACK])
    async def test_a_planned_move_that_azure_would_refuse_is_not_begun(
        self, out: Outside, trigger: Trigger
    ) -> None:
        """Everything stays as it was, and the group is at rest where it was."""
        out.store.put(switching(trigger=trigger))
        out.network.refuse[NEW_NIC] = [REFUSED] * 9
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert (moved(out), out.network.puts) == ((False, False), [])
        assert (out.state().phase, out.state().active, out.state().wanted) == (Phase.STEADY, "a", None)
        (left,) = record(out).unfinished
        assert left.startswith("not begun")
        assert "a policy forbids it" in left

    async def test_it_is_asked_while_the_public_ip_is_still_in_use(self, out: Outside) -> None:
        """The first write is a question that changes nothing; only its answer lets the detach begin."""
        held = []
        out.network.before_put = lambda each: held.append(
            (each.id, moved(out)[1], OLD_NIC in out.network.puts)
        )
        await attempt(out)
        assert next(each for each in held if each[0] == NEW_NIC) == (NEW_NIC, False, False)
        assert moved(out) == (True, True)

    async def test_a_dead_nvas_public_ip_is_taken_off_without_asking(self, out: Outside) -> None:
        """There is nothing to lose, and asking takes seconds."""
        out.store.put(switching(nvas={"a": down()}))
        await attempt(out)
        assert [each for each in out.network.tried if each != TABLE] == [OLD_NIC, NEW_NIC]

    async def test_a_planned_move_with_a_problem_is_not_begun_either(self, out: Outside) -> None:
        """Nor is Azure asked for what the resources already tell."""
        out.store.put(switching(trigger=Trigger.MANUAL))
        del out.network.resources[NEW_NIC.casefold()]
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert (moved(out), out.network.tried) == ((False, False), [])

    async def test_a_forced_move_is_begun_all_the_same(self, out: Outside) -> None:
        """What can move moves; the public IP that Azure would refuse stays where it is."""
        request = request_to("b", Trigger.MANUAL, forced=True)
        out.store.put(switching(trigger=Trigger.MANUAL, request=request))
        out.network.refuse[NEW_NIC] = [REFUSED] * 9
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert moved(out) == (True, False)
        assert OLD_NIC not in out.network.tried
        assert out.state().wanted == "b"

    async def test_a_failover_moves_what_can_move(self, out: Outside) -> None:
        """The routes leave; the public IP is not taken off only to hang on nothing."""
        out.network.refuse[NEW_NIC] = [REFUSED] * 9
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert moved(out) == (True, False)
        assert OLD_NIC not in out.network.tried

    @pytest.mark.parametrize("fault", [NetworkFault.BUSY, NetworkFault.UNAVAILABLE, NetworkFault.CHANGED])
    async def test_what_may_pass_is_asked_again(self, out: Outside, fault: NetworkFault) -> None:
        """The question gets its answer in the end, and everything moves."""
        out.network.refuse[NEW_NIC] = [NetworkError(fault, NEW_NIC, "not now")] * 3
        await attempt(out)
        assert moved(out) == (True, True)

    async def test_throttling_is_no_answer_to_a_question(self, out: Outside) -> None:
        """For a minute nothing may be asked; then the public IP moves like everything else."""
        throttled = NetworkError(NetworkFault.THROTTLED, NEW_NIC, "429: too many", retry_after_s=5.0)
        out.network.refuse[NEW_NIC] = [throttled] * 12
        await attempt(out)
        assert moved(out) == (True, True)

    async def test_a_question_without_an_answer_leaves_the_public_ip_where_it_is(self, out: Outside) -> None:
        """Only so often is it asked; what is not known to be taken there is not taken off."""
        out.network.refuse[NEW_NIC] = [NetworkError(NetworkFault.BUSY, NEW_NIC, "429: busy")] * 1000
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert moved(out) == (True, False)
        assert OLD_NIC not in out.network.tried

    async def test_what_somebody_moved_meanwhile_is_not_asked_for(self, out: Outside) -> None:
        """The public IP is there already when its turn comes."""

        def race(resource: Resource) -> None:
            out.network.before_put = lambda _: None
            out.network.put_there(*azure_of(GROUP, "b"))

        out.network.before_put = race
        await attempt(out)
        assert moved(out) == (True, True)

    async def test_a_public_ip_that_came_free_meanwhile_is_attached_by_the_question(
        self, out: Outside
    ) -> None:
        """Azure takes it at once: then it is where it should be."""

        def race(resource: Resource) -> None:
            out.network.before_put = lambda _: None
            out.network.put_there(nic("a", "external", {"ip": address("a", "external")}, {}))

        out.network.before_put = race
        await attempt(out)
        assert moved(out) == (True, True)


class TestOnePlaceEach:
    """Two public IPs that are meant for one IP configuration: one would push the other off for ever."""

    RIVAL = PublicIp("external", pip_id("q"), "IP")
    CROWDED = replace(GROUP, public_ips=(*GROUP.public_ips, RIVAL))

    @pytest.fixture
    def crowded(self, out: Outside) -> Outside:
        """Return an outside with a second public IP, which nobody carries."""
        out.network.put_there(*azure_of(GROUP, "a"), pip("q"))
        return out

    async def test_a_planned_move_is_not_begun(self, crowded: Outside) -> None:
        """Nothing is written, and it is said which two it is about."""
        crowded.store.put(switching(trigger=Trigger.MANUAL))
        with pytest.raises(SwitchIncomplete, match="p and q"):
            await attempt(crowded, self.CROWDED)
        assert (moved(crowded), crowded.network.tried) == ((False, False), [])
        assert (crowded.state().phase, crowded.state().active) == (Phase.STEADY, "a")

    async def test_a_failover_moves_the_rest(self, crowded: Outside) -> None:
        """The routes leave the dead NVA in one write; the public IP stays where it was."""
        crowded.store.put(switching(nvas={"a": down()}))
        with pytest.raises(SwitchIncomplete, match="p and q"):
            await attempt(crowded, self.CROWDED)
        assert (moved(crowded), crowded.network.tried) == ((True, False), [TABLE])
        assert crowded.network.body(PIP)["properties"]["ipConfiguration"]["id"].startswith(OLD_NIC)


class TestPutBack:
    """A public IP that was taken off and could not be attached."""

    @pytest.fixture
    def dying(self, out: Outside) -> Outside:
        """Return an outside in which `a` is down, and `b` will be refused its public IP."""
        out.store.put(switching(nvas={"a": down()}))
        out.network.refuse[NEW_NIC] = [REFUSED] * 9
        return out

    async def test_it_hangs_on_nothing_while_the_old_nva_does_not_answer(self, dying: Outside) -> None:
        """That is said; putting it back there would help nobody."""
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert "ipConfiguration" not in dying.network.body(PIP)["properties"]
        assert any("does not answer" in each for each in record(dying).unfinished)

    async def test_it_goes_back_to_an_old_nva_that_answers_again(self, dying: Outside) -> None:
        """Better there than nowhere."""
        after(0.5, lambda: dying.store.put(replace(dying.state(), nvas={"a": up(), "b": up()})))
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert dying.network.body(PIP)["properties"]["ipConfiguration"]["id"].startswith(OLD_NIC)
        assert any(each.startswith("put back") for each in record(dying).unfinished)

    async def test_it_may_be_refused_there_too(self, dying: Outside) -> None:
        """Both are said."""

        def back() -> None:
            dying.store.put(replace(dying.state(), nvas={"a": up(), "b": up()}))
            dying.network.refuse[OLD_NIC] = [NetworkError(NetworkFault.DENIED, OLD_NIC, "403: gone")] * 9

        after(0.5, back)
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert "ipConfiguration" not in dying.network.body(PIP)["properties"]
        assert any("403" in each for each in record(dying).unfinished)

    async def test_it_goes_back_past_an_edit_of_somebody_else(self, dying: Outside) -> None:
        """A 412 there means to read again and plan again, as everywhere."""

        def back() -> None:
            dying.store.put(replace(dying.state(), nvas={"a": up(), "b": up()}))
            dying.network.refuse[OLD_NIC] = [NetworkError(NetworkFault.CHANGED, OLD_NIC, "412: changed")]

        after(0.5, back)
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert dying.network.body(PIP)["properties"]["ipConfiguration"]["id"].startswith(OLD_NIC)

    async def test_it_does_not_go_back_where_another_is_by_now(self, dying: Outside) -> None:
        """What somebody has put there meanwhile stays, and why this one does not go back is said."""

        theirs = nic("a", "external", {"ip": address("a", "external")}, {"ip": pip_id("theirs")})

        def race(resource: Resource) -> None:
            if resource.id == NEW_NIC:
                dying.network.put_there(theirs)

        dying.network.before_put = race
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert any(each.startswith("not put back") and "theirs" in each for each in record(dying).unfinished)

    async def test_a_switch_from_nowhere_puts_nothing_back(self, dying: Outside) -> None:
        """Nobody knows where it came from: it is named as left undone."""
        request = replace(request_to("b"), source=None)
        dying.store.put(switching(nvas={"a": down()}, request=request))
        with pytest.raises(SwitchIncomplete):
            await attempt(dying)
        assert "ipConfiguration" not in dying.network.body(PIP)["properties"]
        assert record(dying).unfinished

    async def test_it_goes_back_where_azure_took_the_question_and_not_the_attach(self, out: Outside) -> None:
        """In use, it said, and then no: the old NVA still answers, and has it again."""
        out.store.put(switching(trigger=Trigger.MANUAL))
        in_use = NetworkError(NetworkFault.IN_USE, NEW_NIC, "400: PublicIPAddressInUse")
        out.network.refuse[NEW_NIC] = [in_use, *[REFUSED] * 9]
        with pytest.raises(SwitchIncomplete):
            await attempt(out)
        assert out.network.body(PIP)["properties"]["ipConfiguration"]["id"].startswith(OLD_NIC)
        assert any(each.startswith("put back") for each in record(out).unfinished)
