"""A switch whose writer was not answered, and that somebody else has superseded by the time he looks."""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.inputs import FailoverCommanded
from nvaha.core.lifecycle import begin
from nvaha.model import GroupState, Trigger
from nvaha.ports import Conflict, StoreUnavailable
from nvaha.state.commit import Committer
from tests.builders import NOON, group_of, steady
from tests.fakes import FakeStore, Outside, run

GROUP = group_of("a", "b", "c")


class Overtaken(FakeStore):
    """A store whose first answer is lost, and in which a newer switch is written right after that."""

    lost = False

    async def save(self, state: GroupState, version: str | None) -> str | Conflict:
        """Write a state; the first time, let somebody else write on top of it and do not answer."""
        answer = await FakeStore.save(self, state, version)
        if self.lost or isinstance(answer, Conflict):
            return answer
        self.lost = True
        newer = begin(GROUP, state, NOON, trigger=Trigger.MANUAL, target="c", reason="newer", by="another")
        self.put(newer.state)
        raise StoreUnavailable("save: the answer is lost")


def test_no_message_is_sent_for_a_switch_that_was_superseded_meanwhile() -> None:
    """The caller is told of his own operation, and nobody is sent to carry it out."""
    outside, store = Outside(), Overtaken()
    store.put(steady())
    committer = Committer(replace(outside.ports, store=store))
    committed = run(committer.commit(GROUP, FailoverCommanded("b", "me")))
    request = store.states["g"].state.request
    assert request is not None
    assert (request.target, committed.refusal) == ("c", None)
    assert committed.operation not in (None, request.operation)
    assert outside.queue.sent == []
