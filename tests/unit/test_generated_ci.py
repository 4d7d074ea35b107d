"""The CI of a generated repository: pinned, with few rights, and the same commands as at a desk."""

import re
from typing import Any

import pytest
import yaml

from tests.builders import fleet

FILES = fleet()
TEXT = FILES[".github/workflows/tidegate.yml"].decode()
GITHUB: dict[str, Any] = yaml.load(TEXT, yaml.BaseLoader)
GITLAB: dict[str, Any] = yaml.safe_load(FILES[".gitlab-ci.yml"])
TARGETS = re.findall(r"^([a-z]+):.*## ", FILES["Makefile"].decode(), re.MULTILINE)
STEPS = [step for job in GITHUB["jobs"].values() for step in job["steps"]]
JOBS = {name: job for name, job in GITLAB.items() if name.startswith("tidegate/")}


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", one) for one in used)


def test_a_job_can_only_read() -> None:
    assert GITHUB["permissions"] == {}
    assert [job["permissions"] for job in GITHUB["jobs"].values()] == [{"contents": "read"}] * 2
    checkouts = [step for step in STEPS if "uses" in step]
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)
    assert "secrets." not in TEXT


def test_no_foreign_pull_request_runs_with_our_rights() -> None:
    assert set(GITHUB["on"]) == {"pull_request", "push", "schedule"}
    lines = [step["run"] for step in STEPS if "run" in step]
    assert all("${{" not in line for line in lines)


def test_one_run_at_a_time_for_one_branch() -> None:
    assert GITHUB["concurrency"] == {
        "group": "tidegate-${{ github.event_name }}-${{ github.ref }}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }
    assert all(job["timeout-minutes"] for job in GITHUB["jobs"].values())
    assert GITLAB["default"]["timeout"]


def test_the_whole_history_is_there() -> None:
    assert all(step["with"]["fetch-depth"] == "0" for step in STEPS if "uses" in step)
    assert GITLAB["variables"]["GIT_DEPTH"] == "0"


@pytest.mark.parametrize("name", ["verify", "audit"])
def test_both_forges_call_the_same_targets(name: str) -> None:
    github = [step["run"] for step in GITHUB["jobs"][name]["steps"] if "run" in step]
    assert JOBS[f"tidegate/{name}"]["script"] == github == ["make trust", f"make {name}"]
    assert GITHUB["jobs"][name]["name"] == f"tidegate/{name}"
    assert {line.removeprefix("make ") for line in github} <= set(TARGETS)


def test_the_image_is_that_of_the_people_who_run_it() -> None:
    images = [job["container"]["image"] for job in GITHUB["jobs"].values()]
    assert images == ["${{ vars.TIDEGATE_IMAGE }}"] * 2
    assert GITLAB["default"]["image"]["name"] == "$TIDEGATE_IMAGE"


def test_it_watches_the_branch_of_the_repository() -> None:
    assert GITHUB["on"]["push"]["branches"] == ["main"]
    assert '$CI_COMMIT_BRANCH == "main"' in str(GITLAB["workflow"]["rules"])
