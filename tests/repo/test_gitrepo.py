"""The Git door on real bare repositories: races, lost answers, hostile remotes, damaged clones."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generator.changes import ChangeSet, Committed, Outcome, Refused, Stale
from generator.errors import InputError, RemoteError, redact
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import Person, build, person_of
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, refusal
from generator.gitrepo.snapshot import Snapshot

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ADA = Person("Ada", "ada@example.com")
EVE = ("-c", "user.name=Eve", "-c", "user.email=eve@example.com")
FIRST = {"README.md": b"hello\n", "sites/plant-1/a.yaml": b"a: 1\n", "empty": b""}


class Remote:
    """A bare repository with one commit on one branch."""

    def __init__(self, folder: Path, branch: str = "main", form: str = "sha1") -> None:
        self.folder = folder
        self.branch = branch
        self.git = Git(folder)
        words = (f"--initial-branch={branch}", f"--object-format={form}", "--template=")
        self.git.run("init", "--quiet", "--bare", *words)
        self.move(build(self.git, ChangeSet("", FIRST, "start"), ADA, NOW))

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    @property
    def head(self) -> str:
        code, out, _ = self.git.call("rev-parse", "--verify", f"refs/heads/{self.branch}")
        return out.decode().strip() if code == 0 else ""

    def move(self, commit: str) -> None:
        self.git.run("update-ref", f"refs/heads/{self.branch}", commit)

    def clone(self, name: str = "clone") -> Bare:
        return Bare(self.folder.parent / f"{name}.git", self.url)

    def hook(self, name: str, script: str) -> None:
        (self.folder / "hooks").mkdir(exist_ok=True)
        place = self.folder / "hooks" / name
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)

    def commits(self) -> list[str]:
        return self.git.run("rev-list", "--reverse", self.head).decode().split()


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "origin.git")


def write(bare: Bare, files: Mapping[str, bytes | None], tree: Snapshot | None = None) -> Outcome:
    tree = tree or bare.fetch()
    return bare.land(ChangeSet(tree.commit, files, "write"), ADA, NOW)


def contents(bare: Bare) -> dict[str, bytes]:
    tree = bare.fetch()
    return dict(tree.read_many(tree.ids("")))


# ------------------------------------------------------------------ writers race


def insist(bare: Bare, path: str) -> str:
    """Write as the loop does: decide again on the new head until the push is the first."""
    for _ in range(100):
        outcome = write(bare, {path: path.encode()})
        if isinstance(outcome, Committed):
            return outcome.id
        assert isinstance(outcome, Stale)
    raise AssertionError("lost a hundred races")


@pytest.mark.parametrize(
    ("writers", "shared"), [(8, False), (4, True)], ids=["a clone each", "one clone for all"]
)
def test_racing_writers_lose_nothing(remote: Remote, writers: int, shared: bool) -> None:
    first, start = remote.head, threading.Barrier(writers)

    def work(number: int) -> list[str]:
        bare = remote.clone("clone" if shared else f"clone-{number}")
        start.wait()
        return [insist(bare, f"by-{number}/{count}") for count in range(2)]

    with ThreadPoolExecutor(writers) as pool:
        landed = [commit for commits in pool.map(work, range(writers)) for commit in commits]
    assert sorted(remote.commits()) == sorted([first, *landed])
    assert remote.git.run("rev-list", "--merges", remote.head) == b""
    wrote = {f"by-{n}/{c}": f"by-{n}/{c}".encode() for n in range(writers) for c in range(2)}
    assert contents(remote.clone("reader")) == {**FIRST, **wrote}
    remote.git.run("fsck", "--strict")


def test_the_second_writer_is_stale_and_changes_nothing(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    seen = two.fetch()
    won = write(one, {"a": b"1"})
    assert isinstance(won, Committed)
    assert write(two, {"a": b"2"}, seen) == Stale(won.id)
    assert remote.head == won.id
    assert contents(two)["a"] == b"1"


def test_a_rewritten_branch_is_stale_and_never_forced(remote: Remote) -> None:
    bare = remote.clone()
    seen = bare.fetch()
    other = build(remote.git, ChangeSet("", {"b": b"2"}, "another history"), ADA, NOW)
    remote.move(other)
    assert write(bare, {"a": b"1"}, seen) == Stale(other)
    assert remote.head == other
    assert contents(bare) == {"b": b"2"}


def test_a_push_that_meets_another_inside_the_server_is_stale(remote: Remote) -> None:
    bare = remote.clone()
    seen = bare.fetch()
    other = build(remote.git, ChangeSet(seen.commit, {"b": b"2"}, "faster"), ADA, NOW)
    remote.hook("update", f"git update-ref refs/heads/main {other}")
    assert write(bare, {"a": b"1"}, seen) == Stale(other)
    assert remote.head == other


def test_a_lock_left_on_the_server_is_stale_until_it_goes(remote: Remote) -> None:
    bare, before = remote.clone(), remote.head
    lock = remote.folder / "refs/heads/main.lock"
    lock.touch()
    assert write(bare, {"a": b"1"}) == Stale(before)
    lock.unlink()
    assert isinstance(write(bare, {"a": b"1"}), Committed)


def test_the_same_change_is_the_same_commit_everywhere(remote: Remote, tmp_path: Path) -> None:
    outcome = write(remote.clone(), {"a": b"1"})
    again = Remote(tmp_path / "again.git")
    assert write(again.clone("other"), {"a": b"1"}) == outcome


# ------------------------------------------------------------------ the answer is lost


def test_a_refusal_carries_the_words_of_the_hook(remote: Remote) -> None:
    remote.hook(
        "pre-receive", r"printf '\033[31mGH006: Protected branch update failed\n' >&2; exit 1"
    )
    bare, before = remote.clone(), remote.head
    outcome = write(bare, {"a": b"1"})
    assert isinstance(outcome, Refused)
    assert outcome.why.startswith("[remote rejected] (pre-receive hook declined)")
    assert outcome.why.endswith("GH006: Protected branch update failed")
    assert outcome.why.isprintable()
    assert remote.head == before


def test_a_server_killed_after_the_update_reads_as_committed(remote: Remote) -> None:
    bare = remote.clone()
    remote.hook("post-receive", "kill -9 $PPID")
    outcome = write(bare, {"a": b"1"})
    assert outcome == Committed(remote.head)
    assert contents(bare)["a"] == b"1"
    # So that this proves something: the plain push says that it failed.
    last = build(bare.git, ChangeSet(remote.head, {"a": b"2"}, "by hand"), ADA, NOW)
    code, _, _ = bare.git.call("push", remote.url, f"{last}:refs/heads/main")
    assert code != 0
    assert remote.head == last


def test_a_server_killed_before_the_update_reads_as_not_landed(remote: Remote) -> None:
    bare, before = remote.clone(), remote.head
    remote.hook("pre-receive", "kill -9 $PPID")
    assert isinstance(write(bare, {"a": b"1"}), Refused)
    assert remote.head == before
    (remote.folder / "hooks/pre-receive").unlink()
    assert isinstance(write(bare, {"a": b"1"}), Committed)


def test_a_commit_that_the_server_took_back_is_not_committed(remote: Remote) -> None:
    bare, before = remote.clone(), remote.head
    remote.hook("post-receive", f"git update-ref refs/heads/main {before}")
    assert write(bare, {"a": b"1"}) == Refused("it did not stay there")
    assert remote.head == before


def test_a_commit_that_others_built_on_at_once_reads_as_committed(remote: Remote) -> None:
    bare = remote.clone()
    tree = "$(git rev-parse refs/heads/main^{tree})"
    next_ = f"git {' '.join(EVE)} commit-tree -m next -p refs/heads/main {tree}"
    remote.hook("post-receive", f"git update-ref refs/heads/main $({next_}); kill -9 $PPID")
    outcome = write(bare, {"a": b"1"})
    assert outcome == Committed(remote.commits()[1])
    assert len(remote.commits()) == 3


def test_a_remote_that_goes_away_in_the_push_is_an_error(remote: Remote) -> None:
    bare = remote.clone()
    remote.hook("post-receive", f"mv {remote.folder} {remote.folder}.gone")
    with pytest.raises(RemoteError):
        write(bare, {"a": b"1"})
    remote.folder.with_name("origin.git.gone").rename(remote.folder)
    assert contents(bare)["a"] == b"1"


# ------------------------------------------------------------------ branches


def test_the_default_branch_of_the_remote_is_taken(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "origin.git", "trunk")
    bare = remote.clone()
    assert isinstance(write(bare, {"a": b"1"}), Committed)
    assert bare.branch == "trunk"
    assert len(remote.commits()) == 2


def test_a_missing_branch_is_named(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the remote has no branch 'prod'"):
        Bare(tmp_path / "clone.git", remote.url, "prod").fetch()


def test_a_remote_without_a_commit_is_named(remote: Remote) -> None:
    remote.git.run("update-ref", "-d", "refs/heads/main")
    with pytest.raises(InputError, match="no branch 'main'; push the first commit"):
        remote.clone().fetch()


def test_a_branch_that_was_deleted_is_named_and_the_clone_kept(remote: Remote) -> None:
    bare = remote.clone()
    bare.fetch()
    (bare.git.folder / "mark").touch()
    remote.git.run("update-ref", "-d", "refs/heads/main")
    with pytest.raises(InputError, match="no branch 'main'"):
        bare.fetch()
    assert (bare.git.folder / "mark").exists()


def test_a_branch_of_its_own_leaves_the_other_alone(remote: Remote) -> None:
    bare, before = remote.clone(), remote.head
    change = ChangeSet(bare.fetch().commit, {"a": b"1"}, "for review")
    outcome = bare.land(change, ADA, NOW, "review/one")
    assert isinstance(outcome, Committed)
    assert remote.git.run("rev-parse", "refs/heads/review/one").decode().strip() == outcome.id
    assert remote.head == before


def test_a_branch_that_is_there_is_not_overwritten(remote: Remote) -> None:
    bare = remote.clone()
    base = bare.fetch().commit
    assert isinstance(bare.land(ChangeSet(base, {"a": b"1"}, "one"), ADA, NOW, "mine"), Committed)
    before = remote.git.run("rev-parse", "mine")
    with pytest.raises(InputError, match="the branch 'mine' is there already"):
        bare.land(ChangeSet(base, {"a": b"2"}, "two"), ADA, NOW, "mine")
    assert remote.git.run("rev-parse", "mine") == before


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a..b", "/a", "a/", "a//b", "a/-b", "refs@{0}", "a:b", "ü", "a\nb"]
)
def test_a_name_that_is_no_branch_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a branch name"):
        check_branch(name)


# ------------------------------------------------------------------ hostile remotes and trees

HELPERS = ["ext::sh -c touch% pwned", "ext::sh", "fd::17,18", "git+ext::x", "::x"]
OPTIONS = ["--upload-pack=touch pwned", "-oProxyCommand=touch pwned", "-", "", "a\nb", "a\x1bb"]


@pytest.mark.parametrize("url", [*HELPERS, *OPTIONS])
def test_a_url_that_is_a_command_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a repository URL"):
        Bare(tmp_path / "clone.git", url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["ssh://-oProxyCommand=touch${IFS}pwned/x", "-x@host:y", "host:-x", "file:///-x", "./--help"],
)
def test_a_url_with_an_option_inside_starts_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:ssh")
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    with pytest.raises((InputError, RemoteError)):
        Bare(tmp_path / "state/clone.git", url).fetch()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "url",
    ["http://[::1]:3000/fleet.git", "git@host:fleet.git", "ssh://[fe80::1]/x", "/srv/a", "../b"],
)
def test_a_plain_url_is_taken(url: str) -> None:
    assert check_remote(url) == url


ODD = [
    "a b",
    'q"uote',
    "back\\slash",
    "new\nline",
    "tab\t",
    "grün",
    "-x",
    ":(glob)x",
    "*",
    "\udcff",
]


def test_odd_paths_come_back_as_they_are(remote: Remote) -> None:
    files = {path: path.encode("utf-8", "surrogateescape") for path in [*ODD, "d e/f'g/h"]}
    bare = remote.clone()
    assert isinstance(write(bare, files), Committed)
    assert contents(remote.clone("other")) == {**FIRST, **files}
    assert isinstance(write(bare, dict.fromkeys(files)), Committed)
    assert contents(bare) == FIRST


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../x", "a//b", "a/", "", ".", ".git/config", "a/.GIT/config"]
)
def test_a_path_that_leaves_the_tree_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="leaves the tree"):
        ChangeSet("", {path: b""}, "write")


def test_a_path_with_a_nul_is_refused_whole(remote: Remote) -> None:
    before = remote.head
    with pytest.raises(ValueError, match="is not a path"):
        write(remote.clone(), {"a": b"1", "b\0c": b"2"})
    assert remote.head == before


def test_a_value_with_a_newline_forges_no_trailer() -> None:
    with pytest.raises(ValueError, match="cannot stand in a commit message"):
        ChangeSet("", {"a": b""}, "write", trailers=(("Reason", "x\nVerdict: Healthy"),))


def test_symlinks_and_submodules_are_not_there(remote: Remote) -> None:
    secret = remote.folder.parent / "secret"
    secret.write_bytes(b"do not read")
    blob = remote.git.run("hash-object", "-w", "--stdin", stdin=str(secret).encode()).decode()
    lines = f"120000 blob {blob.strip()}\tREADME.md\n160000 commit {remote.head}\tsites\n"
    tree = remote.git.run("mktree", "--missing", stdin=lines.encode()).decode().strip()
    remote.move(remote.git.run(*EVE, "commit-tree", "-m", "hostile", tree).decode().strip())
    bare = remote.clone()
    found = bare.fetch()
    assert (found.ids(""), found.read("README.md"), found.read("sites/x")) == ({}, None, None)
    assert isinstance(write(bare, {"sites/x": b"1", "README.md": b"2"}), Committed)
    assert contents(bare) == {"sites/x": b"1", "README.md": b"2"}
    assert secret.read_bytes() == b"do not read"


def hooks(folder: Path, script: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("reference-transaction", "pre-push", "post-checkout", "post-index-change"):
        shutil.copy(script, folder / name)


def test_no_hook_filter_or_setting_takes_part(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwned = tmp_path / "pwned"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {pwned}\ncat\n")
    evil.chmod(0o755)
    filters = "".join(f"\t{word} = {evil}\n" for word in ("clean", "smudge", "process"))
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\n\tfsmonitor = {evil}\n\tpager = {evil}\n"
        f'[alias]\n\tfetch = !{evil}\n[filter "evil"]\n{filters}'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    hooks(tmp_path / "template/hooks", evil)
    bare = remote.clone()
    assert isinstance(write(bare, {".gitattributes": b"* filter=evil diff=evil\n"}), Committed)
    hooks(bare.git.folder / "hooks", evil)
    hooks(tmp_path / "hooks", evil)
    bare.git.run("config", "core.hooksPath", str(tmp_path / "hooks"))
    assert isinstance(write(bare, {"a": b"raw\r\n"}), Committed)
    assert contents(remote.clone("other"))["a"] == b"raw\r\n"
    assert not pwned.exists()


def test_the_git_of_the_caller_leads_nowhere_else(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "nonsense")
    assert isinstance(write(remote.clone(), {"a": b"1"}), Committed)
    assert not (tmp_path / "elsewhere").exists()


# ------------------------------------------------------------------ who works here


def test_a_person_that_git_does_not_know_is_told_so(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    with pytest.raises(InputError, match=r"does not know who you are; git config --global user"):
        person_of(remote.git)


def test_a_hostile_name_stays_one_line(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve <x@y> 1 +0000\ncommitter Mallory <m@m>")
    bare = remote.clone()
    change = ChangeSet(bare.fetch().commit, {"a": b"1"}, "write")
    assert isinstance(bare.land(change, person_of(bare.git), NOW), Committed)
    raw = remote.git.run("cat-file", "commit", "main").decode()
    assert [line.split(" ")[0] for line in raw.split("\n\n")[0].splitlines()] == [
        "tree",
        "parent",
        "author",
        "committer",
    ]
    remote.git.run("fsck", "--strict")


# ------------------------------------------------------------------ secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ada:s3cret@host/x.git", "https://host/x.git"),
        ("https://s3cret@host:8443/x", "https://host:8443/x"),
        ("https://ada:s3/cr@et@host/x", "https://host/x"),
        ("'https://a:s3cret@h/x' and http://b:s3cret@i/y", "'https://h/x' and http://i/y"),
        ("https://host/team@v2/x", "https://host/team@v2/x"),
        ("git@host:x.git", "git@host:x.git"),
        ("/srv/fleet.git", "/srv/fleet.git"),
    ],
)
def test_credentials_are_taken_out_of_a_text(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert last_line(f"fatal: unable to access {text}".encode()) == f"unable to access {shown}"


def test_credentials_of_a_url_stand_in_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "http")
    bare = Bare(tmp_path / "clone.git", "http://ada:s3cret@127.0.0.1:1/fleet.git")
    with pytest.raises(RemoteError) as error:
        bare.fetch()
    assert error.value.endpoint == "http://127.0.0.1:1/fleet.git"
    assert "s3cret" not in f"{error.value!r} {error.value}"
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(b"s3cret" in data for data in kept)


def test_credentials_stand_in_no_file_of_the_clone(remote: Remote, tmp_path: Path) -> None:
    bare = Bare(tmp_path / "clone.git", f"file://ada:s3cret@{remote.folder}")
    assert isinstance(write(bare, {"a": b"1"}), Committed)
    assert not any(b"s3cret" in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_credentials_stand_in_no_refusal() -> None:
    err = b"remote: see https://ada:s3cret@host/a\nremote: or https://s3cret@host/b\n"
    assert refusal(b"!\tx:y\t[remote rejected] (hook)\n", err) == (
        "[remote rejected] (hook) see https://host/a or https://host/b"
    )


# ------------------------------------------------------------------ time


def ends(pid: int) -> bool:
    """Wait a little for a killed process to be gone."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("deaf", ["", "trap '' TERM INT;"], ids=["polite", "deaf to SIGTERM"])
def test_a_remote_that_hangs_is_given_up_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: str
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\n{deaf} echo $$ > {tmp_path}/pid; while :; do sleep 1; done\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ssh")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    with pytest.raises(RemoteError, match=r"git ls-remote took over 2 s"):
        Git(tmp_path / "none").call("ls-remote", "ssh://host/x", timeout_s=2)
    assert ends(int((tmp_path / "pid").read_text()))


def test_git_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not installed"):
        Git(tmp_path).run("version")


# ------------------------------------------------------------------ the clone is only a cache


def loose(folder: Path, name: str) -> Path:
    return folder / "objects" / name[:2] / name[2:]


def unpack(folder: Path) -> None:
    """Turn packs into loose objects, so that one can be hurt."""
    for pack in (folder / "objects/pack").glob("*.pack"):
        data = pack.read_bytes()
        for file in pack.parent.glob(f"{pack.stem}.*"):
            file.unlink()
        Git(folder).run("unpack-objects", "-q", stdin=data)


def hurt_object(folder: Path, spec: str, data: bytes | None) -> None:
    unpack(folder)
    place = loose(folder, Git(folder).run("rev-parse", spec).decode().strip())
    place.unlink()
    if data is not None:
        place.write_bytes(data)


HEAD = "refs/remotes/origin/main"
DAMAGE: dict[str, Callable[[Path], object]] = {
    "folder deleted": shutil.rmtree,
    "folder emptied": lambda f: [shutil.rmtree(f), f.mkdir()],
    "objects deleted": lambda f: shutil.rmtree(f / "objects"),
    "HEAD empty": lambda f: (f / "HEAD").write_bytes(b""),
    "HEAD deleted": lambda f: (f / "HEAD").unlink(),
    "config nonsense": lambda f: (f / "config").write_bytes(b"[core\n"),
    "branch nonsense": lambda f: (f / HEAD).write_bytes(b"nonsense\n"),
    "branch to nowhere": lambda f: (f / HEAD).write_bytes(b"1" * 40 + b"\n"),
    "lock left": lambda f: (f / f"{HEAD}.lock").touch(),
    "commit missing": lambda f: hurt_object(f, HEAD, None),
    "commit garbled": lambda f: hurt_object(f, HEAD, b"nonsense"),
    "folder missing": lambda f: hurt_object(f, f"{HEAD}:sites", None),
    "folder garbled": lambda f: hurt_object(f, f"{HEAD}:sites", b""),
    "file missing": lambda f: hurt_object(f, f"{HEAD}:README.md", None),
    "file garbled": lambda f: hurt_object(f, f"{HEAD}:README.md", b"nonsense"),
    "a first clone that was killed": lambda f: f.with_name(f".{f.name}.new").mkdir(),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_clone_is_made_anew_and_never_misread(remote: Remote, name: str) -> None:
    bare = remote.clone()
    bare.fetch()
    DAMAGE[name](bare.git.folder)
    try:
        first = contents(remote.clone())
    except RemoteError:
        first = FIRST  # saying that it is damaged is right, once
    assert first == FIRST
    assert contents(remote.clone()) == FIRST
    assert isinstance(write(remote.clone(), {"a": b"1"}), Committed)
    Git(bare.git.folder).run("fsck", "--strict")


def test_a_truncated_pack_is_made_anew(remote: Remote) -> None:
    bare = remote.clone()
    assert isinstance(write(bare, {f"many/{n}": b"%d" % n for n in range(300)}), Committed)
    bare = remote.clone("packed")
    expected = contents(bare)
    (pack,) = (bare.git.folder / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    os.truncate(pack, pack.stat().st_size // 2)
    try:
        first = contents(remote.clone("packed"))
    except RemoteError:
        first = expected
    assert first == expected
    assert contents(remote.clone("packed")) == expected


def test_a_whole_clone_outlives_a_remote_that_is_away(remote: Remote) -> None:
    bare = remote.clone()
    bare.fetch()
    mark = bare.git.folder / "mark"
    mark.touch()
    away = remote.folder.with_name("away")
    remote.folder.rename(away)
    with pytest.raises(RemoteError):
        bare.fetch()
    away.rename(remote.folder)
    assert contents(bare) == FIRST
    assert mark.exists()


def test_a_commit_leaves_no_reference_in_the_clone(remote: Remote) -> None:
    bare = remote.clone()
    write(bare, {"a": b"1"})
    build(bare.git, ChangeSet(bare.fetch().commit, {"a": b"2"}, "never pushed"), ADA, NOW)
    refs = bare.git.run("for-each-ref", "--format=%(refname)").decode().split()
    assert refs == ["refs/remotes/origin/main"]
    assert list(bare.git.folder.glob("fast_import_crash_*")) == []


# ------------------------------------------------------------------ SHA-256


@pytest.fixture
def remote_sha256(tmp_path: Path) -> Remote:
    words = ["git", "init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / "probe")]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("not run: this Git knows no SHA-256 repositories")
    return Remote(tmp_path / "origin-256.git", form="sha256")


def test_a_sha256_repository_is_read_and_written(remote_sha256: Remote) -> None:
    bare = remote_sha256.clone()
    outcome = write(bare, {"a": b"1", "README.md": None})
    assert outcome == Committed(remote_sha256.head)
    assert len(remote_sha256.head) == 64
    assert contents(bare) == {**{p: d for p, d in FIRST.items() if p != "README.md"}, "a": b"1"}
    seen = bare.fetch()
    write(remote_sha256.clone("other"), {"a": b"2"})
    assert isinstance(write(bare, {"a": b"3"}, seen), Stale)


def test_a_remote_made_anew_in_sha256_is_cloned_anew(remote: Remote, remote_sha256: Remote) -> None:
    bare = remote.clone()
    bare.fetch()
    shutil.rmtree(remote.folder)
    remote_sha256.folder.rename(remote.folder)
    assert contents(bare) == FIRST
    assert len(bare.fetch().commit) == 64
