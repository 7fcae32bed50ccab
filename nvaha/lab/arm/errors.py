"""Errors as Azure words them; each name says which service's rule it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


class ArmError(Exception):
    """A request that ARM refuses.

    Args:
        status: the HTTP status.
        code: ARM's error code.
        message: its text.
        details: (code, text) of each detail; None leaves the key out.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: tuple[tuple[str, str], ...] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    @property
    def body(self) -> Json:
        """The answer's body, as the OpenAPI definition CloudError has it."""
        return {"error": error_body(self.code, self.message, self.details)}


def error_body(code: str, message: str, details: tuple[tuple[str, str], ...] | None) -> Json:
    """Return what stands under `error`, in an answer and in a failed operation alike."""
    error: Json = {"code": code, "message": message}
    if details is not None:
        error["details"] = [{"code": each, "message": text} for each, text in details]
    return error


def unauthorized(code: str, message: str) -> ArmError:
    """No valid token for the ARM audience: 401 with the challenge that names the authority."""
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/organizations", '
        f'error="invalid_token", error_description="{message}"'
    )
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def forbidden(principal: str, action: str, scope: str) -> ArmError:
    """No role grants the action: 403."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal}' with object id '{principal}' does not have authorization to perform "
        f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
    )


def linked_forbidden(principal: str, action: str, scope: str, linked_action: str, linked: str) -> ArmError:
    """The write is granted, but not the join with a resource that its body refers to: 403."""
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{principal}' with object id '{principal}' has permission to perform action '{action}' "
        f"on scope '{scope}'; however, it does not have permission to perform action(s) '{linked_action}' on "
        f"the linked scope(s) '{linked}' (respectively) or the linked scope(s) are invalid.",
    )


def unserved(kind: str, version: str, served: Iterable[str], location: str | None) -> ArmError:
    """An API version that is not served: 400 for a resource, 404 where no location is known.

    Seen so in Azure/azure-sdk-for-js #9297 and, for a list, in Azure/azure-powershell #10299.
    """
    if location is None:
        return ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{kind}' could not be found in the namespace 'Microsoft.Network' for api "
            f"version '{version}'. The supported api-versions are '{','.join(served)}'.",
        )
    return ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{version}' for "
        f"type '{kind}'. The supported api-versions are '{', '.join(served)}'. The supported locations are "
        f"'{location}'.",
    )


def subscription_not_found(subscription: str) -> ArmError:
    """404 for a subscription that holds nothing here."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def group_not_found(group: str) -> ArmError:
    """404 for a resource group that holds nothing here."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """404 for a resource."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Network/{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def child_not_found(resource_id: str) -> ArmError:
    """404 for a part of a resource, worded by the network service itself."""
    return ArmError(404, "NotFound", f"Resource {resource_id} not found.", details=())


def precondition_failed(resource_id: str, sent: str, current: str) -> ArmError:
    """412 for a stale If-Match, as recorded by kubernetes-sigs/cloud-provider-azure."""
    text = (
        f"Etag provided in if-match header {sent} does not match etag {current} of resource {resource_id} "
        "in NRP data store."
    )
    details = (("PreconditionFailedEtagMismatch", text),)
    return ArmError(412, "PreconditionFailed", "Precondition failed.", details=details)


def invalid_request(text: str) -> ArmError:
    """400 for a body that is malformed, or not what the definition allows."""
    return ArmError(
        400, "InvalidRequestFormat", "Cannot parse the request.", details=(("InvalidJson", text),)
    )


def bad_request(code: str, message: str) -> ArmError:
    """400 for a body that breaks a rule of the network service."""
    return ArmError(400, code, message, details=())


def address_in_use(ip_configuration: str, public_ip: str, holder: str) -> ArmError:
    """400 for a public IP that something else holds (gardener/gardener-extension-provider-azure #757)."""
    return bad_request(
        "PublicIPAddressInUse",
        f"Resource {ip_configuration} is referencing public IP address {public_ip} that is already allocated "
        f"to resource {holder}.",
    )


def not_found_in_region(ip_configuration: str, public_ip: str) -> ArmError:
    """400 for a public IP that is not there, or in another region: Azure says the same of both."""
    return bad_request(
        "InvalidResourceReference",
        f"Resource {public_ip} referenced by resource {ip_configuration} was not found. Please make "
        "sure that the referenced resource exists, and that both resources are in the same region.",
    )


def versions_differ(public_ip: str, version: str, ip_configuration: str, other: str) -> ArmError:
    """400 for a public IP and an IP configuration of two versions (ansible-collections/azure #582)."""
    return bad_request(
        "IPVersionForPublicIpAndNicIpConfigurationMustMatch",
        f"IP version for publicIPAddress '{public_ip}', version '{version}' and network interface "
        f"ipConfiguration '{ip_configuration}', version '{other}' must match.",
    )


def zones_differ(vm: str, zone: str, public_ip: str, other: str) -> ArmError:
    """400 for a public IP that is not in the zone of the NIC's VM (fortinet/azure-templates #43)."""
    return bad_request(
        "ComputeResourceZoneConstraintDoesNotMatchPublicIPAddressZoneConstraint",
        f"Compute resource {vm} has a zone constraint {zone} but the PublicIPAddress {public_ip} used by the "
        f"compute resource via NetworkInterface or LoadBalancer has a different zone constraint {other}.",
    )


def denied_by_policy(resource: str) -> ArmError:
    """403 for a body that a policy denies, its assignment as JSON in the text (Azure/azure-cli #32417)."""
    assignment = "/providers/Microsoft.Management/managementGroups/lab/providers/Microsoft.Authorization"
    policy = {"policyAssignment": {"name": "Tags", "id": f"{assignment}/policyAssignments/tags"}}
    return ArmError(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{resource}' was disallowed by policy. Policy identifiers: '{json.dumps([policy])}'.",
        details=None,
    )


def retryable_error(detail: str, message: str) -> ArmError:
    """429 that is no throttling; the detail tells them apart."""
    return ArmError(429, "RetryableError", "A retryable error occurred.", details=((detail, message),))


def throttled_error(kind: str, subscription: str, seconds: int) -> ArmError:
    """429 of real throttling, with the time to wait."""
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind}' requests for subscription '{subscription}' exceeded. Please try again after "
        f"'{seconds}' seconds after additional tokens are available.",
        headers={"Retry-After": str(seconds)},
    )
