"""The workflows of a generated repository before the tools that look at real ones."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import fleet

WORKFLOW, PIPELINE = ".github/workflows/tidegate.yml", ".gitlab-ci.yml"
# What each tool has to find, or nobody would know that it looked.
BROKEN = {
    "actionlint": ("timeout-minutes: 15", "timeout-minute: 15", "timeout-minute"),
    "zizmor": ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@main", "unpinned-uses"),
}
WORDS = {
    "actionlint": ("-no-color", "-shellcheck=", "-pyflakes=", WORKFLOW),
    "zizmor": ("--offline", "--no-progress", "--no-config", "--color=never", WORKFLOW),
}


def look(engine: str, name: str, folder: Path, text: str) -> tuple[int, str]:
    (folder / WORKFLOW).parent.mkdir(parents=True)
    (folder / WORKFLOW).write_text(text)
    subprocess.run(["git", "init", "-q", folder], check=True)
    done = subprocess.run([engine, *WORDS[name]], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", BROKEN)
def test_a_generated_workflow_passes(
    name: str, engine: Callable[[str], str], tmp_path: Path
) -> None:
    code, said = look(engine(name), name, tmp_path, fleet()[WORKFLOW].decode())
    assert code == 0, said


@pytest.mark.parametrize("name", BROKEN)
def test_a_worse_one_does_not(name: str, engine: Callable[[str], str], tmp_path: Path) -> None:
    old, new, named = BROKEN[name]
    code, said = look(engine(name), name, tmp_path, fleet()[WORKFLOW].decode().replace(old, new))
    assert code != 0
    assert named in said


def look_as_gitlab(text: str, folder: Path) -> tuple[int, str]:
    """Hold a pipeline against the schema that GitLab publishes; no network is needed."""
    (folder / PIPELINE).write_text(text)
    words = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    argv = [sys.executable, "-m", "check_jsonschema", *words, PIPELINE]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_pipeline_of_gitlab_is_one_of_its_schema(tmp_path: Path) -> None:
    code, said = look_as_gitlab(fleet()[PIPELINE].decode(), tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  stage: test\n", "  stages: test\n", "stages"),
        ("interruptible: true", "interruptible: often", "often"),
        ("    - if: $CI_COMMIT_BRANCH", "    - unless: $CI_COMMIT_BRANCH", "unless"),
    ],
)
def test_a_worse_pipeline_is_not(old: str, new: str, named: str, tmp_path: Path) -> None:
    text = fleet()[PIPELINE].decode()
    assert old in text
    code, said = look_as_gitlab(text.replace(old, new), tmp_path)
    assert code != 0
    assert named in said
