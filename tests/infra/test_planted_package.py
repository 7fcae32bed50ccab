"""Each check of package, host, queries, alerts and pages finds the mistake that it is there for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from . import test_cost
from .alerts import alert_problems
from .commands import page_problems
from .hosting import azd_problems, host_problems
from .packages import files, package_problems
from .reports import report_problems
from .rules.ways import COMMON, Way
from .template.source import Files
from .test_alerts import TEMPLATE
from .test_host import functions
from .test_queries import HOST, QUERIES, event_problems, minute_problems
from .tools import ROOT


@dataclass(frozen=True)
class Mistake:
    """One change of a file, everywhere that `right` stands in it, and what a problem found must name."""

    name: str
    file: str
    right: str
    wrong: str
    named: str

    def text(self) -> str:
        """Return the file with the mistake in it."""
        source = (ROOT / self.file).read_text(encoding="utf-8")
        assert self.right in source
        return source.replace(self.right, self.wrong)


PACKAGE = [
    Mistake(
        "a folder without its slash", ".funcignore", "/requirements/", "/requirements", "requirements.txt out"
    ),
    Mistake(
        "a word that is another file's, too", ".funcignore", "/bench/", "/host", "Core Tools leaves host.json"
    ),
    Mistake(
        "a folder by its last name", ".funcignore", "/nvaha/lab/", "lab/", "Core Tools packages nvaha/lab/"
    ),
    Mistake("nested caches", ".funcignore", "**/__pycache__/", "", "packages nvaha/core/__pycache__"),
    Mistake(
        "the package by its name", ".funcignore", "/nvaha/cli/", "/nvaha", "Core Tools leaves nvaha.yaml out"
    ),
    Mistake("all YAML", ".funcignore", "/azure.yaml", "*.yaml", "leaves nvaha.yaml out"),
    Mistake("a folder that is forgotten", ".funcignore", "/tests/\n", "", "packages tests/"),
    Mistake(
        "local settings by a pattern",
        ".funcignore",
        "/local.settings.sample.json",
        "",
        "local.settings.sample",
    ),
    Mistake("a virtual environment", ".funcignore", "/venv/\n", "", "packages venv/"),
    Mistake(
        "something brought back", ".funcignore", "/docs/", "/docs/\n!/docs/", "Core Tools packages docs/"
    ),
    Mistake("hidden files below the root", ".funcignore", "**/.*", "", "packages nvaha/.DS_Store"),
]
HOSTING = [
    Mistake(
        "traces are sampled",
        "host.json",
        '"isEnabled": false',
        '"isEnabled": true',
        "events of function probe",
    ),
    Mistake(
        "all but requests are sampled",
        "host.json",
        '"isEnabled": false',
        '"isEnabled": true, "excludedTypes": "Request;Exception"',
        "events of function switch",
    ),
    Mistake(
        "a level that silences",
        "host.json",
        '"Function": "Information"',
        '"Function": "Error"',
        "function pause",
    ),
    Mistake(
        "a default that silences", "host.json", '"Function": "Information",', "", "events of function switch"
    ),
    Mistake(
        "nothing from the host",
        "host.json",
        '"default": "Warning"',
        '"default": "None"',
        "error of Host.Startup",
    ),
    Mistake(
        "heartbeats silenced",
        "host.json",
        '"Function.probe.User": "Information"',
        '"Host": "Warning"',
        "function probe",
    ),
    Mistake("two traces a tick", "host.json", '"Function.probe": "Warning",', "", "Function.probe is stored"),
    Mistake(
        "a request a tick",
        "host.json",
        '"default": "Warning"',
        '"default": "Information"',
        "Host.Results is stored",
    ),
    Mistake(
        "failures left out",
        "host.json",
        '"Function.health": "Warning"',
        '"Function.health": "None"',
        "a failure of",
    ),
    Mistake(
        "no such level", "host.json", '"default": "Warning"', '"default": "Warn"', "Warn is no log level"
    ),
    Mistake(
        "remote build", "azure.yaml", "host: function", "host: function\n    remoteBuild: true", "remoteBuild"
    ),
    Mistake(
        "another service", "azure.yaml", "  monitor:", "  app:", "no app has the tag azd-service-name app"
    ),
    Mistake("another language", "azure.yaml", "language: python", "language: js", "language of monitor"),
]
QUERY = [
    Mistake("another event", "switch-failed", "group_state", "switch_done", "is silent when"),
    Mistake("another field", "active-nva-down", "Fields.active_down", "Fields.unasked", "is silent when"),
    Mistake(
        "an event of the same kind",
        "poison-message",
        "message_poisoned",
        "switch_requeued",
        "fires when nobody",
    ),
    Mistake("no event at all", "all-nvas-down", "group_state", "group_gone", "group_gone is no event"),
    Mistake(
        "a field that the event lacks",
        "all-nvas-down",
        "TimeGenerated, Group,",
        "TimeGenerated, Group, Monitor = tostring(Fields.instance),",
        "Monitor is always empty",
    ),
    Mistake(
        "a field misspelt",
        "poison-message",
        "Fields.operation",
        "Fields.operations",
        "Operation is always empty",
    ),
    Mistake(
        "inverted", "active-nva-down", "where tobool(Fields.", "where not(tobool(Fields.", "cannot be run"
    ),
    Mistake(
        "left out", "active-nva-down", "where tobool(Fields.active_down) and ", "where ", "fires when nothing"
    ),
    Mistake("hours for minutes", "no-leader", "> 150s", "> 150m", "is silent 240 s after"),
    Mistake("seconds for minutes", "no-leader", "> 150s", "> 15s", "fires 60 s after"),
    Mistake(
        "silence itself is not seen",
        "no-leader",
        "isnull(Newest) or ",
        "",
        "in which nothing ever was",
    ),
    Mistake("the oldest for the newest", "no-leader", "max(Sign)", "min(Sign)", "fires"),
    Mistake("another sign of life", "no-leader", "heartbeat", "leader_elected", "fires"),
    Mistake(
        "a word for an event",
        "poison-message",
        '| where tostring(Fields.event) == "message_poisoned"\n',
        "",
        "not yet that event",
    ),
    Mistake(
        "only heartbeats", "timeline", 'Event != "heartbeat"', 'Event == "heartbeat"', "timeline.kql shows"
    ),
    Mistake("a minute for a day", "timeline", "ago(1d)", "ago(1m)", "timeline.kql shows"),
    Mistake("oldest first", "timeline", "TimeGenerated desc", "TimeGenerated asc", "not newest first"),
    Mistake("hours for days", "switches", "ago(7d)", "ago(7h)", "switches.kql does not look back"),
    Mistake("days for hours", "rounds", "ago(6h)", "ago(6d)", "rounds.kql does not look back"),
    Mistake("from end to request", "switches", "Ended - Requested", "Requested - Ended", "switches.kql says"),
    Mistake("the first for the last", "switches", "max(Result)", "min(Result)", "switches.kql shows"),
    Mistake(
        "by group",
        "switches",
        "by Operation",
        "by Group = tostring(Fields.group), Operation = 1",
        "cannot be run",
    ),
    Mistake("who sees", "rounds", "tobool(Fields.blind)", "not(tobool(Fields.blind))", "rounds.kql says"),
    Mistake("best for worst", "rounds", "Worst_ms = max", "Worst_ms = min", "rounds.kql says"),
    Mistake(
        "ready again and told all the same",
        "nva-not-ready",
        "arg_max(TimeGenerated",
        "arg_min(TimeGenerated",
        "is silent when",
    ),
    Mistake("any group for each", "nva-down", " by Group\n", "\n", "cannot be run"),
    Mistake("the other readiness", "nva-not-ready", "isnotempty", "isempty", "is silent when"),
    Mistake("one end is enough", "host-ends", "Ends >= 2", "Ends >= 1", "fires when the host ends"),
    Mistake("three ends at least", "host-ends", "Ends >= 2", "Ends >= 3", "is silent when the host ends and"),
    Mistake(
        "of all apps together", "host-ends", "by App = AppRoleName", "by App = 'all'", "hosts of two monitors"
    ),
    Mistake(
        "somebody's words",
        "host-ends",
        'not(tostring(Properties.Category) startswith "Function.")',
        "true",
        "fires when others say what they like",
    ),
    Mistake("another end", "host-ends", "An unhandled exception", "A function timeout", "is silent when"),
    Mistake(
        "a line of another level",
        "host-ends",
        "| summarize",
        "| where SeverityLevel < 3\n| summarize",
        "is silent when",
    ),
    Mistake(
        "by an hour",
        "host-ends",
        "| summarize",
        "| where TimeGenerated < ago(1h)\n| summarize",
        "is silent when",
    ),
    Mistake("any for throttled", "throttled", "Fields.throttled", "Fields.unread", "fires when Azure c"),
    Mistake("hours for minutes of silence", "monitor-silent", "> 7m", "> 7h", "is silent 400 s after"),
    Mistake("who never was is missed", "monitor-silent", " by App = AppRoleName", "", "cannot be run"),
    Mistake("back and told all the same", "no-token", "arg_max(", "arg_min(", "fires when a token can"),
    Mistake(
        "half moved is not unknown",
        "active-unknown",
        "isempty(tostring(Fields.unfinished)) and ",
        "",
        "fires when Azure fails every attempt",
    ),
    Mistake("what a minutely rule may not", "switch-failed", "| project", "| take 10\n| project", "take"),
]
ALERT = [
    Mistake("telemetry is late", "host-ends", "'PT10M'", "'PT1M'", "is silent when the host ends and"),
    Mistake("never over", "host-ends", "'PT10M'", "'PT6H'", "still fires"),
    Mistake("over while it lasts", "active-nva-down", "'PT6H'", "'PT10M'", "is silent 1200 s after"),
    Mistake(
        "another rule's query",
        "poison-message",
        "queries/poison-message.kql",
        "queries/no-leader.kql",
        "still fires",
    ),
    Mistake("one is not enough", "switch-failed", "threshold: 0", "threshold: 5", "threshold"),
    Mistake("the wrong way round", "switch-failed", "'GreaterThan'", "'LessThan'", "operator"),
    Mistake("switched off", "switch-failed", "enabled: true", "enabled: false", "is silent when"),
    Mistake("each quarter of an hour", "switch-failed", "'PT1M'", "'PT15M'", "not run often enough"),
    Mistake("never resolved", "switch-failed", "autoMitigate: true", "autoMitigate: false", "autoMitigate"),
    Mistake("three times in a row", "switch-failed", "ToAlert: 1", "ToAlert: 3", "minFailingPeriodsToAlert"),
    Mistake(
        "an older end counts, too",
        "host-ends",
        "'PT10M'",
        "'PT30M'",
        "fires when the host has ended long before",
    ),
    Mistake(
        "readiness is told of by nobody",
        "nva-not-ready",
        "name: 'nva-not-ready'",
        "name: 'nva-ready'",
        "there is no rule nva-not-ready",
    ),
    Mistake(
        "a rule that is gone",
        "no-leader",
        "name: 'no-leader'",
        "name: 'leaderless'",
        "there is no rule no-leader",
    ),
]
PAGES = [
    Mistake("an option of old", "docs/deploy.md", "edge --to nva2", "edge --target nva2", "--target"),
    Mistake("no such command", "docs/upgrade.md", "nvaha status ", "nvaha leader ", "leader"),
    Mistake(
        "no such option",
        "docs/monitoring.md",
        "`nvaha history GROUP`",
        "`nvaha history GROUP --last 5`",
        "--last",
    ),
    Mistake("a number in words", "docs/cli.md", "[--limit N]", "[--limit ten]", "ten"),
    Mistake(
        "an argument too many", "docs/deploy.md", "nvaha history edge", "nvaha history edge nva1", "nva1"
    ),
    Mistake("an argument too few", "docs/deploy.md", "nvaha plan edge --to", "nvaha plan --to", "GROUP"),
    Mistake("func: no such flag", "docs/deploy.md", "--build remote", "--remote-build", "--remote-build"),
    Mistake(
        "func: no such command",
        "docs/upgrade.md",
        "functionapp publish",
        "functionapp deploy",
        "no such command",
    ),
    Mistake(
        "az: another program's flag", "docs/deploy.md", "--template-file", "--template", "has no --template"
    ),
    Mistake(
        "az: on the next line",
        "docs/deploy.md",
        "--query functionKeys",
        "--show functionKeys",
        "has no --show",
    ),
    Mistake(
        "az: within a command",
        "docs/deploy.md",
        "--name edge-monitor --query",
        "--id edge-monitor --query",
        "--id",
    ),
    Mistake(
        "azd: no such flag", "docs/deploy.md", "--environment edge-monitor;", "--env edge-monitor;", "--env"
    ),
    Mistake(
        "azd: no such command", "docs/deploy.md", "azd env get-values", "azd env dump", "no such command"
    ),
    Mistake(
        "of our own: no such flag",
        "docs/simulation.md",
        "--enforce all",
        "--enforced all",
        "has no --enforced",
    ),
    Mistake(
        "of our own: no such module",
        "docs/simulation.md",
        "-m tests.mutants",
        "-m tests.mutant",
        "no such module",
    ),
    Mistake(
        "az: a flag of long ago",
        "docs/deploy.md",
        "locations --output table",
        "locations --details",
        "--details",
    ),
    Mistake(
        "az: everything is deleted",
        "docs/security.md",
        "[?ends_with(roleDefinitionId, '/${role##*/}')].id",
        "[].id",
        "delete everything",
    ),
    Mistake(
        "az: everything is deleted where a variable is empty",
        "docs/security.md",
        "'/${role##*/}'",
        "'${role##*/}'",
        "delete everything",
    ),
    Mistake("az: no such answer", "docs/security.md", "[?principalId", "[?principalID", "no principalID"),
    Mistake("az: a key to all", "docs/deploy.md", "functionKeys.default", "masterKey", "no masterKey"),
    Mistake(
        "az: no such output", "docs/deploy.md", "AZURE_FUNCTION_APP_NAME.value", "APP_NAME.value", "APP_NAME"
    ),
    Mistake(
        "azd: no such output",
        "docs/deploy.md",
        "get-value NVAHA_ENDPOINT_SUBNET_ID",
        "get-value NVAHA_ENDPOINTS_SUBNET_ID",
        "NVAHA_ENDPOINTS_SUBNET_ID is no output",
    ),
    Mistake("az: behind a pipe", "docs/security.md", "delete --ids\n", "delete --id\n", "has no --id"),
    Mistake(
        "docker: what was stopped comes back",
        "docs/migrate-from-ha-nva.md",
        "--restart=no",
        "--restart=always",
        "--restart always is not what is meant",
    ),
    Mistake("az: a password", "docs/deploy.md", "--auth-type ssh-key", "--auth-type password", "password is"),
    Mistake("az: nothing is built", "docs/releasing.md", "remote true", "remote false", "false is not"),
    Mistake("gh: no such flag", "docs/releasing.md", "--verify-tag", "--verified-tag", "--verified-tag"),
    Mistake("a flag alone", "docs/cli.md", "| `--wait`", "| `--await`", "--await is no flag"),
]
COSTS = [
    Mistake("a price", "docs/cost.md", "USD 0.004 for", "USD 0.04 for", "test_looking_at_the_queues"),
    Mistake("an amount", "docs/cost.md", "USD 6.91", "USD 3.46", "test_looking_at_the_queues"),
    Mistake("a count", "docs/cost.md", "28,800", "2,880", "test_what_is_logged"),
    Mistake("the app", "docs/cost.md", "EUR 29.16", "EUR 39.16", "test_the_app_itself"),
    Mistake("rules", "docs/cost.md", "USD 52.50", "USD 3.00", "test_rules_endpoints_and_a_second_monitor"),
    Mistake(
        "no such setting", "docs/cost.md", "__queues__", "__queue__", "test_the_calmer_setting_overrides"
    ),
    Mistake("a rounded amount", "docs/deploy.md", "about USD 22", "about USD 7", "test_other_pages"),
    Mistake("an amount elsewhere", "docs/deploy.md", "Then go on", "USD 3. Then go on", "test_other_pages"),
    Mistake("a day", "docs/cost.md", '"00:00:01"', '"1"', "test_the_calmer_setting_overrides"),
]


def by_name(mistake: Mistake) -> str:
    """Return how a mistake is called in the report of the tests."""
    return mistake.name


@pytest.mark.parametrize("mistake", PACKAGE, ids=by_name)
def test_mistake_in_the_package_is_found(mistake: Mistake) -> None:
    """A pattern that takes out too much or too little, for either tool, is reported with the file."""
    assert any(mistake.named in each for each in package_problems(mistake.text(), files(ROOT)))


@pytest.mark.parametrize("mistake", HOSTING, ids=by_name)
def test_mistake_in_hosting_is_found(mistake: Mistake) -> None:
    """A host.json that loses events or stores noise, and an azure.yaml that fails on a plan, are reported."""
    if mistake.file == "azure.yaml":
        problems = azd_problems(mistake.text(), Way(COMMON).world(Files()))
    else:
        problems = host_problems(mistake.text(), functions())
    assert any(mistake.named in each for each in problems)


def test_a_host_that_silences_events_silences_the_alerts() -> None:
    """With a level that lets no event through, no rule but the one on silence fires."""
    host = json.loads(json.dumps(HOST).replace('"Information"', '"None"'))
    for rule, said in (("active-nva-down", "is silent when"), ("no-leader", "fires 20 s after")):
        assert any(f"{rule} {said}" in each for each in alert_problems(TEMPLATE, QUERIES, host, rule))


@pytest.mark.parametrize("mistake", QUERY, ids=by_name)
def test_mistake_in_a_query_is_found(mistake: Mistake) -> None:
    """A query that shows what was not logged, or whose rule is silent or cries wolf, is reported."""
    name = f"{mistake.file}.kql"
    assert mistake.right in QUERIES[name]
    query = QUERIES[name].replace(mistake.right, mistake.wrong)
    assert any(mistake.named in each for each in query_problems(name, query))


def query_problems(name: str, query: str) -> Iterator[str]:
    """Report what is wrong with one query."""
    yield from event_problems(query)
    if f"queries/{name}" in TEMPLATE:
        yield from minute_problems(query)
        yield from alert_problems(TEMPLATE, {**QUERIES, name: query}, HOST, name.removesuffix(".kql"))
    yield from report_problems(name, query, HOST)


@pytest.mark.parametrize("mistake", ALERT, ids=by_name)
def test_mistake_in_an_alert_rule_is_found(mistake: Mistake) -> None:
    """A rule that is not heard, not in time, or for ever, is reported."""
    assert mistake.right in TEMPLATE
    problems = alert_problems(TEMPLATE.replace(mistake.right, mistake.wrong), QUERIES, HOST, mistake.file)
    assert any(mistake.named in each for each in problems)


@pytest.mark.parametrize("mistake", PAGES, ids=by_name)
def test_mistake_on_a_page_is_found(mistake: Mistake) -> None:
    """A command or a flag that is none is reported, wherever on a page it stands."""
    assert any(mistake.named in each for each in page_problems(mistake.text()))


@pytest.mark.parametrize("mistake", COSTS, ids=by_name)
def test_mistake_in_the_costs_is_found(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amount that does not follow from the prices, or a setting that changes nothing, fails its test."""
    page = "PAGE" if mistake.file == "docs/cost.md" else "OTHERS"
    monkeypatch.setattr(test_cost, page, mistake.text())
    [check] = [getattr(test_cost, name) for name in dir(test_cost) if name.startswith(mistake.named)]
    with pytest.raises((AssertionError, KeyError)):
        check()
