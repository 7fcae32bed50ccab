"""Where a public IP may go, and what an NVA is not ready for because it may not go there."""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.plan import plan
from nvaha.core.survey import survey
from nvaha.model import Group, PublicIp, Resource, Snapshot
from tests.builders import address, group_of, nic, pip, pip_id, snapshot_of

NAMED, PRIMARY = PublicIp("external", pip_id("p"), "IP"), PublicIp("external", pip_id("p"))


def group(public_ip: PublicIp) -> Group:
    """Return a group with one public IP and no tables."""
    return group_of("a", "b", roles=("external",), tables=(), public_ips=(public_ip,))


def scene(on_b: str | None = None, *, public_ip: Resource | None = None) -> Snapshot:
    """Return Azure with the public IP on `a`, and another one on `b`."""
    nics = [
        nic(name, "external", {"ip": address(name, "external")}, {"ip": carried} if carried else {})
        for name, carried in (("a", pip_id("p")), ("b", on_b))
    ]
    return snapshot_of(*nics, public_ip or pip("p"))


def test_a_public_ip_in_state_failed_is_no_problem_where_it_is() -> None:
    """It works there; only to be moved it would have to be put in order first."""
    whole = pip("p")
    properties = {**whole.body["properties"], "provisioningState": "Failed"}
    snapshot = scene(public_ip=replace(whole, body={**whole.body, "properties": properties}))
    assert plan(group(PRIMARY), snapshot, "a", {}).problems == ()
    assert plan(group(PRIMARY), snapshot, "b", {}).problems != ()


def test_an_ip_configuration_is_meant_in_any_case() -> None:
    """Azure's names are equal in any case, and so is the one that is configured."""
    todo = plan(group(NAMED), scene(), "b", {})
    assert ([step.kind for step in todo.steps], todo.problems) == (["detach", "attach"], ())


def test_an_nva_that_cannot_take_a_public_ip_is_not_ready() -> None:
    """Somebody else's public IP is where ours would have to go."""
    found = survey(group(PRIMARY), scene(pip_id("theirs")), {})
    assert (found.unready["a"], bool(found.unready["b"])) == ((), True)
