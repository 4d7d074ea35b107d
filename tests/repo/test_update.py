"""`tidegate update`: blueprints move on, people edit, and neither is lost."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator import layout
from generator.documents.answers import read_answers
from generator.documents.lock import Lock, read_lock, sha256, write_lock
from generator.gitrepo.merging import merge
from generator.model.blueprint import Stamp
from generator.model.environment import Kind
from tests.builders import IMAGE, MODEL
from tests.shell import tidegate

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

EDGE = "edge-k3s"
BASE = f"models/{MODEL}/base/deployment.yaml"
ROLLOUT = layout.rollout(EDGE, MODEL)
SETTINGS = layout.environment(EDGE)
OLD = "docs/runbooks/old.md"
NOTHING = "nothing to do: that is how it stands already\n"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return done.stdout.decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    rows = "".join(f"plant-{number},eu,cpu,k3s-{number}\n" for number in range(1, 4))
    (place / "plants.csv").write_text(f"id,region,hardware,cluster\n{rows}")
    words = ["--environment", EDGE, "--environment", "cloud-eks", "--model", MODEL]
    words += ["--image", IMAGE, "--sites", str(place / "plants.csv")]
    words += ["--remote", "https://git.example.com/fleet.git", "--prometheus", "http://p:9090"]
    assert tidegate("init", place / "fleet", *words)[0] == 0
    git(place / "fleet", "remote", "remove", "origin")
    return place / "fleet"


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(made), "fleet")
    return tmp_path / "fleet"


def commit(folder: Path, text: str = "a person's commit") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", text)


def lock_of(folder: Path) -> Lock:
    return read_lock(layout.LOCK, (folder / layout.LOCK).read_bytes())


def older(folder: Path, path: str, data: bytes | None, blueprint: str = "repository") -> None:
    """Make it so that an older blueprint had written other bytes, or none, in this place."""
    lock = lock_of(folder)
    files = {name: digest for name, digest in lock.files.items() if name != path}
    for place in (folder / path, folder / layout.pristine(path)):
        place.unlink(missing_ok=True)
        if data is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    if data is not None:
        files[path] = sha256(data)
    stamps = {**lock.blueprints, blueprint: Stamp(0, f"sha256:{0:064x}")}
    (folder / layout.LOCK).write_bytes(write_lock(Lock(stamps, files)))
    commit(folder, "as an older tidegate made it")


def edit(folder: Path, path: str, change: Callable[[str], str]) -> None:
    before = (folder / path).read_text()
    after = change(before)
    assert after != before
    (folder / path).write_text(after)


def update(folder: Path, *words: str) -> tuple[int, str, str]:
    return tidegate("update", "-C", folder, *words)


def without_probes(folder: Path) -> tuple[bytes, bytes]:
    """Give a base of old that lacked the liveness probe's period, and the base of today."""
    today = (folder / BASE).read_bytes()
    lines = today.decode().splitlines(keepends=True)
    line = next(number for number, one in enumerate(lines) if "periodSeconds: 10" in one)
    return "".join(lines[:line] + lines[line + 1 :]).encode(), today


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and ".git/" not in f"{one.relative_to(folder)}/"
    }


def assert_clean_and_right(folder: Path) -> None:
    assert git(folder, "status", "--porcelain") == ""
    code, out, _ = tidegate("verify", "-C", folder)
    assert (code, "error" in out) == (0, False), out
    assert update(folder, "--exit-code") == (3, "", NOTHING)


# ------------------------------------------------------------------ nothing edited


def test_an_update_right_after_init_is_nothing(fleet: Path) -> None:
    assert_clean_and_right(fleet)


def test_every_input_of_a_blueprint_is_remembered(fleet: Path) -> None:
    answers = read_answers(layout.ANSWERS, (fleet / layout.ANSWERS).read_bytes())
    assert dict(answers.environments) == {EDGE: Kind.EDGE, "cloud-eks": Kind.CLOUD}
    assert (list(answers.models), answers.image_of(MODEL)) == ([MODEL], IMAGE)
    lock = lock_of(fleet)
    for path, digest in lock.files.items():
        assert sha256((fleet / layout.pristine(path)).read_bytes()) == digest


def test_what_nobody_edited_is_replaced_in_one_commit(fleet: Path) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    code, out, err = update(fleet, "--reason", "probes")
    assert (code, err.splitlines()[-1]) == (0, f"replace    {BASE}  (nobody edited it)")
    assert "update from the blueprints: 1 replaced" in out
    assert (fleet / BASE).read_bytes() == today
    message = git(fleet, "log", "-1", "--format=%B")
    assert "Blueprint: model-edge-k3s 0 -> " in message
    assert "Reason: probes" in message
    touched = git(fleet, "show", "--name-only", "--format=", "HEAD").split()
    assert sorted(touched) == sorted([BASE, layout.pristine(BASE), layout.LOCK])
    assert_clean_and_right(fleet)


def test_new_files_come_and_stale_ones_go(fleet: Path) -> None:
    older(fleet, "docs/runbooks/pause.md", None)
    older(fleet, OLD, b"# old\n")
    code, _, err = update(fleet)
    assert code == 0
    assert "add        docs/runbooks/pause.md  (the blueprint has it now)" in err
    assert f"delete     {OLD}  (" in err
    assert (fleet / "docs/runbooks/pause.md").is_file()
    assert not (fleet / OLD).exists()
    assert not (fleet / layout.pristine(OLD)).exists()
    assert_clean_and_right(fleet)


# ------------------------------------------------------------------ edited


def test_an_edit_elsewhere_in_the_file_is_kept(fleet: Path) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    edit(fleet, BASE, lambda text: text.replace("cpu: 500m", "cpu: 750m   # ours"))
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, f"merge      {BASE}" in err) == (0, True)
    wanted = today.decode().replace("cpu: 500m", "cpu: 750m   # ours")
    assert (fleet / BASE).read_text() == wanted
    assert_clean_and_right(fleet)


def test_an_edit_of_what_the_blueprint_left_alone_is_no_business_of_an_update(fleet: Path) -> None:
    edit(fleet, BASE, lambda text: text.replace("cpu: 500m", "cpu: 750m"))
    edit(fleet, "README.md", lambda text: f"{text}\nOurs.\n")
    (fleet / "Makefile").unlink()
    commit(fleet)
    assert update(fleet, "--exit-code") == (3, "", NOTHING)


def test_the_same_edit_on_both_sides_is_no_conflict(fleet: Path) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    (fleet / BASE).write_bytes(today)
    commit(fleet)
    code, out, _ = update(fleet)
    assert (code, "update from the blueprints: only the copies" in out) == (0, True)
    assert_clean_and_right(fleet)


def test_the_same_lines_on_both_sides_are_a_conflict_in_the_file(fleet: Path) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    older(fleet, "docs/runbooks/pause.md", None)
    edit(fleet, BASE, lambda text: text.replace("timeoutSeconds: 5", "timeoutSeconds: 7"))
    commit(fleet)
    head = git(fleet, "rev-parse", "HEAD")
    code, out, err = update(fleet)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        f"error: written, but not committed, for conflicts in {BASE}; "
        "mend the lines between the markers, tidegate verify, git add -A, git commit"
    )
    text = (fleet / BASE).read_text()
    assert "timeoutSeconds: 7" in text
    assert "periodSeconds: 10" in text
    assert text.count("<<<<<<< yours") == 1
    assert git(fleet, "rev-parse", "HEAD") == head
    assert (fleet / "docs/runbooks/pause.md").is_file()  # the rest of the update lies there too
    assert not list(fleet.rglob("*.rej"))
    assert not list(fleet.rglob("*.orig"))
    code, out, _ = tidegate("verify", "-C", fleet)
    assert (code, "[conflict] a conflict of a merge is not resolved" in out) == (1, True)
    before = everything(fleet)
    assert update(fleet)[0] == 1  # again, before anything is finished: the same
    assert everything(fleet) == before
    edit(fleet, BASE, lambda text: text.replace("<<<<<<< yours\n", ""))
    before = everything(fleet)
    code, _, err = update(fleet)  # and half-way: nothing of the person's work is touched
    assert (code, f"this would overwrite {BASE};" in err) == (1, True)
    assert everything(fleet) == before
    (fleet / BASE).write_text(today.decode().replace("timeoutSeconds: 5", "timeoutSeconds: 7"))
    commit(fleet, "update from the blueprints, by hand")
    assert_clean_and_right(fleet)


def test_a_file_that_both_made_is_a_conflict(fleet: Path) -> None:
    older(fleet, "docs/runbooks/pause.md", None)
    (fleet / "docs/runbooks/pause.md").write_text("# Ours\n")
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, "conflict   docs/runbooks/pause.md" in err) == (1, True)
    text = (fleet / "docs/runbooks/pause.md").read_text()
    assert "# Ours\n" in text
    assert "A breach still" in text or "breach" in text


def test_bytes_that_are_no_text_are_kept_and_named(fleet: Path) -> None:
    old, _ = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    (fleet / BASE).write_bytes(b"\0\xff ours")
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, f"conflict   {BASE}" in err) == (1, True)
    assert (fleet / BASE).read_bytes() == b"\0\xff ours"


def test_what_a_person_deleted_stays_deleted(fleet: Path) -> None:
    older(fleet, "docs/runbooks/pause.md", b"# Pause\n")
    (fleet / "docs/runbooks/pause.md").unlink()
    edit(fleet, "README.md", lambda text: text.replace("docs/runbooks/pause.md", "docs/"))
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, "stays away docs/runbooks/pause.md" in err) == (0, True)
    assert not (fleet / "docs/runbooks/pause.md").exists()
    assert update(fleet, "--exit-code") == (3, "", NOTHING)


def test_a_stale_file_that_was_edited_stays(fleet: Path) -> None:
    older(fleet, OLD, b"# old\n")
    (fleet / OLD).write_text("# old\n\nOurs.\n")
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, f"keep       {OLD}" in err) == (0, True)
    assert (fleet / OLD).read_text() == "# old\n\nOurs.\n"
    assert_clean_and_right(fleet)


# ------------------------------------------------------------------ refused, nothing written


def test_a_dirty_file_in_the_way_is_refused(fleet: Path) -> None:
    old, _ = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    edit(fleet, BASE, lambda text: f"{text}# mine\n")
    before = everything(fleet)
    code, out, err = update(fleet)
    assert (code, out, f"this would overwrite {BASE};" in err) == (1, "", True)
    assert everything(fleet) == before


def test_a_merge_that_no_longer_means_anything_is_refused(fleet: Path) -> None:
    """Clean line by line, and now one key twice."""
    today = (fleet / ROLLOUT).read_text()
    lines = today.splitlines(keepends=True)
    first = next(line for line in lines if line.startswith("deadline:"))
    older(fleet, ROLLOUT, today.replace(first, "").encode(), "rollout")
    edit(fleet, ROLLOUT, lambda text: text.replace("model:", "deadline: 9h\nmodel:", 1))
    commit(fleet)
    before = everything(fleet)
    code, out, err = update(fleet)
    assert (code, out) == (1, "")
    assert "error: verify would refuse the result: " in err
    assert "the key 'deadline' stands here twice" in err
    assert everything(fleet) == before


def test_errors_of_before_are_no_obstacle(fleet: Path) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    edit(fleet, SETTINGS, lambda text: text.replace("history:", "histroy:"))
    commit(fleet)
    assert update(fleet)[0] == 0
    assert (fleet / BASE).read_bytes() == today


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (f'{{name: "{EDGE}", type: "edge-k3s"}}', '{name: "lab", type: "edge-k3s"}', "edge-k3s'"),
        ('type: "cloud-eks"', 'type: "edge-k3s"', "is no edge-k3s and cannot become one"),
        (f'name: "{MODEL}"', 'name: "other"', f"the model {MODEL!r} is there, but not in the"),
        ("branch:", "brunch:", "unknown key 'brunch'; did you mean 'branch'?"),
        ('interval: "5m"', 'interval: "5x"', "does not match"),
    ],
)
def test_answers_that_cannot_be_are_refused(fleet: Path, old: str, new: str, text: str) -> None:
    edit(fleet, layout.ANSWERS, lambda found: found.replace(old, new, 1))
    commit(fleet)
    before = everything(fleet)
    code, out, err = update(fleet)
    assert (code, out, text in err) == (1, "", True), err
    assert everything(fleet) == before


def test_a_repository_of_a_newer_tidegate_is_refused(fleet: Path) -> None:
    lock = lock_of(fleet)
    stamps = {**lock.blueprints, "model": Stamp(99, lock.blueprints["model"].digest)}
    (fleet / layout.LOCK).write_bytes(write_lock(Lock(stamps, lock.files)))
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, "blueprint model was version 99 here, this tidegate has version" in err) == (
        1,
        True,
    )


@pytest.mark.parametrize("path", [layout.ANSWERS, layout.LOCK])
def test_without_its_memory_an_update_is_refused(fleet: Path, path: str) -> None:
    (fleet / path).unlink()
    commit(fleet)
    code, _, err = update(fleet)
    assert (code, err.startswith(f"error: {path}: the file is missing; restore it")) == (1, True)


# ------------------------------------------------------------------ other answers


def test_another_answer_reaches_the_file_that_asked_for_it(fleet: Path) -> None:
    edit(fleet, SETTINGS, lambda text: text.replace("history: 24h", "history: 48h"))
    commit(fleet)
    code, out, _ = update(fleet, "--prometheus", "https://prometheus.example.com")
    assert (code, "update from the blueprints:" in out) == (0, True)
    text = (fleet / SETTINGS).read_text()
    assert 'prometheus: "https://prometheus.example.com"' in text
    assert "history: 48h" in text
    assert_clean_and_right(fleet)


def test_an_environment_is_added_for_the_models_that_are_there(fleet: Path) -> None:
    assert update(fleet, "--environment", "staging=edge-k3s")[0] == 0
    assert (fleet / layout.environment("staging")).is_file()
    assert (fleet / layout.rollout("staging", MODEL)).is_file()
    assert update(fleet, "--environment", "staging=edge-k3s", "--exit-code")[0] == 3
    assert_clean_and_right(fleet)


def test_a_model_that_was_added_is_updated_too(fleet: Path) -> None:
    assert tidegate("model", "add", "crack-finder", "-C", fleet)[0] == 0
    assert_clean_and_right(fleet)
    path = "models/crack-finder/base/service.yaml"
    today = (fleet / path).read_bytes()
    older(fleet, path, b"# an old one\n", "model-edge-k3s")
    assert update(fleet)[0] == 0
    assert (fleet / path).read_bytes() == today


# ------------------------------------------------------------------ shown only


def test_a_dry_run_shows_plan_and_diff_and_writes_nothing(fleet: Path) -> None:
    old, _ = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    before, head = everything(fleet), git(fleet, "rev-parse", "HEAD")
    code, out, err = update(fleet, "--dry-run")
    assert (code, err) == (0, "")
    assert f"replace    {BASE}  (nobody edited it)\n--- a/{BASE}\n+++ b/{BASE}\n" in out
    assert "\n+          periodSeconds: 10\n" in out
    assert (everything(fleet), git(fleet, "rev-parse", "HEAD")) == (before, head)
    code, out, _ = update(fleet, "--dry-run", "--json")
    found = json.loads(out)
    assert found["files"] == [{"path": BASE, "fate": "replace"}]
    assert (code, found["changes"]) == (0, True)


def test_a_dry_run_of_nothing_says_so(fleet: Path) -> None:
    code, out, err = update(fleet, "--dry-run", "--exit-code")
    assert (code, out, err.startswith("nothing to do")) == (3, "", True)


def test_a_hostile_line_does_not_speak_to_the_terminal(fleet: Path) -> None:
    old, _ = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    edit(fleet, BASE, lambda text: text.replace("timeoutSeconds: 5", "# \x1b[31mred"))
    commit(fleet)
    _, out, _ = update(fleet, "--dry-run")
    assert ("\x1b" in out, "# ?[31mred" in out) == (False, True)


# ------------------------------------------------------------------ by URL


def test_by_url_a_clean_update_is_pushed_and_a_conflict_refused(
    fleet: Path, tmp_path: Path
) -> None:
    old, today = without_probes(fleet)
    older(fleet, BASE, old, "model-edge-k3s")
    git(tmp_path, "clone", "--quiet", "--bare", str(fleet), "remote.git")
    url = f"file://{tmp_path}/remote.git"
    words = ["update", "--repo", url, "--state-dir", tmp_path / "state"]
    assert tidegate(*words)[0] == 0
    assert git(tmp_path / "remote.git", "show", f"main:{BASE}").encode() == today
    assert tidegate(*words, "--exit-code")[0] == 3

    edit(fleet, BASE, lambda text: text.replace("timeoutSeconds: 5", "timeoutSeconds: 7"))
    commit(fleet)
    git(fleet, "push", "--quiet", "--force", f"{tmp_path}/remote.git", "main")
    head = git(tmp_path / "remote.git", "rev-parse", "main")
    code, _, err = tidegate(*words)
    assert (code, f"error: conflicts in {BASE}; run it in a checkout" in err) == (1, True)
    assert git(tmp_path / "remote.git", "rev-parse", "main") == head


# ------------------------------------------------------------------ the law

LINES = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@given(then=LINES, today=LINES, cuts=st.sets(st.integers(0, 12), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_line_that_a_person_added_is_ever_lost(
    then: list[str], today: list[str], cuts: set[int]
) -> None:
    yours = list(then)
    added = [f"mine-{cut}" for cut in sorted(cuts) if cut <= len(then)]
    for cut in sorted(cuts, reverse=True):
        if cut <= len(then):
            yours.insert(cut, f"mine-{cut}")
    versions = ["".join(f"{line}\n" for line in one).encode() for one in (yours, then, today)]
    merged = merge(versions[0], versions[1], versions[2])
    found = merged.data.decode().splitlines()
    assert [line for line in found if line.startswith("mine-")] == added
    assert merged.is_clean is not any(line.startswith("<<<<<<<") for line in found)
    if merged.is_clean and then == today:
        assert merged.data == versions[0]
