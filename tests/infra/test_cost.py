"""The amounts on the page of costs follow from its prices, from host.json and from the code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

from nvaha.core.measures import of_group, of_leader
from nvaha.core.present import CROWD, TOLD_EVERY_S, TROUBLED_EVERY_S
from nvaha.model import SIGN_EVERY_S, WRITTEN_EVERY_S, LeaderRecord
from nvaha.ports import LEASE_S
from nvaha.watch.monitor import CAMPAIGN_S
from tests.builders import NOON, group_of, steady, up

from .stories import stories
from .test_queries import ALERTS
from .tools import INFRA, ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
OTHERS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.stem not in {"cost", "azure-facts"}
)
HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
MAIN = (INFRA / "main.bicep").read_text(encoding="utf-8")
MONTH_S = timedelta(days=30).total_seconds()
TICK_S, AGGREGATED_S, AGGREGATES, ROW_GB = 10.0, 30.0, 7, 1e-6


def price(name: str) -> float:
    """Return a price from the page's table, for one of what it is for."""
    found = re.search(rf"^\| {re.escape(name)} \| (?:USD|EUR) ([\d.]+) (?:a|for) ([\d,]*)", PAGE, re.M)
    assert found is not None, name
    return float(found[1]) / float(found[2].replace(",", "") or 1)


def row(start: str) -> list[str]:
    """Return the cells of the table row that begins with a text."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def amount(value: float, currency: str = "USD") -> str:
    """Write an amount as the page does."""
    return f"{currency} {value:.2f}"


def memory_gb() -> float:
    """Return the memory of an instance, as deployed by default."""
    found = re.search(r"param instanceMemoryMB int = (\d+)", MAIN)
    assert found is not None
    return int(found[1]) / 1024


def queues() -> int:
    """Return how many queues the app listens on."""
    return (ROOT / "function_app.py").read_text(encoding="utf-8").count("@app.queue_trigger")


def test_the_app_itself() -> None:
    """Flex: both always-ready instances, and one of them running all the time; dedicated: the plan."""
    ready = 2 * memory_gb() * MONTH_S * price("always-ready instance, waiting")
    leading = memory_gb() * MONTH_S * price("always-ready instance, running")
    cells = row("the app itself")
    assert cells[1] == amount(ready + leading, "EUR")
    assert cells[2] == amount(price("B1, Linux"))
    assert amount(ready, "EUR") in cells[3]
    assert amount(leading, "EUR") in cells[3]


def test_looking_at_the_queues() -> None:
    """An asking each interval, on one queue with Flex Consumption and on all of them on a dedicated plan."""
    shipped = HOST["extensions"]["queues"]["maxPollingInterval"]
    assert shipped == "00:00:00.300"
    for name, interval_s in (("300 ms, as shipped", 0.3), ("1 s, calmer", 1.0), ("2 s", 2.0)):
        askings = MONTH_S / interval_s
        cells = row(name)
        assert cells[3] == f"{askings / 1e6:.2f} million"
        assert cells[4] == amount(askings * price("queue operation"))
        assert cells[5] == amount(queues() * askings * price("queue operation"))
    assert row("[looking at the queues]")[1:3] == row("300 ms, as shipped")[4:6]


def test_the_calmer_setting_overrides_what_host_json_says() -> None:
    """The setting on the page names something that stands in host.json, as a time of the same form."""
    [(path, value)] = re.findall(r'"AzureFunctionsJobHost__(\w+)": "([\d:.]+)"', PAGE)
    found = HOST
    for name in path.split("__"):
        found = found[name]
    assert re.fullmatch(r"\d\d:\d\d:\d\d(\.\d+)?", str(found))
    assert value == "00:00:01"


def test_rules_endpoints_and_a_second_monitor() -> None:
    """One price for each rule, for each private endpoint, and for each time that a follower asks."""
    every = re.findall(r"  every: '(\w+)'", (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8"))
    prices = {"PT1M": price("alert rule run each minute"), "PT5M": price("alert rule run each 5 minutes")}
    assert len(every) == len(ALERTS)
    assert row("[alert rules]")[1:3] == [amount(sum(prices[each] for each in every))] * 2
    endpoints = len(re.findall(r"'(?:blob|queue|table)'", MAIN.split("var storageServices", 1)[-1])) or 3
    assert endpoints >= 3
    assert row("private endpoints")[1:3] == [amount(3 * price("private endpoint"))] * 2
    asked = MONTH_S / CAMPAIGN_S
    cost = amount(asked * price("lease operation on a blob"))
    assert f"{asked / 1e6:.1f} million operations, {cost}" in PAGE


def test_asked_from_outside_and_following() -> None:
    """A request from each place at its interval, the alert on them, and a follower's lines."""
    module = (INFRA / "app" / "availability.bicep").read_text(encoding="utf-8")
    [every_s] = re.findall(r"Frequency: (\d+)", module)
    places = re.findall(r"Id: '", MAIN.split("AzureCloud: [", 1)[1].split("]", 1)[0])
    asked = len(places) * MONTH_S / int(every_s)
    requests = asked * price("availability test, one request")
    alert = price("alert on a metric")
    assert row("[asked from outside]")[1:3] == [amount(requests + alert)] * 2
    rows = amount(asked * ROW_GB * price("logs"))
    assert (
        f"{asked:,.0f} requests a month, {amount(requests)}, and the alert on them to {amount(alert)}" in PAGE
    )
    assert f"{asked:,.0f} rows or {rows}" in " ".join(PAGE.split())
    lines = MONTH_S / SIGN_EVERY_S
    assert f"{lines:,.0f} a month or {amount(lines * ROW_GB * price('logs'))}" in PAGE


def test_other_pages_say_the_same() -> None:
    """What another page says of costs in passing is rounded from the page of costs, or from its source."""
    ready = 2 * memory_gb() * MONTH_S * price("always-ready instance, waiting")
    leading = memory_gb() * MONTH_S * price("always-ready instance, running")
    wanted = {
        "EUR 29 a month: ": ready + leading,
        "two always-ready instances EUR 9.80": ready,
        "the leader that probes without a pause EUR 19.30": leading,
        "EUR 12 to 13 a month, whatever it does": 12.17,  # azure-facts A3, the price of B1 in euros
        "(blob, queue, table), about USD 22 a month": 3 * price("private endpoint"),
    }
    for text, value in wanted.items():
        [said] = re.findall(r"(?:EUR|USD) ([\d.]+)", text)
        assert OTHERS.count(text) == 1, text
        assert abs(float(said) - value) < 0.02 * value, text
    assert len(re.findall(r"\b(?:EUR|USD) \d", OTHERS)) == len(wanted)


def test_what_is_logged() -> None:
    """A row for each heartbeat and each group; and what the platform would write if it were stored."""
    for name, every_s in (("10 minutes", TOLD_EVERY_S), ("minute while", TROUBLED_EVERY_S)):
        cells = row(f"stored: how a group stands, every {name}")
        assert cells[1] == f"{MONTH_S / every_s:,.0f} a group"
        cost = amount(MONTH_S / every_s * ROW_GB * price("logs"))
        assert cells[2] == f"{cost} a group"
    crowd = amount(CROWD * MONTH_S / TOLD_EVERY_S * ROW_GB * price("logs"))
    assert f"1,000 groups that are well come to {crowd} a month" in " ".join(PAGE.split())
    kinds = {
        "stored: a heartbeat": MONTH_S / SIGN_EVERY_S,
        "left out: for each tick": 3 * MONTH_S / TICK_S,
        "left out: counts": AGGREGATES * MONTH_S / AGGREGATED_S,
    }
    for start, rows in kinds.items():
        cells = row(start)
        assert cells[1].endswith(f"{rows:,.0f}")
        assert cells[2] == amount(rows * ROW_GB * price("logs"))
    assert row("[what is logged]")[1] == row("stored: a heartbeat")[2]


def test_logs_for_auditors() -> None:
    """What a leader writes at rest; and with reads, what the host's listeners ask of their queues."""
    renewals, writes = MONTH_S / (LEASE_S / 4), 2 * MONTH_S / WRITTEN_EVERY_S
    changes = renewals + writes
    asked = MONTH_S / 0.3
    gb = price("logs") * ROW_GB
    assert row("`changes`")[1:] == [f"{changes:,.0f}", amount(changes * gb), amount(changes * gb)]
    both = [amount((changes + count * asked) * gb) for count in (1, queues())]
    assert row("`all`")[1:] == [f"{asked:,.0f} for each queue", *both]
    assert f"adds {MONTH_S / WRITTEN_EVERY_S:,.0f} rows" in PAGE


def test_a_heartbeat_is_short() -> None:
    """The text of a heartbeat is the small part of a row that the page says it is."""
    beats = [line.text for line in stories()["nothing happens"] if '"event": "heartbeat"' in line.text]
    assert beats
    assert max(map(len, beats)) < 1000 / 4


def test_traces_and_metrics() -> None:
    """A row a minute for each series: leader, group and NVAs, what is counted, and what the package adds."""
    group = group_of()
    nvas = {name: replace(up(), latency_ms=1.0) for name in group.names}
    leader = len(list(of_leader(LeaderRecord("one", 1, NOON), NOON)))
    further = len(list(of_group(group, steady(nvas=nvas), NOON)))
    said = " ".join(PAGE.split())
    assert f"group of two NVAs {leader + further} on how they stand" in said
    for series, text in ((leader + further + 10 + 9, " rows a month,"), (further, ",")):
        rows = series * MONTH_S / 60.0
        assert f"{rows:,.0f}{text} {amount(rows * ROW_GB * price('logs'))}" in said
