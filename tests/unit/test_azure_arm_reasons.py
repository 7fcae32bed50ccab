"""What an operator reads first in an error of ARM: what is missing, and where.

The texts are worded as public reports show them, with ids made up here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.azure.arm.errors import LONGEST_MESSAGE, answer_error, operation_error
from nvaha.azure.arm.reasons import LONGEST_REASON, reason
from nvaha.ports import NetworkFault

SUBSCRIPTION = "/subscriptions/0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e"
# Resource groups have up to 90 characters, NICs and public IPs up to 80.
GROUP = f"{SUBSCRIPTION}/resourceGroups/{'network-' * 11}rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
NIC = f"{NETWORK}/networkInterfaces/{'nva-' * 20}"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses/{'pip-' * 20}"
SUBNET = f"{NETWORK}/virtualNetworks/{'vnet-' * 12}/subnets/{'subnet-' * 11}"
CLIENT = "7f7f7f7f-6e6e-4d5d-9c4c-3b3b3b3b3b3b"
JOIN = "Microsoft.Network/publicIPAddresses/join/action"
WRITE = "Microsoft.Network/networkInterfaces/write"
WHO = f"The client '{CLIENT}' with object id '{CLIENT}'"
UNAUTHORIZED = f"does not have authorization to perform action '{JOIN}' over scope '{PUBLIC_IP}'"
ABAC = "\nor an ABAC condition not fulfilled to"
MANAGED = f"/providers/Microsoft.Management/managementGroups/{'landing-zones-' * 6}"
ASSIGNMENT = f"{MANAGED}/providers/Microsoft.Authorization/policyAssignments/Deny-Public-IP-On-NIC"
DEFINITION = "/providers/Microsoft.Authorization/policyDefinitions/83a86a26-fd1f-447c-b59d-e51f44264114"
POLICY = "Network interfaces should not have public IPs"
# Microsoft.Network has had some 75 API versions since 2014.
VERSIONS = [f"{year}-{month:02d}-01" for year in range(2015, 2025) for month in range(1, 12, 2)]
NOT_FOUND = (
    "No registered resource provider found for location 'usgovvirginia' and API version '2025-03-01' for "
    "type 'networkInterfaces'."
)
NO_SUCH_TYPE = (
    "The resource type 'networkInterfaces' could not be found in the namespace 'Microsoft.Network' for api "
    "version '2025-03-01'."
)
REGIONS = ", ".join(f"usgovregion{number}" for number in range(40))


def message(status: int, code: str, text: str, **more: Any) -> str:
    """Return what is told of an answer of ARM."""
    error = {"code": code, "message": text, **more}
    return answer_error(NIC, status, {}, json.dumps({"error": error}).encode()).message


def linked(actions: str, scopes: str) -> str:
    """Return ARM's text for rights that are missing on resources that a NIC refers to."""
    return (
        f"{WHO} has permission to perform action '{WRITE}' on scope '{NIC}'; however, it does not have "
        f"permission to perform {actions} on the {scopes} or the linked scope(s) are invalid."
    )


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (403, "LinkedAuthorizationFailed", linked(f"action '{JOIN}'", f"linked scope(s) '{PUBLIC_IP}'")),
        (
            403,
            "LinkedAuthorizationFailed",
            linked(f"action(s) '{JOIN}'", f"linked scope(s) '{PUBLIC_IP}' (respectively)"),
        ),
        (
            403,
            "LinkedAuthorizationFailed",
            linked(f"action(s) '{JOIN}'", f"linked scope(s) '{PUBLIC_IP} (respectively)"),
        ),
        (
            403,
            "LinkedAuthorizationFailed",
            linked(f"action '{JOIN}'", "'0' linked scope(s) ''").rstrip(".")
            + f" and is blocked by deny assignments on the '1' linked scope(s) '{PUBLIC_IP}'.",
        ),
        (
            400,
            "LinkedAccessCheckFailed",
            f"The client with object id '{CLIENT}' {UNAUTHORIZED} or the scope is invalid",
        ),
        (
            403,
            "AuthorizationFailed",
            f"{WHO} {UNAUTHORIZED} or the scope is invalid. If access was recently granted, please refresh.",
        ),
        (
            403,
            "AuthorizationFailed",
            f"{WHO} {UNAUTHORIZED.replace(' to', ABAC)} or the scope is invalid.",
        ),
    ],
)
def test_the_missing_right_comes_first(status: int, code: str, text: str) -> None:
    """The right and the resource stand whole at the beginning, then the code, then who is without it."""
    told = message(status, code, text)
    assert told.startswith(f"needs the right {JOIN} on {PUBLIC_IP} ({status} {code}): ")
    assert CLIENT in told
    assert len(told) <= LONGEST_MESSAGE


def test_several_missing_rights_are_told() -> None:
    """Each of two missing rights stands with its resource, and both are whole."""
    subnet_join = "Microsoft.Network/virtualNetworks/subnets/join/action"
    scopes = f"linked scope(s) '{PUBLIC_IP},{SUBNET}' (respectively)"
    told = message(403, "LinkedAuthorizationFailed", linked(f"action(s) '{JOIN},{subnet_join}'", scopes))
    assert told.startswith(f"needs the right {JOIN} on {PUBLIC_IP}, {subnet_join} on {SUBNET} (403 ")


def test_many_resources_are_told_as_far_as_they_fit() -> None:
    """Of many resources the first ones are told whole, and how many more there are."""
    many = [f"{NETWORK}/publicIPAddresses/pip{number}" for number in range(50)]
    scopes = f"linked scope(s) '{','.join(many)}' (respectively)"
    told = message(403, "LinkedAuthorizationFailed", linked(f"action '{JOIN}'", scopes))
    first, _, rest = told.partition(" (403")
    assert first == f"needs the right {JOIN} on {many[0]}, {many[1]}, {many[2]} and 47 more"
    assert CLIENT in rest


def test_a_resource_of_another_tenant_is_told() -> None:
    """Where no role helps, because the subscription is another tenant's, that comes first."""
    text = (
        f"The client has permission to perform action '{JOIN}' on scope '{NIC}', however the current tenant "
        f"'{CLIENT}' is not authorized to access linked subscription '0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e'."
    )
    told = message(403, "LinkedAuthorizationFailed", text)
    assert told.startswith(
        f"tenant {CLIENT} may not use subscription 0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e (403"
    )


def test_a_deny_assignment_is_told() -> None:
    """What a deny assignment forbids is told with its name and where it is, not as a missing right."""
    text = (
        f"{WHO} has permission to perform action '{WRITE}' on scope '{NIC}'; however, the access is denied "
        f"because of the deny assignment with name 'Managed application' and Id '{CLIENT}' at scope "
        f"'{SUBSCRIPTION}'."
    )
    told = message(403, "DenyAssignmentAuthorizationFailed", text)
    assert told.startswith(
        f"{WRITE} on {NIC} is denied by the deny assignment 'Managed application' at {SUBSCRIPTION}"
    )


def test_the_policy_comes_first() -> None:
    """A denying policy is named with its assignment, from the text or from what comes beside it."""
    identifiers = [
        {
            "policyAssignment": {"name": POLICY, "id": ASSIGNMENT},
            "policyDefinition": {"name": POLICY, "id": DEFINITION, "version": "1.0.0"},
        }
    ]
    text = f"Resource 'nic1' was disallowed by policy. Policy identifiers: '{json.dumps(identifiers)}'."
    expected = f"denied by the policy assignment '{POLICY}' ({ASSIGNMENT}) (403 RequestDisallowedByPolicy): "
    assert message(403, "RequestDisallowedByPolicy", text).startswith(expected)
    escaped = json.dumps(text)[1:-1]
    assert message(403, "RequestDisallowedByPolicy", escaped).startswith(expected)
    info = {
        "evaluationDetails": {"evaluatedExpressions": [{"expression": "x" * 3000}]},
        "policyDefinitionDisplayName": "of a set",
        "policyAssignmentId": ASSIGNMENT,
        "policyAssignmentName": "Deny-Public-IP-On-NIC",
        "policyAssignmentDisplayName": POLICY,
    }
    text = "Resource 'nic1' was disallowed by policy. See error details for policy resource IDs."
    beside = [{"type": "PolicyViolation", "info": info}]
    assert message(403, "RequestDisallowedByPolicy", text, additionalInfo=beside).startswith(expected)
    details = [{"code": "RequestDisallowedByPolicy", "message": text, "additionalInfo": beside}]
    assert POLICY in message(400, "InvalidTemplateDeployment", "x", details=details)[:100]


def test_the_lock_comes_first() -> None:
    """A lock is told by where it is."""
    text = (
        f"The scope '{NIC}' cannot perform write operation because following scope(s) are locked: "
        f"'{GROUP}'. Please remove the lock and try again."
    )
    told = message(409, "ScopeLocked", text)
    assert told.startswith(f"locked at {GROUP} (409 ScopeLocked): The scope '{NIC}'")


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (
            400,
            "NoRegisteredProviderFound",
            f"{NOT_FOUND} The supported api-versions are '{{}}'. The supported locations are '{REGIONS}'.",
        ),
        (
            404,
            "InvalidResourceType",
            f"{NO_SUCH_TYPE} The supported api-versions are '{{}}'.",
        ),
        (
            400,
            "InvalidApiVersionParameter",
            "The api-version '2025-03-01' is invalid. The supported versions are '{}'.",
        ),
    ],
)
def test_the_newest_served_versions_come_first(
    status: int, code: str, text: str, *, newest_first: bool
) -> None:
    """However long ARM's list is, the newest versions that are no previews are told, and the setting."""
    listed = [*VERSIONS, "2024-12-01-preview"]
    told = message(status, code, text.format(", ".join(listed[::-1] if newest_first else listed)))
    newest = ", ".join(VERSIONS[:-7:-1])
    assert told.startswith(
        f"this API version is not served here; set NVAHA_ARM_API_VERSION to one that is: {newest} are the "
        f"newest of {len(listed)} ({status} {code}): "
    )
    assert "2025-03-01" in told


def test_a_version_without_others_is_told() -> None:
    """Where ARM lists none, or previews only, the setting is named all the same."""
    told = message(404, "InvalidResourceType", NO_SUCH_TYPE)
    assert "NVAHA_ARM_API_VERSION" in told
    assert NO_SUCH_TYPE in told
    assert "2014-12-01-preview" in reason(
        frozenset({"noregisteredproviderfound"}), "The supported api-versions are '2014-12-01-preview'."
    )


def test_a_long_text_is_cut_in_the_middle() -> None:
    """Of a text without a known form, the beginning and the end are told."""
    told = message(400, "Other", f"It begins {'and goes on ' * 1000}until it ends.")
    assert told.startswith("400: Other: It begins")
    assert told.endswith("until it ends.")
    assert len(told) == LONGEST_MESSAGE


def test_an_operation_tells_its_reason_too() -> None:
    """What a failed operation says is missing comes first as well."""
    text = linked(f"action '{JOIN}'", f"linked scope(s) '{PUBLIC_IP}'")
    error = operation_error(NIC, "Failed", {"code": "LinkedAuthorizationFailed", "message": text})
    assert error.fault is NetworkFault.DENIED
    assert error.message.startswith(f"needs the right {JOIN} on {PUBLIC_IP}")


@pytest.mark.parametrize("length", [10, 400, 1190, 1200, 8000, 15_990, 20_000])
@pytest.mark.parametrize(
    "secret", ["Bearer eyJhbGci.eyJzdWIi.c2lnbmF0dXJl", "https://x/?sv=1&sig=c2lnbmF0dXJl"]
)
def test_no_secret_is_told_wherever_a_text_is_cut(length: int, secret: str) -> None:
    """A token or signature does not reach a message, whole or in part, however long the text before it."""
    told = message(400, "Bad", f"{'x ' * (length // 2)}{secret} {'y ' * 200}")
    assert "c2ln" not in told
    assert "eyJ" not in told


PARTS = st.sampled_from(
    [
        "does not have permission to perform action '",
        "on the linked scope(s) '",
        "perform action '",
        "' over scope '",
        "following scope(s) are locked: '",
        "policyAssignment name",
        "The supported api-versions are '",
        "2024-01-01, ",
        PUBLIC_IP * 4,
        "'",
        '"',
        ",",
        " ",
    ]
)


@given(
    st.lists(PARTS | st.text(max_size=5), max_size=30).map("".join),
    st.sets(st.sampled_from(["noregisteredproviderfound", "scopelocked"])),
    st.lists(st.text(max_size=900), max_size=3),
)
def test_a_reason_is_bounded(text: str, codes: set[str], policies: list[str]) -> None:
    """Whatever a text holds, the reason leaves room for the text itself."""
    assert len(reason(frozenset(codes), text, policies)) <= LONGEST_REASON
