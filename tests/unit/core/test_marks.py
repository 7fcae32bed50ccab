"""What tags say: whose a group is, and that it is held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core.marks import HOLD, mark_of, read_tags, taking_over
from nvaha.core.plan import Plan, Step
from nvaha.model import PublicIp, Resource, Snapshot
from tests.builders import ACCOUNT, azure_of, group_of, nic_id, pip_id, snapshot_of, table_id

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))
MARK = mark_of(GROUP, ACCOUNT)
THEIRS = mark_of(GROUP, "stother")
TABLE, NIC, PIP = table_id("table"), nic_id("b", "external"), pip_id("p")


def azure(tags: dict[str, dict[str, Any]] | None = None) -> Snapshot:
    """Return the group's resources, some with other tags."""
    found = [
        replace(each, body={**each.body, "tags": (tags or {})[each.id]}) if each.id in (tags or {}) else each
        for each in azure_of(GROUP, "a")
    ]
    return snapshot_of(*found)


def resource(tags: object) -> Resource:
    """Return a route table with these tags."""
    return Resource(TABLE, "1", {"id": TABLE, "tags": tags, "properties": {}})


def test_a_mark_is_named_after_the_groups_nics_only() -> None:
    """The same NICs in another order and case, in another group, have one name; other NICs another."""
    again = replace(GROUP, name="x", nvas=tuple(reversed(GROUP.nvas)), route_tables=(TABLE, table_id("t")))
    shouted = replace(again, nvas=tuple(replace(n, interfaces=_upper(n.interfaces)) for n in again.nvas))
    assert mark_of(shouted, "other").name == MARK.name
    assert mark_of(group_of("a", "c"), ACCOUNT).name != MARK.name
    assert (MARK.name.startswith("nvaha-"), len(MARK.name), MARK.value) == (True, 14, "stnvaha/g")


def _upper(interfaces: Any) -> dict[str, str]:
    return {role: nic.upper() for role, nic in interfaces.items()}


def test_a_mark_is_added_and_nothing_else_changes() -> None:
    """Other people's tags and everything else are written back as they are."""
    before = resource({"owner": "somebody"})
    after = MARK.on(before, take_over=False)
    assert after == replace(
        before, body={**before.body, "tags": {"owner": "somebody", MARK.name: "stnvaha/g"}}
    )


@pytest.mark.parametrize("take_over", [True, False])
@pytest.mark.parametrize("value", ["stnvaha/g", "STNVAHA/renamed", "stnvaha"])
def test_a_mark_of_ones_own_is_left(value: str, take_over: bool) -> None:
    """It is the account that counts, however the group is called by now."""
    before = resource({MARK.name.upper(): value})
    assert MARK.foreign(before) is None
    assert MARK.on(before, take_over=take_over) is before


@pytest.mark.parametrize("value", ["stother/g", "", "/g", "stnvaha2/g", 7])
def test_anothers_mark_is_changed_only_by_who_takes_over(value: object) -> None:
    """Whatever is not this account is another's, in whatever case the tag is written."""
    before = resource({MARK.name.upper(): value, "k": "v"})
    assert MARK.foreign(before) is not None
    assert MARK.on(before, take_over=False) is before
    assert MARK.off(before, take_over=False) is before
    assert MARK.on(before, take_over=True).body["tags"] == {"k": "v", MARK.name: "stnvaha/g"}
    assert MARK.off(before, take_over=True).body["tags"] == {"k": "v"}


def test_a_mark_takes_the_fiftieth_place_and_no_other() -> None:
    """Azure refuses a fifty-first tag, and with it the whole write."""
    full = resource({str(number): "" for number in range(50)})
    assert MARK.on(full, take_over=True) is full
    room = resource({str(number): "" for number in range(49)})
    assert len(MARK.on(room, take_over=True).body["tags"]) == 50


@pytest.mark.parametrize("tags", [None, [], "odd"])
def test_tags_of_an_odd_form_are_left_alone(tags: object) -> None:
    """What is no object is neither read nor written."""
    odd = resource(tags)
    assert MARK.on(odd, take_over=True) is odd
    assert MARK.foreign(odd) is None


def test_a_resource_without_tags_gets_some() -> None:
    """Azure leaves the key out where there are none."""
    bare = Resource(TABLE, "1", {"id": TABLE, "properties": {}})
    assert MARK.on(bare, take_over=False).body["tags"] == {MARK.name: "stnvaha/g"}


def test_nothing_is_said_by_tags_that_mean_nothing() -> None:
    """Other people's tags, one's own mark, and that of other NVAs that share a table."""
    shared = mark_of(group_of("x", "y"), "stother")
    tags = {TABLE: {MARK.name: MARK.value, shared.name: shared.value, "nvaha": "x"}}
    found = read_tags(GROUP, azure(tags), ACCOUNT)
    assert (found.rival, found.hold) == (None, None)


@pytest.mark.parametrize("where", [TABLE, NIC])
def test_anothers_mark_is_a_rival_that_is_named(where: str) -> None:
    """The sentence names the resource, the tag, and the other's account."""
    rival = read_tags(GROUP, azure({where: {THEIRS.name: THEIRS.value}}), ACCOUNT).rival or ""
    assert all(each in rival for each in (where.rpartition("/")[2], MARK.name, "'stother'", ACCOUNT))


def test_no_mark_is_looked_for_where_none_is_written() -> None:
    """A public IP is never written itself: no taking over could remove it there."""
    assert read_tags(GROUP, azure({PIP: {THEIRS.name: THEIRS.value}}), ACCOUNT).rival is None


@pytest.mark.parametrize("where", [TABLE, NIC, PIP])
@pytest.mark.parametrize("name", [HOLD, HOLD.upper()])
def test_a_hold_on_any_resource_holds(where: str, name: str) -> None:
    """Whoever may tag one of them may hold; the reason is told, made safe."""
    hold = read_tags(GROUP, azure({where: {name: "fw upgrade\x1b[31m"}}), ACCOUNT).hold or ""
    assert where.rpartition("/")[2] in hold
    assert "fw upgrade\\x1b" in hold


def test_an_empty_hold_holds() -> None:
    """Any value does, none as well."""
    assert read_tags(GROUP, azure({TABLE: {HOLD: ""}}), ACCOUNT).hold is not None


def test_a_secret_and_a_long_text_in_a_tag_are_not_told() -> None:
    """What others wrote is told through the one place that looks for secrets, and bounded."""
    found = read_tags(GROUP, azure({TABLE: {HOLD: "password=hunter2 " + "x" * 999}}), ACCOUNT)
    assert "hunter2" not in (found.hold or "")
    assert len(found.hold or "") < 400


def test_who_takes_over_writes_what_bears_anothers_mark() -> None:
    """One write for each that would not be written anyway; what is to be written is marked with that."""
    tags = {each: {THEIRS.name: THEIRS.value} for each in (TABLE, NIC)}
    todo = Plan("b", (Step(f"routes:{TABLE}", "routes", TABLE.upper(), "r"),))
    steps = taking_over(GROUP, todo, azure(tags), ACCOUNT).steps
    assert [(step.kind, step.resource_id) for step in steps] == [("routes", TABLE.upper()), ("mark", NIC)]


def test_what_could_not_be_read_says_nothing() -> None:
    """A tag on what is there counts, whatever else is not."""
    whole = azure({TABLE: {HOLD: ""}, NIC: {THEIRS.name: THEIRS.value}})
    rest = {key: each for key, each in whole.resources.items() if key != NIC.casefold()}
    found = read_tags(GROUP, Snapshot(rest, {NIC.casefold(): "503"}), ACCOUNT)
    assert (found.rival, found.hold is not None) == (None, True)
