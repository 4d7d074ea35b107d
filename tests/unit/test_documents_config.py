"""Repository, environment and ledger: closed, free of credentials, every problem in one pass."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generator.documents.config import (
    check_url,
    read_config,
    read_environment,
    read_rejected,
    read_time,
    write_rejected,
    write_time,
)
from generator.errors import InputError
from generator.model.approval import Approval
from generator.model.config import Config, Rejection, Waiver
from generator.model.environment import Environment, Kind
from generator.model.forge import ForgePlace
from generator.model.window import DenyWindow, Schedule

AWAY = "offlineBudget lies between 2h, how often an agent truncates its log, and 7d"
NO_NAME = "is not a name: use lower-case letters, digits and inner hyphens"
API = "apiVersion: tidegate.dev/v1alpha1\n"
CONFIG = f"{API}kind: Repository\n"
EDGE = f"{API}kind: Environment\nname: edge-k3s\ntype: edge-k3s\n"


def config(text: str) -> Config:
    return read_config("tidegate.yaml", text.encode())


def environment(text: str) -> Environment:
    return read_environment("e.yaml", text.encode(), "edge-k3s")


def told(read: Callable[[str], Any], text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    return [str(problem).partition(":")[2].strip() for problem in error.value.problems]


def test_the_defaults_of_a_repository() -> None:
    assert config(CONFIG) == Config()
    assert (Config().branch, Config().forge) == ("main", ForgePlace())


def test_every_key_of_a_repository_is_read() -> None:
    text = CONFIG + (
        "branch: release/2026\n"
        'remote: "ssh://git@git.example.com/fleet.git"\n'
        "forge: {kind: gitlab, url: https://git.example.com, project: acme/edge/fleet}\n"
        'registry: {uri: "http://mlflow.example.com:5000"}\n'
        "images: {allow: [registry.example.com/models/]}\n"
        "artifacts: {allow: ['s3://models/', 'file:']}\n"
        "approvals:\n- {environment: edge-k3s, count: 2, of: [ada, ben]}\n"
        "- {path: /models/, of: [dana]}\n"
        "waivers:\n- {rule: pss, reason: old runtime, until: '2026-12-31T00:00:00+01:00'}\n"
    ).replace("old runtime", "'old runtime'")
    assert config(text) == Config(
        "release/2026",
        "ssh://git@git.example.com/fleet.git",
        ForgePlace("gitlab", "https://git.example.com", "acme/edge/fleet"),
        "http://mlflow.example.com:5000",
        ("registry.example.com/models/",),
        ("s3://models/", "file:"),
        (Waiver("pss", "old runtime", datetime(2026, 12, 30, 23, tzinfo=UTC)),),
        (Approval("edge-k3s", "", 2, ("ada", "ben")), Approval("", "/models/", 1, ("dana",))),
    )


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ("brnch: main\n", ["3: unknown key 'brnch'; did you mean 'branch'?"]),
        ("forge: github.com\n", ["3: forge: 'github.com' is none of none, github, gitlab, gitea"]),
        (
            "forge: github\n",
            ["3: forge: write it as {kind: github, project: OWNER/NAME}"],
        ),
        ("forge: {kind: github}\n", ["3: the key 'project' is missing"]),
        (
            "forge: {kind: svn, project: acme/fleet}\n",
            ["3: kind: 'svn' is none of none, github, gitlab, gitea"],
        ),
        (
            "forge: {kind: gitea, project: acme/fleet}\n",
            ["3: forge.url is missing: write the web address of the forge"],
        ),
        (
            "forge: {kind: github, project: acme/fleet, projekt: x}\n",
            ["3: unknown key 'projekt'; did you mean 'project'?"],
        ),
        ("registry: {url: x}\n", ["3: unknown key 'url'; did you mean 'uri'?"]),
        ("images: {allow: x}\n", ["3: allow must be a list"]),
        (
            "approvals: {edge-k3s: 2}\n",
            [
                "3: approvals is a list, without 'edge-k3s' as a key; "
                "write - {environment: edge-k3s, count: 1, of: [ada]}"
            ],
        ),
        (
            "approvals:\n- {of: [ada]}\n- {environment: edge, path: /x, of: [ada]}\n"
            "- {path: x/../y, count: 1, of: [ada]}\n- {path: /x, count: 2, of: [ada]}\n"
            "- {path: /x, count: 2, of: [ada, Ada]}\n- {path: /x, of: ['a b']}\n",
            [
                "4: an approval names either environment or path",
                "5: an approval names either environment or path",
                "6: an approval names either environment or path",
                "6: path: 'x/../y' is not a path such as /models/ or /tidegate.yaml",
                "7: count lies between 1 and 1",
                "8: of names an account twice",
                "9: count lies between 1 and the length of of",
                "9: of: 'a b' is not the name of an account",
            ],
        ),
        ("images: [x]\n", ["3: expected a mapping of keys to values"]),
        ("branch: a..b\n", ["3: branch: 'a..b' is not a branch name"]),
        ("branch: -f\n", ["3: branch: '-f' reads differently in different tools; quote it"]),
        ("branch: '-f'\n", ["3: branch: '-f' is not a branch name"]),
        ("branch: a.lock\n", ["3: branch: 'a.lock' is not a branch name"]),
        ("branch: 'a b'\n", ["3: branch: 'a b' is not a branch name"]),
        (
            "remote: 'https://user:secret@git.example.com/x'\n",
            ["3: remote: a URL in Git must not hold credentials"],
        ),
        (
            "waivers:\n- {rule: a, until: '2026-01-01T00:00:00Z'}\n",
            ["4: the key 'reason' is missing"],
        ),
        (
            "waivers:\n- {rule: a, reason: ' ', until: '2026-01-01T00:00:00Z'}\n",
            ["4: reason: must not be empty"],
        ),
        (
            "waivers:\n- {rule: a, reason: b, until: '2026-01-01T00:00:00'}\n",
            ["4: until: '2026-01-01T00:00:00' has no time zone: end it with Z"],
        ),
        (
            "waivers:\n- {rule: a, reason: b, until: soon, why: c}\n",
            [
                "4: unknown key 'why'; known keys: reason, rule, until",
                "4: until: 'soon' is not a time such as 2026-11-20T08:05:00Z",
            ],
        ),
    ],
)
def test_a_wrong_line_of_the_repository_is_named(lines: str, problems: list[str]) -> None:
    assert told(config, CONFIG + lines) == problems


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "https://git.example.com/fleet.git",
            "http://127.0.0.1:9090",
            "sqlite:////x/mlflow.db",
        ),
        *("file:///srv/git/fleet.git", "ssh://git@git.example.com/fleet.git", "s3://bucket/prefix"),
    ],
)
def test_a_plain_url_is_taken(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("https://user:secret@x/y", "https://token@x/y", "http://:secret@x", "ssh://git:pw@x/y"),
        *("ext::sh -c id", "ext::sh", "-oProxyCommand=x", "--upload-pack=x", "https://x/a b"),
        *("https://x/\n", "https://x/\u200b", "https://é/", "https://x/\0", "x" * 1025),
    ],
)
def test_a_url_that_is_a_command_an_option_or_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as error:
        check_url(url)
    assert "secret" not in str(error.value)


def test_the_defaults_of_an_environment() -> None:
    found = environment(EDGE)
    assert found == Environment("edge-k3s", Kind.EDGE)
    assert (found.interval, found.history, found.adopt_within) == (
        timedelta(minutes=5),
        timedelta(hours=24),
        timedelta(hours=1),
    )
    assert (found.strata, found.namespace) == (("region", "hardware"), "models")


def test_every_key_of_an_environment_is_read() -> None:
    text = EDGE + (
        'kubernetes: "1.34"\ndelivery: argocd\nnamespace: vision\n'
        'prometheus: "https://prometheus.example.com"\ninterval: 1m\nhistory: 2d\n'
        "offlineBudget: 36h\nadoptWithin: 90m\nstrata: []\n"
        "settings: [line, on-call]\nrequires: [cloud-eks]\n"
        "kinds: [batch/CronJob, Endpoints]\n"
        "denyWindows: [{schedule: '0 22 * * 5', duration: 56h, timeZone: Europe/Berlin}]\n"
    )
    assert environment(text) == Environment(
        "edge-k3s",
        Kind.EDGE,
        kubernetes="1.34",
        namespace="vision",
        prometheus="https://prometheus.example.com",
        interval=timedelta(minutes=1),
        history=timedelta(days=2),
        offline_budget=timedelta(hours=36),
        adopt_within=timedelta(minutes=90),
        strata=(),
        settings=("line", "on-call"),
        requires=("cloud-eks",),
        kinds=("batch/CronJob", "Endpoints"),
        deny_windows=(
            DenyWindow(Schedule.parse("0 22 * * 5"), timedelta(hours=56), "Europe/Berlin"),
        ),
    )


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ("intervall: 5m\n", ["5: unknown key 'intervall'; did you mean 'interval'?"]),
        (
            "kubernetes: 1.30\n",
            ["5: kubernetes: '1.30' reads differently in different tools; quote it"],
        ),
        (
            "kubernetes: '2.0'\n",
            ["5: kubernetes: '2.0' is not a Kubernetes version such as \"1.36\""],
        ),
        ("interval: 5\n", ["5: interval: '5' reads differently in different tools; quote it"]),
        ("interval: 9s\n", ["interval lies between 10s and 1h"]),
        ("interval: 2h\n", ["interval lies between 10s and 1h"]),
        ("history: 30m\n", ["history lies between 1h and 7d"]),
        ("history: 8d\n", ["history lies between 1h and 7d"]),
        ("offlineBudget: 119m\n", [AWAY]),
        ("offlineBudget: 8d\n", [AWAY]),
        ("delivery: push\n", ["5: delivery: 'push' is none of argocd, argocd-pull, flux"]),
        (
            "namespace: Models\n",
            [f"5: namespace: namespace 'Models' {NO_NAME}"],
        ),
        ("settings: ['a b']\n", ["5: settings: 'a b' is not a column name"]),
        ("strata: [region, '../x']\n", ["5: strata: '../x' is not a column name"]),
        ("settings: ['\u00e9']\n", ["5: settings: '\u00e9' is not a column name"]),
        (
            "settings: [path]\n",
            ["5: settings: 'path' cannot be a column: Argo CD puts a value of its own there"],
        ),
        *(
            (
                f"settings: [{name}]\n",
                [
                    f"5: settings: {name!r} cannot be a setting: at most 55 characters, "
                    "no sign at the end"
                ],
            )
            for name in ("x" * 56, "line_")
        ),
        (
            "requires: [Cloud]\n",
            [f"5: requires: environment 'Cloud' {NO_NAME}"],
        ),
        ("kinds: ['*']\n", ["5: kinds: '*' is not a kind such as batch/CronJob"]),
        (
            "kinds: [batch/v1/CronJob]\n",
            ["5: kinds: 'batch/v1/CronJob' is not a kind such as batch/CronJob"],
        ),
        ("kinds: [Secret]\n", ["5: kinds: a release never brings the kind Secret"]),
        ("prometheus: 'http://a:b@c'\n", ["5: prometheus: a URL in Git must not hold credentials"]),
        (
            "denyWindows: [{schedule: x, duration: 1h, zone: UTC}]\n",
            [
                "5: schedule: 'x' is not a schedule of five fields such as \"0 22 * * 5\"",
                "5: unknown key 'zone'; known keys: duration, schedule, timeZone",
            ],
        ),
        (
            "denyWindows:\n- {schedule: '0 0 * * *', duration: 32d}\n"
            "- {duration: 1h, timeZone: '/x'}\n",
            [
                "6: the duration of a deny window lies between 1m and 31d",
                "7: the key 'schedule' is missing",
                "7: timeZone: '/x' is not a time zone such as Europe/Berlin",
            ],
        ),
    ],
)
def test_a_wrong_line_of_an_environment_is_named(lines: str, problems: list[str]) -> None:
    assert told(environment, EDGE + lines) == problems


def test_an_environment_says_what_it_is() -> None:
    text = EDGE.replace("name: edge-k3s", "name: other").replace("type: edge-k3s", "type: k8s")
    assert told(environment, text) == [
        "3: name must be 'edge-k3s'",
        "4: type: 'k8s' is none of edge-k3s, cloud-eks",
    ]
    assert told(environment, EDGE.replace("type: edge-k3s\n", "")) == [
        "1: the key 'type' is missing"
    ]


REJECTION = Rejection(
    f"sha256:{'1' * 64}",
    f"sha256:{'2' * 64}",
    f"sha256:{'3' * 64}",
    release="v13-3f9a1c2b",
    model="defect-detector",
    environment="edge-k3s",
    rollout="edge-k3s-defect-detector-v13-3f9a1c2b-1",
    reason='errors 2.1x stable: "no"',
    evidence="evidence/edge-k3s/defect-detector/x/0002-revert.json",
    at="2026-11-20T08:05:00Z",
)


@pytest.mark.parametrize("entries", [(), (REJECTION,), (REJECTION, REJECTION)])
def test_the_ledger_reads_back_in_its_order(entries: tuple[Rejection, ...]) -> None:
    assert read_rejected("rejected.yaml", write_rejected(entries)) == entries


def test_the_key_of_an_entry_is_three_digests() -> None:
    assert REJECTION.key == tuple(f"sha256:{digit * 64}" for digit in "123")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("reason", "raeson", "unknown key 'raeson'; did you mean 'reason'?"),
        ('"v13-3f9a1c2b"', "012", "release: '012' reads differently in different tools; quote it"),
        ("  at:", "  bt:", "the key 'at' is missing"),
        ("RejectedReleases", "Rejected", "kind must be 'RejectedReleases'"),
    ],
)
def test_a_broken_ledger_rejects_nothing_silently(old: str, new: str, problem: str) -> None:
    text = write_rejected([REJECTION]).decode().replace(old, new, 1)
    assert problem in "\n".join(told(lambda t: read_rejected("rejected.yaml", t.encode()), text))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T08:05:00Z", datetime(2026, 11, 20, 8, 5, tzinfo=UTC)),
        ("2026-11-20T08:05:00+02:00", datetime(2026, 11, 20, 6, 5, tzinfo=UTC)),
        ("2026-11-20T08:05:00.25Z", datetime(2026, 11, 20, 8, 5, 0, 250_000, UTC)),
    ],
)
def test_a_time_has_a_zone_and_is_read_as_utc(text: str, time: datetime) -> None:
    assert read_time(text) == time
    assert read_time(write_time(time)) == time.replace(microsecond=0)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-20", "2026-11-20T08:05:00", "1763625900", "\u0662"]
)
def test_any_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|has no time zone"):
        read_time(text)
