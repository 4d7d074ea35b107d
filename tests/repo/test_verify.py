"""`tidegate verify` in real repositories: the work tree, a commit, a remote, links, evidence."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet, Committed
from generator.gitrepo.checkout import Checkout
from generator.intents.moves import Attached
from generator.lint import lint
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.repository import Repository
from reconciler import record
from tests.builders import (
    ADA,
    CLOUD,
    EDGE,
    IMAGE,
    MODEL,
    NOW,
    REMOTE,
    Intent,
    baseline,
    cluster,
    percent,
    plant,
    promote,
)
from tidegate.cli import run
from tidegate.starting import start

ROLLOUT = layout.rollout(EDGE, MODEL)
POINTER = f"{layout.pointer(EDGE, 'plant-0007', MODEL)}/kustomization.yaml"
NOT_RUN = "not run: kustomize (not asked for)\nnot run: helm (not asked for)\n"
CLEAN = "101 sites, 2 environments, 1 model: all good\n"
Verify = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a checkout with two baselines, a climbing canary, and evidence of two decisions."""
    folder = tmp_path_factory.mktemp("made") / "fleet"
    make(folder, 100)
    return folder


def make(folder: Path, sites: int) -> None:
    kinds = {EDGE: Kind.EDGE, CLOUD: Kind.CLOUD}
    answers = Answers(kinds, (MODEL,), image=IMAGE, remote=REMOTE, prometheus="http://p")
    rows = {EDGE: [plant(number) for number in range(1, sites + 1)], CLOUD: [cluster(1)]}
    start(folder, answers, rows, NOW, ADA)
    for intent in (baseline(12), baseline(12, CLOUD), promote(13)):
        do(folder, intent)
    freeze(folder)
    do(folder, percent("10", attached=next_evidence(folder)))


def do(folder: Path, intent: Intent) -> None:
    checkout = Checkout(folder)
    change = intent(Repository(checkout.head()))
    assert change is not None
    assert isinstance(checkout.land(change, ADA, NOW), Committed)


def next_evidence(folder: Path) -> Attached:
    """Write the next piece of evidence of the climb, with a recording of nothing."""
    rollout = Repository(Checkout(folder).head()).rollout(EDGE, MODEL)
    chain = record.read_chain(Checkout(folder).head(), rollout)
    if not chain.entries:
        return record.history(rollout, (), 0.8, NOW, NOW)
    return record.seen(rollout, chain, "0" * 40, NOW)


def freeze(folder: Path) -> None:
    attached = next_evidence(folder)
    do(
        folder,
        lambda have: ChangeSet(have.tree.commit, attached.files, "froze", "", attached.trailers),
    )


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Path:
    """Copy the checkout, to plant something in it."""
    return Path(shutil.copytree(made, tmp_path / "fleet", symlinks=True))


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Give a function: words -> exit code and standard output."""

    def verified(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        state = ("--state-dir", str(tmp_path / "state"))
        told = ["verify", *state, "--no-engines", *map(str, words)]
        try:
            code = run(told)
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        assert err in ("", NOT_RUN) or code == 1, err
        return code, out

    return verified


def git(folder: Path, *words: str) -> str:
    """Run plain Git, as a person would."""
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str = "edit") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)


def rules(out: str) -> list[str]:
    return sorted({line.split("[")[1].split("]")[0] for line in out.splitlines() if "[" in line})


def test_a_clean_repository_is_all_good(verify: Verify, fleet: Path) -> None:
    assert verify("-C", fleet) == (0, CLEAN)
    assert verify("-C", fleet / "models") == (0, CLEAN)
    assert verify("-C", fleet, "--head") == (0, CLEAN)
    assert verify("--repo", f"file://{fleet}") == (0, CLEAN)


def test_the_work_tree_is_looked_at_before_it_is_committed(verify: Verify, fleet: Path) -> None:
    place = fleet / POINTER
    place.write_text(place.read_text() + "# mine\n")
    code, out = verify("-C", fleet)
    assert code == 1
    assert out == (
        f"{POINTER}: error [pointers] 1 file of {MODEL} on {EDGE} is not what {ROLLOUT} asks for: "
        f"plant-0007; fix: git restore {POINTER}\n1 error\n"
    )
    assert verify("-C", fleet, "--head") == (0, CLEAN)
    assert verify("--repo", f"file://{fleet}") == (0, CLEAN)
    commit(fleet)
    assert verify("-C", fleet, "--head")[0] == 1


def test_the_fix_that_is_told_mends_it(verify: Verify, fleet: Path) -> None:
    place = fleet / POINTER
    place.unlink()
    _, out = verify("-C", fleet)
    command = out.splitlines()[0].rpartition("; fix: ")[2]
    assert command == f"git restore {POINTER}"
    git(fleet, *command.split()[1:])
    assert verify("-C", fleet) == (0, CLEAN)


def test_a_committed_edit_of_a_pointer_is_mended_by_expand(verify: Verify, fleet: Path) -> None:
    (fleet / POINTER).write_text("a: b\n")
    commit(fleet)
    _, out = verify("-C", fleet)
    command = out.splitlines()[0].rpartition("; fix: tidegate ")[2]
    assert command == f"expand {MODEL} --env {EDGE}"
    with pytest.raises(SystemExit) as end:
        run([*command.split(), "-C", str(fleet)])
    assert not end.value.code
    assert verify("-C", fleet)[0] == 0


def test_a_bump_by_hand_is_mended_by_expand(verify: Verify, fleet: Path) -> None:
    place = fleet / ROLLOUT
    place.write_text(place.read_text().replace("percent: 10 ", "percent: 25 "))
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["pointers"])
    with pytest.raises(SystemExit):
        run(["expand", "-C", str(fleet)])
    assert verify("-C", fleet) == (0, CLEAN)


def test_files_that_git_does_not_know_are_looked_at(verify: Verify, fleet: Path) -> None:
    (fleet / "sites" / "notes.md").write_text("mine")
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["undeclared"])
    assert "fix: rm sites/notes.md" in out


def test_json_is_one_document(verify: Verify, fleet: Path) -> None:
    (fleet / "rejected.yaml").write_text("a: b\n")
    code, out = verify("-C", fleet, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["commit"] == Checkout(fleet).head().commit
    assert found["counts"] == {
        "error": len(found["findings"]),
        "warning": 0,
        "waived": 0,
        "sites": 101,
        "environments": 2,
        "models": 1,
    }
    one = found["findings"][0]
    assert (one["rule"], one["file"], one["severity"]) == ("schema", "rejected.yaml", "error")


def expand(fleet: Path) -> None:
    with pytest.raises(SystemExit) as done:
        run(["expand", "-C", str(fleet)])
    assert done.value.code in (None, 0)


def test_a_warning_is_no_error(verify: Verify, fleet: Path) -> None:
    place = fleet / layout.environment(EDGE)
    place.write_text(place.read_text().replace('"http://p"', '""'))
    expand(fleet)
    code, out = verify("-C", fleet)
    assert (code, rules(out), out.splitlines()[-1]) == (0, ["prometheus"], "1 warning")


def test_a_waiver_ends_with_the_clock(verify: Verify, fleet: Path) -> None:
    place = fleet / layout.environment(EDGE)
    place.write_text(place.read_text().replace('"http://p"', '""'))
    expand(fleet)
    config = fleet / layout.CONFIG
    row = 'waivers: [{rule: prometheus, reason: "soon", until: "2026-12-01T00:00:00Z"}]'
    config.write_text(config.read_text().replace("waivers: []", row))
    good = CLEAN.replace("\n", ", 1 waived\n")
    assert verify("-C", fleet, "--now", "2026-11-30T23:59:59Z") == (0, good)
    code, out = verify("-C", fleet, "--now", "2026-12-01T00:00:00Z")
    assert (code, rules(out)) == (1, ["prometheus", "waivers"])
    assert out.splitlines()[-1] == "1 error, 1 warning"


def test_rules_are_listed_with_their_reasons(verify: Verify, tmp_path: Path) -> None:
    code, out = verify("-C", tmp_path, "--rules")
    assert code == 0
    assert out.startswith("schema ")
    listed = json.loads(verify("-C", tmp_path, "--rules", "--json")[1])
    assert [row["rule"] for row in listed] == [line.split()[0] for line in out.splitlines()]
    assert {"pointers", "release", "evidence-chain", "symlinks"} <= {row["rule"] for row in listed}


def test_outside_of_a_repository_one_line_says_what_to_do(verify: Verify, tmp_path: Path) -> None:
    assert verify("-C", tmp_path) == (1, "")
    git(tmp_path, "init", "--quiet", "other")
    code, out = verify("-C", tmp_path / "other")
    assert code == 1
    assert "tidegate.yaml: error [schema] the file is missing" in out
    assert len(out.splitlines()) == 3  # the lock, too, and the sum


# ------------------------------------------------------------------ what a tree hides


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_symlink_is_named(verify: Verify, fleet: Path, is_committed: bool) -> None:
    (fleet / layout.base(MODEL) / "extra.yaml").symlink_to("/etc/passwd")
    if is_committed:
        commit(fleet)
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["symlinks"])
    assert out.startswith(f"{layout.base(MODEL)}/extra.yaml: error [symlinks] a symlink")
    assert verify("-C", fleet, "--head")[0] == is_committed
    assert verify("--repo", f"file://{fleet}")[0] == is_committed


def test_a_symlink_that_was_replaced_is_forgotten(verify: Verify, fleet: Path) -> None:
    place = fleet / layout.base(MODEL) / "extra.yaml"
    place.symlink_to("deployment.yaml")
    commit(fleet)
    place.unlink()
    place.write_text("kind: ConfigMap\n")
    assert verify("-C", fleet) == (0, CLEAN)


def test_a_file_that_became_a_symlink_is_named(verify: Verify, fleet: Path) -> None:
    place = fleet / POINTER
    place.unlink()
    place.symlink_to("/etc/passwd")
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["pointers", "symlinks"])


def test_a_submodule_is_named(verify: Verify, fleet: Path) -> None:
    head = git(fleet, "rev-parse", "HEAD")
    git(fleet, "update-index", "--add", "--cacheinfo", f"160000,{head},models/sub")
    git(fleet, "commit", "--quiet", "-m", "a submodule")
    code, out = verify("-C", fleet, "--head")
    assert (code, rules(out)) == (1, ["symlinks"])
    assert "models/sub: error [symlinks] a submodule" in out


# ------------------------------------------------------------------ history


def test_a_release_that_a_commit_changed_is_named_with_the_commit(
    verify: Verify, fleet: Path
) -> None:
    name = Repository(Checkout(fleet).head()).rollout(EDGE, MODEL).stable
    path = layout.release_file(EDGE, MODEL, name)
    place = fleet / path
    place.write_text(place.read_text().replace("@champion", "@challenger"))
    commit(fleet)
    head = Checkout(fleet).head().commit[:12]
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["release"])
    assert f"this one did in {head}" in out
    command = out.splitlines()[0].rpartition("; fix: ")[2]
    git(fleet, *command.split()[1:])
    assert verify("-C", fleet)[0] == 1  # history does not forget, and neither does the rule
    commit(fleet, "take it back")


def test_a_shallow_clone_is_checked_as_far_as_it_goes(
    verify: Verify, fleet: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{fleet}", "shallow")
    assert verify("-C", tmp_path / "shallow") == (0, CLEAN)


def evidence(folder: Path) -> list[str]:
    return [path for path in Checkout(folder).head().ids("evidence") if path.endswith(".json")]


def test_evidence_is_checked_link_by_link(verify: Verify, fleet: Path) -> None:
    first, second = evidence(fleet)
    place = fleet / first
    place.write_text(place.read_text().replace("0.8", "0.9"))
    commit(fleet)
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["evidence"])
    assert out.startswith(f"{first}: error [evidence]")
    assert second not in out


def test_a_chain_without_trailers_is_checked_by_itself(verify: Verify, fleet: Path) -> None:
    first, _ = evidence(fleet)
    place = fleet / first
    place.write_text(place.read_text().replace("0.8", "0.9"))
    git(fleet, "add", "--all")
    squashed = git(fleet, "commit-tree", git(fleet, "write-tree"), "-m", "squash")
    git(fleet, "reset", "--quiet", "--soft", squashed)
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["evidence-chain"])


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"number": 0, "previous": ""}'])
def test_evidence_that_is_none_is_named(verify: Verify, fleet: Path, data: bytes) -> None:
    folder = fleet / layout.evidence(EDGE, MODEL, f"{EDGE}-{MODEL}-v1-00000000-1")
    folder.mkdir(parents=True)
    (folder / "0000-history.json").write_bytes(data)
    (folder / "0000-history.ndjson.gz").write_bytes(b"x")
    code, out = verify("-C", fleet)
    assert (code, rules(out)) == (1, ["evidence-chain"])


# ------------------------------------------------------------------ speed


def test_a_thousand_sites_take_less_than_a_second(tmp_path: Path) -> None:
    make(tmp_path / "fleet", 1000)
    spent_s = []
    for _ in range(2):
        have = Repository(Checkout(tmp_path / "fleet").head())
        started = time.process_time()
        assert lint(have, NOW) == ()
        spent_s.append(time.process_time() - started)
    assert min(spent_s) < 1
