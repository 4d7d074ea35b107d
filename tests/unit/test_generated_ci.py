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
TARGETS = re.findall(r"^([a-z-]+):.*## ", FILES["Makefile"].decode(), re.MULTILINE)
STEPS = [step for job in GITHUB["jobs"].values() for step in job["steps"]]
JOBS = {name: job for name, job in GITLAB.items() if name.startswith("tidegate/")}


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", one) for one in used)


def test_only_the_job_of_a_pull_request_may_write() -> None:
    """GitHub takes these rights away again where the branch lies in a fork."""
    assert GITHUB["permissions"] == {}
    rights = {name: job["permissions"] for name, job in GITHUB["jobs"].items()}
    assert rights == {
        "check-pr": {"contents": "write", "pull-requests": "write", "statuses": "write"},
        "verify": {"contents": "read"},
        "audit": {"contents": "read"},
    }
    checkouts = [step for step in STEPS if "uses" in step]
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)
    assert "secrets." not in TEXT


def test_no_foreign_pull_request_runs_with_our_rights() -> None:
    assert set(GITHUB["on"]) == {"pull_request", "pull_request_review", "push", "schedule"}
    lines = [step["run"] for step in STEPS if "run" in step]
    assert all("${{" not in line for line in lines)


def test_a_pull_request_is_judged_with_the_makefile_of_the_branch_that_it_enters() -> None:
    line = 'git -c "safe.directory=$PWD" show "origin/$BASE:Makefile" | make -f - trust check-pr'
    (job,) = (job for name, job in GITHUB["jobs"].items() if name == "check-pr")
    assert [step["run"] for step in job["steps"] if "run" in step] == [line]
    assert job["env"]["BASE"] == "${{ github.event.pull_request.base.ref }}"
    assert job["steps"][0]["with"]["ref"] == "${{ github.event.pull_request.head.sha }}"
    assert JOBS["tidegate/check-pr"]["script"][-1] == line
    assert "check-pr" in TARGETS
    pulls = [job["if"] for job in GITHUB["jobs"].values() if "pull_request" in job["if"]]
    assert len(pulls) == 1


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
    assert GITHUB["jobs"][name]["name"].startswith(f"tidegate/{name}")
    assert {line.removeprefix("make ") for line in github} <= set(TARGETS)


def test_the_image_is_that_of_the_people_who_run_it() -> None:
    images = [job["container"]["image"] for job in GITHUB["jobs"].values()]
    assert images == ["${{ vars.TIDEGATE_IMAGE }}"] * 3
    assert GITLAB["default"]["image"]["name"] == "$TIDEGATE_IMAGE"


def test_it_watches_the_branch_of_the_repository() -> None:
    assert GITHUB["on"]["push"]["branches"] == ["main"]
    assert '$CI_COMMIT_BRANCH == "main"' in str(GITLAB["workflow"]["rules"])
