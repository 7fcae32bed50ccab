"""People on call at the status page: what they see, what they can do, and what it never does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from nvaha.app.holder import AppHolder
from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import environment
from nvaha.model import Drift
from tests.integration.in_process import Running, running
from tests.page.browser import chromium, program, required
from tests.page.site import Site
from tests.page.world import World, group, nva_down, nva_up, steady

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        program() is None and not required(), reason="no Chromium here: apt-get install chromium"
    ),
]

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
EDGE, CORE = group("edge"), group("core", "fw-a", "fw-b", tables=1)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of these tests; while it runs, this thread can run no event loop of its own."""
    assert program() is not None, (
        "the status page is to be tested in a browser, and there is no Chromium here"
    )
    with chromium() as running_browser:
        yield running_browser


@pytest.fixture
def show(browser: Browser) -> Iterator[Open]:
    """Return what opens the page of a site in a tab of its own, which must complain of nothing."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def complained(text: str) -> None:
        # A request that is refused, or that nobody answers, is a test's own doing.
        if "Failed to load resource" not in text:
            complaints.append(text)

    def opened(site: Site, at: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 800}, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complained(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complained(str(error)))
        page.on("dialog", lambda dialog: complained(dialog.message))
        page.goto(f"{site.url}/ui{at}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def ask(page: Page) -> None:
    """Let the page ask the app now, as it does when the device is online again."""
    page.evaluate("dispatchEvent(new Event('online'))")


def accessible(page: Page) -> None:
    """Find nothing that keeps anybody from using what is shown."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def fits(page: Page) -> bool:
    """Tell whether nothing reaches beyond the width of the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def saying(text: str) -> re.Pattern[str]:
    """Return a pattern that finds a text as it is written."""
    return re.compile(re.escape(text))


def posts(site: Site) -> list[str]:
    """Return what was commanded."""
    return [each for each in site.asked if each.startswith("POST")]


def test_nothing_is_shown_without_a_key_and_the_key_stays_in_the_tab(show: Open) -> None:
    """It is asked for, told apart from a wrong one, kept in no place that outlives the tab, and forgotten."""
    with World([(EDGE, steady(EDGE))], key="right+key/==") as site:
        page = show(site, "#/edge")
        expect(page.get_by_label("Function key")).to_be_focused()
        assert "edge-nva1" not in page.content()
        accessible(page)
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("does not accept this key")).to_be_visible()
        page.get_by_label("Function key").fill("right+key/==")
        page.get_by_label("Your name").fill("Zoë <b>")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="edge", exact=True)).to_be_visible()
        assert page.context.cookies() == []
        assert page.evaluate("localStorage.length") == 0
        assert "right" not in page.url
        expect(page.get_by_text("Zoë <b>, status page (claimed)")).to_be_visible()
        another = page.context.new_page()
        another.goto(f"{site.url}/ui")
        expect(another.get_by_label("Function key")).to_be_visible()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_label("Function key")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        assert not any("key" in each for each in site.asked)


def test_two_hundred_groups_the_troubled_ones_first(show: Open) -> None:
    """The worst is on top, a word finds any of them, and one is opened and left by keyboard alone."""
    groups = [group(f"site-{number:03}", tables=1) for number in range(200)]
    states = [steady(each) for each in groups]
    states[150] = replace(states[150], all_down=True, nvas={name: nva_down() for name in groups[150].names})
    states[70] = replace(states[70], drift=Drift(writes=("route table x: default moved",), seen=2))
    with World(zip(groups, states, strict=True)) as site:
        page = show(site)
        rows = page.locator(".groups li")
        expect(rows).to_have_count(200)
        expect(rows.nth(0)).to_contain_text(re.compile("Trouble.*site-150", re.DOTALL))
        expect(rows.nth(1)).to_contain_text(re.compile("Attention.*site-070", re.DOTALL))
        expect(rows.nth(2)).to_contain_text(re.compile("Well.*site-000", re.DOTALL))
        assert page.title() == "(1) nvaha status"
        expect(page.get_by_text("1 group in trouble, 1 group to look at, 198 well")).to_be_visible()
        page.get_by_label("Filter groups").fill("SITE-15")
        expect(rows).to_have_count(10)
        accessible(page)
        page.get_by_label("Filter groups").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="site-150", level=1)).to_be_focused()
        expect(page.get_by_role("heading", name="What is wrong")).to_be_visible()
        page.go_back()
        expect(rows).to_have_count(10)


def test_a_failover_is_planned_asked_for_twice_and_watched(show: Open) -> None:
    """By keyboard alone: nothing is asked for before the second question; then everything is seen to move."""
    with World([(EDGE, steady(EDGE)), (CORE, steady(CORE))], operation_s=1.0) as site:
        page = show(site, "#/edge", reduced_motion="reduce")
        path = page.get_by_role("img", name="Traffic goes")
        expect(path).to_have_attribute("aria-label", saying("public IP edge-pip1, NVA edge-nva1 (up), route"))
        page.get_by_role("button", name="Move to edge-nva2").press("Enter")
        expect(page.get_by_role("heading", name="Move edge to edge-nva2?")).to_be_focused()
        expect(page.get_by_text("4 routes in 2 tables, 1 public IP by 2 writes to NICs")).to_be_visible()
        accessible(page)
        page.get_by_role("button", name="Go on").press("Enter")
        expect(page.get_by_role("heading", name="from edge-nva1 to edge-nva2 now?")).to_be_focused()
        accessible(page)
        page.get_by_label("Reason").fill("drill")
        assert posts(site) == []
        page.get_by_role("button", name="Move to edge-nva2 now").press("Enter")
        moving = page.locator(".edge.moving")
        expect(moving.first).to_be_visible()
        assert moving.first.evaluate("each => getComputedStyle(each).animationName") == "none"
        expect(page.get_by_role("status").filter(has_text="moving to edge-nva2")).to_be_attached()
        expect(path).to_have_attribute("aria-label", saying("public IP edge-pip1, NVA edge-nva2 (up), route"))
        steps = page.locator(".switch").first
        expect(steps.locator(".step.done")).to_have_count(4)
        expect(steps.locator("summary")).to_contain_text("done")
        assert posts(site) == ["POST /api/groups/edge/failover"]
        request = site.state("edge").request
        assert request is not None
        assert (request.target, request.reason, request.forced) == ("edge-nva2", "drill", False)
        assert request.requested_by == "status page (claimed)"
        expect(page.locator("dialog[open]")).to_have_count(0)
        accessible(page)


def test_what_is_refused_needs_force_and_force_says_what_it_does(show: Open) -> None:
    """The app's own sentence, a tick apart from everything else, and what may come of it, twice."""
    nvas = {"edge-nva1": nva_up(), "edge-nva2": nva_down()}
    with World([(EDGE, steady(EDGE, nvas=nvas))]) as site:
        page = show(site, "#/edge", color_scheme="dark")
        expect(page.locator(".troubles")).to_contain_text("edge-nva2")
        page.get_by_role("button", name="Move to edge-nva2").click()
        expect(page.get_by_text("edge-nva2 is not up")).to_be_visible()
        expect(page.get_by_role("button", name="Go on")).to_be_disabled()
        accessible(page)
        page.get_by_label("Use force").check()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="Force edge")).to_be_visible()
        expect(page.get_by_text("If it is not, traffic stops there")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        assert posts(site) == []
        page.get_by_role("button", name="Move to edge-nva2").click()
        page.get_by_label("Use force").check()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Move to edge-nva2 now").click()
        expect(page.get_by_text("Accepted: edge is being moved")).to_be_visible()
        request = site.state("edge").request
        assert request is not None
        assert request.forced


def test_an_error_of_the_api_is_shown_with_its_remedy_and_sent_again_under_the_same_id(show: Open) -> None:
    """What was refused since the plan was read, and an answer that was lost, cost nobody a second switch."""
    with World([(EDGE, steady(EDGE))]) as site:
        page = show(site, "#/edge")
        page.get_by_role("button", name="Move to edge-nva2").click()
        page.get_by_role("button", name="Go on").click()
        site.change("edge", nvas={"edge-nva1": nva_up(), "edge-nva2": nva_down()})
        page.get_by_role("button", name="Move to edge-nva2 now").click()
        expect(page.get_by_role("alert")).to_contain_text("edge-nva2 is not up")
        expect(page.get_by_role("alert")).to_contain_text("Wait until its probes succeed")
        site.change("edge", nvas={"edge-nva1": nva_up(), "edge-nva2": nva_up()}, active="edge-nva2")
        page.get_by_role("button", name="Move to edge-nva2 now").click()
        expect(page.get_by_role("alert")).to_contain_text("It has been moved since you looked")
        site.change("edge", active="edge-nva1")
        site.loses = "POST"
        page.get_by_role("button", name="Move to edge-nva2 now").click()
        expect(page.locator("dialog").get_by_role("alert")).to_contain_text("may have been done all the same")
        site.loses = ""
        page.get_by_role("button", name="Send it again").click()
        expect(page.get_by_text("Accepted: edge is being moved")).to_be_visible()
        assert site.state("edge").generation == 3


def test_a_group_is_paused_and_resumed_with_what_that_means(show: Open) -> None:
    """By a question that says so; who is signed in is who has asked, whatever he calls himself."""
    headers = {"x-ms-client-principal-id": "8d2f", "x-ms-client-principal-name": "jane@contoso.com"}
    with World([(EDGE, steady(EDGE))], signed_in=True) as site:
        page = show(site, "#/edge", extra_http_headers={**headers, "x-ms-client-principal-idp": "aad"})
        page.get_by_role("button", name="Pause…").click()
        expect(page.get_by_text("asked for by jane@contoso.com (Entra 8d2f)")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert posts(site) == []
        page.get_by_role("button", name="Pause…").click()
        page.get_by_label("Reason").fill("upgrade")
        page.get_by_label("How long").select_option("for four hours")
        page.get_by_role("button", name="Pause it").click()
        expect(page.locator(".troubles")).to_contain_text("paused")
        pause = site.state("edge").pause
        assert pause is not None
        assert (pause.by, pause.reason) == ("jane@contoso.com (Entra 8d2f)", "upgrade")
        assert site.state("edge").paused_until is not None
        page.get_by_role("button", name="Resume…").click()
        page.get_by_role("button", name="Resume it").click()
        expect(page.get_by_role("button", name="Pause…")).to_be_visible()
        assert not site.state("edge").paused
        away = {"location": "https://login.example/"}
        page.route("**/api/groups", lambda route: route.fulfill(status=302, headers=away))
        ask(page)
        expect(page.get_by_role("alert")).to_contain_text("The sign-in has ended")


def test_a_lost_contact_is_loud_old_data_is_never_shown_as_current_and_polling_backs_off(show: Open) -> None:
    """The age grows by itself, nothing can be commanded on it, and what comes back is live at once."""
    with World([(EDGE, steady(EDGE))]) as site:
        page = show(site, "#/edge")
        page.clock.install()
        page.reload()
        move = page.get_by_role("button", name="Move to edge-nva2")
        expect(move).to_be_enabled()
        site.answers = False
        page.clock.run_for(8_000)
        expect(page.get_by_role("alert")).to_contain_text("No connection to the app")
        page.clock.run_for(20_000)
        expect(page.get_by_role("alert")).to_contain_text("What is shown is old")
        expect(move).to_be_disabled()
        assert page.title() == "No contact: nvaha status"
        accessible(page)
        began = len(site.asked)
        for _ in range(20):
            page.clock.run_for(15_000)
        assert 3 <= len(site.asked) - began <= 15
        expect(page.locator(".banner.lost")).to_contain_text("min old")
        with page.expect_request("**/api/groups"):
            page.get_by_role("button", name="Ask now").click()
        site.answers = True
        ask(page)
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(move).to_be_enabled()


def test_what_nobody_watches_is_not_shown_as_well(show: Open) -> None:
    """The app answers, and what it says is old: its leader has gone."""
    with World([(EDGE, steady(EDGE))]) as site:
        page = show(site)
        expect(page.get_by_text("The group is well")).to_be_visible()
        site.watched = False
        site.pass_by(120.0)
        ask(page)
        expect(page.locator(".banner.bad").first).to_be_visible()
        expect(page.get_by_text("1 group in trouble")).to_be_visible()
        expect(page.locator(".row.bad .why")).not_to_be_empty()


def test_what_others_have_written_is_text(show: Open) -> None:
    """An NVA's answer, a name in Azure and a reason are shown as they are, and nothing in them acts."""
    evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>javascript:alert(3)'
    nvas = {"edge-nva1": nva_up(unready=(evil,)), "edge-nva2": nva_down(last_error=evil)}
    with World([(EDGE, steady(EDGE, nvas=nvas, blocked=evil, rival=evil, hold=evil))]) as site:
        page = show(site, "#/edge")
        expect(page.locator(".troubles")).to_contain_text(evil)
        expect(page.get_by_text(f"7 failed in a row: {evil}")).to_be_visible()
        assert page.locator("main img, main script").count() == 0
        page.goto(f"{site.url}/ui#/{evil}")
        expect(page.get_by_role("heading", name=evil)).to_be_visible()


def test_a_phone_shows_all_of_it(show: Open) -> None:
    """Nothing is wider than the screen, groups, way of traffic and dialogs; and all of it can be read."""
    long = group(
        "a-group-with-a-name-as-long-as-somebody-may-like-it-to-be-for-a-firewall-pair",
        public_ips=2,
        tables=6,
    )
    with World([(long, steady(long, blocked="b" * 120)), (CORE, steady(CORE))]) as site:
        page = show(site, viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
        expect(page.locator(".groups li")).to_have_count(2)
        assert fits(page)
        accessible(page)
        page.get_by_text("a-group-with").first.tap()
        expect(page.get_by_role("img", name="Traffic goes")).to_be_visible()
        assert fits(page)
        accessible(page)
        page.get_by_role("button", name="Move to").first.tap()
        expect(page.get_by_text("12 routes in 6 tables, 2 public IPs")).to_be_visible()
        assert fits(page)


class RealSite(Site):
    """The page of the whole app: real storage, the real leader and worker, the ARM simulator."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.app: Running

    async def holder(self, held: AsyncExitStack) -> AppHolder:
        """Run the app until the site ends."""
        azurite = await held.enter_async_context(Azurite())
        self.app = await held.enter_async_context(running(azurite, self._folder, environment()))
        return self.app._holder


def test_a_failover_of_the_real_app_is_watched(show: Open, tmp_path: Path) -> None:
    """The active NVA dies, and whoever looks at the page sees it fall, the group move, and every step end."""
    with RealSite(tmp_path) as site:
        first, second = site.app.nvas
        site.run(site.app.active(first))
        page = show(site, f"#/{site.app.name}")
        expect(page.locator(".box.active")).to_contain_text(first)
        site.run(site.app.nvas[first].stop())
        ask(page)
        expect(page.locator(".box.active")).to_contain_text(second)
        expect(page.locator(".nva.down")).to_contain_text("refused")
        expect(page.locator(".switch summary").first).to_contain_text("done")
        expect(page.locator(".switch").first).to_contain_text("the active NVA fell")
        assert posts(site) == []
