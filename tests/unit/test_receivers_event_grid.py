"""An Event Grid topic as a receiver: a fake that answers as Event Grid does, and what is said of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from azure.identity import CredentialUnavailableError

from nvaha.app.wiring import _topics
from nvaha.azure.clouds import ENDPOINTS
from nvaha.azure.tokens import Tokens
from nvaha.config import ConfigError, Loaded, parse
from nvaha.config.settings import Cloud, Settings
from nvaha.model import Configuration, Receiver, ReceiverKind, Unsent
from nvaha.ports import NotTaken
from nvaha.receivers.bodies import cloud_event
from nvaha.receivers.event_grid import TopicAccess
from nvaha.receivers.https import HttpReceivers

from .test_config_places import GOOD
from .test_receivers import FELL, SOURCE, Log, listening

TOKEN = "eyJ0eXAi.c29tZWJvZHk.c2lnbmVk"
TOPIC = "https://ops.westeurope-1.eventgrid.azure.net/api/events"
REPORT = " Report '3508d5f3-2431-48fe-9480-84f4f8b7d060:0:2/22/2021 11:54:39 PM (UTC)' to our forums."


class Topic:
    """Answers as a custom topic does (azure-facts F1).

    Args:
        schema: its input schema.
        sender: whether whose token is sent has the role EventGrid Data Sender.
        open_to_all: whether its firewall lets the sender through.
        busy: whether more is sent than it takes.
        limit: how many bytes a batch may have.
    """

    def __init__(
        self,
        schema: str = "CloudEventSchemaV1_0",
        *,
        sender: bool = True,
        open_to_all: bool = True,
        busy: bool = False,
        limit: int = 1024 * 1024,
    ) -> None:
        self._limit = limit
        self._schema, self._sender, self._open, self._busy = schema, sender, open_to_all, busy
        self.events: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Check everything that Event Grid checks."""
        status, message = await self._checked(request)
        if not status:
            return web.Response(status=200)
        told = {"code": str(status), "message": message + REPORT}
        return web.json_response({"error": {**told, "details": [told]}}, status=status)

    async def _checked(self, request: web.Request) -> tuple[int, str]:
        if request.method != "POST" or request.path != "/api/events":
            return 404, "The specified path does not exist."
        if request.query.get("api-version") != "2018-01-01":
            return 400, "The api-version is not known."
        if not self._open:
            return 403, "Publishing to OPS by client 192.0.2.7 is rejected due to IpAddress filtering rules."
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, "The token is not valid."
        if not self._sender:
            return 401, (
                "The principal associated with access token presented with the incoming request does not "
                "have permission to send data to /SUBSCRIPTIONS/0F3A1C52/RESOURCEGROUPS/RG/PROVIDERS/"
                "MICROSOFT.EVENTGRID/TOPICS/OPS."
            )
        if self._busy:
            return 429, "Too many requests."
        body = await request.read()
        if len(body) > self._limit:
            return 413, "The request is too large."
        if self._schema != "CloudEventSchemaV1_0":
            return 400, (
                "This resource is configured for 'EventGridEvent' schema. Received unexpected property "
                "'source' in JSON which does not conform to the expected schema."
            )
        if request.content_type != "application/cloudevents-batch+json":
            return 400, "The content type is not that of a batch of CloudEvents."
        events = json.loads(body)
        required = ("id", "source", "specversion", "type")
        if not isinstance(events, list) or not all(name in each for each in events for name in required):
            return 400, "Unexpected token when reading JSON."
        self.events += events
        return 0, ""


async def _token() -> str:
    return TOKEN


def sent(topic: Topic, unsent: Unsent = FELL, token: Callable[[], Awaitable[str]] = _token) -> int:
    """Send to a topic; return its status."""

    async def run() -> int:
        async with listening(topic.answer) as where:
            receiver = Receiver("grid", ReceiverKind.EVENT_GRID, endpoint=f"{where}/api/events")
            return await receivers(receiver, token).send(receiver, unsent)

    return asyncio.run(run())


def receivers(receiver: Receiver, token: Callable[[], Awaitable[str]] = _token) -> HttpReceivers:
    """Return receivers with one topic, in the public cloud."""
    log = Log()
    topics = TopicAccess("eventgrid.azure.net", token)
    return HttpReceivers(
        (receiver,), {}, source=SOURCE, clock=log, log=log, new_id=lambda: "new", topics=topics
    )


def test_a_topic_takes_what_a_webhook_would_be_sent() -> None:
    """The event is the same CloudEvent, in a batch of one, with the identity's token."""
    topic = Topic()
    assert sent(topic) == 200
    assert topic.events == [cloud_event(FELL, SOURCE)]


@pytest.mark.parametrize(
    ("topic", "status", "said", "remedy"),
    [
        (Topic(sender=False), 401, "does not have permission", "EventGrid Data Sender"),
        (Topic("EventGridSchema"), 400, "configured for 'EventGridEvent'", "CloudEventSchemaV1_0"),
        (Topic(open_to_all=False), 403, "filtering rules", "firewall"),
        (Topic(busy=True), 429, "Too many", "sent again later"),
        (Topic(limit=100), 413, "too large", "no event of this size"),
    ],
    ids=["role", "schema", "firewall", "busy", "size"],
)
def test_a_refusal_is_told_in_event_grid_s_words_with_what_to_do(
    topic: Topic, status: int, said: str, remedy: str
) -> None:
    """Who reads `nvaha notify test` knows why it was not taken and what to change; no token is in it."""
    with pytest.raises(NotTaken) as refused:
        sent(topic)
    assert refused.value.status == status
    assert said in str(refused.value)
    assert remedy in str(refused.value)
    assert "Report" not in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_without_a_token_nothing_is_sent_and_why_is_said() -> None:
    """The reason is the keeper's own, and the topic hears nothing."""

    async def none() -> str:
        raise NotTaken("no token for Event Grid: ManagedIdentityCredential: no answer")

    topic = Topic()
    with pytest.raises(NotTaken, match="no token for Event Grid"):
        sent(topic, token=none)
    assert topic.events == []


def test_a_token_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request lasts its seconds at most, the token's fetching among them."""
    monkeypatch.setattr("nvaha.receivers.https.TIMEOUT_S", 0.1)

    async def never() -> str:
        await asyncio.sleep(60.0)
        return TOKEN

    with pytest.raises(NotTaken, match="no answer"):
        sent(Topic(), token=never)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://ops.westeurope-1.eventgrid.azure.us/api/events",
        "https://ops.example.net/api/events",
        "https://eventgrid.azure.net.example.net/api/events",
        "https://noteventgrid.azure.net/api/events",
    ],
)
def test_a_token_goes_to_no_host_but_a_topic_of_this_cloud(endpoint: str) -> None:
    """Whoever has it could send to every topic that the identity may send to."""
    asked: list[str] = []

    async def token() -> str:
        asked.append("asked")
        return TOKEN

    receiver = Receiver("grid", ReceiverKind.EVENT_GRID, endpoint=endpoint)
    with pytest.raises(NotTaken, match="its endpoint is not in"):
        asyncio.run(receivers(receiver, token).send(receiver, FELL))
    assert asked == []


@pytest.mark.parametrize("cloud", list(Cloud))
def test_a_token_is_asked_for_in_the_cloud_s_own_name(cloud: Cloud) -> None:
    """The audience is the domain of the cloud's topics; without such a receiver none is asked for."""
    settings = Settings.from_environ(
        {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "NVAHA_CLOUD": cloud.value}
    )
    tokens = Tokens(settings)
    hook = Receiver("it", ReceiverKind.WEBHOOK, "IT_URL")
    assert _topics(settings, Loaded(Configuration((), receivers=(hook,))), tokens) is None
    assert tokens._event_grid is None
    grid = Receiver("grid", ReceiverKind.EVENT_GRID, endpoint=TOPIC)
    access = _topics(settings, Loaded(Configuration((), receivers=(hook, grid))), tokens)
    assert access is not None
    assert access.domain == ENDPOINTS[cloud].event_grid
    assert tokens.event_grid._scope == f"https://{access.domain}/.default"
    # What fails here is told where it is wanted, and is no trouble of whoever watches and moves.
    assert tokens.event_grid not in tokens.keepers


def test_a_token_for_event_grid_is_kept_once_it_is_wanted() -> None:
    """It is had ahead of the first event, by the same thread as the others, and never if nobody wants it."""

    class Given:
        async def get_token(self, scope: str, **_: object) -> Any:
            from azure.core.credentials import AccessToken  # noqa: PLC0415

            return AccessToken(scope, 2**33)

        async def __aenter__(self) -> Given:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

    async def run() -> None:
        tokens = Tokens(Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}))
        tokens.arm._make = Given  # type: ignore[assignment]
        keeping = asyncio.ensure_future(tokens.keep())
        await asyncio.sleep(0.01)
        keeper = tokens.event_grid
        keeper._make = Given  # type: ignore[assignment]
        async with asyncio.timeout(10.0):
            while keeper.held is None:  # noqa: ASYNC110 - it is held by another task, which tells nobody
                await asyncio.sleep(0.05)
        assert keeper.held.token == "https://eventgrid.azure.net/.default"
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(run())


def test_a_keeper_that_has_none_is_told_as_not_taken() -> None:
    """What the identity library says of it is the reason."""
    settings = Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    tokens = Tokens(settings)
    grid = Receiver("grid", ReceiverKind.EVENT_GRID, endpoint=TOPIC)
    access = _topics(settings, Loaded(Configuration((), receivers=(grid,))), tokens)

    def broken() -> Any:
        raise CredentialUnavailableError("no identity here")

    tokens.event_grid._make = broken
    assert access is not None

    async def run() -> str:
        return await access.token()

    with pytest.raises(NotTaken, match="no identity here"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: g, type: event_grid}", "endpoint is missing for type event_grid"),
        ("{name: g, type: event_grid, endpoint: 'https://example.net/api/events'}", "is not the endpoint"),
        (f"{{name: g, type: event_grid, endpoint: '{TOPIC}?api-version=1'}}", "is not the endpoint"),
        (f"{{name: g, type: event_grid, endpoint: '{TOPIC}', key_setting: KEY}}", "has endpoint"),
        (f"{{name: g, type: teams, url_setting: URL, endpoint: '{TOPIC}'}}", "has url_setting"),
    ],
)
def test_a_receiver_that_cannot_be_one_is_refused(entry: str, said: str) -> None:
    """The file says where the topic is, and nothing that is of no use to it."""
    with pytest.raises(ConfigError) as refused:
        parse(f"{GOOD}notify: [{entry}]\n")
    [problem] = refused.value.problems
    assert said in f"{problem.path.rpartition('.')[2]} {problem.message} {problem.remedy}"


def test_a_topic_is_configured_by_its_endpoint() -> None:
    """Nothing else is needed: no key, and no setting."""
    configuration = parse(
        f"{GOOD}notify: [{{name: g, type: event_grid, endpoint: '{TOPIC}'}}]\n"
    ).configuration
    assert configuration.receivers == (Receiver("g", ReceiverKind.EVENT_GRID, endpoint=TOPIC),)
