"""Public IPs: Azure is asked before one is taken off an NVA that works, and none is left hanging unsaid."""

from __future__ import annotations

import pytest

from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Configuration, Group, GroupState, Phase, PublicIp, Resource, Status, Trigger
from nvaha.model.messages import SwitchMessage
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state.commit import Committer
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from tests.builders import down, group_of, nic, nic_id, pip, pip_id, steady, switch_of, switching, table
from tests.fakes import Outside, run

GROUP = group_of("a", "b", public_ips=(PublicIp("external", pip_id("p")),))
A_NIC, B_NIC = nic_id("a", "external"), nic_id("b", "external")
IN_USE = NetworkError(NetworkFault.IN_USE, B_NIC, "400: PublicIPAddressInUse")
NO_RIGHT = NetworkError(NetworkFault.DENIED, B_NIC, "403: LinkedAuthorizationFailed")


def outside(state: GroupState) -> Outside:
    """Return a group whose routes and public IP are all on a."""
    there = Outside(state)
    there.network.put_there(
        nic("a", "external", {"ip": "10.0.0.4"}, {"ip": pip_id("p")}),
        nic("b", "external", {"ip": "10.0.0.5"}, {}),
        nic("a", "internal", {"ip": "10.0.1.4"}, {}),
        nic("b", "internal", {"ip": "10.0.1.5"}, {}),
        table("table", {"one": "10.0.1.4"}),
        pip("p"),
    )
    return there


def carry_out(there: Outside, group: Group = GROUP) -> None:
    """Carry out the switch that is under way."""
    request = switch_of(there.state()).request
    message = SwitchMessage(v=1, group="g", generation=request.generation, operation=request.operation)
    run(Switcher(Configuration((group,)), there.ports, "worker").run(message))


def holder(there: Outside) -> list[str]:
    """Return the NICs that carry the public IP."""
    return [
        each.id
        for each in there.network.resources.values()
        if "ipConfigurations" in each.body["properties"]
        and any("publicIPAddress" in one["properties"] for one in each.body["properties"]["ipConfigurations"])
    ]


def test_azure_is_asked_before_a_public_ip_leaves_an_nva_that_works() -> None:
    """The first write is a question; Azure says that it is in use, and only then is it taken off."""
    there = outside(switching("b", Trigger.MANUAL))
    asked: list[tuple[str, list[str]]] = []
    there.network.before_put = lambda each: asked.append((each.id, holder(there)))
    there.network.refuse[B_NIC] = [IN_USE]
    carry_out(there)
    assert asked[0] == (B_NIC, [A_NIC])
    assert holder(there) == [B_NIC]
    assert there.state().phase is Phase.STEADY


def test_a_dead_nva_s_public_ip_is_taken_off_without_asking() -> None:
    """There is nothing to lose, and asking takes seconds."""
    there = outside(switching("b", nvas={"a": down()}))
    written: list[str] = []
    there.network.before_put = lambda each: written.append(each.id)
    carry_out(there)
    assert [each for each in written if "networkInterfaces" in each] == [A_NIC, B_NIC]
    assert holder(there) == [B_NIC]


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.FAILBACK])
def test_a_planned_move_that_azure_would_not_take_is_not_begun(trigger: Trigger) -> None:
    """Nothing is moved, the group stays where it is, and it is said why."""
    there = outside(switching("b", trigger))
    there.network.refuse[B_NIC] = [NO_RIGHT] * 9
    with pytest.raises(SwitchIncomplete, match="LinkedAuthorizationFailed"):
        carry_out(there)
    assert (there.network.puts, holder(there)) == ([], [A_NIC])
    assert (there.state().phase, there.state().active, there.state().wanted) == (Phase.STEADY, "a", None)
    assert there.store.operations["g-1-0"].status is Status.FAILED


def test_force_moves_what_can_be_moved_and_leaves_the_public_ip_where_it_works() -> None:
    """The routes go, the public IP stays on the NVA that answers."""
    command = FailoverCommanded("b", "somebody", force=True)
    there = outside(steady())
    run(Committer(there.ports).commit(GROUP, command))
    there.network.refuse[B_NIC] = [NO_RIGHT] * 9
    with pytest.raises(SwitchIncomplete):
        carry_out(there)
    assert holder(there) == [A_NIC]
    assert (
        there.network.resources[table("table", {}).id.casefold()].body["properties"]["routes"][1][
            "properties"
        ]["nextHopIpAddress"]
        == "10.0.1.5"
    )


def test_a_public_ip_that_the_target_refuses_after_all_goes_back() -> None:
    """Azure said in use, then no: it is put back on the NVA that still answers, and the record says so."""
    there = outside(switching("b", Trigger.MANUAL))
    there.network.refuse[B_NIC] = [IN_USE, *[NO_RIGHT] * 9]
    with pytest.raises(SwitchIncomplete, match="put back"):
        carry_out(there)
    assert holder(there) == [A_NIC]
    assert any("put back" in each for each in there.store.operations["g-1-0"].unfinished)


def test_a_public_ip_that_hangs_because_its_old_nva_is_dead_is_said() -> None:
    """Nobody can carry it: the record names it and why."""
    there = outside(switching("b", nvas={"a": down()}))
    there.network.refuse[B_NIC] = [NO_RIGHT] * 9
    with pytest.raises(SwitchIncomplete):
        carry_out(there)
    assert holder(there) == []
    assert any("a does not answer" in each for each in there.store.operations["g-1-0"].unfinished)


def _version(resource: Resource, key: str, value: str) -> Resource:
    properties = {**resource.body["properties"], key: value}
    return Resource(resource.id, resource.etag, {**resource.body, "properties": properties})


def test_an_ipv6_public_ip_stays_off_an_ipv4_configuration() -> None:
    """What the resources tell ahead is no question: nothing is taken off."""
    there = outside(switching("b", nvas={"a": down()}))
    there.network.put_there(_version(pip("p"), "publicIPAddressVersion", "IPv6"))
    with pytest.raises(SwitchIncomplete, match="IPv6"):
        carry_out(there)
    assert holder(there) == [A_NIC]
