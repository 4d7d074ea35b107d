"""Every rule finds what it is for; a clean repository is clean at every point of its life."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from generator import layout
from generator.changes import ChangeSet, Draft
from generator.cohort import draw
from generator.documents.release import freeze, write_release
from generator.documents.rollout import write_cohort
from generator.errors import InputError, Problem, RemoteError
from generator.intents import promote as promotions
from generator.intents.delivery import delivery
from generator.intents.setup import add_model, initial, pieces
from generator.lint import RULES, Finding, Rule, Severity, lint
from generator.lint.finding import few
from generator.lint.settings import is_below
from generator.lint.view import View
from generator.model.answers import Answers
from generator.model.cohort import Member
from generator.model.environment import Kind
from generator.model.site import Site
from generator.repository import Repository
from tests.builders import (
    ASKED,
    CLOUD,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    REMOTE,
    Memory,
    add_sites,
    baseline,
    complete,
    fleet,
    opened,
    pause,
    percent,
    plant,
    promote,
    reject,
    remove_sites,
    replaced,
    revert,
    revert_to,
    version,
)
from tests.builders import (
    freeze as frozen,
)
from tidegate.scaffolding import scaffold

pytestmark = pytest.mark.slow

ROLLOUT = layout.rollout(EDGE, MODEL)
COHORT = layout.cohort(EDGE, MODEL)
SHARD = layout.shard(EDGE, "s000")
SETTINGS = layout.environment(EDGE)
ROW = (
    b'- {id: "plant-0002", cluster: "k3s-0002", region: "us-east", '
    b'hardware: "jetson-arm64", line: "a"}'
)
DIGEST = "sha256:" + "ab" * 32
Plant = Callable[[Memory], Memory]


def findings(tree: Memory | Draft) -> tuple[Finding, ...]:
    return lint(opened(tree), NOW)


def ids(tree: Memory | Draft) -> list[str]:
    return sorted({one.rule for one in findings(tree)})


@cache
def start() -> Memory:
    files = fleet(sites=40)
    files = replaced(files, ROLLOUT, "minSites: 5 ", "minSites: 2 ")
    for name in (EDGE, CLOUD):
        path = layout.environment(name)
        files[path] = re.sub(rb'prometheus: ""', b'prometheus: "http://p"', files[path])
    return Memory(files)


@cache
def settled() -> Memory:
    return start().do(baseline(12)).do(baseline(12, CLOUD))


@cache
def climbing() -> Memory:
    return settled().do(promote(13)).do(promote(13, CLOUD)).do(percent("5", CLOUD))


@cache
def judged() -> Memory:
    """A rollout with one piece of evidence, as the reconciler commits it."""
    have = climbing()
    path = layout.evidence_file(EDGE, MODEL, have.view.rollout().id, 0, "history")
    data = b"{}\n"
    words = (("Evidence", f"{path}@sha256:{hashlib.sha256(data).hexdigest()}"),)
    files = {path: data, layout.recording(path): b"x"}
    return have.land(ChangeSet(have.commit, files, "froze the history", "", words))


def release_folder(have: Memory, env: str = EDGE, *, canary: bool = False) -> str:
    rollout = have.view.rollout(env)
    return layout.release(env, MODEL, rollout.canary if canary else rollout.stable)


def swap(path: str, old: bytes, new: bytes) -> Plant:
    return lambda have: have.put(path, have.files[path].replace(old, new))


def put(path: str, data: bytes | None) -> Plant:
    return lambda have: have.put(path, data)


# ------------------------------------------------------------------ clean

LIFE: dict[str, Callable[[], Memory]] = {
    "scaffolded": start,
    "baseline on the edge": lambda: start().do(baseline(12)),
    "baselines": settled,
    "climbing": climbing,
    "paused at 25": lambda: climbing().do(percent("25")).do(pause()),
    "edited percent": lambda: climbing().do(percent("12.5")),
    "site gone and another there": lambda: (
        climbing().do(remove_sites("plant-0003", "plant-0017")).do(add_sites(plant(500)))
    ),
    "complete": lambda: climbing().do(percent("100")).do(complete()),
    "reverted": lambda: climbing().do(revert()),
    "cloud weights back": lambda: climbing().do(revert(CLOUD)),
    "cloud reverted": lambda: climbing().do(revert(CLOUD)).do(revert(CLOUD)),
    "rejected": lambda: climbing().do(reject("v13")),
    "again": lambda: climbing().do(revert()).do(promote(14)),
    "back to an earlier one": lambda: (
        climbing().do(percent("100")).do(complete()).do(revert_to("v12"))
    ),
    "with evidence": judged,
    "two models": lambda: Memory(fleet(sites=9, models=(MODEL, "other-model"))).do(baseline(12)),
}


@pytest.mark.parametrize("name", LIFE)
def test_nothing_is_found_in_a_repository_that_only_tidegate_wrote(name: str) -> None:
    assert findings(LIFE[name]()) == ()


def test_a_person_may_edit_what_a_person_owns() -> None:
    have = settled()
    have = have.edit(ROLLOUT, "soak: 2h ", "soak: 3h ")
    have = have.edit(f"{layout.base(MODEL)}/deployment.yaml", "cpu: 500m", "cpu: 700m")
    have = have.put(f"{layout.base(MODEL)}/README.md", b"# Why 700m\n")
    assert findings(have.put("docs/runbooks/ours.md", b"# Ours\n")) == ()


# ------------------------------------------------------------------ planted


def _tampered_pin(have: Memory) -> Memory:
    return swap(f"{release_folder(have)}/release.yaml", b'number: "12"', b'number: "13"')(have)


def _recomputed_release(have: Memory) -> Memory:
    """Edit a frozen file and every digest that names it: only the name gives it away."""
    folder = release_folder(have)
    old = have.view.repository.release(EDGE, MODEL, folder.rpartition("/")[2])
    copied = {
        path[len(folder) + 1 :]: data
        for path, data in have.view.under(folder).items()
        if path[len(folder) + 1 :].split("/")[0] in ("base", "components")
    }
    copied["base/deployment.yaml"] += b"# edited\n"
    again = freeze(EDGE, MODEL, version(12), old.image, copied, old.source_commit)
    data = write_release(again)
    files = {f"{folder}/base/deployment.yaml": copied["base/deployment.yaml"]}
    return have.land(ChangeSet(have.commit, {**files, f"{folder}/release.yaml": data}, "edit"))


def _release_file(path: str, data: bytes | None, env: str = EDGE) -> Plant:
    return lambda have: have.put(f"{release_folder(have, env)}/{path}", data)


def _release_swap(path: str, old: bytes, new: bytes, env: str = EDGE) -> Plant:
    return lambda have: swap(f"{release_folder(have, env)}/{path}", old, new)(have)


def _renamed_release(have: Memory) -> Memory:
    folder = release_folder(have)
    other = f"{folder[:-8]}00000000"
    files: dict[str, bytes | None] = {}
    for path, data in have.view.under(folder).items():
        files[other + path.removeprefix(folder)] = data
    return have.land(ChangeSet(have.commit, files, "copy a release under another name"))


def _reordered_cohort(have: Memory) -> Memory:
    drawn = have.view.cohort()
    first, second, *rest = drawn.members
    return have.put(COHORT, write_cohort(replace(drawn, members=(second, first, *rest))))


def _shrunk_cohort(have: Memory) -> Memory:
    drawn = have.view.cohort()
    return have.put(COHORT, write_cohort(replace(drawn, members=drawn.members[:-1])))


def _other_draw(have: Memory) -> Memory:
    drawn = have.view.cohort()
    return have.put(COHORT, write_cohort(replace(drawn, rollout=f"{drawn.rollout}1")))


def _invented_site(have: Memory) -> Memory:
    """A made-up site in a draw that lands together with its rollout: nothing else gives it away."""
    drawn = have.view.cohort()
    for number in range(9000, 9999):  # one more site in a step, and that is a real one
        members = (*drawn.members, Member(f"plant-{number}", "asia/cpu"))
        sites = [Site(one.id, "any", labels={"stratum": one.stratum}) for one in members]
        invented = draw(drawn.rollout, sites, ("stratum",))
        if members[-1].id not in {one.id for one in invented.members[:3]}:
            break
    files = {**have.files, COHORT: write_cohort(invented)}
    before = settled()
    return before.land(ChangeSet(before.commit, files, "start with a made-up site"))


def _ledger(have: Memory, **changed: str) -> Memory:
    row = {
        "modelDigest": DIGEST,
        "configDigest": DIGEST,
        "imageDigest": DIGEST,
        "release": "v9-00000000",
        "model": MODEL,
        "environment": EDGE,
        "rollout": "",
        "reason": "bad",
        "evidence": "",
        "at": "2026-01-01T00:00:00Z",
    } | changed
    lines = [f'{"- " if key == "modelDigest" else "  "}{key}: "{row[key]}"\n' for key in row]
    text = 'apiVersion: "tidegate.dev/v1alpha1"\nkind: "RejectedReleases"\nrejected:\n'
    return have.put(layout.REJECTED, (text + "".join(lines)).encode())


def _rejected_canary(have: Memory) -> Memory:
    release = have.view.repository.release(EDGE, MODEL, have.view.rollout().canary)
    model, config, image = release.key
    return _ledger(have, modelDigest=model, configDigest=config, imageDigest=image)


def _twice_rejected(have: Memory) -> Memory:
    once = _ledger(have).files[layout.REJECTED].decode()
    head, _, row = once.partition("rejected:\n")
    return have.put(layout.REJECTED, f"{head}rejected:\n{row}{row}".encode())


def _second_shard(have: Memory) -> Memory:
    """The row stands twice; the Argo CD objects of the second file are there, as they should be."""
    have = have.put(layout.shard(EDGE, "s001"), ROW + b"\n")
    return _with_delivery(have)


def _with_delivery(have: Memory) -> Memory:
    files: dict[str, bytes | None] = dict(delivery(Repository(have)).files)
    return have.land(ChangeSet(have.commit, files, "deliver"))


def _unseen(have: Memory) -> Memory:
    return _with_delivery(swap(SETTINGS, b"http://p", b"")(have))


def _all_gone(have: Memory) -> Memory:
    gone = [path for path in have.files if path.startswith(("sites/edge", "argocd/fleet/edge"))]
    files: dict[str, bytes | None] = {SHARD: b"[]\n", **dict.fromkeys(gone)}
    return have.land(ChangeSet(have.commit, files, "take every site away"))


def _long_id(have: Memory) -> Memory:
    row = ROW.replace(b"plant-0002", b"p" * 50).replace(b"k3s-0002", b"k3s-9")
    path = layout.shard(EDGE, "s000")
    return have.put(path, have.files[path] + row + b"\n")


def _shared_cluster(have: Memory) -> Memory:
    have = swap(SHARD, b'cluster: "k3s-0002"', b'cluster: "k3s-0001"')(have)
    return _with_delivery(have)


def _pointer(number: int) -> str:
    return f"{layout.pointer(EDGE, f'plant-{number:04d}', MODEL)}/kustomization.yaml"


def _flipped(have: Memory) -> Memory:
    rollout = have.view.rollout()
    old, new = rollout.stable.encode(), rollout.canary.encode()
    stable = have.view.on(rollout.stable)[0]
    return swap(f"{layout.pointer(EDGE, stable, MODEL)}/kustomization.yaml", old, new)(have)


def _alias(have: Memory) -> Memory:
    """A release that was frozen with a name that moves, everything else as it should be."""
    moving = replace(version(12), uri=f"models:/{MODEL}@champion")
    return have.do(lambda r: promotions.baseline(r, EDGE, MODEL, moving, ASKED))


def _removed_evidence(have: Memory) -> Memory:
    path = next(path for path in have.files if path.endswith("-history.json"))
    return have.put(path, None).put(layout.recording(path), None)


def _edited_evidence(have: Memory) -> Memory:
    path = next(path for path in have.files if path.endswith("-history.json"))
    return have.put(path, b'{"a": 1}\n')


def _lone_recording(have: Memory) -> Memory:
    rollout = have.view.rollout().id
    return have.put(f"{layout.evidence(EDGE, MODEL, rollout)}/0001-advance.ndjson.gz", b"x")


def _lone_document(have: Memory) -> Memory:
    rollout = have.view.rollout().id
    return have.put(f"{layout.evidence(EDGE, MODEL, rollout)}/0001-advance.json", b"{}")


def _copy_of_makefile(have: Memory) -> Memory:
    path = layout.pristine("Makefile")
    return have.put(path, have.files[path] + b"\n")


def _unlisted_column(have: Memory) -> Memory:
    return have.put(SHARD, have.files[SHARD].replace(b', line: "a"', b""))


def _both(have: Memory, env: str) -> Memory:
    """Merge two branches that froze one version while its bytes were changed between them."""

    def other(repository: Repository) -> ChangeSet | None:
        found = version(14, digest=DIGEST)
        return promotions.release(repository, env, MODEL, found, ASKED)[1]

    theirs = have.do(other).change
    assert theirs is not None
    mine = have.do(frozen(14))
    return mine.land(replace(theirs, base=mine.commit))


PLANTED: list[tuple[str, str, Callable[[], Memory], Plant]] = [
    ("schema", "an unknown key", settled, swap(ROLLOUT, b"soak: 2h", b"sok: 2h")),
    (
        "schema",
        "a percentage that is none",
        climbing,
        swap(ROLLOUT, b"percent: 5", b"percent: 5_0"),
    ),
    ("schema", "percent without canary", settled, swap(ROLLOUT, b"percent: 0", b"percent: 5")),
    ("schema", "no config", settled, put(layout.CONFIG, None)),
    ("schema", "a config of another kind", settled, swap(layout.CONFIG, b"Repository", b"Other")),
    ("schema", "a broken ledger", settled, put(layout.REJECTED, b"kind: [\n")),
    ("schema", "answers", settled, swap(layout.ANSWERS, b"branch:", b"branches:")),
    ("schema", "the lock", settled, swap(layout.LOCK, b"blueprints:", b"blueprint:")),
    ("schema", "an environment", settled, swap(SETTINGS, b"interval:", b"intervall:")),
    ("schema", "a site", settled, swap(SHARD, b'id: "plant-0002"', b'id: "Plant-0002"')),
    ("schema", "a site file that is empty", settled, put(SHARD, b"")),
    ("schema", "rows of other columns", settled, swap(SHARD, ROW, ROW.replace(b"line", b"hall"))),
    ("schema", "a bomb", settled, put(SHARD, b"- &a [x]\n- *a\n")),
    ("schema", "a draw", climbing, swap(COHORT, b'"n": 40', b'"n": 39')),
    (
        "schema",
        "no objective about predictions",
        settled,
        swap(layout.model(MODEL), b"about: predictions", b"about: service"),
    ),
    ("paths", "a twin by case", settled, put(f"{layout.base(MODEL)}/Deployment.yaml", b"")),
    ("paths", "a look-alike", settled, put("models/defect-detector/b\u0430se.md", b"x")),
    ("undeclared", "a pointer of nobody", settled, put("sites/edge-k3s/plant-0001/x/a.yaml", b"a")),
    (
        "undeclared",
        "two pointers of nobody",
        settled,
        lambda have: have.put("sites/x/y/z/a", b"a").put("sites/x/y/z/b", b"b"),
    ),
    ("undeclared", "a file beside the sites", settled, put("sites/README.md", b"a")),
    ("undeclared", "a release of nobody", settled, put("releases/edge-k3s/x/v1-00000000/a", b"a")),
    (
        "undeclared",
        "a release of no name",
        settled,
        put(f"releases/{EDGE}/{MODEL}/latest/release.yaml", b"a"),
    ),
    ("undeclared", "a rollout of no model", settled, put("rollouts/edge-k3s/x.yaml", b"a")),
    ("undeclared", "a rollout with another ending", settled, put(f"{ROLLOUT[:-4]}yml", b"a")),
    ("undeclared", "evidence of another form", settled, put("evidence/edge-k3s/x/notes.md", b"a")),
    ("undeclared", "sites with another ending", settled, put(f"{SHARD[:-4]}yml", b"a")),
    ("undeclared", "an environment without settings", settled, put("environments/x/a.yaml", b"a")),
    ("undeclared", "a model without settings", settled, put("models/x/base/a.yaml", b"a: b")),
    ("undeclared", "something of our own", settled, put(".tidegate/cache", b"a")),
    (
        "rollout",
        "a stable release that is not there",
        settled,
        lambda have: have.put(
            ROLLOUT, re.sub(rb"stable: \S+", b"stable: v7-00000000", have.files[ROLLOUT])
        ),
    ),
    (
        "overwritten",
        "the bytes of a version changed, here",
        settled,
        lambda have: _both(have, EDGE),
    ),
    ("overwritten", "and elsewhere", settled, lambda have: _both(have, CLOUD)),
    ("rollout", "a rejected canary", climbing, _rejected_canary),
    (
        "rollout",
        "a deadline before the soak",
        climbing,
        swap(ROLLOUT, b"soak: 2h ", b"soak: 73h "),
    ),
    (
        "rollout",
        "a deadline before a later soak",
        settled,
        swap(ROLLOUT, b"# soakFrom: {25: 24h}", b"soakFrom: {25: 73h}"),
    ),
    (
        "cohort rollout",
        "another rollout's number",
        climbing,
        lambda have: have.put(
            ROLLOUT,
            re.sub(
                rb"rollout: \S+",
                b"rollout: edge-k3s-defect-detector-v1-00000000-1",
                have.files[ROLLOUT],
            ),
        ).put(
            COHORT,
            re.sub(
                rb'rollout: "[^"]+"',
                b'rollout: "edge-k3s-defect-detector-v1-00000000-1"',
                have.files[COHORT],
            ),
        ),
    ),
    (
        "rollout pointers",
        "a canary that is stable already",
        lambda: climbing().do(percent("0")),
        lambda have: have.put(
            ROLLOUT,
            re.sub(
                rb"stable: \S+",
                b"stable: " + have.view.rollout().canary.encode(),
                have.files[ROLLOUT],
            ),
        ),
    ),
    (
        "rollout",
        "a canary of a completed rollout",
        lambda: climbing().do(percent("0")),
        swap(ROLLOUT, b"phase: Progressing", b"phase: Completed"),
    ),
    (
        "rollout",
        "a canary of a reverted rollout",
        lambda: climbing().do(percent("0")),
        swap(ROLLOUT, b"phase: Progressing", b"phase: Reverted"),
    ),
    ("rollout", "a climb of nothing", settled, swap(ROLLOUT, b"Completed", b"Progressing")),
    ("rejected", "half a digest", settled, lambda have: _ledger(have, modelDigest="sha256:ab")),
    ("rejected", "evidence that is not there", settled, lambda have: _ledger(have, evidence="a/b")),
    ("rejected", "a time that is none", settled, lambda have: _ledger(have, at="yesterday")),
    ("rejected", "no reason", settled, lambda have: _ledger(have, reason=" ")),
    ("rejected", "the same twice", settled, _twice_rejected),
    ("cohort", "two sites change places", climbing, _reordered_cohort),
    ("cohort", "a site less", climbing, _shrunk_cohort),
    ("cohort", "another stratum", climbing, swap(COHORT, b"eu-north/", b"eu-norht/")),
    ("cohort", "the draw of another rollout", climbing, _other_draw),
    ("cohort pointers", "a site that never was", climbing, _invented_site),
    ("cohort", "no draw", climbing, put(COHORT, None)),
    ("cohort", "another algorithm", climbing, swap(COHORT, b"sha256/1", b"sha256/2")),
    ("cohort", "a comment by hand", climbing, swap(COHORT, b"sites:\n", b"sites: # ours\n")),
    ("sites", "a bare id", settled, swap(SHARD, b'id: "plant-0002"', b"id: plant-0002")),
    ("sites", "a site in two files", settled, _second_shard),
    ("sites", "no site is left", settled, _all_gone),
    ("applications", "a long name", start, _long_id),
    (
        "profiles",
        "hardware of the future",
        start,
        lambda have: swap(SHARD, ROW, ROW.replace(b"jetson-arm64", b"tpu"))(
            settled().do(promote(13))
        ),
    ),
    ("environment", "no such upstream", settled, swap(SETTINGS, b"requires: []", b"requires: [x]")),
    (
        "environment",
        "a circle",
        settled,
        swap(SETTINGS, b"requires: []", b"requires: [edge-k3s]"),
    ),
    (
        "environment",
        "a column that is not there",
        settled,
        swap(SETTINGS, b"strata: [region,", b"strata: [hall,"),
    ),
    ("release", "a pin", settled, _tampered_pin),
    ("release", "a base file", settled, _release_swap("base/deployment.yaml", b"500m", b"600m")),
    ("release", "a file and every digest", settled, _recomputed_release),
    ("release", "a file more", settled, _release_file("base/extra.yaml", b"a: b\n")),
    ("release", "a file of another folder", settled, _release_file("notes.md", b"a")),
    ("release", "a file less", settled, _release_file("components/gpu/patch.yaml", None)),
    ("release", "its own kustomization", settled, _release_swap("gpu/pins.yaml", b"120", b"600")),
    ("release", "its own file gone", settled, _release_file("gpu/pins.yaml", None)),
    ("release", "no pins", settled, _release_file("release.yaml", None)),
    ("release", "another name", settled, _renamed_release),
    (
        "release pointers",
        "a template",
        settled,
        _release_swap("chart/templates/pdb.yaml", b"1", b"2", CLOUD),
    ),
    (
        "release pointers",
        "a chart",
        settled,
        _release_swap("chart/Chart.yaml", b"type:", b"tpe:", CLOUD),
    ),
    (
        "release",
        "what no digest holds",
        settled,
        _release_swap("release.yaml", b"@champion", b"@challenger"),
    ),
    (
        "images",
        "an image from elsewhere",
        settled,
        swap(
            layout.CONFIG,
            b"registry.example.com/models/server",
            b"registry.example.com/models/serv",
        ),
    ),
    ("lock", "an edited copy of what a blueprint wrote", settled, _copy_of_makefile),
    ("lock", "a copy is gone", settled, put(layout.pristine("README.md"), None)),
    ("undeclared", "a copy of nothing", settled, put(layout.pristine("x.md"), b"x")),
    ("lock", "no lock", settled, put(layout.LOCK, None)),
    (
        "schema",
        "a path that climbs",
        settled,
        swap(layout.LOCK, b'path: "Makefile"', b'path: "../Makefile"'),
    ),
    (
        "schema",
        "half a digest of a blueprint",
        settled,
        swap(layout.LOCK, b'digest: "sha256:', b'digest: "sha256:0'),
    ),
    (
        "schema",
        "half a digest",
        settled,
        lambda have: have.put(
            layout.LOCK,
            re.sub(rb'sha256: "[0-9a-f]', b'sha256: "', have.files[layout.LOCK], count=1),
        ),
    ),
    (
        "conflict",
        "a half-merged file",
        settled,
        lambda have: have.put("README.md", b"<<<<<<< yours\na\n=======\nb\n>>>>>>> theirs\n"),
    ),
    ("lock-missing", "a file is gone", settled, put(".editorconfig", None)),
    ("evidence", "edited", judged, _edited_evidence),
    ("evidence", "taken away", judged, _removed_evidence),
    ("evidence", "half of it", judged, _lone_recording),
    ("evidence", "the other half", judged, _lone_document),
    ("pointers", "a flip by hand", climbing, _flipped),
    ("pointers", "a comment", settled, swap(_pointer(7), b"kind:", b"# ours\nkind:")),
    ("pointers", "one less", settled, put(_pointer(7), None)),
    (
        "pointers",
        "one more",
        settled,
        put("sites/edge-k3s/plant-9/defect-detector/a.yaml", b"a: b"),
    ),
    (
        "pointers",
        "a percentage that was not expanded",
        climbing,
        swap(ROLLOUT, b"percent: 5 ", b"percent: 10 "),
    ),
    (
        "pointers",
        "weights",
        climbing,
        swap(f"{layout.pointer(CLOUD, 'cluster-1', MODEL)}/values.yaml", b"9500", b"500"),
    ),
    ("clusters", "one cluster for two sites", settled, _shared_cluster),
    (
        "remote",
        "no remote",
        settled,
        lambda have: have.land(
            ChangeSet(
                have.commit,
                {
                    layout.CONFIG: have.files[layout.CONFIG].replace(
                        b"https://git.example.com/fleet.git", b""
                    ),
                    **dict.fromkeys(p for p in have.files if p.startswith("argocd/")),
                },
                "no remote",
            )
        ),
    ),
    ("prometheus", "nobody looks", climbing, _unseen),
]


@pytest.mark.parametrize(
    ("rule", "state", "planted"),
    [pytest.param(rule, state, how, id=f"{rule}: {name}") for rule, name, state, how in PLANTED],
)
def test_a_rule_finds(rule: str, state: Callable[[], Memory], planted: Plant) -> None:
    tree = planted(state())
    assert {one.rule for one in findings(tree)} == set(rule.split()), "\n".join(
        map(str, findings(tree))
    )


def _twins(first: str, second: str) -> tuple[Answers, dict[str, list[Site]]]:
    kinds = {"a": Kind.EDGE, "a-b": Kind.EDGE}
    answers = Answers(kinds, ("c", "b-c"), image=IMAGE, remote=REMOTE)
    sites = {"a": [replace(plant(1), id=first)], "a-b": [replace(plant(2), id=second)]}
    return answers, sites


CLASH = (
    "the Application 'a-b-c-plant-0001' would be that of a-b / c / plant-0001 "
    "and a / b-c / plant-0001"
)


def test_two_sites_never_share_an_application() -> None:
    answers, sites = _twins("plant-0001", "plant-0002")
    first = initial(answers, *scaffold(pieces(answers)), sites)
    tree = Memory({path: data for path, data in first.files.items() if data is not None})
    other = tree.files[layout.shard("a-b", "s000")].replace(b"plant-0002", b"plant-0001")
    assert [str(one) for one in findings(tree.put(layout.shard("a-b", "s000"), other))] == [
        f"environments/a-b/sites/s000.yaml:1: error [applications] {CLASH}; "
        "fix: rename one of the sites"
    ]
    with pytest.raises(InputError) as caught:
        tree.do(add_sites(replace(plant(3), id="plant-0001"), env="a-b"))
    assert [one.message for one in caught.value.problems] == [CLASH]


def test_a_first_commit_never_names_two_applications_alike() -> None:
    answers, sites = _twins("plant-0001", "plant-0001")
    with pytest.raises(InputError) as caught:
        initial(answers, *scaffold(pieces(answers)), sites)
    assert [one.message for one in caught.value.problems] == [CLASH]


def test_a_new_model_never_takes_the_application_of_another() -> None:
    answers, sites = _twins("plant-0001", "plant-0001")
    answers = replace(answers, models=("c",))
    first = initial(answers, *scaffold(pieces(answers)), sites)
    tree = Memory({path: data for path, data in first.files.items() if data is not None})
    with pytest.raises(InputError) as caught:
        add_model(Repository(tree), "b-c", IMAGE, {}, {}, ASKED)
    assert [one.message for one in caught.value.problems] == [CLASH]


def test_a_release_is_never_named_by_what_moves() -> None:
    moving = replace(version(12), uri=f"models:/{MODEL}@champion")
    tree = start().do(lambda have: promotions.baseline(have, EDGE, MODEL, moving, ASKED))
    assert ids(tree) == ["floating"]


# ------------------------------------------------------------------ words


def test_a_finding_says_where_what_and_how_to_mend_it() -> None:
    tree = climbing().edit(ROLLOUT, "percent: 5 ", "percent: 10 ")
    sites = sorted(one.id for one in tree.view.cohort().members[2:4])
    assert [str(one) for one in findings(tree)] == [
        f"sites/edge-k3s/{sites[0]}/defect-detector/kustomization.yaml:5: error [pointers] "
        "2 files of defect-detector on edge-k3s are not what "
        f"rollouts/edge-k3s/defect-detector.yaml asks for: {', '.join(sites)}; "
        "fix: tidegate expand defect-detector --env edge-k3s"
    ]


def test_an_unknown_key_is_told_with_the_nearest_one() -> None:
    (one,) = findings(swap(ROLLOUT, b"soak: 2h", b"sok: 2h")(settled()))
    line = (
        settled()
        .files[ROLLOUT]
        .decode()
        .split("\n")
        .index(
            "soak: 2h                    # per step, from the commit of the step; "
            "time without data does not count"
        )
    )
    assert (one.file, one.line, one.message, one.fix) == (
        ROLLOUT,
        line + 1,
        "unknown key 'sok'",
        "did you mean 'soak'?",
    )


def test_only_five_are_named() -> None:
    assert few(list("abcde")) == "a, b, c, d, e"
    assert few(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_a_finding_is_the_same_as_data() -> None:
    one = Finding("a.yaml", 3, "schema", Severity.ERROR, "wrong")
    assert one.as_data() == {
        "rule": "schema",
        "severity": "error",
        "file": "a.yaml",
        "line": 3,
        "message": "wrong",
        "fix": None,
    }
    assert str(replace(one, file="", line=0)) == ".: error [schema] wrong"


# ------------------------------------------------------------------ what is not committed


def test_an_edit_that_is_not_committed_is_undone_not_followed() -> None:
    have = climbing()
    tree = Draft(have)
    tree.write({_pointer(7): b"# mine\n" + have.files[_pointer(7)]})
    (one,) = findings(tree)
    assert (one.rule, one.line, one.fix) == ("pointers", 1, f"git restore {_pointer(7)}")


def test_several_edits_that_are_not_committed_are_undone_together() -> None:
    have = climbing()
    tree = Draft(have)
    tree.write({_pointer(7): b"", _pointer(8): b""})
    tree.delete([_pointer(9)])
    assert [one.fix for one in findings(tree)] == ["git restore sites"]


def test_a_percentage_that_is_not_committed_is_followed() -> None:
    tree = Draft(climbing())
    tree.edit(ROLLOUT, lambda text: text.replace("percent: 5 ", "percent: 10 "))
    (one,) = findings(tree)
    assert one.fix == f"tidegate expand {MODEL} --env {EDGE}"


def test_a_release_that_was_edited_and_not_committed_is_named_with_the_file() -> None:
    have = settled()
    folder = release_folder(have)
    tree = Draft(have)
    tree.edit(f"{folder}/base/deployment.yaml", lambda text: text.replace("500m", "600m"))
    (one,) = findings(tree)
    assert (one.rule, one.file, one.fix) == (
        "release",
        f"{folder}/base/deployment.yaml",
        f"git restore {folder}",
    )


def test_what_no_digest_of_a_release_holds_is_told_before_it_is_committed() -> None:
    have = settled()
    path = f"{release_folder(have)}/release.yaml"
    tree = Draft(have)
    tree.edit(path, lambda text: text.replace("@champion", "@challenger"))
    (one,) = findings(tree)
    assert (one.rule, one.message) == (
        "release",
        f"a release never changes, but this one did since the last commit: {path}",
    )


def test_a_version_whose_bytes_changed_is_named_with_both_releases() -> None:
    tree = _both(settled(), EDGE)
    (one,) = findings(tree)
    first, second = (
        layout.release_file(EDGE, MODEL, name)
        for name in tree.view.repository.releases(EDGE, MODEL)
        if name.startswith("v14-")
    )
    here, there = tree.view.repository, tree.files[second].decode().splitlines()
    pinned = {path: here.release(*path.split("/")[1:4]).version.digest for path in (first, second)}
    assert one.message == (
        f"version 14 of '{MODEL}' has other artifacts here ({pinned[second][:19]}) "
        f"than in {first} ({pinned[first][:19]})"
    )
    assert (one.file, there[one.line - 1].strip()) == (second, f'digest: "{pinned[second]}"')


def test_a_version_of_a_model_that_was_made_anew_is_another_one() -> None:
    anew = replace(version(12, digest=DIGEST), created_ms=1)
    made = settled().do(lambda have: promotions.release(have, EDGE, MODEL, anew, ASKED)[1])
    assert findings(made) == ()


def test_a_version_whose_bytes_changed_is_not_frozen_again() -> None:
    changed = version(12, digest=DIGEST)
    for env in (EDGE, CLOUD):
        for start_ in (promotions.release, promotions.baseline, promotions.promote):
            with pytest.raises(InputError, match="version 12 of 'defect-detector' has other"):
                start_(Repository(settled()), env, MODEL, changed, ASKED)


def test_a_release_may_go_and_come_back_as_it_was() -> None:
    have = climbing().do(revert())
    folder = layout.release(EDGE, MODEL, have.view.repository.releases(EDGE, MODEL)[1])
    files = have.view.under(folder)
    gone = have.land(ChangeSet(have.commit, dict.fromkeys(files), "tidy up"))
    assert findings(gone) == ()
    assert findings(gone.land(ChangeSet(gone.commit, {**files}, "take it back"))) == ()


class Shallow(Memory):
    """A clone that knows its newest commit only."""

    def at(self, commit: str) -> Memory:
        if not commit or commit != self.commit:
            raise RemoteError("Git", "no such commit")
        return self


def test_a_chart_is_compared_without_the_past() -> None:
    """The version that it had before it was frozen is found in the model, or guessed."""
    have = Shallow(settled().files)
    assert findings(have) == ()
    for old in (b"version: 0.0.0\n", b'version: "0.0.0"\n'):
        path = f"{layout.chart(MODEL)}/Chart.yaml"
        written = start().put(path, start().files[path].replace(b"version: 0.0.0\n", old))
        shallow = Shallow(written.do(baseline(12)).do(baseline(12, CLOUD)).files)
        assert findings(shallow) == ()
        broken = Shallow({**shallow.files, path: b"["})
        assert {one.rule for one in findings(broken)} == {"yaml"}


def test_a_release_that_changed_before_any_history_is_found_by_its_digest() -> None:
    have = settled()
    path = f"{release_folder(have)}/base/deployment.yaml"
    tree = Shallow({**have.files, path: have.files[path] + b"# edited\n"})
    tree.commit = ""
    (one,) = findings(tree)
    folder = release_folder(have)
    assert (one.rule, one.file, one.line) == ("release", f"{folder}/release.yaml", 7)
    assert one.fix == "freeze it again with `tidegate release`, and delete this directory"


def test_a_draw_of_which_nothing_is_known_is_taken_as_it_is() -> None:
    tree = Shallow(climbing().files)
    tree.commit = ""
    assert findings(tree) == ()
    have = climbing().put(COHORT, b"[").put(COHORT, climbing().files[COHORT])
    assert findings(have) == ()


def test_a_site_that_left_is_no_stranger_where_the_past_cannot_be_read() -> None:
    have = climbing().do(remove_sites("plant-0003"))
    before = settled()
    files = {**have.files, SHARD: b"["}
    gone = layout.pointer(EDGE, "plant-0003", MODEL)
    change = ChangeSet(before.commit, {**files, f"{gone}/kustomization.yaml": None}, "start")
    assert findings(before.land(change).put(SHARD, have.files[SHARD])) == ()


@pytest.mark.parametrize("path", [SHARD, SETTINGS, ROLLOUT, COHORT, layout.REJECTED])
def test_sites_that_cannot_be_compared_are_never_silently_right(path: str) -> None:
    only = [rule for rule in RULES if rule.id in ("pointers", "undeclared")]
    for data in (b"[", None):
        found = lint(opened(climbing().put(path, data)), NOW, only)
        assert found or (path, data) in ((layout.REJECTED, None), (ROLLOUT, None))


def test_a_cloud_canary_that_is_stable_already_is_named() -> None:
    have = climbing().do(percent("0", CLOUD))
    path = layout.rollout(CLOUD, MODEL)
    canary = have.view.rollout(CLOUD).canary.encode()
    text = re.sub(rb"stable: \S+", b"stable: " + canary, have.files[path])
    assert ids(have.put(path, text)) == ["rollout"]


def test_a_rollout_that_only_people_move_needs_no_metrics() -> None:
    have = _unseen(climbing())
    assert findings(have.edit(ROLLOUT, "advance: automatic", "advance: manual")) == ()


@pytest.mark.parametrize(
    ("prefix", "covers"),
    [
        ("registry.example.com", True),
        ("registry.example.com/", True),
        ("registry.example.com/models/server", True),
        ("registry.example.co", False),
        ("registry.example.com/models/serv", False),
        ("other", False),
        ("", False),
    ],
)
def test_a_prefix_covers_whole_parts_of_an_image_only(prefix: str, covers: bool) -> None:
    assert is_below(IMAGE, prefix) is covers


def test_answers_may_be_gone() -> None:
    assert findings(settled().put(layout.ANSWERS, None)) == ()


def test_a_file_at_the_root_of_the_releases_is_of_no_release() -> None:
    assert ids(settled().put("releases/notes.md", b"a")) == ["undeclared"]


def test_a_release_of_which_the_source_is_not_known_is_checked_all_the_same() -> None:
    fresh = Memory(start().files)
    fresh.commit = ""
    change = baseline(12, CLOUD)(Repository(fresh))
    assert change is not None
    files = {**fresh.files, **{path: data for path, data in change.files.items() if data}}
    assert findings(Shallow(files)) == ()


def test_a_rule_that_cannot_go_on_says_why() -> None:
    def check(_: View) -> list[Problem]:
        raise InputError("broken", file="a.yaml", line=3)

    found = lint(opened(start()), NOW, (Rule("odd", check, "It is odd."),))
    assert [str(one) for one in found] == ["a.yaml:3: error [odd] broken"]


def test_foreign_text_cannot_forge_a_line() -> None:
    one = Finding("a\n::error::b\x1b[2J\udcff", 0, "paths", Severity.ERROR, "c\nd: e", "f\ng")
    assert str(one) == ("a\\n::error::b\\x1b[2J\\udcff: error [paths] c d: e; fix: f g")
    long = Finding("a", 0, "paths", Severity.ERROR, "x" * 10_000)
    assert len(str(long)) < 600


def test_evidence_that_is_edited_is_told_before_it_is_committed() -> None:
    have = judged()
    path = next(path for path in have.files if path.endswith("-history.json"))
    tree = Draft(have)
    tree.write({path: b"{}"})
    assert [(one.rule, one.file, one.fix) for one in findings(tree)] == [
        ("evidence", path, f"git restore {path}")
    ]


def test_a_repository_without_a_commit_is_checked_too() -> None:
    tree = Memory(start().files)
    tree.commit = ""
    assert findings(tree) == ()


# ------------------------------------------------------------------ one invalid file


def test_an_invalid_file_hides_nothing_elsewhere() -> None:
    tree = Memory(fleet(models=(MODEL, "other-model"), sites=40))
    tree = tree.edit(layout.rollout(EDGE, MODEL), "minSites: 5", "minSites: 1")
    tree = tree.do(baseline(12)).do(baseline(12, CLOUD))
    tree = swap(SHARD, b'id: "plant-0002"', b'id: "Plant-0002"')(tree)
    tree = tree.put(layout.rollout(EDGE, "other-model"), b"{")
    tree = swap(f"{layout.pointer(CLOUD, 'cluster-1', MODEL)}/values.yaml", b"10000", b"1")(tree)
    tree = swap(f"{release_folder(tree, CLOUD)}/release.yaml", b"@champion", b"@other")(tree)
    assert ids(tree) == ["pointers", "release", "schema"]


@pytest.mark.parametrize("path", [layout.CONFIG, SETTINGS, SHARD, ROLLOUT, COHORT, layout.LOCK])
@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"a: b\n", b"- - - {}\n", b"[" * 5000])
def test_whatever_a_file_holds_it_is_named(path: str, data: bytes) -> None:
    named = {one.file for one in findings(climbing().put(path, data)) if one.rule == "schema"}
    assert named == {path}


# ------------------------------------------------------------------ the table


def test_every_rule_of_the_table_is_planted_somewhere() -> None:
    elsewhere = {
        "yaml",
        "names",
        "floating",
        "secrets",
        "base",
        "chart",
        "pods",
        "hardening",
        "kinds",
        "objects",
        "serving",
        "accelerators",
        "scaling",
        "k3s",
        "quota",
        "owners",
        "links",
        "rendered",
        "unrendered",
        "api",
        "running",
        "steering",
        "twins",
    }
    argocd = {"argocd", "argocd-project", "argocd-set", "argocd-sync", "argocd-root"}
    argocd |= {"argocd-pull", "pull-application", "pull-sync", "pull-root"}
    argocd |= {"flux", "flux-source", "flux-sync", "monitoring", "objectives", "spans"}
    planted = {rule for words, *_ in PLANTED for rule in words.split()}
    assert planted | elsewhere | argocd == {rule.id for rule in RULES}


def test_a_rule_has_one_sentence_of_reason() -> None:
    for rule in RULES:
        assert re.fullmatch(r"[A-Z][^.]+\.", rule.reason), rule.id


def test_what_argo_cd_and_prometheus_should_hold_is_what_the_generator_writes() -> None:
    for have in (settled(), climbing(), start()):
        stands = {**have.view.under("argocd"), **have.view.under("monitoring")}
        assert stands == delivery(Repository(have)).files


# ------------------------------------------------------------------ waivers


def waived(have: Memory, rule: str, days: int) -> Memory:
    until = (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    row = f'waivers:\n- {{rule: {rule}, reason: "a trial", until: "{until}"}}'
    return have.edit(layout.CONFIG, "waivers: []", row)


def test_a_waiver_sets_a_rule_aside_until_it_ends() -> None:
    have = _shared_cluster(settled())
    (one,) = findings(waived(have, "clusters", 1))
    assert one.severity is Severity.WAIVED
    assert one.message.endswith("(waived: a trial)")


def test_a_waiver_that_has_ended_is_a_finding_and_waives_nothing() -> None:
    have = waived(_shared_cluster(settled()), "clusters", 0)
    assert [(one.rule, one.severity) for one in findings(have)] == [
        ("clusters", Severity.WARNING),
        ("waivers", Severity.ERROR),
    ]


def test_a_waiver_of_no_rule_is_a_finding_with_the_nearest_one() -> None:
    (one,) = findings(waived(settled(), "cluster", 1))
    assert (one.rule, one.file, one.fix) == ("waivers", layout.CONFIG, "did you mean 'clusters'?")
    line = waived(settled(), "cluster", 1).files[layout.CONFIG].decode().split("\n")
    assert "rule: cluster," in line[one.line - 1]
    (one,) = findings(waived(settled(), "waivers", 1))
    assert one.fix == "did you mean 'owners'?" or "--rules" in one.fix


def test_a_config_that_cannot_be_read_waives_nothing() -> None:
    have = waived(_shared_cluster(settled()), "clusters", 1)
    have = swap(layout.CONFIG, b"forge:", b"forges:")(have)
    assert ids(have) == ["clusters", "schema"]
