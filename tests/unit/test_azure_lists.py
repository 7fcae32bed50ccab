"""Reading lists, page by page, against a scripted ARM on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from nvaha.azure.arm import network as adapter
from nvaha.azure.arm.network import ArmNetwork
from nvaha.model import Resource
from nvaha.ports import Network, NetworkFault

from .scripted_arm import Arm, Run, answer, fault_of, reset, runner

SCOPE = "/subscriptions/s"
KIND = "routeTables"
PATH = f"{SCOPE}/providers/Microsoft.Network/{KIND}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what runs a test against a scripted ARM."""
    return runner(tmp_path_factory.mktemp("tls"))


def body(name: str) -> dict[str, Any]:
    """Return a route table as a list shows it."""
    return {"id": f"{PATH}/{name}", "etag": f'W/"{name}"', "properties": {"routes": []}}


def arm(network: Network) -> ArmNetwork:
    """Return the network as what it is."""
    assert isinstance(network, ArmNetwork)
    return network


def test_every_page_is_read(run: Run) -> None:
    """A list goes on as long as its pages say so, under the API version of everything else."""

    async def second(_: web.Request) -> web.Response:
        return answer(200, {"value": [body("b")]})

    async def first(_: web.Request) -> web.Response:
        link = f"{scripted.endpoint}{PATH}?api-version=2025-03-01&$skiptoken=x"
        return answer(200, {"value": [body("a")], "nextLink": link})

    scripted = Arm([first, second])

    async def test(network: Network, asked: Arm) -> None:
        found = await arm(network).list_all(SCOPE, KIND)
        assert [each.etag for each in found] == ['W/"a"', 'W/"b"']
        assert found[0] == Resource(body("a")["id"], 'W/"a"', body("a"))
        paths = [path for _, path, *_ in asked.asked]
        assert paths == [f"{PATH}?api-version=2025-03-01", f"{PATH}?api-version=2025-03-01&$skiptoken=x"]

    run(test, scripted)


def test_a_page_that_gives_no_answer_is_asked_for_again(run: Run) -> None:
    """A connection that breaks in the middle of a list does not end it."""

    async def test(network: Network, _: Arm) -> None:
        assert await arm(network).list_all(SCOPE, KIND) == ()

    run(test, Arm([reset, reset, answer(200, {"value": []})]))


def test_a_page_that_was_waited_for_in_vain_is_waited_for_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Azure that hangs is told after the time that the error names, and not after three times as long."""
    monkeypatch.setattr(adapter, "_PAGE_TIMEOUT_S", 0.05)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return answer(200, {"value": []})

    async def test(network: Network, asked: Arm) -> None:
        error = await fault_of(arm(network).list_all(SCOPE, KIND))
        assert error.fault is NetworkFault.UNAVAILABLE
        assert len(asked.asked) == 1

    run(test, Arm([hang]))


def test_a_token_goes_to_no_other_host(run: Run) -> None:
    """A next page elsewhere is not asked for."""

    async def test(network: Network, asked: Arm) -> None:
        error = await fault_of(arm(network).list_all(SCOPE, KIND))
        assert error.fault is NetworkFault.UNREADABLE
        assert len(asked.asked) == 1

    run(test, Arm([answer(200, {"value": [], "nextLink": "https://127.0.0.2:9/next"})]))


def test_a_list_without_end_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that lead to themselves are not read for ever."""
    monkeypatch.setattr(adapter, "_MOST_PAGES", 3)

    async def test(network: Network, asked: Arm) -> None:
        error = await fault_of(arm(network).list_all(SCOPE, KIND))
        assert error.fault is NetworkFault.UNREADABLE
        assert len(asked.asked) == 3

    run(test, Arm([answer(200, {"value": [], "nextLink": f"{PATH}?$skiptoken=x"})]))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(200, {"value": {}}), NetworkFault.UNREADABLE),
        (answer(200, {"value": [{"name": "no id"}]}), NetworkFault.UNREADABLE),
        (answer(200, []), NetworkFault.UNREADABLE),
        (answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}), NetworkFault.DENIED),
        (answer(404, {"error": {"code": "SubscriptionNotFound", "message": "no"}}), NetworkFault.MISSING),
    ],
    ids=["no list", "no id", "no object", "403", "404"],
)
def test_what_is_no_list_is_an_error(run: Run, given: web.Response, fault: NetworkFault) -> None:
    """A refusal, and an answer that is no list, are not taken for an empty one."""

    async def test(network: Network, _: Arm) -> None:
        assert (await fault_of(arm(network).list_all(SCOPE, KIND))).fault is fault

    run(test, Arm([given]))


def test_a_page_may_be_larger_than_a_resource(run: Run) -> None:
    """Hundreds of route tables in one page are more than one resource may have."""
    large = [{**body(f"t{number}"), "tags": {"note": "x" * 1024 * 1024}} for number in range(5)]

    async def test(network: Network, _: Arm) -> None:
        assert len(await arm(network).list_all(SCOPE, KIND)) == 5

    run(test, Arm([answer(200, {"value": large})]))
