"""What doctor says about an Argo CD: each planted misconfiguration is found, and alone."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generator.repository import Repository
from reconciler.applied import wanted
from reconciler.checkup import Finding, State
from reconciler.checkup import settings as config
from reconciler.checkup.access import Right, needed, rights
from reconciler.checkup.applications import (
    Hub,
    blocks,
    clusters_of,
    conditions,
    presence,
    unknown_clusters,
)
from reconciler.checkup.lives import Live, read_live
from reconciler.checkup.registered import clusters
from reconciler.checkup.sets import policy_of, read_objects, root, set_errors, sets
from reconciler.checkup.windows import Spot, windows
from tests.builders import EDGE, Memory, baseline, fleet

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
FIELD_KINDS = (("", "ConfigMap"), ("", "Pod"), ("apps", "Deployment"))


def bad(found: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.state.value, one.check) for one in found if one.state is not State.OK]


def one(found: Iterable[Finding]) -> Finding:
    (single,) = (each for each in found if each.state is not State.OK)
    return single


# ------------------------------------------------------------------ settings

MAIN: dict[str, str] = {}


def test_the_settings_of_a_fresh_argo_cd_are_well() -> None:
    assert bad(config.main(MAIN, FIELD_KINDS)) == []
    assert bad(config.parameters({})) == []


INCLUDED = """
- apiGroups: ["", apps, "argo*"]
  kinds: ["*"]
- apiGroups: [apiextensions.k8s.io]
"""


def test_inclusions_that_name_every_kind_are_well() -> None:
    assert bad(config.main({"resource.inclusions": INCLUDED}, FIELD_KINDS)) == []


@pytest.mark.parametrize(
    ("key", "value", "state", "check", "words"),
    [
        ("resource.inclusions", '- {apiGroups: ["", apps]}', "error", "kinds", "AppProject"),
        (
            "resource.inclusions",
            INCLUDED.replace("apiextensions.k8s.io", "other.io"),
            "error",
            "kinds",
            "apiextensions.k8s.io/CustomResourceDefinition",
        ),
        ("resource.exclusions", "- {kinds: [Pod]}", "error", "kinds", "hide Pod"),
        ("resource.exclusions", "- {apiGroups: [apps]}", "error", "kinds", "apps/Deployment"),
        ("resource.exclusions", "[", "error", "kinds", "cannot be read"),
        ("resource.exclusions", "a: b", "error", "kinds", "not a list"),
        ("application.resourceTrackingMethod", "label", "error", "tracking", "instance"),
        ("application.resourceTrackingMethod", "annotation+label", "warning", "tracking", "63"),
        ("timeout.reconciliation", "0s", "warning", "poll", "never looks"),
        ("timeout.reconciliation", "1h", "warning", "poll", "every 1 h"),
        ("timeout.reconciliation", "soon", "warning", "poll", "no duration"),
        ("kustomize.enable", "false", "error", "tools", "kustomize.enable"),
        ("helm.enable", "false", "error", "tools", "helm.enable"),
        ("cluster.inClusterEnabled", "false", "error", "tools", "inCluster"),
        (
            "application.sync.impersonation.enabled",
            "true",
            "error",
            "impersonation",
            "destinationServiceAccounts",
        ),
        (
            "resource.customizations.ignoreDifferences.all",
            "jsonPointers: [/spec]",
            "warning",
            "ignored",
            "ignoreDifferences.all",
        ),
        (
            "resource.customizations.health.apps_Deployment",
            "return {}",
            "warning",
            "health",
            "apps_Deployment",
        ),
    ],
)
def test_a_planted_setting_is_found_alone(
    key: str, value: str, state: str, check: str, words: str
) -> None:
    found = one(config.main({**MAIN, key: value}, FIELD_KINDS))
    assert (found.state.value, found.check) == (state, f"argocd.{check}")
    assert words in found.message
    assert found.fix


def test_a_setting_for_another_kind_is_nobodys_business() -> None:
    other = {
        "resource.customizations.ignoreDifferences.batch_Job": "x",
        "resource.exclusions": "- {apiGroups: [cilium.io], kinds: [CiliumIdentity]}",
        "timeout.reconciliation": "5m0s",
    }
    assert bad(config.main(other, FIELD_KINDS)) == []


@pytest.mark.parametrize(
    ("data", "state", "check", "words"),
    [
        ({"controller.sync.timeout.seconds": "600"}, "warning", "timeout", "is not tried again"),
        ({"controller.sync.timeout.seconds": "1h"}, "warning", "timeout", "no number"),
        ({"applicationsetcontroller.policy": "create-only"}, "error", "policy", "ever updated"),
        ({"applicationsetcontroller.policy": "sync"}, "error", "policy", "deletes"),
        ({"applicationsetcontroller.dryrun": "true"}, "error", "policy", "no set makes"),
    ],
)
def test_a_planted_parameter_is_found_alone(
    data: Mapping[str, str], state: str, check: str, words: str
) -> None:
    found = one(config.parameters(data))
    assert (found.state.value, found.check) == (state, f"argocd.{check}")
    assert words in found.message
    assert found.fix


def test_no_sync_timeout_is_well_and_says_who_ends_a_sync() -> None:
    found = next(iter(config.parameters({})))
    assert found.message == (
        "controller.sync.timeout.seconds is 0: a sync may hang for ever; the reconciler ends "
        "the ones that stand in the way"
    )


def test_a_policy_that_sets_may_override_is_well() -> None:
    override = {"applicationsetcontroller.enable.policy.override": "true"}
    assert bad(config.parameters({"applicationsetcontroller.policy": "sync", **override})) == []
    assert bad(config.parameters({"applicationsetcontroller.policy": "create-update"})) == []


def test_arguments_of_a_controller_read_as_the_parameters_they_stand_for() -> None:
    words = ["/usr/local/bin/argocd-x", "--policy", "create-only", "--sync-timeout=60", "--dry-run"]
    assert config.started_with(words) == {
        "applicationsetcontroller.policy": "create-only",
        "controller.sync.timeout.seconds": "60",
        "applicationsetcontroller.dryrun": "true",
    }


# ------------------------------------------------------------------ sync windows

SPOTS = (
    Spot("edge-k3s-m-plant-0001", "edge-k3s.s000", "models", "k3s-0001"),
    Spot("edge-k3s-m-plant-0002", "edge-k3s.s000", "models", "k3s-0002"),
)


def project(*listed: Any, name: str = "edge-k3s.s000") -> Mapping[str, Any]:
    return {"metadata": {"name": name}, "spec": {"syncWindows": list(listed)}}


def window(**more: Any) -> dict[str, Any]:
    return {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", **more}


def test_no_window_is_well() -> None:
    assert bad(windows([project(), {"metadata": {"name": "default"}}, {}], SPOTS)) == []


@pytest.mark.parametrize(
    ("globs", "caught"),
    [
        ({"applications": ["*"]}, 2),
        ({"applications": ["edge-k3s-*-0002"]}, 1),
        ({"namespaces": ["models"]}, 2),
        ({"clusters": ["k3s-0001", "other"]}, 1),
        ({"clusters": ["k3s-0001"], "applications": ["*-0002"]}, 2),
        ({"clusters": ["k3s-0001"], "applications": ["*-0002"], "andOperator": True}, 0),
        ({"clusters": ["k3s-0002"], "applications": ["*-0002"], "andOperator": True}, 1),
        ({"namespaces": ["other"]}, 0),
        ({}, 0),
    ],
)
def test_a_deny_window_counts_whom_it_catches(globs: Mapping[str, Any], caught: int) -> None:
    found = [each for each in windows([project(window(**globs))], SPOTS) if each.fix]
    assert len(found) == min(caught, 1)
    for each in found:
        assert each.state is State.ERROR
        assert f"to {caught} of our Applications" in each.message
        assert "denies every sync, a revert too, at 0 22 * * * for 8h (UTC)" in each.message
        assert "appproject edge-k3s.s000" in each.fix


def test_an_allow_window_shuts_out_the_rest_of_the_day() -> None:
    found = one(windows([project(window(kind="allow", applications=["*"]))], SPOTS))
    assert "allows a sync, and so a revert, only at" in found.message


def test_a_window_of_another_project_is_not_ours() -> None:
    other = project(window(applications=["*"]), name="default")
    assert bad(windows([other], SPOTS)) == []


# ------------------------------------------------------------------ a hub as it should be

HAVE = Memory(fleet(6)).do(baseline(12))
WANTED = wanted(Repository(HAVE))
OBJECTS = read_objects(HAVE.view.under("argocd"))
SETS = {name: each for (kind, name), each in OBJECTS.items() if kind == "ApplicationSet"}
(SET,) = SETS
ROOT = OBJECTS["Application", "tidegate"]
POLICIES = {name: policy_of(each) for name, each in SETS.items()}
PLACES = clusters_of({EDGE: Repository(HAVE).sites(EDGE)})
FIRST = f"{EDGE}-defect-detector-plant-0001"


def lives() -> dict[str, Live]:
    return {
        name: Live(
            name,
            environment=EDGE,
            project=f"{EDGE}.s000",
            cluster=PLACES[EDGE, each.site],
            policy=POLICIES[each.set_name],
            sync="Synced",
        )
        for name, each in WANTED.items()
    }


def hub(**changed: Any) -> Hub:
    """Give the hub as Git wants it, with the first Application changed."""
    found = lives()
    found[FIRST] = replace(found[FIRST], **changed)
    return Hub("argocd", WANTED, found, POLICIES, PLACES)


def test_a_hub_as_git_wants_it_is_well() -> None:
    assert len(WANTED) == 6
    for found in (presence(hub()), blocks(hub(), NOW), conditions(hub())):
        listed = list(found)
        assert [each.state for each in listed] == [State.OK]


def test_an_application_that_is_missing_names_its_set() -> None:
    have = hub()
    gone = {name: each for name, each in have.lives.items() if name != FIRST}
    found = one(presence(replace(have, lives=gone)))
    assert (found.state, FIRST in found.message) == (State.ERROR, True)
    assert f"annotate applicationset {SET} argocd.argoproj.io/application-set-refresh=" in found.fix


def test_an_application_that_git_does_not_want_is_a_warning() -> None:
    have = hub()
    more = {**have.lives, "old": Live("old", EDGE), "foreign": Live("foreign")}
    found = one(presence(replace(have, lives=more)))
    assert (found.state, found.message.endswith("does not want: old")) == (State.WARNING, True)


RETRY = POLICIES[SET]["retry"]


@pytest.mark.parametrize(
    ("changed", "state", "check"),
    [
        ({"policy": {"retry": RETRY}}, "error", "autosync"),
        (
            {"policy": {"automated": {"enabled": False, "selfHeal": True}, "retry": RETRY}},
            "error",
            "autosync",
        ),
        ({"policy": {"automated": {"prune": True}, "retry": RETRY}}, "warning", "selfheal"),
        ({"policy": {"automated": {"selfHeal": True}}}, "error", "retry"),
        (
            {"policy": {"automated": {"selfHeal": True}, "retry": {**RETRY, "limit": 5}}},
            "error",
            "retry",
        ),
        (
            {"policy": {"automated": {"selfHeal": True}, "retry": {**RETRY, "refresh": False}}},
            "error",
            "retry",
        ),
        ({"is_skipped": True}, "error", "skipped"),
        ({"is_ignoring": True}, "warning", "differences"),
        ({"is_deleting": True}, "error", "deleting"),
        ({"cluster": "another"}, "error", "elsewhere"),
        ({"project": "default"}, "error", "elsewhere"),
        ({"by_hand": "ada"}, "warning", "byhand"),
        ({"sync": "Unknown"}, "warning", "unread"),
        ({"running_since": NOW - timedelta(minutes=16)}, "warning", "hanging"),
    ],
)
def test_what_blocks_an_application_is_found_alone(
    changed: Mapping[str, Any], state: str, check: str
) -> None:
    found = one(blocks(hub(**changed), NOW))
    assert (found.state.value, found.check) == (state, f"argocd.{check}")
    assert FIRST in found.message
    assert found.fix
    assert "NAME" not in found.fix
    assert "{" not in found.fix


def test_error_conditions_are_told_by_type_with_their_words() -> None:
    told = (("ComparisonError", "no route to host"), ("SyncError", "refused"))
    found = list(conditions(hub(conditions=told)))
    assert [each.message for each in found] == [
        f"1 Application with ComparisonError: {FIRST}: no route to host",
        f"1 Application with SyncError: {FIRST}: refused",
    ]
    assert {each.state for each in found} == {State.ERROR}


@pytest.mark.parametrize(
    ("kind", "message", "is_away"),
    [
        ("ComparisonError", "failed to load live state: dial tcp 10.0.0.1:443: i/o timeout", True),
        ("ComparisonError", "failed to generate manifest: no such file", False),
        ("InvalidSpecError", "there are no clusters with this name: k3s-0001", False),
    ],
)
def test_a_site_that_is_away_is_a_warning_and_what_is_wrong_an_error(
    kind: str, message: str, is_away: bool
) -> None:
    have = hub(sync="Unknown", conditions=((kind, message),))
    assert bad(blocks(have, NOW)) == ([("warning", "argocd.unread")] if is_away else [])
    assert bad(conditions(have)) == ([] if is_away else [("error", "argocd.conditions")])


# ------------------------------------------------------------------ sets and the root


def planted(change: Callable[[Any], None]) -> dict[str, Any]:
    live = deepcopy({name: dict(each) for name, each in SETS.items()})
    change(live[SET])
    return live


def occurred(text: str) -> Callable[[Any], None]:
    condition = {"type": "ErrorOccurred", "status": "True", "reason": "Bad", "message": text}

    def change(live: Any) -> None:
        live["status"] = {
            "conditions": [{"type": "ResourcesUpToDate", "status": "True"}, condition]
        }

    return change


def roll(live: Any) -> None:
    live["spec"]["strategy"] = {"type": "RollingSync", "rollingSync": {"steps": []}}


def limit(live: Any) -> None:
    live["spec"]["template"]["spec"]["syncPolicy"]["retry"]["limit"] = 5


def let_delete(live: Any) -> None:
    live["spec"]["syncPolicy"]["applicationsSync"] = "sync"


def delete(live: Any) -> None:
    live["metadata"]["deletionTimestamp"] = "2026-11-20T08:00:00Z"


def fill_in(live: Any) -> None:
    """What an API server and Argo CD add says nothing."""
    live["metadata"]["uid"] = "x"
    live["spec"]["template"]["spec"]["syncPolicy"]["automated"]["allowEmpty"] = False
    live["spec"]["generators"][0]["git"]["template"] = {"metadata": {}, "spec": {}}
    live["status"] = {"conditions": [{"type": "ErrorOccurred", "status": "False"}]}


def test_a_set_as_git_says_is_well() -> None:
    assert bad(sets("argocd", SETS, planted(fill_in))) == []


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (occurred("yaml: line 3"), "seterror", "Bad: yaml: line 3"),
        (roll, "rolling", "RollingSync"),
        (limit, "setdrift", "spec.template.spec.syncPolicy"),
        (let_delete, "setdrift", "spec.syncPolicy"),
        (delete, "sets", "deleted it"),
    ],
)
def test_a_planted_set_is_found_alone(
    change: Callable[[Any], None], check: str, words: str
) -> None:
    found = one(sets("argocd", SETS, planted(change)))
    assert (found.state, found.check) == (State.ERROR, f"argocd.{check}")
    assert words in found.message
    assert found.fix


def test_a_set_that_is_missing_is_an_error() -> None:
    found = one(sets("argocd", SETS, {}))
    assert (found.state, SET in found.message) == (State.ERROR, True)


def test_the_root_application_is_well_or_says_what_it_lacks() -> None:
    assert bad(root("argocd", ROOT, is_wanted=True)) == []
    gone = one(root("argocd", None, is_wanted=True))
    assert (gone.state, "kubectl apply -f argocd/root/" in gone.fix) == (State.ERROR, True)
    assert bad(root("argocd", None, is_wanted=False)) == [("not checked", "argocd.root")]


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"syncPolicy": {}}, "error", "automated sync is off"),
        ({"syncPolicy": {"automated": {"prune": True}}}, "error", "prune is on"),
    ],
)
def test_a_planted_root_is_found(change: Mapping[str, Any], state: str, words: str) -> None:
    live = {**ROOT, "spec": {**ROOT["spec"], **change}}
    found = one(root("argocd", live, is_wanted=True))
    assert (found.state.value, words in found.message) == (state, True)


def test_a_root_that_is_stopped_or_out_of_sync_is_told() -> None:
    skip = {"argocd.argoproj.io/skip-reconcile": "true"}
    stopped = {**ROOT, "metadata": {**ROOT["metadata"], "annotations": skip}}
    assert bad(root("argocd", stopped, is_wanted=True)) == [("error", "argocd.root")]
    behind = {**ROOT, "status": {"sync": {"status": "OutOfSync"}}}
    assert bad(root("argocd", behind, is_wanted=True)) == [("warning", "argocd.root")]
    ill = {"status": {"conditions": [{"type": "ComparisonError", "message": "no access"}]}}
    assert one(root("argocd", {**ROOT, **ill}, is_wanted=True)).message.endswith("no access")


# ------------------------------------------------------------------ clusters and rights

NAMES = ("k3s-0001", "k3s-0002", "in-cluster")


def secret(name: str, **annotations: str) -> Mapping[str, Any]:
    return {"name": name, "labels": {}, "annotations": annotations}


REGISTERED = [secret("a"), secret("b")]


def test_clusters_are_counted_and_never_read() -> None:
    assert bad(clusters(NAMES, REGISTERED, ())) == []
    (unread,) = clusters(NAMES, None, ())
    assert (unread.state, "allow list on secrets" in unread.fix) == (State.NOT_CHECKED, True)


def test_a_cluster_that_is_not_registered_is_an_error() -> None:
    few = one(clusters(NAMES, REGISTERED[:1], ()))
    assert (few.state, "at least 1 will be missing" in few.message) == (State.ERROR, True)
    message = "unable to find destination server: there are no clusters with this name: k3s-0002"
    assert unknown_clusters([message, "", message]) == ["k3s-0002"]
    named = one(clusters(NAMES, REGISTERED[:1], unknown_clusters([message])))
    assert named.message == "Argo CD does not know 1 cluster of site rows: k3s-0002"
    assert "argocd cluster add <context> --name k3s-0002" in named.fix


def test_a_cluster_that_is_skipped_is_a_warning() -> None:
    skipped = secret("b", **{"argocd.argoproj.io/skip-reconcile": "true"})
    assert bad(clusters(NAMES, [REGISTERED[0], skipped], ())) == [("warning", "argocd.clusterskip")]


def test_what_the_reconciler_may_not_do_is_an_error() -> None:
    assert len(needed("argocd", "")) == 4
    assert Right("update", "coordination.k8s.io", "leases", "ops") in needed("argocd", "ops")
    assert bad(rights("ada", ())) == []
    found = one(rights("ada", needed("argocd", "")[2:3]))
    assert (found.state, found.message) == (
        State.ERROR,
        "ada may not patch applications.argoproj.io in argocd",
    )
    assert found.fix.endswith("kubectl auth can-i patch applications.argoproj.io -n argocd")


# ------------------------------------------------------------------ foreign objects


def test_an_application_is_read_from_what_the_api_server_gives() -> None:
    data = {
        "metadata": {
            "name": "a",
            "labels": {"tidegate.dev/environment": EDGE},
            "annotations": {"argocd.argoproj.io/skip-reconcile": "true"},
            "deletionTimestamp": "2026-11-20T08:00:00Z",
        },
        "spec": {
            "project": "p",
            "destination": {"name": "c"},
            "syncPolicy": {"automated": {}},
            "ignoreDifferences": [{"kind": "Deployment"}],
        },
        "status": {
            "sync": {"status": "OutOfSync"},
            "conditions": [{"type": "SyncError", "message": "m"}, {"type": "Warning"}, 7],
            "operationState": {
                "phase": "Running",
                "startedAt": "2026-11-20T08:00:00Z",
                "operation": {"initiatedBy": {"username": "ada"}},
            },
        },
    }
    assert read_live(data) == Live(
        "a",
        EDGE,
        "p",
        "c",
        {"automated": {}},
        is_ignoring=True,
        is_skipped=True,
        is_deleting=True,
        by_hand="ada",
        running_since=NOW,
        sync="OutOfSync",
        conditions=(("SyncError", "m"),),
    )


@pytest.mark.parametrize(
    ("operation", "who"),
    [
        ({"initiatedBy": {"automated": True}}, ""),
        ({"initiatedBy": {"username": "tidegate"}}, ""),
        ({"initiatedBy": {"username": "ada"}}, "ada"),
        ({"sync": {}}, "somebody"),
    ],
)
def test_a_sync_by_hand_is_told_from_the_automatic_ones(
    operation: Mapping[str, Any], who: str
) -> None:
    assert read_live({"operation": operation}).by_hand == who


@pytest.mark.parametrize("data", [{}, {"metadata": 3, "spec": [], "status": "x"}])
def test_what_an_object_does_not_say_is_not_there(data: Mapping[str, Any]) -> None:
    assert read_live(data) == Live("")
    assert set_errors(data) == []
    assert bad(windows([data], SPOTS)) == []
