"""What ARM's answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from hypothesis import given
from hypothesis import strategies as st

from nvaha.azure.arm.errors import (
    LONGEST_MESSAGE,
    answer_error,
    bounded,
    described,
    operation_error,
    read_error,
)
from nvaha.ports import NetworkFault

NIC = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/networkInterfaces/nic1"


def body(code: str, message: str = "text", details: list[dict[str, Any]] | None = None) -> bytes:
    """Return an error body as ARM writes it."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return json.dumps({"error": error}).encode()


IN_DETAILS = [{"code": "ReferencedResourceNotProvisioned", "message": "Cannot proceed", "details": []}]


@pytest.mark.parametrize(
    ("status", "content", "fault"),
    [
        (412, body("PreconditionFailed"), NetworkFault.CHANGED),
        (409, body("Conflict"), NetworkFault.BUSY),
        (409, body("AnotherOperationInProgress"), NetworkFault.BUSY),
        (409, b"", NetworkFault.BUSY),
        (409, body("ScopeLocked"), NetworkFault.REFUSED),
        (409, body("ReadOnlyDisabledSubscription"), NetworkFault.REFUSED),
        (429, body("SubscriptionRequestsThrottled"), NetworkFault.THROTTLED),
        (429, body("RetryableErrorDueToAnotherOperation"), NetworkFault.BUSY),
        (429, body("RetryableError", details=IN_DETAILS), NetworkFault.BUSY),
        (429, b"Too many", NetworkFault.THROTTLED),
        (429, body("OperationNotAllowed"), NetworkFault.THROTTLED),
        (400, body("TooManyRequests"), NetworkFault.THROTTLED),
        (400, body("ReferencedResourceNotProvisioned"), NetworkFault.BUSY),
        (400, body("InvalidRequest", details=IN_DETAILS), NetworkFault.BUSY),
        (400, body("PublicIPAddressInUse"), NetworkFault.IN_USE),
        (400, body("LinkedAccessCheckFailed"), NetworkFault.DENIED),
        (400, body("NoRegisteredProviderFound"), NetworkFault.REFUSED),
        (400, body("InvalidApiVersionParameter"), NetworkFault.REFUSED),
        (404, body("InvalidResourceType"), NetworkFault.REFUSED),
        (204, b"", NetworkFault.REFUSED),
        (400, body("InvalidIPConfigCount"), NetworkFault.REFUSED),
        (405, b"", NetworkFault.REFUSED),
        (307, b"", NetworkFault.REFUSED),
        (401, body("ExpiredAuthenticationToken"), NetworkFault.DENIED),
        (403, body("AuthorizationFailed"), NetworkFault.DENIED),
        (403, body("RequestDisallowedByPolicy"), NetworkFault.POLICY),
        (409, body("RequestDisallowedByPolicy"), NetworkFault.POLICY),
        (404, body("ResourceNotFound"), NetworkFault.MISSING),
        (408, b"", NetworkFault.UNAVAILABLE),
        (500, body("InternalServerError"), NetworkFault.UNAVAILABLE),
        (502, b"<html>", NetworkFault.UNAVAILABLE),
        (503, body("ServerBusy"), NetworkFault.UNAVAILABLE),
    ],
)
def test_an_answer_has_its_meaning(status: int, content: bytes, fault: NetworkFault) -> None:
    """Status and code together give the fault."""
    error = answer_error(NIC, status, {}, content)
    assert error.fault is fault
    assert error.resource_id == NIC
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        ("Failed", "OperationNotAllowed", NetworkFault.REFUSED),
        ("Failed", "SomethingElse", NetworkFault.REFUSED),
        ("Failed", None, NetworkFault.REFUSED),
        ("Failed", "RetryableError", NetworkFault.BUSY),
        ("Failed", "AnotherOperationInProgress", NetworkFault.BUSY),
        ("Failed", "ReferencedResourceNotProvisioned", NetworkFault.BUSY),
        ("Failed", "TooManyRequests", NetworkFault.BUSY),
        ("Failed", "InternalServerError", NetworkFault.UNAVAILABLE),
        ("Failed", "PublicIPAddressInUse", NetworkFault.IN_USE),
        ("Failed", "LinkedAuthorizationFailed", NetworkFault.DENIED),
        ("Failed", "RequestDisallowedByPolicy", NetworkFault.POLICY),
        ("Failed", "PreconditionFailed", NetworkFault.CHANGED),
        ("Canceled", "CanceledAndSupersededDueToAnotherOperation", NetworkFault.BUSY),
        ("Canceled", None, NetworkFault.BUSY),
    ],
)
def test_an_operation_that_ended_badly_has_its_meaning(
    status: str, code: str | None, fault: NetworkFault
) -> None:
    """How an operation ended and its error code give the fault."""
    error = operation_error(NIC, status, None if code is None else {"code": code, "message": "text"})
    assert (error.fault, error.code) == (fault, code)


@pytest.mark.parametrize(
    ("value", "seconds"), [("17", 17.0), ("0", 0.0), ("999999", 3600.0), ("soon", None), ("-1", None)]
)
def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    """How long to wait comes with the error, bounded, and nonsense is no wait."""
    assert answer_error(NIC, 429, {"Retry-After": value}, b"").retry_after_s == seconds


def test_details_are_told() -> None:
    """The texts inside an error's details reach the message, for they say what is really wrong."""
    details = [{"code": "PreconditionFailedEtagMismatch", "message": 'W/"1" does not match W/"2"'}]
    error = answer_error(NIC, 412, {}, body("PreconditionFailed", "Precondition failed.", details))
    assert 'W/"1" does not match W/"2"' in error.message
    assert error.code == "PreconditionFailed"


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer abc.def", "eyJhbGciOi.eyJzdWIi.sig-nature", "https://x/?sv=1&sig=abc%3D&se=2"],
)
def test_no_token_is_told(text: str) -> None:
    """What looks like a token or a signature does not reach a message."""
    message = answer_error(NIC, 400, {}, body("Bad", text)).message
    assert not any(secret in message for secret in ("abc.def", "eyJ", "abc%3D"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "details", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.integers(300, 599), JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=300))
def test_any_answer_gives_an_error(status: int, content: bytes) -> None:
    """Whatever comes back is an error with a bounded, one-line message."""
    error = answer_error(NIC, status, {}, content)
    assert len(error.message) <= LONGEST_MESSAGE
    assert "\n" not in error.message


@given(st.text())
def test_a_message_is_bounded(text: str) -> None:
    """A bounded text fits into a log line."""
    assert len(bounded(text * 50)) <= LONGEST_MESSAGE


def test_an_error_without_its_wrapping_is_read() -> None:
    """Services that answer with the bare error are understood too."""
    assert read_error(b'{"code": "ResourceNotFound", "message": "gone"}').code == "ResourceNotFound"


@pytest.mark.parametrize("before", range(0, 400, 40))
def test_no_part_of_a_secret_is_left_by_a_cut(before: int) -> None:
    """Wherever a text that is too long is cut, what a token is made of is not told."""
    text = f"{'x' * before} token={'S' * 400} {'y' * (400 - before)}"
    assert "SS" not in bounded(text, 300)


def test_an_error_without_words_is_described_by_what_caused_it() -> None:
    """A connection that was reset says nothing itself: its kind is told, and no empty text."""
    wordless = ServiceRequestError("")
    wordless.__cause__ = ConnectionResetError()
    assert described(wordless) == "ServiceRequestError: ConnectionResetError"
    assert described(ServiceRequestError("cannot connect")) == "ServiceRequestError: cannot connect"
