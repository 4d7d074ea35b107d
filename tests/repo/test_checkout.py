"""A person's checkout: commits land beside what is dirty, and a kill is mended by the next one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

from generator.changes import ChangeSet, Committed, Outcome, Stale
from generator.errors import ConflictError, InputError, RemoteError
from generator.expand import differences
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout, start_bare, start_checkout
from generator.gitrepo.commit import Person, build
from generator.gitrepo.landing import JOURNAL
from generator.repository import Repository
from tests.builders import EDGE, MODEL, Origin, baseline, fleet, promote
from tidegate import cli

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ADA = Person("Ada", "ada@example.com")
FIRST: Mapping[str, bytes] = {
    ".gitignore": b"*.log\n",
    ".gitattributes": b"* text=auto eol=lf\n*.bin binary\n",
    "a.txt": b"a\n",
    "b.txt": b"b\n",
    "c.txt": b"c\n",
    "dir/d.txt": b"d\n",
    "dir/e.bin": b"\r\n\0",
}
# One of each kind: an edit, a new file in a new folder, a file that goes.
CHANGE: Mapping[str, bytes | None] = {"a.txt": b"A\n", "new/n.txt": b"n\n", "dir/d.txt": None}


def git(folder: Path, *words: str) -> str:
    """Run plain Git, as a person would."""
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("template")
    land(start_checkout(place, "main", ""), FIRST)
    return place


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """Give a checkout with one commit."""
    shutil.copytree(template, tmp_path / "work")
    return tmp_path / "work"


def land(checkout: Checkout, files: Mapping[str, bytes | None], branch: str = "") -> Outcome:
    change = ChangeSet(checkout.head().commit, files, "write")
    return checkout.land(change, ADA, NOW, branch)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Read the whole work tree; a symlink is where it leads, with an arrow."""
    found: dict[str, bytes | str] = {}
    for place in folder.rglob("*"):
        name = place.relative_to(folder).as_posix()
        if name.startswith(".git/") or (place.is_dir() and not place.is_symlink()):
            continue
        found[name] = f"-> {place.readlink()}" if place.is_symlink() else place.read_bytes()
    return found


def state(folder: Path) -> tuple[object, ...]:
    """Take everything that a refused command must not have touched."""
    refs = git(folder, "for-each-ref"), git(folder, "symbolic-ref", "--quiet", "HEAD")
    return tree(folder), git(folder, "ls-files", "-s"), status(folder), *refs


def status(folder: Path) -> str:
    return git(folder, "status", "--porcelain", "--untracked-files=all", "--ignored")


def assert_clean(folder: Path) -> None:
    assert status(folder) == ""
    git(folder, "fsck", "--strict")
    kept = [p.name for p in (folder / ".git").rglob("*") if p.name.endswith((".lock", ".json"))]
    assert kept in ([], ["tidegate.lock"])


def after(files: Mapping[str, bytes | None] = CHANGE) -> dict[str, bytes]:
    return {path: data for path, data in {**FIRST, **files}.items() if data is not None}


# ------------------------------------------------------------------ landing


def test_a_commit_lands_on_the_current_branch_with_its_files(folder: Path) -> None:
    git(folder, "switch", "--quiet", "-c", "topic")
    outcome = land(Checkout(folder), CHANGE)
    assert outcome == Committed(git(folder, "rev-parse", "topic").strip())
    assert git(folder, "rev-list", "--count", "main..topic").strip() == "1"
    assert tree(folder) == after()
    assert_clean(folder)


def test_the_first_commit_of_an_empty_repository_lands(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert isinstance(land(Checkout(tmp_path), {"a": b"1"}), Committed)
    assert_clean(tmp_path)


def test_a_commit_lands_from_a_folder_below(folder: Path) -> None:
    assert isinstance(land(Checkout(folder / "dir"), CHANGE), Committed)
    assert tree(folder) == after()
    assert_clean(folder)


def test_a_change_on_an_older_commit_is_stale(folder: Path) -> None:
    checkout = Checkout(folder)
    base = checkout.head().commit
    land(checkout, {"b.txt": b"B\n"})
    before = state(folder)
    head = git(folder, "rev-parse", "HEAD").strip()
    assert checkout.land(ChangeSet(base, CHANGE, "late"), ADA, NOW) == Stale(head)
    assert state(folder) == before


def test_odd_names_land(folder: Path) -> None:
    names = ["a b", 'q"uote', "back\\slash", "new\nline", "grün", "-x", ":(glob)x", "*", "[a]"]
    files = {f"odd/{name}": name.encode() for name in names}
    assert isinstance(land(Checkout(folder), files), Committed)
    assert tree(folder) == after(files)
    assert_clean(folder)
    (folder / "odd" / "*").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"would overwrite odd/\*;"):
        land(Checkout(folder), {"odd/*": b"theirs"})


def test_a_sha256_checkout_is_read_and_written(tmp_path: Path) -> None:
    words = ["git", "init", "--quiet", "--object-format=sha256", str(tmp_path)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("not run: this Git knows no SHA-256 repositories")
    for data in (b"1", b"2"):
        assert isinstance(land(Checkout(tmp_path), {"a": data}), Committed)
    assert len(git(tmp_path, "rev-parse", "HEAD").strip()) == 64
    assert_clean(tmp_path)


def test_writers_in_one_checkout_lose_nothing(folder: Path) -> None:
    start = threading.Barrier(4)

    def work(number: int) -> list[str]:
        start.wait()
        return [insist(number, count) for count in range(2)]

    def insist(number: int, count: int) -> str:
        for _ in range(50):
            outcome = land(Checkout(folder), {f"by-{number}/{count}": b"%d" % number})
            if isinstance(outcome, Committed):
                return outcome.id
            assert isinstance(outcome, Stale)
        raise AssertionError("lost fifty races")

    first = git(folder, "rev-parse", "HEAD").strip()
    with ThreadPoolExecutor(4) as pool:
        landed = [commit for commits in pool.map(work, range(4)) for commit in commits]
    assert sorted(git(folder, "rev-list", "HEAD").split()) == sorted([first, *landed])
    assert tree(folder) == after({f"by-{n}/{c}": b"%d" % n for n in range(4) for c in range(2)})
    assert_clean(folder)


# ------------------------------------------------------------------ what is dirty


def put(path: str, data: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)

    return write


def staged(path: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (put(path, data)(folder), git(folder, "add", path))


def link(path: str, target: str) -> Callable[[Path], object]:
    return lambda folder: (folder / path).symlink_to(target)


IN_THE_WAY: dict[str, tuple[Callable[[Path], object], Mapping[str, bytes | None], str]] = {
    "edited": (put("a.txt", b"mine"), CHANGE, "a.txt"),
    "staged": (staged("a.txt", b"mine"), CHANGE, "a.txt"),
    "edited, to be deleted": (put("dir/d.txt", b"mine"), CHANGE, "dir/d.txt"),
    "deleted": (lambda f: (f / "a.txt").unlink(), CHANGE, "a.txt"),
    "deletion staged": (lambda f: git(f, "rm", "-q", "a.txt"), CHANGE, "a.txt"),
    "untracked": (put("new/n.txt", b"mine"), CHANGE, "new/n.txt"),
    "staged new": (staged("new/n.txt", b"mine"), CHANGE, "new/n.txt"),
    "ignored": (put("new/x.log", b"mine"), {"new/x.log": b"theirs"}, "new/x.log"),
    "a file where a folder goes": (put("new", b"mine"), CHANGE, "new"),
    "an ignored file where a folder goes": (put("x.log", b"mine"), {"x.log/y": b"1"}, "x.log"),
    "a folder where a file goes": (put("new/n.txt/mine", b"mine"), CHANGE, "new/n.txt"),
    "a symlink where a file goes": (link("n", "/etc/hostname"), {"n": b"theirs"}, "n"),
    "a dangling symlink where a file goes": (link("n", "gone"), {"n": b"theirs"}, "n"),
    "a symlink where a folder goes": (link("new", ".."), CHANGE, "new"),
    "a tracked file turned symlink": (
        lambda f: ((f / "a.txt").unlink(), link("a.txt", "b.txt")(f)),
        CHANGE,
        "a.txt",
    ),
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_what_a_person_would_lose_is_refused_with_nothing_changed(folder: Path, name: str) -> None:
    make, change, told = IN_THE_WAY[name]
    make(folder)
    before = state(folder)
    with pytest.raises(InputError) as error:
        land(Checkout(folder), change)
    hint = "commit or stash your own changes first"
    assert str(error.value) == f"this would overwrite {told}; {hint}"
    assert state(folder) == before
    assert not (folder / ".git" / JOURNAL).exists()


def test_many_dirty_files_are_told_in_one_line(folder: Path) -> None:
    for number in range(8):
        (folder / f"n{number}").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"overwrite n0, n1, n2, n3, n4 and 3 more;"):
        land(Checkout(folder), {f"n{number}": b"theirs" for number in range(8)})


def test_other_dirty_files_are_kept_byte_for_byte(folder: Path) -> None:
    (folder / "b.txt").write_bytes(b"mine\r\nno newline")
    (folder / "c.txt").unlink()
    (folder / "untracked dir").mkdir()
    (folder / "untracked dir" / "ü.txt").write_bytes(b"\xff\0mine")
    (folder / "new").mkdir()
    (folder / "new" / "beside.txt").write_bytes(b"mine")
    (folder / "ignored.log").write_bytes(b"mine")
    (folder / "dir" / "e.bin").write_bytes(b"half staged")
    git(folder, "add", "dir/e.bin")
    (folder / "dir" / "e.bin").write_bytes(b"and edited since")
    (folder / "link").symlink_to("/nowhere")
    before, dirty = tree(folder), status(folder)
    assert isinstance(land(Checkout(folder), CHANGE), Committed)
    expected = {**before, **CHANGE}
    assert tree(folder) == {path: data for path, data in expected.items() if data is not None}
    assert status(folder) == dirty
    assert git(folder, "show", ":dir/e.bin") == "half staged"


def test_an_edit_that_is_the_change_is_no_obstacle(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"A\n")
    (folder / "b.txt").write_bytes(b"mine")
    assert isinstance(land(Checkout(folder), CHANGE), Committed)
    assert tree(folder) == after({**CHANGE, "b.txt": b"mine"})
    assert status(folder) == " M b.txt\n"


def test_another_git_at_work_is_named_and_nothing_changed(folder: Path) -> None:
    lock = folder / ".git" / "index.lock"
    lock.write_bytes(b"")
    before = state(folder)
    with pytest.raises(RemoteError, match=r"another Git command is at work .*index\.lock"):
        land(Checkout(folder), CHANGE)
    assert state(folder) == before
    assert lock.exists()


def test_a_detached_head_is_refused_with_nothing_changed(folder: Path) -> None:
    git(folder, "switch", "--quiet", "--detach")
    before = tree(folder), git(folder, "rev-parse", "HEAD", "main")
    with pytest.raises(InputError, match="the checkout is on no branch; git switch main"):
        land(Checkout(folder), CHANGE)
    assert (tree(folder), git(folder, "rev-parse", "HEAD", "main")) == before
    assert status(folder) == ""


# ------------------------------------------------------------------ where a checkout is


def test_a_linked_worktree_is_a_checkout(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "linked"
    git(folder, "worktree", "add", "--quiet", "-b", "topic", str(place))
    assert (place / ".git").is_file()
    before = state(folder)[:3]
    outcome = land(Checkout(place / "dir"), CHANGE)
    assert outcome == Committed(git(folder, "rev-parse", "topic").strip())
    assert {path: data for path, data in tree(place).items() if path != ".git"} == after()
    assert status(place) == ""
    assert state(folder)[:3] == before


def test_a_kill_in_a_linked_worktree_is_mended(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "linked"
    git(folder, "worktree", "add", "--quiet", "-b", "topic", str(place))
    die_half_way(Checkout(place))
    assert status(place) != ""
    Checkout(place)
    assert {path: data for path, data in tree(place).items() if path != ".git"} == after()
    assert status(place) == ""


@pytest.mark.parametrize("bare", [False, True])
def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path, bare: bool) -> None:
    if bare:
        git(tmp_path, "init", "--quiet", "--bare")
    with pytest.raises(InputError, match="is not inside a Git checkout; go into the repository"):
        Checkout(tmp_path)


def test_symlinks_are_not_read_and_not_written_through(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "file").symlink_to(tmp_path / "outside/secret")
    checkout = Checkout(folder)
    assert checkout.read("file") is None
    with pytest.raises(InputError, match="a folder on the way is a symlink"):
        checkout.write({"link/x": b"1"})
    checkout.write({"file": b"1", "deep/er": b"2", "a.txt": None})
    assert (folder / "file").read_bytes() == b"1"
    assert {p.name: p.read_bytes() for p in (tmp_path / "outside").iterdir()} == {
        "secret": b"secret"
    }
    assert tree(folder).keys() == {*FIRST, "link", "file", "deep/er"} - {"a.txt"}


def test_a_committed_symlink_is_refused_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "new").symlink_to(tmp_path / "outside")
    git(folder, "add", "new")
    git(folder, "commit", "--quiet", "-m", "hostile")
    before = state(folder)
    with pytest.raises(InputError, match="would overwrite new;"):
        land(Checkout(folder), CHANGE)
    assert state(folder) == before
    assert list((tmp_path / "outside").iterdir()) == []


def test_no_hook_of_the_checkout_runs(folder: Path, tmp_path: Path) -> None:
    evil = f"#!/bin/sh\ntouch {tmp_path}/pwned\n"
    hooks = (
        "pre-commit",
        "reference-transaction",
        "post-checkout",
        "post-index-change",
        "pre-push",
    )
    for name in hooks:
        (folder / ".git/hooks").mkdir(exist_ok=True)
        (folder / ".git/hooks" / name).write_text(evil)
        (folder / ".git/hooks" / name).chmod(0o755)
    git(folder, "config", "core.hooksPath", str(folder / ".git/hooks"))
    git(folder, "config", "core.fsmonitor", str(folder / ".git/hooks/pre-commit"))
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(folder, "config", "remote.origin.url", f"file://{tmp_path}/origin.git")
    (tmp_path / "pwned").unlink(missing_ok=True)
    checkout = Checkout(folder)
    assert isinstance(land(checkout, CHANGE), Committed)
    checkout.push()
    assert not (tmp_path / "pwned").exists()


# ------------------------------------------------------------------ a kill is mended


def die_half_way(checkout: Checkout, moved: bool = True, **wrong: object) -> str:
    """Leave what a kill leaves between the branch and the files."""
    old = checkout.head().commit
    new = build(checkout.git, ChangeSet(old, CHANGE, "killed"), ADA, NOW)
    entry = {"branch": checkout.branch, "old": old, "new": new, "paths": sorted(CHANGE), **wrong}
    (checkout.git.folder / JOURNAL).write_text(json.dumps(entry))
    if moved:
        checkout.git.run("update-ref", f"refs/heads/{checkout.branch}", new, old)
    return new


def test_a_kill_between_branch_and_files_is_mended_by_the_next_command(folder: Path) -> None:
    new = die_half_way(Checkout(folder))
    assert status(folder) != ""
    assert Checkout(folder).head().commit == new
    assert tree(folder) == after()
    assert_clean(folder)


def test_a_kill_between_two_files_is_mended(folder: Path) -> None:
    die_half_way(Checkout(folder))
    (folder / "a.txt").write_bytes(b"A\n")
    (folder / "dir/d.txt").unlink()
    Checkout(folder)
    assert tree(folder) == after()
    assert_clean(folder)


def test_a_kill_after_the_last_file_is_mended(folder: Path) -> None:
    new = die_half_way(Checkout(folder))
    git(folder, "reset", "--quiet", "--hard", new)
    Checkout(folder)
    assert tree(folder) == after()
    assert_clean(folder)


def test_a_kill_before_the_branch_moved_leaves_nothing(folder: Path) -> None:
    before = state(folder)
    die_half_way(Checkout(folder), moved=False)
    Checkout(folder)
    assert state(folder) == before
    assert_clean(folder)


@pytest.mark.parametrize("text", ["", '{"branch": "main", "ol', "[]", '{"other": 1}', "null"])
def test_a_kill_while_the_journal_was_written_leaves_nothing(folder: Path, text: str) -> None:
    before = state(folder)
    (folder / ".git" / JOURNAL).write_text(text)
    Checkout(folder)
    assert state(folder) == before
    assert_clean(folder)


def test_a_journal_that_others_have_built_on_is_forgotten(folder: Path) -> None:
    new = die_half_way(Checkout(folder))
    git(folder, "reset", "--quiet", "--hard", new)
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "mine")
    (folder / "a.txt").write_bytes(b"mine")
    before = state(folder)
    Checkout(folder)
    assert state(folder) == before
    assert not (folder / ".git" / JOURNAL).exists()


def test_mending_keeps_what_a_person_has_edited_since(folder: Path) -> None:
    die_half_way(Checkout(folder))
    (folder / "a.txt").write_bytes(b"mine")
    (folder / "b.txt").write_bytes(b"mine")
    (folder / "new").mkdir()
    (folder / "new/n.txt").write_bytes(b"mine")
    (folder / "dir/d.txt").write_bytes(b"mine")
    Checkout(folder)
    mine = dict.fromkeys(("a.txt", "b.txt", "new/n.txt", "dir/d.txt"), b"mine")
    assert tree(folder) == {**FIRST, **mine}
    assert status(folder) == " M a.txt\n M b.txt\n M new/n.txt\n?? dir/d.txt\n"


def test_a_lock_that_a_kill_left_on_the_index_is_taken_away(folder: Path) -> None:
    die_half_way(Checkout(folder))
    (folder / ".git/index.lock").write_bytes(b"half an index")
    Checkout(folder)
    assert tree(folder) == after()
    assert_clean(folder)


# ------------------------------------------------------------------ branches and pushing


def test_a_branch_of_its_own_leaves_the_checkout_where_it_is(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"mine")
    before = tree(folder), status(folder), git(folder, "rev-parse", "HEAD", "main")
    outcome = land(Checkout(folder), CHANGE, "review")
    assert outcome == Committed(git(folder, "rev-parse", "review").strip())
    assert git(folder, "show", "review:a.txt") == "A\n"
    assert (tree(folder), status(folder), git(folder, "rev-parse", "HEAD", "main")) == before


def test_a_branch_that_is_there_is_refused(folder: Path) -> None:
    git(folder, "branch", "review")
    before = state(folder)
    with pytest.raises(InputError, match="the branch 'review' is there already"):
        land(Checkout(folder), CHANGE, "review")
    assert state(folder) == before


def test_the_current_branch_may_be_named(folder: Path) -> None:
    assert isinstance(land(Checkout(folder), CHANGE, "main"), Committed)
    assert tree(folder) == after()
    assert_clean(folder)


@pytest.fixture
def origin(folder: Path) -> Path:
    place = folder.parent / "origin.git"
    start_bare(place, "main", Checkout(folder))
    git(folder, "remote", "add", "origin", f"file://{place}")
    return place


def hook(origin: Path, name: str, script: str) -> None:
    (origin / "hooks").mkdir(exist_ok=True)
    (origin / "hooks" / name).write_text(f"#!/bin/sh\n{script}\n")
    (origin / "hooks" / name).chmod(0o755)


def test_a_push_brings_the_commit_to_origin(folder: Path, origin: Path) -> None:
    checkout = Checkout(folder)
    land(checkout, CHANGE)
    checkout.push()
    assert git(origin, "rev-parse", "main") == git(folder, "rev-parse", "main")
    land(checkout, {"a.txt": b"review\n"}, "review")
    checkout.push("review")
    assert git(origin, "rev-parse", "review") == git(folder, "rev-parse", "review")


def test_a_push_that_lost_the_race_keeps_the_commit(folder: Path, origin: Path) -> None:
    other = Bare(folder.parent / "other.git", f"file://{origin}")
    base = other.fetch().commit
    other.land(ChangeSet(base, {"b.txt": b"theirs\n"}, "faster"), ADA, NOW)
    there = git(origin, "rev-parse", "main")
    checkout = Checkout(folder)
    outcome = land(checkout, CHANGE)
    with pytest.raises(ConflictError, match=r"on your branch main, but somebody pushed to it fir"):
        checkout.push()
    assert git(origin, "rev-parse", "main") == there
    assert outcome == Committed(git(folder, "rev-parse", "main").strip())
    assert_clean(folder)


def test_a_push_that_a_hook_refused_says_why_and_where_the_commit_is(
    folder: Path, origin: Path
) -> None:
    hook(origin, "pre-receive", "echo 'GH006: protected' >&2; exit 1")
    checkout = Checkout(folder)
    land(checkout, CHANGE)
    with pytest.raises(InputError) as error:
        checkout.push()
    assert str(error.value) == (
        "the commit is on your branch main, but not on origin: [remote rejected] "
        "(pre-receive hook declined) GH006: protected; git push origin main"
    )


def test_a_push_whose_answer_was_lost_is_done(folder: Path, origin: Path) -> None:
    hook(origin, "post-receive", "kill -9 $PPID")
    checkout = Checkout(folder)
    land(checkout, CHANGE)
    checkout.push()
    assert git(origin, "rev-parse", "main") == git(folder, "rev-parse", "main")


def test_a_push_to_nowhere_says_where_the_commit_is(folder: Path, origin: Path) -> None:
    shutil.rmtree(origin)
    checkout = Checkout(folder)
    land(checkout, CHANGE)
    with pytest.raises(InputError, match=r"on your branch main, but not on origin: .*; git push"):
        checkout.push()


def test_a_push_without_a_remote_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="there is no remote 'origin'; git remote add"):
        Checkout(folder).push()


def test_a_pull_brings_what_others_pushed(folder: Path, origin: Path) -> None:
    other = Bare(folder.parent / "other.git", f"file://{origin}")
    other.land(ChangeSet(other.fetch().commit, CHANGE, "theirs"), ADA, NOW)
    (folder / "b.txt").write_bytes(b"mine")
    assert Checkout(folder).pull() is True
    assert tree(folder) == after({**CHANGE, "b.txt": b"mine"})
    assert status(folder) == " M b.txt\n"
    assert Checkout(folder).pull() is False


def test_a_pull_never_overwrites(folder: Path, origin: Path) -> None:
    other = Bare(folder.parent / "other.git", f"file://{origin}")
    other.land(ChangeSet(other.fetch().commit, CHANGE, "theirs"), ADA, NOW)
    (folder / "a.txt").write_bytes(b"mine")
    git(folder, "fetch", "--quiet")
    before = state(folder)
    with pytest.raises(InputError, match=r"would overwrite a\.txt;"):
        Checkout(folder).pull()
    assert state(folder) == before
    git(folder, "commit", "--quiet", "-am", "mine")
    before = state(folder)
    assert Checkout(folder).pull() is False
    assert state(folder) == before


# ------------------------------------------------------------------ SIGKILL at any moment


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Give a fleet of 6 sites with a baseline; the verbs are loaded before they are forked."""
    for verb in ("set_percent", "site"):
        import_module(f"tidegate.commands.{verb}")
    origin = Origin.start(tmp_path_factory.mktemp("small"), fleet(6, 1))
    origin.must(baseline(12))
    return origin


@pytest.fixture(scope="module")
def climbing(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Give a fleet of 100 sites whose version 13 is at 5 percent."""
    origin = Origin.start(tmp_path_factory.mktemp("climbing"), fleet())
    origin.must(baseline(12))
    origin.must(promote(13))
    return origin


class Reaper:
    """A `git` that kills who called it, at one call that writes, before or after its work."""

    def __init__(self, folder: Path, when: str) -> None:
        self.folder = folder
        self.when = when
        folder.mkdir()
        self._real = shutil.which("git")

    def arm(self, call: int) -> None:
        """Kill at this call, counted from 1; 0 never does."""
        count = self.folder / "count"
        count.write_bytes(b"")
        kill = "kill -9 $PPID; exit 1"
        before, after = (kill, ":") if self.when == "before" else (":", kill)
        words = "fast-import update-ref update-index read-tree restore init fetch push ls-remote"
        script = self.folder / "git"
        script.write_text(
            f"#!/bin/sh\ncase $* in {'|'.join(f'*{word}*' for word in words.split())}) ;;\n"
            f'*) exec {self._real} "$@" ;; esac\n'
            f"echo >> {count}; n=$(wc -l < {count})\n"
            f'[ $n -ne {call} ] || {{ {before}; }}\n{self._real} "$@"\ncode=$?\n'
            f"[ $n -ne {call} ] || {{ {after}; }}\nexit $code\n"
        )
        script.chmod(0o755)


def in_a_child(words: list[str]) -> int:
    """Run the command line in a child of its own; give its exit code, -9 when it was killed."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        code = 99
        try:
            code = cli.run(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


NEW = "plant-0007"
ADD = ["site", "add", NEW, "--env", EDGE, "--cluster", "k3s-7", "--hardware", "cpu"]
ADD += ["--region", "asia", "--label", "line=a"]


def assert_one_site_more(repository: Repository, before: Repository) -> None:
    old, new = before.tree.ids(""), repository.tree.ids("")
    assert [site.id for site in repository.sites(EDGE)][-1] == NEW
    assert differences(repository, EDGE, MODEL) == {}
    assert len(repository.tree.log((), 50)) == len(before.tree.log((), 50)) + 1
    assert {path.split("/")[0] for path in old.keys() ^ new.keys()} == {"sites"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_call_of_git_leaves_one_commit_in_a_clean_checkout(
    small: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    reaper, before = Reaper(tmp_path / "bin", when), Repository(small.fetch())
    git(tmp_path, "clone", "--quiet", f"file://{small.folder}/origin.git", "master")
    monkeypatch.setenv("PATH", f"{reaper.folder}{os.pathsep}{os.environ['PATH']}")
    codes, call = [], 0
    while 0 not in codes:
        call += 1
        folder = tmp_path / str(call)
        shutil.copytree(tmp_path / "master", folder, symlinks=True)
        (folder / "notes.txt").write_bytes(b"mine")
        words = [*ADD, "-C", str(folder)]
        reaper.arm(call)
        codes.append(in_a_child(words))
        reaper.arm(0)
        assert in_a_child(words) == 0
        assert git(folder, "status", "--porcelain", "-uall", "--ignored") == "?? notes.txt\n"
        assert git(folder, "for-each-ref", "refs/tidegate") == ""
        git(folder, "fsck", "--strict")
        assert_one_site_more(Repository(Checkout(folder).head()), before)
    assert set(codes[:-1]) == {-9}
    assert len(codes) > 4


def test_a_kill_at_any_call_of_git_leaves_one_commit_on_the_remote(
    small: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaper, before = Reaper(tmp_path / "bin", "after"), Repository(small.fetch())
    monkeypatch.setenv("PATH", f"{reaper.folder}{os.pathsep}{os.environ['PATH']}")
    codes, call = [], 0
    while 0 not in codes:
        call += 1
        origin = tmp_path / f"{call}.git"
        shutil.copytree(small.folder / "origin.git", origin)
        words = [*ADD, "--repo", origin.as_uri(), "--state-dir", str(tmp_path / f"{call}")]
        reaper.arm(call)
        codes.append(in_a_child(words))
        reaper.arm(0)
        assert in_a_child(words) == 0
        git(origin, "fsck", "--strict")
        assert_one_site_more(
            Repository(Bare(tmp_path / "r" / str(call), str(origin)).fetch()), before
        )
    assert set(codes[:-1]) == {-9}
    assert len(codes) > 5


def children(pid: int) -> list[int]:
    """List every process below one, however it is grouped."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(place.parent.name))
    found, waiting = [], [pid]
    while waiting:
        waiting = [child for one in waiting for child in parents.get(one, [])]
        found += waiting
    return found


def kill_after(words: list[str], seconds: float, with_git: bool) -> bool:
    """Start the command line, kill it, and say whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tidegate.cli", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGSTOP)
        # What a power cut or an OOM killer does; otherwise Git goes on alone for a moment.
        for pid in [*(children(process.pid) if with_git else []), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def assert_at_25_percent(repository: Repository, before: Repository) -> None:
    assert str(repository.rollout(EDGE, MODEL).percent) == "25"
    assert differences(repository, EDGE, MODEL) == {}
    steps = [one for one in repository.tree.log((), 50) if "Rollout-Percent" in one.trailers]
    assert [one.trailers["Rollout-Percent"] for one in steps] == ["5->25", "0->5"]
    assert len(repository.tree.log((), 50)) == len(before.tree.log((), 50)) + 1


BUMP = ["set-percent", MODEL, "25", "--env", EDGE, "--reason", "r"]
# The first one always hits; the work lies around the others, as fast as the machine is.
MOMENTS_S = (0.05, 0.25, 0.35, 0.45, 0.55)


def test_a_kill_at_any_moment_leaves_one_step_in_a_clean_checkout(
    climbing: Origin, tmp_path: Path
) -> None:
    before, killed = Repository(climbing.fetch()), 0
    for number, seconds in enumerate(MOMENTS_S):
        folder = tmp_path / str(number)
        git(tmp_path, "clone", "--quiet", f"file://{climbing.folder}/origin.git", str(folder))
        (folder / "notes.txt").write_bytes(b"mine")
        words = [*BUMP, "-C", str(folder)]
        killed += kill_after(words, seconds, with_git=number % 2 == 0)
        assert in_a_child(words) == 0
        assert git(folder, "status", "--porcelain", "-uall", "--ignored") == "?? notes.txt\n"
        git(folder, "fsck", "--strict")
        assert_at_25_percent(Repository(Checkout(folder).head()), before)
    assert killed > 0


def test_a_kill_at_any_moment_leaves_one_commit_on_the_remote(
    small: Origin, tmp_path: Path
) -> None:
    before, killed = Repository(small.fetch()), 0
    for number, seconds in enumerate(MOMENTS_S):
        origin = small.copy(tmp_path / str(number))
        url, state_dir = f"file://{origin.folder}/origin.git", str(origin.folder / "state")
        words = [*ADD, "--repo", url, "--state-dir", state_dir]
        killed += kill_after(words, seconds, with_git=True)
        assert in_a_child(words) == 0
        origin.git.run("fsck", "--strict")
        assert_one_site_more(Repository(origin.fetch()), before)
    assert killed > 0
