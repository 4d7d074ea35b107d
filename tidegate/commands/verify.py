"""`tidegate verify`."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from generator.changes import Draft, Tree
from generator.errors import ExitCode, InputError
from generator.gate.case import Case
from generator.gate.origin import Origin
from generator.gate.rules import RULES as GATE
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.lint import Finding, Severity, lint
from generator.repository import Repository
from generator.zones import zone
from tidegate import gating
from tidegate.engines import Engines, with_engines
from tidegate.events import with_origin
from tidegate.forges import with_forge
from tidegate.place import Place, looking
from tidegate.rules import odd, rules

if TYPE_CHECKING:
    from generator.forge import Secrets

LAST = "HEAD"


@click.command
@click.option("--pr", is_flag=True, help="Judge a pull request: what the head changes since main.")
@click.option("--base", default="", metavar="REF", help="Main, for --pr.  [default: what CI says]")
@click.option(
    "--head",
    is_flag=False,
    flag_value=LAST,
    default="",
    metavar="[REF]",
    help="The last commit, without what is not committed yet; with --pr any commit.",
)
@click.option("--rules", "wants_rules", is_flag=True, help="List the rules and why they are.")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@with_engines
@with_origin
@with_forge
@looking
def verify(
    where: Place,
    *,
    pr: bool,
    base: str,
    head: str,
    wants_rules: bool,
    as_json: bool,
    engines: Engines,
    origin: Callable[[], Origin],
    secrets: "Callable[[], Secrets]",
) -> None:
    """Check the whole repository, offline: one line for each finding, and what mends it.

    In a checkout the files are taken as they lie there, so that you see it before you commit.
    Every release that a rollout names is built too: by tidegate, and by real Kustomize and Helm
    where they are found. Exits with 1 when there is an error. A rule can be set aside in
    tidegate.yaml:

    \b
    waivers:
    - {rule: clusters, reason: "one test cluster", until: "2027-01-31T00:00:00Z"}

    With --pr it judges a change by the rules and the policy of the commit that it starts from, and
    refuses what would relax them: `verify --rules` lists why, under gate-. With the token of the
    forge in TIDEGATE_FORGE_TOKEN it also reads whether those have approved who have to.

    \b
    tidegate verify
    tidegate verify --head --json
    tidegate verify --pr --base origin/main --head my-branch
    """
    if wants_rules:
        click.echo(_table(as_json=as_json))
        return
    if not pr and (base or head not in ("", LAST)):
        raise click.UsageError("--base, and a commit after --head, go with --pr")
    if pr:
        found = _pull(where, base, head, engines, origin(), secrets())
        click.echo(json.dumps(gating.data(found), indent=2) if as_json else gating.text(found))
        is_good = found.is_good
    else:
        is_good = _all(where, engines, is_head=bool(head), as_json=as_json)
    for line in engines.told():
        click.echo(line, err=True)
    sys.exit(ExitCode.DONE if is_good else ExitCode.INPUT)


def _pull(
    where: Place, base: str, head: str, engines: Engines, origin: Origin, secrets: "Secrets"
) -> gating.Judged:
    from tidegate.hearing import find, hear, opened  # a forge is slow to load

    change = gating.open_change(where, base, head, origin)
    with opened(change, secrets) as door:
        pull = find(door, change, origin) if door else None
        voices = hear(door, pull) if door and pull else None
    case = Case(change, where.now, origin, voices, zone)
    place = where.open()
    return gating.judge(case, lambda commit: rules(odd(place, commit, is_head=True), engines))


def _all(where: Place, engines: Engines, *, is_head: bool, as_json: bool) -> bool:
    opened = where.open()
    tree = _tree(opened, is_head=is_head)
    repository = Repository(tree)
    table = rules(odd(opened, tree.commit, is_head=is_head), engines)
    findings = lint(repository, where.now, table)
    counts = _counts(repository, findings)
    click.echo(_data(findings, counts, tree, engines) if as_json else _text(findings, counts))
    return not counts["error"]


def _tree(opened: Bare | Checkout, *, is_head: bool) -> Tree:
    """Open the last commit, with the person's edits on top."""
    if isinstance(opened, Bare):
        return opened.fetch()
    draft = Draft(opened.head())
    for path in () if is_head else opened.dirty():
        data = opened.read(path)
        draft.delete((path,)) if data is None else draft.write({path: data})
    return draft


def _counts(repository: Repository, findings: Sequence[Finding]) -> Mapping[str, int]:
    found = {one.value: sum(f.severity is one for f in findings) for one in Severity}
    sites = 0
    for name in repository.environments():
        try:
            sites += len(repository.sites(name))
        except InputError:
            continue
    environments, models = len(repository.environments()), len(repository.models())
    return {**found, "sites": sites, "environments": environments, "models": models}


def _text(findings: Sequence[Finding], counts: Mapping[str, int]) -> str:
    lines = [str(one) for one in findings if one.severity is not Severity.WAIVED]
    waived = f", {counts['waived']} waived" if counts["waived"] else ""
    if lines:
        told = [_say(counts[kind], kind) for kind in ("error", "warning") if counts[kind]]
        return "\n".join([*lines, ", ".join(told) + waived])
    what = ", ".join(_say(counts[f"{noun}s"], noun) for noun in ("site", "environment", "model"))
    return f"{what}: all good{waived}"


def _say(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _data(
    findings: Sequence[Finding], counts: Mapping[str, int], tree: Tree, engines: Engines
) -> str:
    found: dict[str, Any] = {"commit": tree.commit, "counts": dict(counts)}
    found |= {"engines": dict(engines.versions), "notRun": dict(engines.missing)}
    return json.dumps(found | {"findings": [one.as_data() for one in findings]}, indent=2)


def _table(*, as_json: bool) -> str:
    told = [(one.id, one.severity, one.reason) for one in rules({}, Engines())]
    told += [(one.id, one.severity, one.reason) for one in GATE]
    rows = [
        {"rule": id_, "severity": severity.value, "reason": reason}
        for id_, severity, reason in told
    ]
    if as_json:
        return json.dumps(rows, indent=2)
    wide = max(len(row["rule"]) for row in rows)
    return "\n".join(
        f"{row['rule']:<{wide}}  {row['severity']:<7}  {row['reason']}" for row in rows
    )
