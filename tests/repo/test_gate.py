"""`tidegate verify --pr` in a clone: three commits by real Git, what CI tells, what is said."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet
from generator.gitrepo.commit import build
from generator.gitrepo.process import Git
from generator.gitrepo.snapshot import Snapshot
from generator.repository import Repository
from tests.builders import ADA, EDGE, MODEL, NOW, Intent, Origin, percent, promote, revert
from tests.shell import tidegate
from tests.states import ROLLOUT, At

LINE = f"percent up of {EDGE}/{MODEL} (5% -> 25%)"


@dataclass
class Branch:
    """A pull request: a clone of the origin whose HEAD is the branch."""

    origin: Origin
    folder: Path

    @property
    def objects(self) -> Git:
        return Git(self.folder / ".git")

    def do(self, intent: Intent) -> None:
        """Add the commit of a verb."""
        have = Repository(Snapshot(self.objects, self.git("rev-parse", "HEAD")))
        change = intent(have)
        assert change is not None
        self.git("reset", "-q", "--hard", build(self.objects, change, ADA, NOW))

    def commit(self, files: Mapping[str, bytes | None]) -> None:
        """Add a commit with these files."""
        self.do(lambda have: ChangeSet(have.tree.commit, files, "work on it"))

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def verify(self, *words: str) -> tuple[int, list[str]]:
        code, out, _ = tidegate("verify", "--pr", "--no-engines", "-C", self.folder, *words)
        return code, out.splitlines()


@pytest.fixture
def branch(at: At, tmp_path: Path) -> Branch:
    origin = at("climbing")
    origin.edit(layout.CONFIG, 'allow: ["mlflow-artifacts:"]', 'allow: ["s3://models"]')
    folder = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", origin.folder / "origin.git", folder], check=True)
    subprocess.run(["git", "-C", folder, "switch", "-q", "-c", "work"], check=True)
    return Branch(origin, folder)


def test_a_change_is_judged_from_where_it_left_main(branch: Branch) -> None:
    start = branch.git("rev-parse", "HEAD")[:12]
    branch.do(percent("25"))
    branch.origin.put("docs/more.md", b"# more\n")
    branch.git("fetch", "-q")
    head = branch.git("rev-parse", "HEAD")[:12]
    code, said = branch.verify()
    assert (code, said[-1]) == (0, f"{start}..{head}: 21 files, {LINE}: may be merged")
    code, said = branch.verify("--base", start, "--head", "HEAD", "--json")
    found = json.loads("\n".join(said))
    assert (found["base"][:12], found["main"][:12], found["head"][:12]) == (start, start, head)
    assert found["moves"] == [{"kind": "percent up", "environment": EDGE, "model": MODEL}]
    assert (code, found["good"]) == (0, True)


def test_a_makefile_that_makes_verify_a_no_op(branch: Branch) -> None:
    branch.do(percent("25"))
    branch.commit({"Makefile": b"verify:\n\t@true\n"})
    code, said = branch.verify()
    assert code == 1
    assert "Makefile: error [gate-guard] what judges or shows a change is" in "\n".join(said)
    assert said[-1].endswith(f"22 files, {LINE}: 1 error, must not be merged")


def test_a_link_and_a_submodule(branch: Branch) -> None:
    branch.do(percent("25"))
    (branch.folder / layout.CONFIG).unlink()
    (branch.folder / layout.CONFIG).symlink_to("README.md")
    # What Git itself would then no longer show.
    (branch.folder / ".gitmodules").write_text(
        '[submodule "m"]\n\tpath = models/m\n\turl = ./m\n\tignore = all\n'
    )
    branch.git("add", "-A")
    head = branch.git("rev-parse", "HEAD")
    branch.git("update-index", "--add", "--cacheinfo", f"160000,{head},models/m")
    branch.git("commit", "-q", "-m", "links")
    code, said = branch.verify()
    found = [line for line in said if "[gate-links]" in line]
    assert code == 1
    assert [line.partition(": nothing")[0] for line in found] == [
        "models/m: error [gate-links] a submodule comes in",
        "tidegate.yaml: error [gate-links] a symlink comes in",
    ]


def test_a_release_from_a_commit_of_the_branch(branch: Branch) -> None:
    branch.do(revert())
    path = f"{layout.base(MODEL)}/deployment.yaml"
    branch.commit({path: b"# edited\n" + (branch.folder / path).read_bytes()})
    branch.do(promote(14))
    code, said = branch.verify()
    assert code == 1
    assert "[gate-release] it was frozen from " in "\n".join(said)


def test_what_is_wrong_on_main_stops_only_a_move(branch: Branch) -> None:
    branch.origin.edit(layout.CONFIG, "waivers: []", "waiver: []")
    branch.git("pull", "-q", "--rebase", "origin", "main")
    branch.commit({"docs/more.md": b"# more\n"})
    code, said = branch.verify()
    assert code == 0
    assert "warning [schema] unknown key 'waiver' (on main already)" in "\n".join(said)
    branch.do(percent("25"))
    code, said = branch.verify()
    assert code == 1
    assert "error [schema] unknown key 'waiver'; fix: " in "\n".join(said)


def test_ci_says_what_is_judged_and_where_it_comes_from(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.do(percent("25"))
    sha = branch.git("rev-parse", "HEAD")
    branch.git("switch", "-q", "--detach", "origin/main")
    pull = {
        "number": 7,
        "head": {"ref": "work", "sha": sha, "repo": {"full_name": "eve/fleet"}},
        "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": "acme/fleet"}},
    }
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"pull_request": pull}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(file))
    code, said = branch.verify()
    assert code == 1
    assert f"{ROLLOUT}: error [gate-fork] a pull request from a fork (eve/" in "\n".join(said)
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    for name, value in {
        "MERGE_REQUEST_IID": "7",
        "MERGE_REQUEST_PROJECT_PATH": "acme/fleet",
        "MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/fleet",
        "MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "COMMIT_SHA": sha,
    }.items():
        monkeypatch.setenv(f"CI_{name}", value)
    code, said = branch.verify()
    assert (code, said[-1].partition(": ")[2]) == (0, f"21 files, {LINE}: may be merged")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--base", "origin/no"), "Git knows no commit 'origin/no' here; git fetch origin\n"),
        (("--base", "--upload-pack=x"), "Git knows no commit '--upload-pack=x' here; git fetch"),
    ],
)
def test_a_base_that_is_not_there(branch: Branch, words: tuple[str, ...], told: str) -> None:
    code, _, err = tidegate("verify", "--pr", "-C", branch.folder, *words)
    assert code == 1
    assert err.startswith(f"error: {told}")


def test_a_history_without_a_common_commit(branch: Branch) -> None:
    branch.git("switch", "-q", "--orphan", "other")
    branch.git("commit", "-q", "--allow-empty", "-m", "other")
    code, _, err = tidegate("verify", "--pr", "-C", branch.folder)
    assert code == 1
    assert err.endswith("have no commit in common; git fetch --unshallow origin\n")


def test_crosswise_merges_have_no_one_base(branch: Branch) -> None:
    branch.commit({"one.md": b"1"})
    branch.git("switch", "-q", "-c", "other", "origin/main")
    branch.commit({"two.md": b"2"})
    one, two = branch.git("rev-parse", "work"), branch.git("rev-parse", "other")
    branch.git("merge", "-q", "-m", "m", one)
    branch.git("switch", "-q", "work")
    branch.git("merge", "-q", "-m", "m", two)
    code, _, err = tidegate("verify", "--pr", "-C", branch.folder, "--base", "other")
    assert code == 1
    assert "was merged crosswise with" in err


def test_a_commit_belongs_to_a_pull_request(branch: Branch) -> None:
    code, _, err = tidegate("verify", "-C", branch.folder, "--head", "main")
    assert code == 2
    assert "--base, and a commit after --head, go with --pr" in err
