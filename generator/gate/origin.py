"""Where a pull request comes from, as the CI of its forge tells; no file of it can say that."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from generator.changes import one_line
from generator.errors import InputError, Problem
from generator.gate.change import Change

_MOVING = re.compile(
    r"(?:rollouts|sites|releases|evidence)/.*|environments/[^/]+/sites/.*|rejected\.yaml"
)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a pull request.

    Attributes:
        number: Its number in the project; 0 where none is told.
        source: Project of its branch; "" where it is gone or not told.
        target: Project that it enters; "" outside of CI.
        branch: Its branch, or "".
        base: The branch that it enters, or "".
        head: Its newest commit, or "".
    """

    number: int = 0
    source: str = ""
    target: str = ""
    branch: str = ""
    base: str = ""
    head: str = ""

    @property
    def is_told(self) -> bool:
        """Say whether the CI of a forge runs for a pull request."""
        return bool(self.number)

    @property
    def is_fork(self) -> bool:
        """Say whether its branch lies in another project, or in one that is gone."""
        return self.is_told and self.source.lower() != self.target.lower()


def read_event(data: bytes) -> Origin:
    """Read the event that GitHub Actions and Gitea Actions run for.

    Raises:
        InputError: It is not one.
    """
    try:
        event = json.loads(data)
        pull = event.get("pull_request")
        return _pull(pull) if pull else Origin()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("GITHUB_EVENT_PATH holds no event of a pull request") from error


def _pull(pull: Mapping[str, Any]) -> Origin:
    head, base = pull["head"], pull["base"]
    return Origin(
        number=int(pull["number"]),
        source=_project(head),
        target=_project(base) or "-",
        branch=str(head["ref"]),
        base=str(base["ref"]),
        head=_sha(str(head["sha"])),
    )


def _project(side: Mapping[str, Any]) -> str:
    # The repository of a fork that was deleted is null.
    return str((side.get("repo") or {}).get("full_name", ""))


def read_variables(told: Mapping[str, str]) -> Origin:
    """Read the variables of a merge request pipeline of GitLab."""
    number = told.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        return Origin()
    return Origin(
        number=int(number),
        source=told.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", ""),
        target=told.get("CI_MERGE_REQUEST_PROJECT_PATH", "") or "-",
        branch=told.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", ""),
        base=told.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        head=_sha(
            told.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "") or told.get("CI_COMMIT_SHA", "")
        ),
    )


def _sha(text: str) -> str:
    return text if _SHA.fullmatch(text) else ""


def forks(change: Change, origin: Origin) -> Iterator[Problem]:
    """Refuse what moves sites where the branch lies in another project."""
    moving = sorted(path for path in change.paths if _MOVING.fullmatch(path))
    if origin.is_fork and moving:
        whose = one_line(origin.source, 100) or "a project that is gone"
        text = f"a pull request from a fork ({whose}) moves nothing, and this one edits {moving[0]}"
        hint = f"push the branch to {one_line(origin.target, 100)} itself"
        yield Problem(text, moving[0], hint=hint)
