"""What CI of a generated repository calls does its work in a clean clone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator import layout
from tests.builders import EDGE, MODEL
from tests.states import At

ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, target: str, **more: str) -> tuple[int, str]:
    command = ["make", "-C", str(folder), target, f"TIDEGATE={sys.executable} -m tidegate.cli"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("target", ["verify", "audit"])
def test_a_job_is_green_in_a_clean_clone(at: At, tmp_path: Path, target: str) -> None:
    origin = at("climbing")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", origin.folder / "origin.git", clone], check=True)
    code, said = make(clone, target)
    assert code == 0, said


def test_a_changed_percentage_without_its_sites_is_red(at: At, tmp_path: Path) -> None:
    origin = at("climbing")
    origin.edit(layout.rollout(EDGE, MODEL), "percent: 5", "percent: 10")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", origin.folder / "origin.git", clone], check=True)
    code, said = make(clone, "verify")
    assert code != 0
    assert "tidegate expand" in said


def test_trust_is_for_ci_only(at: At, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", at("stable").folder / "origin.git", clone], check=True)
    config = tmp_path / "gitconfig"
    assert make(clone, "trust", CI="", GIT_CONFIG_GLOBAL=str(config))[0] == 0
    assert not config.exists()
    assert make(clone, "trust", CI="true", GIT_CONFIG_GLOBAL=str(config))[0] == 0
    assert str(clone) in config.read_text()
