"""Read a scenario: one closed YAML document, every problem with its line."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

import yaml

from generator import layout
from generator.documents.config import read_environment
from generator.documents.model import read_model
from generator.documents.reading import Document, Fields, whole
from generator.documents.rollout import choice, read_rollout
from generator.errors import InputError, Problem
from generator.layout import RepoPath
from generator.model.names import check_name
from generator.model.objective import Selector
from generator.model.percent import Percent
from generator.model.spans import parse_span, write_span
from reconciler.simulate.notation import Notation
from reconciler.simulate.scenario import (
    CLOUD,
    EDGE,
    KEYS,
    Deed,
    Expected,
    Exported,
    Fault,
    Kind,
    Scenario,
    Where,
)

MODEL = "defect-detector"
IMAGE = f"registry.example/server@sha256:{'5e' * 32}"
MOST_SITES = 10_000
MOST_SEEDS = 1_000
DEEDS = ("pause", "resume", "revert")
API = ("500", "503", "timeout", "reset", "garbage", "empty")
_HEAD = "apiVersion: tidegate.dev/v1alpha1\nkind: {kind}\n"
_ERRORS = """\
objectives:
- name: errors
  about: predictions
  bad: 'model_predictions_total{outcome="error"}'
  total: 'model_predictions_total'
  target: 95.0
"""


def _own(environment: str) -> Mapping[str, tuple[RepoPath, str]]:
    return {
        "environment": (
            layout.environment(environment),
            f"{_HEAD.format(kind='Environment')}name: {environment}\ntype: {environment}\n"
            "strata: [region]\n",
        ),
        "rollout": (
            layout.rollout(environment, MODEL),
            f"{_HEAD.format(kind='Rollout')}model: {MODEL}\nenvironment: {environment}\n"
            "percent: 0\n",
        ),
        "objectives": (
            layout.model(MODEL),
            f"{_HEAD.format(kind='Model')}name: {MODEL}\nimage: '{IMAGE}'\n",
        ),
    }


def read_scenario(file: str, data: bytes) -> Scenario:
    """Read one scenario.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Scenario")
    fleet = top.mapping("fleet", required=True)
    environment = CLOUD if fleet.has("clusters") else EDGE
    files = _files(document, top, environment)
    groups = dict(_groups(document, fleet, "clusters" if environment == CLOUD else "sites"))
    sites = {f"{name}-{n:04d}": name for name, count in groups.items() for n in range(1, count + 1)}
    history = _history(files, environment)
    build = partial(
        Scenario,
        environment=environment,
        about=top.value("about", str, "", required=True),
        files=files,
        sites=sites,
        delay=fleet.value("delay", parse_span, timedelta(minutes=3)),
        lead=top.value("lead", parse_span, history + timedelta(hours=2)),
        until=top.value("until", parse_span, timedelta(hours=6)),
        every=top.value("every", parse_span, None),
        seeds=top.number("seeds", partial(_at_most, MOST_SEEDS), 1),
        series=tuple(_series(top, groups)),
        faults=tuple(_faults(top, groups)),
        deeds=tuple(_deeds(top)),
        expected=tuple(_expected(top)),
    )
    fleet.close()
    top.close()
    return document.finish(build)


def _files(document: Document, top: Fields, environment: str) -> Mapping[RepoPath, bytes]:
    """Take the parts in the words of the repository, and let their own readers check them."""
    found: dict[RepoPath, bytes] = {}
    parts = _own(environment)
    for key in ("environment", "rollout"):
        path, head = parts[key]
        found[path] = (head + _block(list(top.entries(key)))).encode()
    path, head = parts["objectives"]
    nodes = top.items("objectives")
    own = _block([("objectives", yaml.SequenceNode("tag:yaml.org,2002:seq", list(nodes)))])
    found[path] = (head + (own if nodes else _ERRORS)).encode()
    for key, read in (
        ("environment", lambda path, data: read_environment(path, data, environment)),
        ("rollout", lambda path, data: read_rollout(path, data, environment, MODEL)),
        ("objectives", lambda path, data: read_model(path, data, MODEL)),
    ):
        path = parts[key][0]
        try:
            read(path, found[path])
        except InputError as error:
            for one in error.problems:
                document.problems.append(
                    Problem(f"{key}: {one.message}", document.file, top.line(key), one.hint)
                )
    return found


def _block(entries: Sequence[tuple[str, yaml.Node]]) -> str:
    if not entries:
        return ""
    word = "tag:yaml.org,2002:str"
    pairs = [(yaml.ScalarNode(word, name), node) for name, node in entries]
    node = yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
    text: str = yaml.serialize(node, Dumper=yaml.SafeDumper, width=10_000)
    return text


def _history(files: Mapping[RepoPath, bytes], environment: str) -> timedelta:
    path = layout.environment(environment)
    try:
        return read_environment(path, files[path], environment).history
    except InputError:
        return timedelta(0)


def _groups(document: Document, fleet: Fields, noun: str) -> Iterator[tuple[str, int]]:
    total = 0
    for name, node in fleet.entries(noun):
        try:
            check_name("group", name, 20)
        except ValueError as error:
            document.report(node, str(error))
        count = fleet.plain_number(node, partial(_at_most, MOST_SITES), 1, noun)
        total += count
        yield name, count
    if not 1 <= total <= MOST_SITES:
        fleet.report(f"a fleet has 1 to {MOST_SITES} {noun}, as `{noun}: {{plant: 100}}`", noun)


def _at_most(most: int, text: str) -> int:
    number = whole(text)
    if not 1 <= number <= most:
        raise ValueError(f"{text} does not lie between 1 and {most}")
    return number


def _where(row: Fields, groups: Mapping[str, int]) -> Where:
    def group(text: str) -> str:
        if text not in groups:
            raise ValueError(f"{text!r} is none of the groups {', '.join(groups)}")
        return text

    def arm(text: str) -> str:
        if text not in ("canary", "stable"):
            raise ValueError(f"{text!r} is neither canary nor stable")
        return text

    return Where(
        group=row.value("sites", group, ""),
        first=row.number("first", whole, None),
        skip=row.number("skip", whole, 0),
        runs=row.value("runs", arm, ""),
    )


def _series(top: Fields, groups: Mapping[str, int]) -> Iterator[Exported]:
    for row in top.mappings("series"):
        selector = row.value("series", _labels, Selector("nothing"), required=True)
        yield Exported(
            where=_where(row, groups),
            metric=selector.metric,
            labels={one.label: one.text for one in selector.matchers},
            values=row.value("values", Notation.parse, Notation(()), required=True),
            on_fleet_clock=row.value("clock", _clock, False),
        )
        row.close()


def _clock(text: str) -> bool:
    return _one_of(("process", "fleet"), text) == "fleet"


def _labels(text: str) -> Selector:
    selector = Selector.read(text)
    odd = [one for one in selector.matchers if one.operator != "="]
    if odd:
        raise ValueError(f'{text!r} names no series: write each label as label="value"')
    return selector


def _faults(top: Fields, groups: Mapping[str, int]) -> Iterator[Fault]:
    for row in top.mappings("faults"):
        kind = row.value("fault", choice(Kind), Kind.ABSENT, required=True)
        text = row.value("with", str, "")
        try:
            _check_text(kind, text)
        except ValueError as error:
            row.report(str(error), "with")
        at = row.value("at", parse_span, timedelta(0)) - row.value(
            "before", parse_span, timedelta(0)
        )
        span = row.value("for", parse_span, None)
        yield Fault(
            kind=kind,
            text=text,
            at=at,
            until=None if span is None else at + span,
            where=_where(row, groups),
            metric=row.value("metric", str, ""),
        )
        row.close()


def _check_text(kind: Kind, text: str) -> None:
    match kind:
        case Kind.API if text not in API:
            raise ValueError(f"{text!r} is none of {', '.join(API)}")
        case Kind.EXPLODE:
            _at_most(1_000_000, text)
        case Kind.AHEAD:
            parse_span(text)
        case Kind.WARNINGS | Kind.VALUE | Kind.RELABEL if not text:
            raise ValueError(f"{kind.value} needs a text")
        case _:
            pass


def _deeds(top: Fields) -> Iterator[Deed]:
    def deed(text: str) -> str:
        if text not in DEEDS:
            Percent.parse(text)
        return text

    for row in top.mappings("people"):
        at = row.value("at", parse_span, timedelta(0), required=True)
        do = row.value("do", deed, DEEDS[0], required=True)
        row.close()
        yield Deed(at, do)


def _expected(top: Fields) -> Iterator[Expected]:
    for row in top.mappings("expect"):
        at = row.value("at", parse_span, timedelta(0), required=True)
        refused = row.mapping("not")
        wants, refuses = _results(row), _results(refused)
        until = row.value("until", parse_span, at)
        refused.close()
        row.close()
        if not wants and not refuses:
            row.report(f"expect something: one of {', '.join(KEYS)}")
        if until < at:
            row.report(f"until {write_span(until)} lies before at {write_span(at)}", "until")
        yield Expected(at, until, wants, refuses, row.line() or 0)


def _results(row: Fields) -> Mapping[str, str]:
    found = {
        "verdict": row.value("verdict", _verdict, ""),
        "decision": row.value("decision", _decision, ""),
        "code": row.value("code", str, ""),
        "percent": row.number("percent", lambda text: str(Percent.parse(text)), ""),
        "phase": row.value("phase", str, ""),
        "says": row.value("says", str, ""),
    }
    return {key: text for key, text in found.items() if text}


VERDICTS = ("Healthy", "Breached", "Undecided", "NoData", "Stale", "None")
DECISIONS = ("Advance", "Complete", "Hold", "Revert", "Escalate", "None")


def _verdict(text: str) -> str:
    return _one_of(VERDICTS, text)


def _decision(text: str) -> str:
    return _one_of(DECISIONS, text)


def _one_of(words: Sequence[str], text: str) -> str:
    if text not in words:
        raise ValueError(f"{text!r} is none of {', '.join(words)}")
    return text
