"""nvaha.config on whole files: the table of good and bad ones, and the places a configuration comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvaha.config import ConfigError, Problem, describe, load, parse
from nvaha.config.checks import detection_s
from nvaha.config.forms import CanaryForm, FileForm, GroupForm, NvaForm, PolicyForm, ProbeForm, ReceiverForm
from nvaha.config.settings import Settings
from nvaha.core.canary import canary_group
from nvaha.model import (
    CanarySpec,
    ControlTarget,
    Policy,
    ProbeKind,
    ProbeSpec,
    PublicIp,
    Receiver,
    ReceiverKind,
)

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "config_cases"
GOOD = sorted((CASES / "good").glob("*.yaml"))
BAD = sorted((CASES / "bad").glob("*.yaml"))
SAMPLE = CASES / "good" / "sample_environment.yaml"
NETWORK = (
    "/subscriptions/0f3a1c52-7b1e-4e0b-9d55-1b2c3d4e5f60/resourceGroups/ha-nva-rg/providers/Microsoft.Network"
)


def problems_of(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a configuration that must be refused."""
    with pytest.raises(ConfigError) as refused:
        parse(text)
    return refused.value.problems


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_exactly_this_text(case: Path) -> None:
    """A bad file is refused, and a person reads exactly the expected text."""
    with pytest.raises(ConfigError) as refused:
        parse(case.read_text("utf-8"), case.name)
    assert str(refused.value) == case.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.stem)
def test_a_good_file_is_read_with_exactly_these_warnings(case: Path) -> None:
    """A good file is read, with the expected warnings and no others."""
    loaded = parse(case.read_text("utf-8"), case.name)
    assert loaded.configuration.groups
    assert describe(loaded.warnings) == case.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("case", [*GOOD, *BAD], ids=lambda path: path.stem)
def test_no_secret_is_ever_shown(case: Path) -> None:
    """Neither errors nor warnings repeat a secret of the file."""
    try:
        shown = describe(parse(case.read_text("utf-8")).warnings)
    except ConfigError as refused:
        shown = f"{refused}{refused!r}{describe(refused.warnings)}"
    assert "hunter2" not in shown
    assert "aHVudGVyMg" not in shown


def test_every_key_arrives_in_the_model() -> None:
    """Each key of the file sets its own field, with units turned into seconds."""
    loaded = parse((CASES / "good" / "everything.yaml").read_text("utf-8"))
    group = loaded.configuration.groups[0]
    shared = ProbeSpec(
        kind=ProbeKind.HTTPS,
        port=8443,
        interface="internal",
        path="/healthz",
        expect=(*range(200, 300), 401),
        host="nva1.example.net",
        verify_tls=False,
        interval_s=2.0,
        fast_interval_s=0.25,
        timeout_s=1.5,
        fall=4,
        rise=5,
    )
    assert group.nvas[0].probe == shared
    other = group.nvas[1].probe
    assert (other.address, other.interface, other.port, other.host) == ("fd00::2", None, 443, None)
    assert group.route_tables == (f"{NETWORK}/routeTables/ha-nva-udr",)
    assert group.public_ips == (
        PublicIp("external", f"{NETWORK}/publicIPAddresses/ha-nva-pip"),
        PublicIp("external", f"{NETWORK}/publicIPAddresses/ha-nva-pip2", "second"),
        PublicIp("internal", f"{NETWORK}/publicIPAddresses/ha-nva-pip3"),
    )
    assert group.policy == Policy(
        automatic=False,
        select="cycle",
        failback="automatic",
        failback_after_s=600.0,
        hold_down_s=120.0,
        max_switches_per_hour=3,
        drift="off",
        unsteady="down",
        drift_interval_s=3600.0,
        deadline_s=300.0,
    )
    assert loaded.configuration.control_targets == (
        ControlTarget("10.0.0.4", 53),
        ControlTarget("fd00::1", 53),
        ControlTarget("10.0.1.4", 443),
    )
    assert loaded.configuration.receivers == (
        Receiver(
            "oncall", ReceiverKind.PAGERDUTY, "PD_URL", "PD_KEY",
            ("switch_failed", "all_down"), "error", ("edge",),
        ),
        Receiver("chat", ReceiverKind.TEAMS, "TEAMS_URL"),
        Receiver(
            "grid", ReceiverKind.EVENT_GRID, endpoint="https://ops.westeurope-1.eventgrid.azure.net/api/events"
        ),
    )  # fmt: skip
    spec = CanarySpec(every_s=43200.0, slow_s=90.0)
    assert loaded.configuration.canary == canary_group(f"{NETWORK}/routeTables/rt-nvaha-canary", spec)


def test_what_is_left_out_has_the_models_defaults() -> None:
    """A file that sets no probe and no policy gets the defaults of the model."""
    loaded = parse((CASES / "good" / "one_interface_needs_no_probe_role.yaml").read_text("utf-8"))
    group = loaded.configuration.groups[0]
    assert group.policy == Policy()
    assert group.nvas[0].probe == ProbeSpec(interface="all")


@pytest.mark.parametrize(("kind", "port"), [("tcp", 22), ("http", 80), ("https", 443)])
def test_the_probes_type_decides_its_default_port(kind: str, port: int) -> None:
    """A probe without a port asks the usual port of its type."""
    text = SAMPLE.read_text("utf-8").replace("port: 22", f"type: {kind}")
    assert parse(text).configuration.groups[0].nvas[0].probe.port == port


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("groups:\n  - name: edge\n    nvas: [a\n", 4, 1),
        ("groups: *nowhere\n", 1, 9),
        ('{"groups": [}', 1, 13),
        ("? [a, b]\n: 1\n", 1, 3),
        ("groups:\r\n  - name: edge\r\n\tnvas: []\r\n", 3, 1),
        ("groups:\n  - name: é\x00\n", 2, 12),
    ],
)
def test_what_cannot_be_read_is_told_with_line_and_column(text: str, line: int, column: int) -> None:
    """An error of syntax names its line and column."""
    assert [(problem.line, problem.column) for problem in problems_of(text)] == [(line, column)]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        '{"a":' * 5000,
        "- " * 5000,
        "{" * 5000 + "}" * 5000,
        "groups: [" + "[" * 40 + "]" * 40 + "]",
    ],
    ids=["list", "json", "block", "flow", "closed"],
)
def test_deep_nesting_is_an_ordinary_error(text: str) -> None:
    """Text nested deeper than any configuration is refused like any other mistake."""
    assert len(problems_of(text)) == 1


def test_a_text_beyond_the_size_limit_is_refused() -> None:
    """A text longer than the limit is refused before it is read."""
    assert "longer" in problems_of("groups: []\n" + "#" * (2 * 1024 * 1024))[0].message


@pytest.mark.parametrize(
    ("groups", "nvas", "tables"), [(1001, 2, 1), (1, 17, 1), (1, 2, 401)], ids=["groups", "nvas", "tables"]
)
def test_the_numbers_of_things_are_bounded(groups: int, nvas: int, tables: int) -> None:
    """More groups, NVAs or route tables than the limits are refused at their list, and only there."""
    tree = {
        "groups": [
            {
                "name": f"g{group}",
                "nvas": [
                    {
                        "name": f"nva{nva}",
                        "interfaces": {"all": f"{NETWORK}/networkInterfaces/{group}-{nva}"},
                    }
                    for nva in range(nvas)
                ],
                "route_tables": [f"{NETWORK}/routeTables/{group}-{table}" for table in range(tables)],
            }
            for group in range(groups)
        ]
    }
    where = "groups" if groups > 1000 else "groups[0].nvas" if nvas > 16 else "groups[0].route_tables"
    assert [problem.path for problem in problems_of(json.dumps(tree))] == [where]


def test_an_nvas_own_address_replaces_the_groups_interface() -> None:
    """An NVA with a probe address of its own is not asked through the group's interface."""
    text = SAMPLE.read_text("utf-8").replace("name: nva2", "name: nva2\n        probe: {address: 10.0.0.9}")
    first, second = (nva.probe for nva in parse(text).configuration.groups[0].nvas)
    assert (first.interface, first.address) == ("internal", None)
    assert (second.interface, second.address) == (None, "10.0.0.9")


def test_two_groups_may_share_route_tables() -> None:
    """Each owns the routes to its own NVAs; only NICs and public IPs belong to one group."""
    text = SAMPLE.read_text("utf-8")
    second = text.removeprefix("groups:\n").replace("edge", "core").replace("-vm", "-other")
    one, other = parse(text + second.replace("-pip", "-pip2")).configuration.groups
    assert one.route_tables == other.route_tables
    found = problems_of(text + text.removeprefix("groups:\n").replace("edge", "core"))
    assert {problem.path.partition("[1].")[2].partition("[")[0] for problem in found} == {
        "nvas",
        "public_ips.external",
    }


def test_a_drift_interval_that_the_budget_does_not_allow_is_said() -> None:
    """Seven resources are read every seven minutes at rest, whatever shorter interval is written."""
    text = SAMPLE.read_text("utf-8") + "    policy: {drift_interval: 1m}\n"
    [warning] = parse(text).warnings
    assert warning.path == "groups[0].policy.drift_interval"
    assert "7m" in warning.remedy


UNSET = Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).config
"""What the app makes of a setting that is not there."""


@pytest.mark.parametrize("name", ["nvaha.yaml", "nvaha.yml", "nvaha.json"])
@pytest.mark.parametrize(
    "setting",
    [None, "", "  ", Settings.from_environ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).config],
)
def test_without_a_setting_the_default_files_are_tried(
    tmp_path: Path, name: str, setting: str | None
) -> None:
    """Without NVAHA_CONFIG the app's configuration is a file beside host.json, by one of three names."""
    (tmp_path / name).write_text(SAMPLE.read_text("utf-8"), "utf-8")
    assert load(setting, tmp_path).configuration.groups[0].name == "edge"


def test_the_first_default_file_wins(tmp_path: Path) -> None:
    """nvaha.yaml is read when nvaha.json is there too."""
    (tmp_path / "nvaha.yaml").write_text(SAMPLE.read_text("utf-8"), "utf-8")
    (tmp_path / "nvaha.json").write_text("{}", "utf-8")
    assert load(None, tmp_path).configuration.groups[0].name == "edge"


def test_a_setting_may_name_a_file_absolutely_or_beside_host_json(tmp_path: Path) -> None:
    """A file is found by its absolute path and by its path from the folder of host.json."""
    (tmp_path / "conf").mkdir()
    file = tmp_path / "conf" / "edge.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SAMPLE.read_bytes())
    assert load("conf/edge.yaml", tmp_path) == load(str(file), Path("/nowhere"))


def test_a_file_that_is_absent_is_a_problem_of_the_setting(tmp_path: Path) -> None:
    """A file that is not there is told as a problem of the setting, with its path."""
    with pytest.raises(ConfigError) as refused:
        load(None, tmp_path)
    [problem] = refused.value.problems
    assert problem.path == "NVAHA_CONFIG"
    assert "nvaha.yaml" in problem.value


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("groups: []\n".encode("utf-16"), 1, "PowerShell"),
        (b"groups:\n  # caf\xe9\n", 2, "not UTF-8"),
        (b"#" * (9 * 1024 * 1024), 1, "too large"),
    ],
    ids=["utf-16", "latin", "huge"],
)
def test_a_file_that_is_no_text_is_named(tmp_path: Path, content: bytes, line: int, said: str) -> None:
    """A file that is not UTF-8, or far too large, is told by its own name and the place in it."""
    (tmp_path / "edge.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load("edge.yaml", tmp_path)
    assert refused.value.source == "edge.yaml"
    [problem] = refused.value.problems
    assert problem.line == line
    assert said in problem.message


def test_problems_and_warnings_come_in_file_order() -> None:
    """A reader who goes down the file meets the problems in their order; what is missing, at its parent."""
    text = (
        "groups:\n"
        "  - name: edge\n"
        "    probe: {port: 0, colour: red}\n"
        "    nvas: [{name: nva1, interfaces: {a.b: x}}, {interfaces: {a.b: y}, name: NVA1}]\n"
        "    password: hunter2\n"
    )
    assert [problem.path for problem in problems_of(text)] == [
        "groups[0]",
        "groups[0].probe.port",
        "groups[0].probe.colour",
        "groups[0].nvas[0].interfaces.a.b",
        "groups[0].nvas[1].interfaces.a.b",
        "groups[0].nvas[1].name",
        "groups[0].password",
    ]


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    """A setting that names a folder is a configuration error."""
    with pytest.raises(ConfigError):
        load(".", tmp_path)


def test_a_setting_may_be_the_configuration_itself(tmp_path: Path) -> None:
    """A setting that starts with a brace is read as JSON."""
    inline = (CASES / "good" / "json.yaml").read_text("utf-8")
    assert load(f" {inline}", tmp_path) == parse(inline)


def test_a_url_is_read_by_the_function_passed_in(tmp_path: Path) -> None:
    """An https URL is passed on whole, and its text read."""
    asked: list[str] = []

    def read_url(url: str) -> str:
        asked.append(url)
        return SAMPLE.read_text("utf-8")

    url = "https://nvaha.blob.core.windows.net/config/nvaha.yaml?sv=2024&sig=hunter2"
    assert load(url, tmp_path, read_url).configuration.groups[0].name == "edge"
    assert asked == [url]


def _absent(url: str) -> str:
    raise FileNotFoundError(2, "No such blob", url)


def _refuses(url: str) -> str:
    raise ConnectionRefusedError(f"cannot reach {url}")


def _empty(_url: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("url", "read_url"),
    [
        ("http://u:hunter2@nvaha.example.net/nvaha.yaml?sig=hunter2", _empty),
        ("https://nvaha.example.net/nvaha.yaml?sig=hunter2", None),
        ("https://nvaha.example.net/nvaha.yaml?sig=hunter2", _absent),
        ("https://nvaha.example.net/nvaha.yaml?sig=hunter2", _refuses),
        ("https://nvaha.example.net/nvaha.yaml?sig=hunter2", _empty),
        ("https://[hunter2", _empty),
        ("https:///nvaha.yaml?sig=hunter2", _empty),
    ],
)
def test_a_url_that_gives_no_configuration_is_told_without_its_query(
    tmp_path: Path, url: str, read_url: object
) -> None:
    """Whatever is wrong with a URL, the error shows neither its query nor its credentials."""
    with pytest.raises(ConfigError) as refused:
        load(url, tmp_path, read_url if callable(read_url) else None)
    assert "hunter2" not in str(refused.value)


def test_many_problems_are_all_kept_and_the_text_stays_readable() -> None:
    """All problems are in the error, and its text shows the first hundred and the number of the rest."""
    with pytest.raises(ConfigError) as refused:
        parse("groups:\n" + "  - {}\n" * 100)
    assert len(refused.value.problems) == 300
    assert "200 more" in str(refused.value)


def test_the_sample_file_is_good_as_it_is() -> None:
    """The sample file is read without a warning, and says what the defaults are."""
    loaded = parse((ROOT / "nvaha.sample.yaml").read_text("utf-8"))
    assert loaded.warnings == ()
    group = loaded.configuration.groups[0]
    assert group.policy == Policy()
    assert {nva.probe for nva in group.nvas} == {ProbeSpec(interface="internal")}


def test_the_page_on_configuration_is_right() -> None:
    """The page's whole file is read without a warning, and every key has its line in a table."""
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    assert parse(example).warnings == ()
    for form in (FileForm, CanaryForm, ReceiverForm, GroupForm, NvaForm, ProbeForm, PolicyForm):
        for key in form.model_fields:
            assert f"\n| `{key}` | " in page


def test_the_page_states_detection_as_it_is_computed() -> None:
    """The page's table of detection times agrees with the checks."""
    quick = ProbeSpec(interval_s=0.5, fast_interval_s=0.2, timeout_s=0.3)
    calm = ProbeSpec(interval_s=5, fast_interval_s=1, timeout_s=2, fall=4)
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    for probe in (ProbeSpec(), quick, calm):
        refusing = probe.interval_s + (probe.fall - 1) * probe.fast_interval_s
        assert f"| {probe.fall} | {refusing:g} s | {detection_s(probe):g} s |" in page
