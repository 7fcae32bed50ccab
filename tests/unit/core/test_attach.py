"""Whether a public IP can be put where it should be, as far as the resources tell ahead."""

from __future__ import annotations

from typing import Any

import pytest

from nvaha.core.plan import plan
from nvaha.model import PublicIp
from tests.builders import nic_id, pip, pip_id
from tests.unit.core.scenes import scene_of

WISH = PublicIp("internal", pip_id("p"))


@pytest.mark.parametrize(
    ("public_ip", "said"),
    [
        ({"properties": {"publicIPAddressVersion": "IPv6"}}, "it is IPv6"),
        ({"location": "North Europe"}, "it is in northeurope"),
        ({"properties": {"provisioningState": "Failed"}}, "state Failed"),
    ],
    ids=["version", "region", "failed"],
)
def test_a_public_ip_that_azure_would_refuse_is_not_taken_off(public_ip: dict[str, Any], said: str) -> None:
    """It would hang on nothing: the plan leaves it where it is and says why."""
    resource = pip("p")
    properties = {**resource.body["properties"], **public_ip.pop("properties", {})}
    resource.body.update({**public_ip, "properties": properties})  # type: ignore[attr-defined]
    group, snapshot = scene_of({}, {"a": pip_id("p")}, resource, public_ips=(WISH,))
    snapshot.resources[nic_id("b", "internal").casefold()].body["location"] = "westeurope"  # type: ignore[index]
    todo = plan(group, snapshot, "b", {})
    assert todo.steps == ()
    assert any(said in each for each in todo.problems)


def test_regions_are_the_same_however_they_are_written() -> None:
    """Azure says `West Europe` here and `westeurope` there."""
    resource = pip("p")
    resource.body["location"] = "West Europe"  # type: ignore[index]
    group, snapshot = scene_of({}, {"a": pip_id("p")}, resource, public_ips=(WISH,))
    snapshot.resources[nic_id("b", "internal").casefold()].body["location"] = "westeurope"  # type: ignore[index]
    assert [step.kind for step in plan(group, snapshot, "b", {}).steps] == ["detach", "attach"]
