"""What doctor says about clocks, versions, the remote and this installation."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from generator.model.config import Config
from reconciler.checkup import Finding, State, failed, passed
from reconciler.checkup.clock import commits, skew
from reconciler.checkup.installation import PACKAGES, Installation, names
from reconciler.checkup.registry import clear, is_to_ask, model, named
from reconciler.checkup.source import Remote, branch, history, push, same, tree
from reconciler.checkup.versions import version
from tidegate.doctoring import report

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
URL = "https://git.example.com/fleet.git"
REMOTE = Remote(URL, "main", frozenset({"main", "other"}))
GOOD = Config(remote=URL)


def states(found: Iterable[Finding]) -> list[str]:
    return [one.state.value for one in found]


def errors(found: Iterable[Finding]) -> list[Finding]:
    return [one for one in found if one.state is State.ERROR]


# ------------------------------------------------------------------ clocks


@pytest.mark.parametrize(
    ("off", "state"),
    [(0, "ok"), (-5, "ok"), (6, "warning"), (-8, "warning"), (62, "error"), (-3600, "error")],
)
def test_another_clock_is_compared_with_ours(off: int, state: str) -> None:
    theirs = NOW + timedelta(seconds=off)
    assert skew("x", "there", theirs, (NOW, NOW)).state.value == state


def test_a_slow_answer_is_no_skew() -> None:
    asked = (NOW, NOW + timedelta(seconds=20))
    assert skew("x", "there", NOW + timedelta(seconds=12), asked).state is State.OK


def test_a_clock_that_is_wrong_is_told_with_its_direction() -> None:
    (ahead, behind) = (
        skew("x", "t", NOW + one * timedelta(hours=1), (NOW, NOW)) for one in (1, -1)
    )
    assert ahead.message == "its clock is 3600 s ahead of this machine's"
    assert behind.message == "its clock is 3599 s behind this machine's"


def test_a_commit_from_the_future_is_an_error() -> None:
    assert states(commits("r", NOW + timedelta(minutes=2), NOW)) == ["error"]
    assert states(commits("r", NOW + timedelta(seconds=30), NOW)) == ["ok"]
    assert states(commits("r", None, NOW)) == []


# ------------------------------------------------------------------ versions


@pytest.mark.parametrize(
    ("system", "found", "state"),
    [
        ("Argo CD", "v3.5.1+abc", "ok"),
        ("Argo CD", "3.9.0", "ok"),
        ("Argo CD", "v3.1.8", "error"),
        ("Kubernetes", "v0.0.0-master", "warning"),
        ("Prometheus", "2.42.0+ds", "warning"),  # late samples can be missing until 2.49
        ("Prometheus", "2.48.1", "warning"),
        ("Prometheus", "2.49.0", "ok"),
        ("Prometheus", "3.14.0", "ok"),
        ("Prometheus", "2.38.0", "error"),
        ("Git", "2.39.5", "ok"),
        ("MLflow", "", "not checked"),
        ("MLflow", "latest", "not checked"),
    ],
)
def test_a_version_is_held_against_what_was_tried(system: str, found: str, state: str) -> None:
    assert states(version("v", "there", system, found)) == [state]


def test_a_version_that_was_not_tried_names_the_one_that_was() -> None:
    (one,) = version("v", "there", "Argo CD", "3.9.0")
    assert one.message == "Argo CD 3.9.0; tidegate was tried with 3.5"


# ------------------------------------------------------------------ the remote


def test_the_branch_of_argo_cd_is_the_one_that_is_pushed_to() -> None:
    assert states(branch(REMOTE, GOOD)) == ["ok"]
    (other,) = branch(REMOTE, replace(GOOD, branch="other"))
    assert (other.state, other.check) == (State.ERROR, "git.branch")
    assert "make other the default branch" in other.fix
    (gone,) = branch(REMOTE, replace(GOOD, branch="gone"))
    assert gone.state is State.ERROR
    assert "HEAD:refs/heads/gone" in gone.fix


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/fleet",
        "git@git.example.com:fleet.git",
        "ssh://git.example.com/fleet",
    ],
)
def test_a_repository_is_the_same_however_its_url_is_written(url: str) -> None:
    assert states(same(REMOTE, replace(GOOD, remote=url), is_local=False)) == ["ok"]


def test_argo_cd_fetches_from_elsewhere() -> None:
    other = replace(GOOD, remote="https://git.example.com/copy.git")
    assert states(same(REMOTE, other, is_local=False)) == ["warning"]
    assert states(same(REMOTE, other, is_local=True)) == ["not checked"]
    assert states(same(REMOTE, replace(GOOD, remote=""), is_local=True)) == ["error"]


def test_a_refused_push_is_an_error_and_a_dry_run_no_proof() -> None:
    (refused,) = push(REMOTE, "main", "403 forbidden")
    assert refused.state is State.ERROR
    assert "403 forbidden" in refused.message
    let_in, hidden = push(REMOTE, "main", "")
    assert (let_in.state, hidden.state) == (State.OK, State.NOT_CHECKED)
    assert "does not ask rules and hooks" in let_in.message


def test_a_shallow_history_and_a_tree_with_errors_are_told() -> None:
    assert states(history(URL, is_shallow=True)) == ["error"]
    assert states(history(URL, is_shallow=False)) == ["ok"]
    (ill,) = tree(URL, {"error": 1, "warning": 2})
    assert (ill.state, ill.message) == (State.ERROR, "verify finds 1 error and 2 warnings")
    assert states(tree(URL, {"error": 0, "warning": 2})) == ["warning"]
    assert states(tree(URL, {})) == ["ok"]


# ------------------------------------------------------------------ this installation

HOME = "/opt/tidegate"
ALONE = Installation(
    HOME,
    dict.fromkeys(PACKAGES, HOME),
    dict.fromkeys(PACKAGES, (HOME,)),
    dict.fromkeys(PACKAGES, ("tidegate",)),
)


def test_an_installation_alone_is_well() -> None:
    assert states(names(ALONE)) == ["ok"]


def planted(field: str, name: str, value: object) -> Sequence[Finding]:
    return list(names(replace(ALONE, **{field: {**getattr(ALONE, field), name: value}})))


def test_another_distribution_with_a_package_of_ours_is_an_error() -> None:
    (one,) = planted("owners", "generator", ("tidegate", "site-generator"))
    assert one.state is State.ERROR
    assert one.message.startswith("site-generator also brings a package 'generator'")
    assert "pipx install tidegate" in one.fix


def test_a_package_that_is_loaded_from_elsewhere_is_an_error() -> None:
    (one,) = planted("loaded", "reconciler", "/srv/app")
    assert one.state is State.ERROR
    assert "'reconciler' is loaded from /srv/app" in one.message


def test_a_further_package_on_the_search_path_is_a_warning() -> None:
    (one,) = planted("folders", "blueprints", (HOME, "/srv/app"))
    assert (one.state, "/srv/app" in one.message) == (State.WARNING, True)


def test_a_folder_of_our_name_in_the_working_directory_is_a_warning() -> None:
    (one,) = names(replace(ALONE, here=("reconciler",)))
    assert (one.state, "python -P -m" in one.fix) == (State.WARNING, True)


# ------------------------------------------------------------------ how it is written

FOUND = (failed("a.b", "there", "it\nis\x1b[31m ill", "mend it"), passed("c.d", "", "fine"))


def test_what_is_wrong_stands_last_with_its_way_out() -> None:
    assert report.text(FOUND, whole=True).splitlines() == [
        "ok          c.d: fine",
        "error       a.b: there: it is [31m ill",
        "            -> mend it",
        "1 ok, 0 not checked, 0 warnings, 1 error: mend a.b",
    ]


def test_what_is_well_is_told_when_asked_for() -> None:
    assert "c.d" not in report.text(FOUND, whole=False)
    calm = report.text(FOUND[1:], whole=False)
    assert calm == "1 ok, 0 not checked, 0 warnings, 0 errors: nothing stands in the way"


# ------------------------------------------------------------------ the registry

MLFLOW = "https://mlflow.example.com"


def test_a_registry_must_be_named_without_credentials() -> None:
    assert states(named(MLFLOW)) == []
    assert states(named("")) == ["warning"]
    assert states(named("https://ada:secret@mlflow.example.com")) == ["error"]
    assert "secret" not in str(next(iter(named("https://ada:secret@mlflow.example.com"))))


@pytest.mark.parametrize(
    ("uri", "trusted", "has_credentials", "asked"),
    [
        (MLFLOW, False, False, True),
        (MLFLOW, False, True, False),
        (MLFLOW, True, True, True),
        ("sqlite:////srv/mlflow.db", False, True, True),
    ],
)
def test_credentials_go_nowhere_that_only_git_names(
    uri: str, trusted: bool, has_credentials: bool, asked: bool
) -> None:
    assert is_to_ask(uri, trusted, has_credentials) is asked


def test_credentials_without_encryption_are_an_error() -> None:
    plain = "http://mlflow.example.com"
    assert states(clear(plain, plain, has_credentials=True)) == ["error"]
    assert states(clear(plain, plain, has_credentials=False)) == []
    assert states(clear(MLFLOW, MLFLOW, has_credentials=True)) == []
    assert states(clear(plain, "http://127.0.0.1:5000", has_credentials=True)) == []


def test_a_model_that_is_not_registered_is_an_error() -> None:
    gone = model(MLFLOW, "detector", None, "models/detector/model.yaml")
    assert (gone.state, "models/detector/model.yaml" in gone.fix) == (State.ERROR, True)
    assert model(MLFLOW, "detector", {}, "f").state is State.WARNING
    good = model(MLFLOW, "detector", {"champion": "13", "old": "12"}, "f")
    assert (good.state, good.message) == (State.OK, "detector: champion = 13, old = 12")
