"""The traps of Argo CD: each is named by its harm, whoever wrote the object."""

from functools import cache

import pytest

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.errors import InputError
from generator.lint import Finding, lint
from generator.lint.view import View
from generator.repository import Repository
from tests.builders import (
    CLOUD,
    EDGE,
    MODEL,
    NOW,
    Memory,
    add_sites,
    baseline,
    fleet,
    opened,
    plant,
)

pytestmark = pytest.mark.slow

FLEET = f"argocd/fleet/{EDGE}/s000"
PROJECT, SET = f"{FLEET}/project.yaml", f"{FLEET}/sets/{MODEL}.yaml"
CLOUD_SET = f"argocd/fleet/{CLOUD}/s000/sets/{MODEL}.yaml"
ROOT_PROJECT, ROOT = "argocd/root/project.yaml", "argocd/root/root.yaml"


@cache
def settled() -> Memory:
    return Memory(fleet(sites=12, clusters=1)).do(baseline(12)).do(baseline(12, CLOUD))


def findings(have: Memory | Draft) -> tuple[Finding, ...]:
    return lint(opened(have), NOW)


PLANTED: list[tuple[str, str, str, str, str]] = [
    ("argocd-project", "every source", PROJECT, '- "https://git.example.com/fleet.git"', '- "*"'),
    ("argocd-project", "every cluster", PROJECT, '{name: "k3s-0001",', '{name: "*",'),
    ("argocd-project", "a server", PROJECT, '{name: "k3s-0001",', '{server: "https://a",'),
    ("argocd-project", "every kind", PROJECT, 'kind: "ConfigMap"', 'kind: "*"'),
    ("argocd-project", "no wave", PROJECT, '"argocd.argoproj.io/sync-wave": "-1"', '"a": "b"'),
    ("argocd-project", "a wave that is a number", PROJECT, '"-1"', "-1"),
    ("argocd-project", "no Namespace", PROJECT, 'kind: "Namespace"', 'kind: "Node"'),
    ("argocd-project", "no Pod", PROJECT, 'kind: "Pod"', 'kind: "Job"'),
    ("argocd-project", "no ReplicaSet", PROJECT, 'kind: "ReplicaSet"', 'kind: "Job"'),
    ("argocd-project", "a wide root", ROOT_PROJECT, 'name: "in-cluster"', 'name: "*"'),
    ("argocd-set", "another namespace", SET, 'namespace: "argocd"', 'namespace: "default"'),
    ("argocd-set", "other templates", SET, "goTemplate: true", "goTemplate: false"),
    ("argocd-set", "a bool as a text", SET, "goTemplate: true", 'goTemplate: "true"'),
    ("argocd-set", "missing keys", SET, '- "missingkey=error"', '- "missingkey=zero"'),
    ("argocd-set", "deletes", SET, '"create-update"', '"sync"'),
    ("argocd-set", "deletes all", SET, "OnDeletion: true", "OnDeletion: false"),
    (
        "argocd-set",
        "in waves",
        SET,
        "  template:\n",
        "  strategy: {type: RollingSync}\n  template:\n",
    ),
    ("argocd-set", "patched", SET, "  template:\n", '  templatePatch: "a"\n  template:\n'),
    ("argocd-set", "renders all", SET, 'generate-paths": "."', 'generate-paths": "/"'),
    (
        "argocd-set",
        "a project from a site",
        SET,
        'project: "edge-k3s.s000"',
        'project: "{{ .id }}"',
    ),
    ("argocd-set", "a project of nobody", SET, 'project: "edge-k3s.s000"', 'project: "default"'),
    ("argocd-set", "no such file", SET, "sites/s000.yaml", "sites/s009.yaml"),
    ("argocd-set", "all files", SET, "sites/s000.yaml", "sites/*.yaml"),
    (
        "argocd-set",
        "two files",
        SET,
        f'- path: "environments/{EDGE}/sites/s000.yaml"',
        f'- path: "environments/{EDGE}/sites/s000.yaml"\n      - path: "b.yaml"',
    ),
    ("argocd-set", "folders", SET, "      files:\n", "      directories:\n"),
    ("argocd-set", "two generators", SET, "  generators:\n", "  generators:\n  - list: {}\n"),
    ("argocd-set", "a short branch", SET, 'revision: "refs/heads/main"', 'revision: "main"'),
    (
        "argocd-set",
        "another branch",
        SET,
        'targetRevision: "refs/heads/main"',
        'targetRevision: "refs/heads/other"',
    ),
    ("argocd-set", "a tag", SET, 'targetRevision: "refs/heads/main"', 'targetRevision: "HEAD"'),
    (
        "argocd-set",
        "another repository",
        SET,
        'repoURL: "https://git.example.com/fleet.git"',
        'repoURL: "https://evil.example.com/fleet.git"',
    ),
    ("argocd-set", "another path", SET, 'path: "sites/edge-k3s/', 'path: "releases/edge-k3s/'),
    ("argocd-set", "a path out", SET, 'path: "sites/edge-k3s/', 'path: "sites/../edge-k3s/'),
    ("argocd-set", "one path for all", SET, "/{{ .id }}/", "/plant-0001/"),
    (
        "argocd-set",
        "a release name that is too long for Helm",
        CLOUD_SET,
        f'releaseName: "{MODEL}"',
        f'releaseName: "{CLOUD}-{MODEL}-{{{{ .id }}}}"',
    ),
    (
        "argocd-set",
        "values of Helm beside the pointer",
        CLOUD_SET,
        "        helm:\n",
        '        helm:\n          values: "a: 1"\n',
    ),
    (
        "argocd-set",
        "a chart where there is none",
        SET,
        "      destination:\n",
        '        helm: {releaseName: "x"}\n      destination:\n',
    ),
    ("argocd-sync", "no prune", SET, "prune: true", "prune: false"),
    ("argocd-sync", "no healing", SET, "selfHeal: true", "selfHeal: false"),
    ("argocd-sync", "may be empty", SET, "prune: true", "prune: true\n          allowEmpty: true"),
    ("argocd-sync", "switched off", SET, "prune: true", "prune: true\n          enabled: false"),
    ("argocd-sync", "gives up", SET, "limit: -1", "limit: 5"),
    ("argocd-sync", "tries the old one", SET, "refresh: true", "refresh: false"),
    ("argocd-sync", "starts late", SET, 'duration: "5s"', 'duration: "5m"'),
    ("argocd-sync", "grows fast", SET, "factor: 2", "factor: 9"),
    ("argocd-sync", "waits long", SET, 'maxDuration: "1m"', 'maxDuration: "1h"'),
    ("argocd-sync", "any pod", SET, 'enforce": "restricted"', 'enforce": "privileged"'),
    ("argocd-sync", "no namespace", SET, '"CreateNamespace=true"', '"CreateNamespace=false"'),
    ("argocd-sync", "on the client", SET, '"ServerSideApply=true"', '"ServerSideApply=false"'),
    ("argocd-sync", "prunes last", SET, '- "Create', '- "PruneLast=true"\n        - "Create'),
    ("argocd-sync", "replaces", SET, '- "Create', '- "Replace=true"\n        - "Create'),
    ("argocd-root", "prunes sets", ROOT, "prune: false", "prune: true"),
    ("argocd-root", "gives up", ROOT, "limit: -1", "limit: 5"),
    ("argocd-root", "elsewhere", ROOT, 'name: "in-cluster"', 'name: "k3s-0001"'),
    ("argocd-root", "another folder", ROOT, 'path: "argocd/fleet"', 'path: "argocd"'),
    ("argocd-root", "a tag", ROOT, '"refs/heads/main"', '"v1"'),
    ("argocd-root", "the open project", ROOT, 'project: "tidegate"', 'project: "default"'),
    ("argocd", "a comment", SET, "spec:\n", "spec: # ours\n"),
    ("argocd", "one cluster less", PROJECT, '  - {name: "k3s-0001", namespace: "models"}\n', ""),
    ("argocd", "a description", PROJECT, "Models on", "models on"),
]


@pytest.mark.parametrize(
    ("rule", "path", "old", "new"),
    [pytest.param(rule, *rest, id=f"{rule}: {name}") for rule, name, *rest in PLANTED],
)
def test_a_trap_is_named_alone(rule: str, path: str, old: str, new: str) -> None:
    text = settled().files[path].decode()
    assert old in text
    found = findings(settled().put(path, text.replace(old, new, 1).encode()))
    assert {(one.rule, one.file) for one in found} == {(rule, path)}, "\n".join(map(str, found))
    assert all(one.line for one in found)


@pytest.mark.parametrize("path", [PROJECT, SET, ROOT, ROOT_PROJECT])
def test_a_file_that_is_gone_is_named(path: str) -> None:
    rules = {one.rule for one in findings(settled().put(path, None))}
    assert "argocd" in rules
    assert rules <= {"argocd", "argocd-set", "argocd-root"}


def test_a_file_too_many_is_named() -> None:
    (one,) = findings(settled().put("argocd/fleet/more.yaml", b"kind: ConfigMap\n"))
    assert (one.rule, one.file) == ("argocd", "argocd/fleet/more.yaml")


def test_an_application_beside_the_root_is_named() -> None:
    text = settled().files[ROOT].replace(b'"tidegate"', b'"other"')
    found = findings(settled().put("argocd/fleet/app.yaml", text))
    assert [(one.rule, one.file) for one in found] == [("argocd-root", "argocd/fleet/app.yaml")]


def test_a_set_that_reads_a_file_without_sites_is_named() -> None:
    have = settled().put(layout.shard(EDGE, "s001"), b"[]\n")
    text = have.files[SET].replace(b"s000", b"s001")
    project = have.files[PROJECT].replace(b"s000", b"s001")
    files = {
        f"argocd/fleet/{EDGE}/s001/project.yaml": project,
        f"argocd/fleet/{EDGE}/s001/sets/{MODEL}.yaml": text,
    }
    found = findings(have.land(ChangeSet(have.commit, files, "a set of nothing")))
    assert {(one.rule, one.file) for one in found} == {
        ("argocd", f"argocd/fleet/{EDGE}/s001/project.yaml"),
        ("argocd-set", f"argocd/fleet/{EDGE}/s001/sets/{MODEL}.yaml"),
    }


def test_another_remote_changes_every_object_and_each_says_so() -> None:
    have = settled().edit(layout.CONFIG, "https://git.example.com/", "https://git.example.org/")
    assert {one.rule for one in findings(have)} == {"argocd", "argocd-set", "argocd-root"}


def test_an_invalid_environment_holds_its_own_objects_only() -> None:
    have = settled().put(layout.environment(CLOUD), b"[")
    have = have.put(SET, have.files[SET] + b"# ours\n").put(f"argocd/fleet/{CLOUD}/s000/x", b"a")
    assert [(one.rule, one.file) for one in findings(have)] == [
        ("argocd", SET),
        ("schema", layout.environment(CLOUD)),
    ]


@pytest.mark.parametrize(
    "path", [layout.shard(EDGE, "s000"), layout.rollout(EDGE, MODEL), layout.CONFIG]
)
def test_nothing_is_said_about_objects_that_follow_from_an_invalid_file(path: str) -> None:
    assert {one.rule for one in findings(settled().put(path, b"["))} == {"schema"}


def test_a_site_file_whose_name_cannot_be_one_is_named() -> None:
    have = settled().put(layout.shard(EDGE, "S_1"), b"[]\n")
    assert [one.rule for one in findings(have)] == ["names"]
    row = b'- {id: "plant-9", cluster: "c", region: "asia", hardware: "cpu", line: "a"}\n'
    have = settled().put(layout.shard(EDGE, "S_1"), row)
    assert [one.rule for one in findings(have)] == ["names"]
    with pytest.raises(InputError) as caught:
        have.do(add_sites(plant(50)))
    assert [(one.file, one.hint) for one in caught.value.problems] == [
        (layout.shard(EDGE, "S_1"), "git mv it to another name, such as s001.yaml")
    ]


def test_objects_that_are_not_committed_are_restored() -> None:
    tree = Draft(settled())
    tree.write({SET: b"a: b\n", PROJECT: b"a: b\n"})
    assert [one.fix for one in findings(tree) if one.rule == "argocd"] == ["git restore argocd"]
    tree = Draft(settled())
    tree.delete([SET])
    assert [one.fix for one in findings(tree)] == [f"git restore {SET}"]
    tree = Draft(settled())
    tree.write({"argocd/more.yaml": b"a: b\n"})
    assert [one.fix for one in findings(tree)] == ["rm argocd/more.yaml"]


def test_a_file_is_read_once_however_many_rules_ask() -> None:
    view = View(Repository(settled()))
    assert view.documents(SET) is view.documents(SET)
    assert view.documents("argocd/nothing.yaml") == ()
    assert view.line("argocd/nothing.yaml", "a") is None
