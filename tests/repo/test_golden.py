"""The examples in `environments/` are what the code writes, everywhere alike, and right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generator.lint import Severity, lint
from tests.builders import NOW, opened
from tests.golden.__main__ import differences, read
from tests.golden.examples import EXAMPLES, repository

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

ROOT = Path(__file__).resolve().parents[2]
WHOLE = ("cloud-eks", "edge-k3s-500")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_code_writes(name: str) -> None:
    assert list(differences(name)) == []


@pytest.mark.parametrize(
    ("place", "umask"),
    [
        ({"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"}, 0o077),
        ({"LC_ALL": "C.UTF-8", "TZ": "America/St_Johns", "PYTHONHASHSEED": "2"}, 0o002),
    ],
)
def test_locale_time_zone_umask_and_hash_seed_change_no_byte(
    place: dict[str, str], umask: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden", "--check", *WHOLE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **place},
        capture_output=True,
        encoding="utf-8",
        umask=umask,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "all as they are kept\n"), done.stderr


@pytest.mark.parametrize("name", WHOLE)
def test_an_example_is_all_good(name: str, tmp_path: Path) -> None:
    found = lint(opened(repository(name, tmp_path)), NOW)
    assert [str(one) for one in found if one.severity is Severity.ERROR] == []


def test_the_steps_of_the_examples_can_be_seen_in_them() -> None:
    edge = read("edge-k3s-500")
    pointers = [data for path, data in edge.items() if path.startswith("sites/")]
    assert len(pointers) == 500
    assert sum(b"/v13-" in data for data in pointers) == 25
    cloud = read("cloud-eks")
    values = [
        yaml.safe_load(cloud[path]) for path in cloud if path.endswith("detector/values.yaml")
    ]
    assert [sorted(one["weights"].values()) for one in values] == [[500, 9500]] * 3
