"""`verify --pr`: open the three commits of a change, and hold it against rules and gate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from generator.errors import InputError
from generator.gate.case import Case
from generator.gate.change import Change, edits
from generator.gate.origin import Origin
from generator.gate.policy import judged
from generator.gate.rules import check
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.gitrepo.comparing import entries, is_ancestor, merge_base, resolve
from generator.gitrepo.snapshot import Snapshot
from generator.lint import Finding, Rule, Severity, lint
from generator.lint.finding import count
from generator.model.config import Waiver
from tidegate.place import Place

MAIN = "main"
Rules = Callable[[str], Sequence[Rule]]  # for one commit


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a change.

    Attributes:
        case: What was judged.
        findings: All of them; those that main has already are warnings.
    """

    case: Case
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Say whether it may be merged."""
        return not any(one.severity is Severity.ERROR for one in self.findings)


def open_change(where: Place, base: str, head: str, origin: Origin) -> Change:
    """Open base, head and main of a pull request.

    Args:
        where: The checkout or the remote.
        base: A branch or commit of main; "" takes what CI says, or main of origin.
        head: The newest commit of the branch; "" takes what CI says, or the present one.
        origin: What CI says.

    Raises:
        InputError: Git does not know one of them, or they have no one base.
    """
    opened = where.open()
    if isinstance(opened, Bare):
        opened.fetch()
    git = opened.git
    main = resolve(git, base or f"origin/{origin.base or _main(opened)}")
    newest = resolve(git, head or origin.head or "HEAD")
    start = merge_base(git, main, newest)
    return Change(
        base=where.repository(Snapshot(git, start)),
        head=where.repository(Snapshot(git, newest)),
        main=where.repository(Snapshot(git, main)),
        edits=edits(entries(git, start), entries(git, newest)),
        reaches=partial(is_ancestor, git, newer=start),
    )


def _main(opened: Bare | Checkout) -> str:
    return opened.branch if isinstance(opened, Bare) else MAIN


def judge(case: Case, rules: Rules) -> Judged:
    """Hold a change against the rules of every commit, under the policy of its base, and the gate.

    What is wrong on main already is told, and refused only where the change moves something.

    Args:
        case: What is judged.
        rules: Gives the rules for one commit.
    """
    change = case.change
    head, base = change.head.tree.commit, change.base.tree.commit
    waivers = _waivers(change)
    found: Sequence[Finding] = lint(
        change.head.beside(judged(change)), case.now, rules(head), waivers
    )
    if not change.moves and any(one.severity is Severity.ERROR for one in found):
        found = _known(found, lint(change.base, case.now, rules(base), waivers))
    return Judged(case, tuple(sorted({*check(case), *found})))


def _waivers(change: Change) -> Sequence[Waiver]:
    try:
        return change.base.config().waivers
    except InputError:
        return ()


def _known(found: Sequence[Finding], before: Sequence[Finding]) -> Sequence[Finding]:
    """Make a warning of each error that the base has, too."""
    known = {(one.rule, one.file, one.message) for one in before}
    return [
        replace(one, severity=Severity.WARNING, message=f"{one.message} (on main already)")
        if one.severity is Severity.ERROR and (one.rule, one.file, one.message) in known
        else one
        for one in found
    ]


def text(found: Judged) -> str:
    """Say what was found, and whether the change may be merged."""
    change = found.case.change
    lines = [str(one) for one in found.findings if one.severity is not Severity.WAIVED]
    moves = "; ".join(str(move) for move in change.moves) or "moves nothing"
    head = f"{change.base.tree.commit[:12]}..{change.head.tree.commit[:12]}"
    bad = sum(one.severity is Severity.ERROR for one in found.findings)
    end = "may be merged" if found.is_good else f"{count(bad, 'error')}, must not be merged"
    return "\n".join([*lines, f"{head}: {count(len(change.edits), 'file')}, {moves}: {end}"])


def data(found: Judged) -> Mapping[str, Any]:
    """Say the same as data."""
    change = found.case.change
    return {
        "base": change.base.tree.commit,
        "head": change.head.tree.commit,
        "main": change.main.tree.commit,
        "files": len(change.edits),
        "moves": [
            {"kind": one.kind.value, "environment": one.environment, "model": one.model}
            for one in change.moves
        ],
        "good": found.is_good,
        "findings": [one.as_data() for one in found.findings],
    }
