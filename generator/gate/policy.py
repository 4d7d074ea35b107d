"""What a change is judged by: it stands at the base, and no move may come together with it."""

import re
from collections.abc import Iterator

from generator import layout
from generator.changes import Draft, Tree
from generator.errors import Problem
from generator.gate.change import ODD, Change, Move, attempt
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.model.rollout import Rollout

# Keys of the rollout file that say how a rollout may climb.
RULES_OF_A_ROLLOUT = {
    "steps": "steps",
    "advance": "advance",
    "soak": "soak",
    "soakFrom": "soak_from",
    "deadline": "deadline",
    "onDeadline": "on_deadline",
    "onNewVersion": "on_new_version",
    "holdback": "holdback",
    "minSites": "min_sites",
}
_POLICY = re.compile(
    r"tidegate\.yaml|environments/[^/]+/environment\.yaml|models/[^/]+/model\.yaml|reconciler/.*"
)
# Who looks, and what looks: make reads three names, and forges look in several places.
_GUARD = re.compile(
    r"(?:.*/)?(?:codeowners|(?:gnu)?makefile|[^/]*\.mk|\.git[^/]*)"
    r"|\.(?:github|gitlab|gitea|forgejo)/.*|\.gitlab-ci\.ya?ml",
    re.IGNORECASE,
)


def is_policy(path: RepoPath) -> bool:
    """Say whether a file decides what a change may do."""
    return bool(_POLICY.fullmatch(path)) or is_guard(path)


def is_guard(path: RepoPath) -> bool:
    """Say whether a file decides who or what looks at a change, or how Git gives out its bytes."""
    return bool(_GUARD.fullmatch(path))


def judged(change: Change) -> Tree:
    """Give the tree that the rules look at: the head, under the policy of the base.

    A change that moves nothing is looked at as it is, since policy and what follows from it
    change together; only what `tidegate.yaml` sets aside or allows is never its own.
    """
    if not change.moves:
        return change.head.tree
    draft = Draft(change.head.tree)
    paths = [path for path in change.paths if is_policy(path)]
    draft.apply({path: change.base.tree.read(path) for path in paths})
    return draft


def mixed(change: Change) -> Iterator[Problem]:
    """Refuse policy and a move in one change."""
    if not change.moves:
        return
    moves = "; ".join(str(move) for move in change.moves)
    hint = "open a pull request of its own for it, and merge that first"
    for path in sorted(change.paths):
        if is_policy(path) and not is_guard(path):
            text = f"policy is edited together with a move ({moves})"
            yield Problem(text, path, hint=hint)
    for move in change.moves:
        yield from _rules(change, move, hint)
    yield from _ledger(change, moves, hint)


def _rules(change: Change, move: Move, hint: str) -> Iterator[Problem]:
    """Find rules of the very rollout that change with it; a new file brings its own."""
    if move.before is None or move.after is None:
        return
    for name, field in RULES_OF_A_ROLLOUT.items():
        if getattr(move.before, field) != getattr(move.after, field):
            text = f"{name} is edited together with a move ({move})"
            yield Problem(text, move.path, change.view.line(move.path, name), hint)


def _ledger(change: Change, moves: str, hint: str) -> Iterator[Problem]:
    if layout.REJECTED not in change.paths:
        return
    left = {entry.key for entry in change.head.rejected()}
    gone = [entry.release for entry in change.base.rejected() if entry.key not in left]
    if gone:
        text = f"{few(gone)} would leave the ledger together with a move ({moves})"
        yield Problem(text, layout.REJECTED, hint=hint)


def guarded(change: Change) -> Iterator[Problem]:
    """Refuse a move together with an edit of what looks at it."""
    hint = "open a pull request of its own for it, and merge that first"
    for path in sorted(change.paths) if change.moves else ():
        if is_guard(path):
            text = f"what judges or shows a change is edited together with a move: {path}"
            yield Problem(text, path, hint=hint)


def odd(change: Change) -> Iterator[Problem]:
    """Refuse what no rule can read: links, submodules, and files that become executable."""
    for edit in change.edits:
        if edit.after in ODD:
            text = f"{ODD[edit.after]} comes in: nothing of it is read or compared"
            yield Problem(text, edit.path, hint="put the file itself there, or git rm it")


def stale(change: Change) -> Iterator[Problem]:
    """Refuse a move of a rollout that main has moved meanwhile, or under older rules."""
    hint = "bring the branch up to date with main, and look at the move again"
    for move in change.moves:
        now = attempt(change.main, move.environment, move.model)
        for word, was, found in _lines(move.before, now):
            text = (
                f"stale: {word} is {found or 'gone'} on main by now, {was or 'absent'} at the base"
            )
            yield Problem(text, move.path, change.view.line(move.path, word), hint)
    if change.moves:
        newer = [path for path in _policies(change) if _differs(change, path)]
        if newer:
            text = f"stale: the policy on main has changed since: {few(newer)}"
            yield Problem(text, newer[0], hint=hint)


def _lines(before: Rollout | None, now: Rollout | None) -> Iterator[tuple[str, str, str]]:
    for word, field in (
        ("rollout", "id"),
        ("stable", "stable"),
        ("canary", "canary"),
        ("percent", "percent"),
        ("phase", "phase"),
    ):
        was, found = (str(getattr(one, field) or "") if one else "" for one in (before, now))
        if was != found:
            yield word, was, found


def _policies(change: Change) -> list[RepoPath]:
    known = {*change.base.tree.ids(""), *change.main.tree.ids("")}
    return sorted(path for path in known if is_policy(path))


def _differs(change: Change, path: RepoPath) -> bool:
    return change.base.tree.id(path) != change.main.tree.id(path)


def kept(change: Change) -> Iterator[Problem]:
    """Refuse a change of what was written once and for all."""
    before = change.base.tree.ids(layout.EVIDENCE)
    lost = sorted(path for path in before if path in change.paths)
    if lost:
        text = f"{count(len(lost), 'file')} of evidence would change or go: {few(lost)}"
        hint = f"git checkout {change.base.tree.commit[:12]} -- {layout.EVIDENCE}"
        yield Problem(text, lost[0], hint=hint)
