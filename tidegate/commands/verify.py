"""`tidegate verify`."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from generator import layout
from generator.changes import Draft, Tree
from generator.errors import ExitCode, InputError, Problem
from generator.gitrepo.bare import Bare
from generator.gitrepo.checkout import Checkout
from generator.lint import RULES, Finding, Rule, Severity, lint
from generator.lint.evidence import evidence
from generator.lint.view import View
from generator.model.rollout import Rollout
from generator.repository import Repository
from reconciler.record import read_chain
from tidegate.engine_rules import engine_rules
from tidegate.engines import Engines, with_engines
from tidegate.place import Place, looking

_ODD = {"120000": "a symlink", "160000": "a submodule"}


@click.command
@click.option("--head", is_flag=True, help="The last commit, without what is not committed yet.")
@click.option("--rules", "wants_rules", is_flag=True, help="List the rules and why they are.")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@with_engines
@looking
def verify(where: Place, *, head: bool, wants_rules: bool, as_json: bool, engines: Engines) -> None:
    """Check the whole repository, offline: one line for each finding, and what mends it.

    In a checkout the files are taken as they lie there, so that you see it before you commit.
    Every release that a rollout names is built too: by tidegate, and by real Kustomize and Helm
    where they are found. Exits with 1 when there is an error. A rule can be set aside in
    tidegate.yaml:

    \b
    waivers:
    - {rule: clusters, reason: "one test cluster", until: "2027-01-31T00:00:00Z"}

    \b
    tidegate verify
    tidegate verify --head --json
    """
    if wants_rules:
        click.echo(_table(as_json=as_json))
        return
    opened = where.open()
    tree = _tree(opened, is_head=head)
    rules = _rules(_odd(opened, tree.commit, is_head=head), engines)
    repository = Repository(tree)
    findings = lint(repository, where.now, rules)
    counts = _counts(repository, findings)
    click.echo(_data(findings, counts, tree, engines) if as_json else _text(findings, counts))
    for line in engines.told():
        click.echo(line, err=True)
    sys.exit(ExitCode.INPUT if counts["error"] else ExitCode.DONE)


def _tree(opened: Bare | Checkout, *, is_head: bool) -> Tree:
    """Open the last commit, with the person's edits on top."""
    if isinstance(opened, Bare):
        return opened.fetch()
    draft = Draft(opened.head())
    for path in () if is_head else opened.dirty():
        data = opened.read(path)
        draft.delete((path,)) if data is None else draft.write({path: data})
    return draft


def _odd(opened: Bare | Checkout, commit: str, *, is_head: bool) -> Mapping[str, str]:
    """List what is no regular file: nobody reads it here, but Argo CD might follow it."""
    found: dict[str, str] = {}
    options = ("-r", "-z", "--full-tree", "--end-of-options")
    out = opened.git.run("ls-tree", *options, commit) if commit else b""
    for entry in out.decode("utf-8", "surrogateescape").split("\0"):
        head, _, path = entry.partition("\t")
        if head[:6] in _ODD:
            found[path] = _ODD[head[:6]]
    if isinstance(opened, Checkout) and not is_head:
        for path in opened.dirty():
            found.pop(path, None)
            if (opened.folder / path).is_symlink():
                found[path] = "a symlink"
    return found


def _rules(odd: Mapping[str, str], engines: Engines) -> Sequence[Rule]:
    def links(_: View) -> Iterator[Problem]:
        for path, kind in odd.items():
            text = f"{kind}: nothing of it is read or compared, and Argo CD may refuse the tree"
            yield Problem(text, path, hint="put the file itself there, or git rm it")

    known = {"unrendered"} if engines.has("kustomize") else set()
    return (
        *(replace(rule, check=_nothing) if rule.id in known else rule for rule in RULES),
        *engine_rules(engines),
        Rule("evidence-chain", _chains, "A decision could no longer be proved or replayed."),
        Rule("symlinks", links, "A link can lead out of the repository, and nothing checks it."),
    )


def _nothing(_: View) -> Iterable[Problem]:
    return ()


def _chains(view: View) -> Iterator[Problem]:
    """Read every chain of evidence, with the recordings, as the reconciler would."""
    blamed = {_folder(one.file or "") for one in evidence(view)}
    for folder in sorted({_folder(path) for path in view.ids(layout.EVIDENCE)} - blamed):
        parts = folder.split("/")
        if len(parts) == 4:
            yield from _chain(view, Rollout(parts[2], parts[1], id=parts[3]))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _chain(view: View, rollout: Rollout) -> Iterable[Problem]:
    try:
        read_chain(view.tree, rollout)
    except InputError as error:
        return error.problems
    return ()


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
    rows = [
        {"rule": one.id, "severity": one.severity.value, "reason": one.reason}
        for one in _rules({}, Engines())
    ]
    if as_json:
        return json.dumps(rows, indent=2)
    wide = max(len(row["rule"]) for row in rows)
    return "\n".join(
        f"{row['rule']:<{wide}}  {row['severity']:<7}  {row['reason']}" for row in rows
    )
