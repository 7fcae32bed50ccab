"""What Azure does not have is known; what it does not show is not."""

from __future__ import annotations

from nvaha.core.survey import survey
from nvaha.ports import NetworkError, NetworkFault
from nvaha.state.snapshot import read_snapshot
from tests.builders import group_of, nic, table_id
from tests.fakes import Outside, run


def test_a_resource_that_azure_does_not_have_hides_nothing() -> None:
    """Of a table that is gone, one that nobody may read and one that is throttled, only the second hides."""
    group = group_of("a", "b", roles=("internal",), tables=("gone", "secret", "throttled"))
    outside = Outside()
    outside.network.put_there(
        nic("a", "internal", {"ip": "10.0.1.4"}, {}), nic("b", "internal", {"ip": "10.0.1.5"}, {})
    )
    for name, fault in (("secret", NetworkFault.DENIED), ("throttled", NetworkFault.BUSY)):
        outside.network.unread[table_id(name)] = NetworkError(fault, table_id(name), "no")
    found = survey(group, run(read_snapshot(outside.network, group)), {})
    assert [each.split()[0] for each in found.hidden] == ["secret"]
    assert [each.split()[0] for each in found.unanswered] == ["throttled"]
    assert any("gone" in each for each in found.problems["a"])
