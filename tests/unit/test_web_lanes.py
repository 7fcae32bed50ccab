"""Requests of one kind: who is at work, who waits, who shares, who is turned away; in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest

from nvaha.web.lanes import WAIT_S, Crowded, Lane

Answers = list[object]


class Source:
    """Something that is read: how often, how many at once, and what it says."""

    def __init__(self, lasts_s: float = 1.0) -> None:
        self.lasts_s = lasts_s
        self.value = "first"
        self.reads = self.at_work = self.most = 0
        self.failure: Exception | None = None

    async def read(self) -> str:
        """Return what it says as this begins."""
        self.reads += 1
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        value = self.value
        try:
            await asyncio.sleep(self.lasts_s)
            if self.failure:
                raise self.failure
            return value
        finally:
            self.at_work -= 1


async def all_of(calls: list[Awaitable[object]]) -> Answers:
    """Return what all of these come to, an error included."""
    return list(await asyncio.gather(*calls, return_exceptions=True))


def kinds(answers: Answers) -> Counter[type]:
    """Count answers by type."""
    return Counter(type(each) for each in answers)


async def test_the_same_question_is_read_once_for_all_who_ask_together() -> None:
    """A burst costs one reading, and who is too many is told so at once."""
    lane, source = Lane[str](at_once=2, asking=8, kept_s=2.0), Source()
    answers = await all_of([lane.shared("q", source.read) for _ in range(500)])
    assert source.reads == 1
    assert kinds(answers) == {tuple: 8, Crowded: 492}
    assert asyncio.get_running_loop().time() == 1.0


async def test_an_answer_is_kept_for_a_while_and_says_how_old_it_is() -> None:
    """Until it is as old as may be, and not a moment longer."""
    lane, source = Lane[str](at_once=1, asking=8, kept_s=2.0), Source()
    assert await lane.shared("q", source.read) == ("first", 1.0)
    source.value = "second"
    await asyncio.sleep(0.5)
    assert await lane.shared("q", source.read) == ("first", 1.5)
    await asyncio.sleep(0.5)
    assert await lane.shared("q", source.read) == ("second", 1.0)
    assert source.reads == 2


async def test_where_nothing_is_kept_nobody_is_shown_less_than_he_knows() -> None:
    """Whoever asks during a reading gets the next one, which he shares with all who ask meanwhile."""
    lane, source = Lane[str](at_once=4, asking=16), Source()

    async def ask_at(second: float) -> str:
        await asyncio.sleep(second)
        return (await lane.shared("q", source.read))[0]

    async def change() -> None:
        await asyncio.sleep(0.4)
        source.value = "second"

    changing = asyncio.create_task(change())
    asked = [ask_at(0.0), ask_at(0.5), ask_at(0.6), ask_at(0.9)]
    assert await all_of(list(asked)) == ["first", "second", "second", "second"]
    assert (source.reads, source.most) == (2, 1)
    await changing


async def test_a_failure_is_shared_and_forgotten_like_an_answer() -> None:
    """Who asks later is not told of an old one."""
    lane, source = Lane[str](at_once=1, asking=8), Source()
    source.failure = ValueError("broken")
    answers = await all_of([lane.shared("q", source.read) for _ in range(3)])
    assert kinds(answers) == {ValueError: 3}
    source.failure = None
    assert (await lane.shared("q", source.read))[0] == "first"


async def test_only_so_many_different_questions_are_read_at_once() -> None:
    """The others wait for their turn, and go if that takes too long."""
    lane, source = Lane[str](at_once=2, asking=8), Source(lasts_s=3.0)
    for crowd in (1, 2):
        # The second crowd finds as many places as the first: who got none has given none back.
        answers = await all_of([lane.shared((crowd, number), source.read) for number in range(8)])
        assert source.most == 2
        assert kinds(answers) == {tuple: 4, Crowded: 4}
        assert asyncio.get_running_loop().time() == 6.0 * crowd
    assert (await lane.shared("q", source.read))[0] == "first"


async def test_whoever_goes_away_takes_no_answer_from_others() -> None:
    """The first who asked is cancelled; the reading goes on for the second."""
    lane, source = Lane[str](at_once=1, asking=8, kept_s=1.0), Source()
    first = asyncio.create_task(lane.shared("q", source.read))
    second = asyncio.create_task(lane.shared("q", source.read))
    await asyncio.sleep(0.5)
    first.cancel()
    assert (await second)[0] == "first"
    assert source.reads == 1


@pytest.mark.parametrize("ends", [None, ValueError("broken")])
async def test_what_changes_something_is_done_for_each_by_himself(ends: Exception | None) -> None:
    """Commands are never shared; a place is free again after each, however it ended."""
    lane, source = Lane[str](at_once=2, asking=4), Source()
    source.failure = ends
    for _ in range(2):
        answers = await all_of([lane.alone(source.read) for _ in range(6)])
        assert kinds(answers) == {type(ends) if ends else str: 4, Crowded: 2}
    assert (source.reads, source.most) == (8, 2)


async def test_a_command_waits_for_its_turn_no_longer_than_is_said() -> None:
    """After that nothing was done, and that is what it is told."""
    lane, source = Lane[str](at_once=1, asking=4), Source(lasts_s=60.0)
    first = asyncio.create_task(lane.alone(source.read))
    await asyncio.sleep(1.0)
    with pytest.raises(Crowded):
        await lane.alone(source.read)
    assert asyncio.get_running_loop().time() == 1.0 + WAIT_S
    assert source.reads == 1
    assert await first == "first"


async def test_nothing_is_kept_that_nobody_can_ask_for() -> None:
    """Whoever makes up names fills no memory."""
    lane, source = Lane[str](at_once=4, asking=8, kept_s=2.0), Source(lasts_s=0.0)
    for name in range(1000):
        await lane.shared(name, source.read)
    await asyncio.sleep(2.1)
    assert len(lane._readings) == 0
