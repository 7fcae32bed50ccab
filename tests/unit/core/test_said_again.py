"""A worker that was not answered says again how its switch has ended."""

from __future__ import annotations

import pytest

from nvaha.core.decide import decide
from nvaha.core.inputs import SwitchDone, SwitchFailed
from nvaha.core.refusal import RefusalCode
from tests.builders import NOON, group_of, later, switching

GROUP = group_of()
DONE, FAILED = SwitchDone(1, "g-1-0"), SwitchFailed(1, "g-1-0", "a table is locked")


@pytest.mark.parametrize("report", [DONE, FAILED])
def test_the_same_end_may_be_reported_again(report: SwitchDone | SwitchFailed) -> None:
    """Whoever reports the end that is on record is neither refused nor counted twice."""
    ended = decide(GROUP, switching("b"), report, NOON).state
    again = decide(GROUP, ended, report, later(1))
    assert (again.refusal, again.state, again.notices) == (None, ended, ())


@pytest.mark.parametrize(("first", "then"), [(DONE, FAILED), (FAILED, DONE)])
def test_another_end_than_the_one_on_record_is_refused(
    first: SwitchDone | SwitchFailed, then: SwitchDone | SwitchFailed
) -> None:
    """An operation that has ended stays ended as it did."""
    ended = decide(GROUP, switching("b"), first, NOON).state
    again = decide(GROUP, ended, then, later(1))
    assert again.state == ended
    assert again.refusal is not None
    assert again.refusal.code is RefusalCode.NOT_UNDER_WAY
