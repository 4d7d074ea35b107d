"""Pull mode: what makes Flux or Argo CD on a site wait, forget or delete is named by its harm."""

import re
from functools import cache

import pytest
import yaml

from generator import layout
from generator.changes import Draft
from generator.intents.delivery import delivery, refresh, write_delivery
from generator.lint import Finding, lint
from generator.lint.delivered import telling
from generator.lint.view import View
from generator.model.names import application_name
from generator.repository import Repository
from tests.builders import (
    ASKED,
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    REMOTE,
    Memory,
    add_sites,
    baseline,
    fleet,
    opened,
    plant,
    remove_sites,
)

pytestmark = pytest.mark.slow

FLUX, PULL = "flux", "argocd-pull"
SITE, CLUSTER = "plant-0003", "cluster-1"
SYNC = f"flux/{EDGE}/{SITE}/sync.yaml"
POINTER = f"flux/{EDGE}/{SITE}/models/{MODEL}.yaml"
RELEASE = f"flux/{CLOUD}/{CLUSTER}/models/{MODEL}.yaml"
ROOT = f"argocd/pull/{EDGE}/{SITE}/site.yaml"
APP = f"argocd/pull/{EDGE}/{SITE}/models/{MODEL}.yaml"
CLOUD_APP = f"argocd/pull/{CLOUD}/{CLUSTER}/models/{MODEL}.yaml"


@cache
def start(how: str, models: tuple[str, ...] = (MODEL,)) -> Memory:
    files = fleet(sites=9, clusters=1, models=models)
    for name in (EDGE, CLOUD):
        path = layout.environment(name)
        files[path] = re.sub(rb"delivery: argocd ", f"delivery: {how} ".encode(), files[path])
        assert f"delivery: {how} ".encode() in files[path]
    return Memory(files)


@cache
def settled(how: str) -> Memory:
    return start(how).do(baseline(12)).do(baseline(12, CLOUD))


def findings(have: Memory | Draft) -> tuple[Finding, ...]:
    return lint(opened(have), NOW)


def of(path: str) -> Memory:
    return settled(FLUX if path.startswith("flux/") else PULL)


@pytest.mark.parametrize("how", [FLUX, PULL])
def test_a_repository_that_sites_pull_from_is_clean(how: str) -> None:
    assert findings(start(how)) == ()
    assert findings(settled(how)) == ()


@pytest.mark.parametrize("how", [FLUX, PULL])
def test_no_site_needs_one_argo_cd_for_all(how: str) -> None:
    folders = {path.split("/")[1] for path in settled(how).view.under("argocd")}
    assert folders == (set() if how == FLUX else {"pull"})


@pytest.mark.parametrize("how", [FLUX, PULL])
def test_sites_come_and_go_with_their_files(how: str) -> None:
    have = settled(how).do(add_sites(plant(77)))
    top = f"flux/{EDGE}" if how == FLUX else f"argocd/pull/{EDGE}"
    sites = {path.split("/")[2 if how == FLUX else 3] for path in have.view.under(top)}
    assert "plant-0077" in sites
    have = have.do(remove_sites("plant-0077"))
    assert have.files == settled(how).files


def test_another_delivery_takes_the_old_objects_away() -> None:
    have = settled(FLUX).edit(layout.environment(EDGE), "delivery: flux ", "delivery: argocd ")
    assert {one.rule for one in findings(have)} == {"argocd", "flux"}
    have = have.do(lambda repository: refresh(repository, ASKED))
    assert findings(have) == ()
    assert {path.split("/")[1] for path in have.view.under("flux")} == {CLOUD}
    assert f"argocd/fleet/{EDGE}/s000/project.yaml" in have.files
    assert have.change is not None
    assert have.change.subject == (
        "argocd, flux: objects follow the environments, sites and baselines"
    )


PLANTED: list[tuple[str, str, str, str, str]] = [
    ("flux-source", "asleep", SYNC, '  url: "', '  suspend: true\n  url: "'),
    ("flux-source", "awake in Git", SYNC, '  url: "', '  suspend: false\n  url: "'),
    ("flux-source", "asks once an hour", SYNC, 'interval: "1m"', 'interval: "1h"'),
    ("flux-source", "waits long", SYNC, 'timeout: "1m"', 'timeout: "9m"'),
    ("flux-source", "a short branch", SYNC, '"refs/heads/main"', '"main"'),
    ("flux-source", "another branch", SYNC, '"refs/heads/main"', '"refs/heads/dev"'),
    ("flux-source", "a tag", SYNC, '"refs/heads/main"', '"refs/tags/v1"'),
    ("flux-source", "one commit", SYNC, "  ref:\n", f'  ref:\n    commit: "{"a" * 40}"\n'),
    ("flux-source", "another repository", SYNC, REMOTE, "https://evil.example.com/x.git"),
    ("flux-source", "another secret", SYNC, 'name: "tidegate-git"', 'name: "x"'),
    ("flux-source", "another name", SYNC, f'name: "{EDGE}.{SITE}"', 'name: "x"'),
    ("flux-source", "elsewhere", SYNC, 'namespace: "flux-system"', 'namespace: "x"'),
    ("flux-source", "no releases", SYNC, f'  - "releases/{EDGE}"\n', ""),
    ("flux-source", "every site", SYNC, f'- "sites/{EDGE}/{SITE}"', '- "sites"'),
    ("flux-source", "leaves out", SYNC, '  url: "', '  ignore: "*.yaml"\n  url: "'),
    ("flux-source", "any pod", SYNC, '"restricted"', '"privileged"'),
    ("flux-source", "a namespace that goes", SYNC, '"disabled"', '"enabled"'),
    ("flux-source", "another namespace", SYNC, 'name: "models"', 'name: "default"'),
    ("flux-sync", "a root that prunes", SYNC, "prune: false", "prune: true"),
    ("flux-sync", "a root of all", SYNC, f'path: "./flux/{EDGE}/{SITE}"', 'path: "./flux"'),
    ("flux-sync", "asleep", POINTER, "spec:\n", "spec:\n  suspend: true\n"),
    ("flux-sync", "no prune", POINTER, "prune: true", "prune: false"),
    ("flux-sync", "by force", POINTER, "force: false", "force: true"),
    ("flux-sync", "a bool as a text", POINTER, "force: false", 'force: "false"'),
    ("flux-sync", "waits for health", POINTER, "wait: false", "wait: true"),
    ("flux-sync", "waits for checks", POINTER, "  wait", "  healthChecks: []\n  wait"),
    ("flux-sync", "waits for others", POINTER, "  wait", "  dependsOn: [{name: a}]\n  wait"),
    ("flux-sync", "waits long", POINTER, 'timeout: "1m"', 'timeout: "10m"'),
    ("flux-sync", "mends late", POINTER, 'interval: "10m"', 'interval: "24h"'),
    ("flux-sync", "tries late", POINTER, 'retryInterval: "30s"', 'retryInterval: "1h"'),
    ("flux-sync", "deletes the model", POINTER, '"Orphan"', '"Delete"'),
    ("flux-sync", "another pointer", POINTER, "/plant-0003/", "/plant-0004/"),
    ("flux-sync", "a release", POINTER, f"./sites/{EDGE}/{SITE}", "./releases"),
    ("flux-sync", "a path out", POINTER, "./sites/", "./sites/../sites/"),
    (
        "flux-sync",
        "another namespace",
        POINTER,
        'targetNamespace: "models"',
        'targetNamespace: "x"',
    ),
    ("flux-sync", "another source", POINTER, f'name: "{EDGE}.{SITE}"', 'name: "x"'),
    ("flux-sync", "a bucket", POINTER, '"GitRepository"', '"Bucket"'),
    ("flux-sync", "another site", POINTER, f'name: "{EDGE}-{MODEL}-{SITE}"', 'name: "x"'),
    ("flux-sync", "a patch", POINTER, "  wait", "  patches: [{patch: a}]\n  wait"),
    ("flux-sync", "an image", POINTER, "  wait", "  images: [{name: a, newTag: b}]\n  wait"),
    ("flux-sync", "secrets", POINTER, "  wait", "  decryption: {provider: sops}\n  wait"),
    ("flux-sync", "words put in", POINTER, "  wait", "  postBuild: {substitute: {a: b}}\n  wait"),
    ("flux-sync", "another cluster", POINTER, "  wait", "  kubeConfig: {}\n  wait"),
    ("flux-sync", "a chart asleep", RELEASE, "spec:\n", "spec:\n  suspend: true\n"),
    ("flux-sync", "by version", RELEASE, '"Revision"', '"ChartVersion"'),
    ("flux-sync", "another chart", RELEASE, f"./sites/{CLOUD}", "./releases"),
    ("flux-sync", "install waits", RELEASE, "disableWait: true", "disableWait: false"),
    ("flux-sync", "rolls back", RELEASE, '"RetryOnFailure"', '"RemediateOnFailure"'),
    (
        "flux-sync",
        "takes away",
        RELEASE,
        "  upgrade:\n",
        "  upgrade:\n    remediation: {retries: 3}\n",
    ),
    ("flux-sync", "upgrades by force", RELEASE, "  upgrade:\n", "  upgrade:\n    force: true\n"),
    ("flux-sync", "drift stays", RELEASE, 'mode: "enabled"', 'mode: "warn"'),
    ("flux-sync", "values", RELEASE, "  driftDetection", "  values: {a: b}\n  driftDetection"),
    ("flux-sync", "values of a Secret", RELEASE, "  driftD", "  valuesFrom: []\n  driftD"),
    ("flux-sync", "tests", RELEASE, "  driftD", "  test: {enable: true}\n  driftD"),
    ("flux-sync", "another name", RELEASE, f'releaseName: "{MODEL}"', 'releaseName: "x"'),
    ("flux-sync", "kept elsewhere", RELEASE, 'storageNamespace: "models"', 'storageNamespace: "x"'),
    ("flux", "a comment", SYNC, "spec:\n", "spec: # ours\n"),
    ("flux", "a comment of a model", POINTER, "spec:\n", "spec: # ours\n"),
    ("flux", "history of Helm", RELEASE, "maxHistory: 2", "maxHistory: 99"),
    ("argocd-project", "every source", ROOT, f'- "{REMOTE}"', '- "*"'),
    ("argocd-project", "another cluster", ROOT, 'name: "in-cluster"', 'name: "k3s-0004"'),
    ("argocd-project", "no wave", ROOT, '"argocd.argoproj.io/sync-wave": "-1"', '"a": "b"'),
    ("argocd-project", "no Pod", ROOT, 'kind: "Pod"', 'kind: "Job"'),
    ("argocd-project", "no Namespace", ROOT, 'kind: "Namespace"', 'kind: "Node"'),
    ("pull-root", "prunes", ROOT, "prune: false", "prune: true"),
    ("pull-root", "gives up", ROOT, "limit: -1", "limit: 5"),
    ("pull-root", "another folder", ROOT, f'path: "argocd/pull/{EDGE}/{SITE}"', 'path: "argocd"'),
    ("pull-root", "a tag", ROOT, '"refs/heads/main"', '"v1"'),
    ("pull-application", "another pointer", APP, "/plant-0003/", "/plant-0004/"),
    ("pull-application", "another cluster", APP, '"in-cluster"', '"k3s-0004"'),
    ("pull-application", "another namespace", APP, 'namespace: "models"', 'namespace: "x"'),
    (
        "pull-application",
        "the open project",
        APP,
        f'project: "{EDGE}.{SITE}"',
        'project: "default"',
    ),
    ("pull-application", "a short branch", APP, '"refs/heads/main"', '"main"'),
    ("pull-application", "renders all", APP, 'generate-paths": "."', 'generate-paths": "/"'),
    ("pull-application", "another name", APP, f'"{EDGE}-{MODEL}-{SITE}"', '"x"'),
    (
        "pull-application",
        "takes the model along",
        APP,
        '  namespace: "argocd"\n',
        '  namespace: "argocd"\n  finalizers: ["resources-finalizer.argocd.argoproj.io"]\n',
    ),
    ("pull-application", "a long name", CLOUD_APP, f'releaseName: "{MODEL}"', 'releaseName: "x"'),
    ("pull-sync", "no prune", APP, "prune: true", "prune: false"),
    ("pull-sync", "tries the old one", APP, "refresh: true", "refresh: false"),
    ("pull-sync", "waits long", APP, 'maxDuration: "1m"', 'maxDuration: "1h"'),
    ("pull-sync", "any pod", APP, 'enforce": "restricted"', 'enforce": "privileged"'),
    ("pull-sync", "prunes last", APP, '- "Create', '- "PruneLast=true"\n    - "Create'),
    ("argocd-pull", "a comment", APP, "spec:\n", "spec: # ours\n"),
    ("argocd-pull", "a description", ROOT, "Models on", "models on"),
]


@pytest.mark.parametrize(
    ("rule", "path", "old", "new"),
    [pytest.param(rule, *rest, id=f"{rule}: {name}") for rule, name, *rest in PLANTED],
)
def test_a_trap_of_a_site_is_named_alone(rule: str, path: str, old: str, new: str) -> None:
    text = of(path).files[path].decode()
    assert old in text
    found = findings(of(path).put(path, text.replace(old, new, 1).encode()))
    assert {(one.rule, one.file) for one in found} == {(rule, path)}, "\n".join(map(str, found))
    assert all(one.line and one.fix for one in found)


@pytest.mark.parametrize("path", [SYNC, POINTER, ROOT, APP])
def test_a_file_of_a_site_that_is_gone_is_named(path: str) -> None:
    (one,) = findings(of(path).put(path, None))
    assert one.rule == ("flux" if path.startswith("flux/") else "argocd-pull")
    assert one.file == path


@pytest.mark.parametrize(
    "path", ["flux/more.yaml", f"flux/{EDGE}/plant-9/sync.yaml", f"argocd/pull/{EDGE}/x/y.yaml"]
)
def test_a_file_of_no_site_is_named(path: str) -> None:
    (one,) = findings(of(path).put(path, b"kind: ConfigMap\n"))
    assert one.file == path


def test_flux_cannot_pull_from_every_remote() -> None:
    have = start(FLUX).edit(layout.CONFIG, REMOTE, "git@git.example.com:fleet.git")
    have = have.do(baseline(12))
    assert [(one.rule, one.file, one.fix) for one in findings(have)] == [
        ("flux-source", layout.CONFIG, "write it as ssh://git@HOST/PATH")
    ]


# ------------------------------------------------------------------ what cannot be read


@pytest.mark.parametrize("how", [FLUX, PULL, "argocd"])
@pytest.mark.parametrize(
    "path",
    [
        layout.environment(EDGE),
        layout.rollout(EDGE, MODEL),
        layout.shard(EDGE, "s000"),
    ],
)
def test_an_unreadable_file_takes_nothing_away(how: str, path: str) -> None:
    have = settled(how)
    draft = Draft(have.put(path, b"["))
    write_delivery(draft)
    assert draft.changes() == {}
    assert {one.rule for one in findings(have.put(path, b"["))} == {"schema"}


def test_an_unreadable_rollout_holds_its_own_model_only() -> None:
    have = start(FLUX, (MODEL, "weld-check")).do(baseline(12)).do(baseline(12, model="weld-check"))
    have = have.put(layout.rollout(EDGE, MODEL), b"[")
    other = f"flux/{EDGE}/{SITE}/models/weld-check.yaml"
    found = findings(have.put(other, have.files[other] + b"# ours\n").put(POINTER, b"# ours\n"))
    assert {(one.rule, one.file) for one in found} == {
        ("schema", layout.rollout(EDGE, MODEL)),
        ("flux", other),
    }


# ------------------------------------------------------------------ many sites


def test_files_that_are_as_written_are_looked_at_once_for_all_sites() -> None:
    have = settled(FLUX)
    assert telling(View(Repository(have)), "flux") == (
        f"flux/{CLOUD}/cluster-1/models/{MODEL}.yaml",
        f"flux/{CLOUD}/cluster-1/sync.yaml",
        f"flux/{EDGE}/plant-0001/models/{MODEL}.yaml",
        f"flux/{EDGE}/plant-0001/sync.yaml",
    )
    edited = have.put(POINTER, have.files[POINTER] + b"#\n")
    assert POINTER in telling(View(Repository(edited)), "flux")


def test_one_site_is_like_any_other() -> None:
    files = delivery(Repository(settled(FLUX))).files
    names = {
        yaml.safe_load(data)["metadata"]["name"]
        for path, data in files.items()
        if path.startswith(f"flux/{EDGE}/") and "/models/" in path
    }
    sites = settled(FLUX).view.repository.sites(EDGE)
    assert names == {application_name(EDGE, MODEL, site.id) for site in sites}
