"""From what was read, tried and asked to findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nvaha.core import diagnosis, findings
from nvaha.core.advice import advise
from nvaha.core.findings import KINDS, Area, Finding, Level, found, worst
from nvaha.core.survey import survey
from nvaha.model import ControlTarget, ProbeKind, ProbeSpec, PublicIp, Reading, Snapshot, TokenSeen, Tried
from tests.builders import BAD, OK, azure_of, group_of, later, nic_id, pip_id, snapshot_of, table_id

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))


def codes(*told: Finding) -> list[tuple[str, str]]:
    """Return code and subject of whatever is not well."""
    return [(each.code, each.subject) for each in told if each.level is not Level.OK]


def test_every_remedy_can_be_filled_in() -> None:
    """Whatever is left out vanishes."""
    for code in KINDS:
        made = found(Area.AZURE, code, "there", "so")
        assert made.remedy
        assert not set("{}") & set(made.remedy)


def test_the_worst_is_the_worst() -> None:
    """What is not known is worse than a warning, and an error than all."""
    order = [Level.OK, Level.INFO, Level.WARNING, Level.UNKNOWN, Level.ERROR]
    for index, level in enumerate(order):
        some = [Finding(Area.AZURE, each, "c", "s", "t") for each in order[: index + 1]]
        assert worst(some) is level
    assert worst([]) is Level.OK


def test_advice_is_told_with_what_to_do_and_where_there_is_more() -> None:
    """As `nvaha status` tells it."""
    [told] = findings.advised(Area.GROUPS, "edge", [advise("paused", "paused by me", group="edge")])
    assert (told.level, told.code, told.text) == (Level.WARNING, "paused", "paused by me")
    assert "nvaha resume edge" in told.remedy
    assert "docs/runbook.md#paused" in told.remedy


class TestReads:
    """What Azure does not show of a group."""

    @pytest.mark.parametrize(
        ("sets", "code"),
        [
            ({"denied": True}, "read_denied"),
            ({"absent": True}, "id_missing"),
            ({"unanswered": True}, "not_answered"),
            ({}, "id_unreadable"),
        ],
    )
    def test_each_reason_has_its_own_remedy(self, sets: dict[str, Any], code: str) -> None:
        """For the one resource, by its whole id."""
        gone = frozenset({table_id("table").casefold()})
        changes: dict[str, Any] = dict.fromkeys(sets, gone)
        snapshot = replace(snapshot_of(missing={table_id("table"): "could not be read: why"}), **changes)
        told = diagnosis.of_reads(GROUP, snapshot, "0b1e")
        assert codes(*told) == [(code, table_id("table"))]
        assert "why" in told[0].text
        assert ("0b1e" in told[0].remedy) is (code == "read_denied")

    def test_all_that_is_read_is_well(self) -> None:
        """In one line."""
        [told] = diagnosis.of_reads(GROUP, snapshot_of(*azure_of(GROUP, "a")), None)
        assert told.level is Level.OK


class TestReadiness:
    """What would keep a switch from working."""

    def told(self, snapshot: Snapshot) -> list[Finding]:
        """Return what is said of a snapshot."""
        return diagnosis.of_readiness(GROUP, survey(GROUP, snapshot, {}), snapshot)

    def test_a_standby_without_ip_forwarding(self) -> None:
        """Is named, and nothing else is."""
        there = list(azure_of(GROUP, "a"))
        index = next(i for i, each in enumerate(there) if each.id == nic_id("b", "internal"))
        body = {
            **there[index].body,
            "properties": {**there[index].body["properties"], "enableIPForwarding": False},
        }
        there[index] = replace(there[index], body=body)
        [told] = self.told(snapshot_of(*there))
        assert codes(told) == [("not_ready", "g/b")]
        assert "IP forwarding is off" in told.text

    def test_what_could_not_be_read_is_not_told_twice(self) -> None:
        """It is told as what it is, among the reads."""
        there = [each for each in azure_of(GROUP, "a") if each.id != nic_id("b", "internal")]
        told = self.told(snapshot_of(*there, missing={nic_id("b", "internal"): "refused"}))
        assert codes(*told)[-1] == ("follows", "g")
        assert nic_id("b", "internal") in told[-1].text
        assert not any("refused" in each.text for each in told)

    def test_one_sentence_of_all_is_one_finding(self) -> None:
        """A table that leads to no NVA is wrong whoever is active."""
        group = group_of(tables=("table", "empty"))
        there = [each for each in azure_of(group, "a") if each.id != table_id("empty")]
        empty = next(each for each in azure_of(group, "a") if each.id == table_id("empty"))
        there.append(replace(empty, body={**empty.body, "properties": {"routes": []}}))
        snapshot = snapshot_of(*there)
        told = diagnosis.of_readiness(group, survey(group, snapshot, {}), snapshot)
        assert codes(*told) == [("not_ready", "g")]


class TestOffers:
    """What Azure objects to in a write that it was offered."""

    @pytest.mark.parametrize(
        ("fault", "code", "kind"),
        [
            ("denied", "LinkedAuthorizationFailed", "write_denied"),
            ("policy", "RequestDisallowedByPolicy", "write_forbidden"),
            ("refused", "ScopeLocked", "write_forbidden"),
            ("refused", "SomethingElse", "write_unproven"),
            ("busy", None, "write_unproven"),
            ("unreadable", None, "write_taken"),
        ],
    )
    def test_each_objection_has_its_own_remedy(self, fault: str, code: str | None, kind: str) -> None:
        """A right, a lock or policy, what may pass, and a write that was taken."""
        told = diagnosis.of_offer(table_id("t"), fault, code, "why", "0b1e")
        assert codes(told) == [(kind, table_id("t"))]
        assert ("0b1e" in told.remedy) is (kind == "write_denied")

    @pytest.mark.parametrize(
        ("fault", "code", "remedies"),
        [
            ("refused", "ScopeLocked", {"lock"}),
            ("policy", "RequestDisallowedByPolicy", {"policy"}),
            ("refused", "ReadOnlyDisabledSubscription", {"subscription"}),
            ("no_token", None, {"identity"}),
        ],
    )
    def test_a_remedy_speaks_of_what_is_in_the_way_alone(
        self, fault: str, code: str | None, remedies: set[str]
    ) -> None:
        """Nobody looks for a lock where a policy is, nor for either where there is no token."""
        told = diagnosis.of_offer(table_id("t"), fault, code, "why", None)
        assert {
            each for each in ("lock", "policy", "subscription", "identity") if each in told.remedy
        } == remedies


class TestProbes:
    """What probes came to."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            ("refused", "probe_refused"),
            ("reset", "probe_refused"),
            ("timed out after 1.0 s", "probe_silent"),
            ("unreachable", "probe_unreachable"),
            ("name not found", "probe_unreachable"),
            ("no network on the monitor", "probe_unreachable"),
            ("certificate not trusted: self-signed", "probe_tls"),
            ("TLS failed: wrong version", "probe_tls"),
            ("status 503", "probe_status"),
            ("not an HTTP answer", "probe_other"),
        ],
    )
    def test_each_error_has_its_own_remedy(self, error: str, code: str) -> None:
        """With address and port."""
        spec = ProbeSpec(ProbeKind.HTTPS, port=8443)
        told = diagnosis.of_probe(GROUP, "a", "10.0.0.4", spec, replace(BAD, error=error))
        assert codes(told) == [(code, "g/a")]
        assert "https 10.0.0.4:8443" in told.text

    def test_an_answer_is_well_and_no_address_is_not(self) -> None:
        """Without one there is nothing to ask."""
        assert codes(diagnosis.of_probe(GROUP, "a", "10.0.0.4", ProbeSpec(), OK)) == []
        told = diagnosis.of_probe(GROUP, "a", None, ProbeSpec(interface="internal"), None)
        assert codes(told) == [("probe_no_address", "g/a")]

    @pytest.mark.parametrize(
        ("oks", "expected"),
        [
            ([], []),
            ([True, True], []),
            ([True, False], [("target_silent", "t1:53")]),
            ([False], [("targets_all_silent", "t0:53")]),
        ],
    )
    def test_a_control_target_that_is_silent_is_named(
        self, oks: list[bool], expected: list[tuple[str, str]]
    ) -> None:
        """If all are, the monitor is blind."""
        readings = [
            (ControlTarget(f"t{number}", 53), Reading(ok, 1.0, None if ok else "refused"))
            for number, ok in enumerate(oks)
        ]
        assert codes(*diagnosis.of_targets(readings)) == expected


class TestStorage:
    """What storage refused."""

    @pytest.mark.parametrize(
        ("status", "code", "error", "kind"),
        [
            (403, "AuthorizationPermissionMismatch", "", "storage_role_missing"),
            (403, "AuthorizationFailure", "", "storage_network"),
            (403, "KeyBasedAuthenticationNotPermitted", "", "storage_keys_refused"),
            (403, "AuthenticationFailed", "", "storage_keys_refused"),
            (401, "", "", "storage_keys_refused"),
            (409, "ContainerBeingDeleted", "", "storage_refused"),
            (503, "ServerBusy", "", "storage_silent"),
            (None, "", "ServiceRequestError: no route", "storage_silent"),
            (None, "", "CredentialUnavailableError: no token for storage", "no_token"),
        ],
    )
    def test_each_refusal_has_its_own_remedy(
        self, status: int | None, code: str, error: str, kind: str
    ) -> None:
        """A role, the network, keys, or nobody there; what went well beside it is told, too."""
        tried = (
            Tried("table", "nvahagroups", ("write",), "read", status, code, error),
            Tried("queue", "nvaha-switch", ("write",)),
        )
        well, told = diagnosis.of_storage(tried, "0b1e")
        assert (well.level, "nvaha-switch" in well.text) == (Level.OK, True)
        assert codes(told) == [(kind, "table nvahagroups")]
        if kind == "storage_role_missing":
            assert "Storage Table Data Contributor" in told.remedy
            assert "0b1e" in told.remedy

    def test_what_is_the_same_everywhere_is_said_once_with_all_that_it_is_of(self) -> None:
        """Storage that is gone is one trouble; a service that says otherwise is another."""
        silent = [
            Tried("blob", "nvaha", (), "write", None, "", "no answer from storage"),
            Tried("queue", "nvaha-switch", (), "write", None, "", "no answer from storage"),
            Tried("table", "nvahagroups", (), "write", 503, "ServerBusy", "503 ServerBusy"),
        ]
        told = diagnosis.of_storage(silent, None)
        assert codes(*told) == [
            ("storage_silent", "blob nvaha, queue nvaha-switch"),
            ("storage_silent", "table nvahagroups"),
        ]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (TokenSeen("ARM", later(9), None, "0b1e"), []),
        (TokenSeen("ARM", later(9), "no token for ARM: 500"), [("token_not_renewed", "ARM")]),
        (TokenSeen("ARM", None, "no token for ARM: 500"), [("no_token", "ARM")]),
        (TokenSeen("ARM", None), [("no_token", "ARM")]),
    ],
)
def test_a_token_that_is_missing_or_not_renewed_is_found(
    seen: TokenSeen, expected: list[tuple[str, str]]
) -> None:
    """One that is held and renewed is well."""
    assert codes(diagnosis.of_token(seen)) == expected


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ({}, []),
        ({"storage": 1.9, "ARM": -2.0}, []),
        ({"storage": 30.0, "ARM": 0.0}, [("clock_off", "storage")]),
        ({"storage": -400.0}, [("clock_far_off", "storage")]),
    ],
)
def test_a_clock_that_is_off_is_found(ahead: dict[str, float], expected: list[tuple[str, str]]) -> None:
    """To either side; two seconds are what header and way explain."""
    assert codes(*diagnosis.of_clocks(ahead)) == expected
