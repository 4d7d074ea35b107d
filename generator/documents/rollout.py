"""`rollouts/<env>/<model>.yaml` and its cohort file."""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TypeVar

from generator.documents.reading import Document, Fields, whole
from generator.documents.rows import TEXT, plain, read_rows
from generator.model.cohort import Cohort, Excluded, Member
from generator.model.names import check_name, check_release
from generator.model.percent import ZERO, Percent
from generator.model.rollout import (
    STEPS,
    Advance,
    OnDeadline,
    OnNewVersion,
    Phase,
    Rollout,
)
from generator.model.spans import parse_span
from generator.yamltext import Row, dump

E = TypeVar("E", bound=StrEnum)
_COHORT = re.compile(
    rf"""apiVersion: "tidegate.dev/v1alpha1"
kind: "Cohort"
rollout: "({TEXT})"
algorithm: "({TEXT})"
"n": ([1-9][0-9]{{0,14}})
sites:
(- .*\n)excluded: \[\]
""",
    re.ASCII | re.DOTALL,
)
_ATTEMPT = r"v[0-9]{1,9}-[0-9a-f]{8}-[1-9][0-9]{0,8}"


def read_rollout(file: str, data: bytes, environment: str, model: str) -> Rollout:
    """Read the file a release manager edits.

    Raises:
        InputError: Every problem with its line, also a percentage that cannot stand.
    """
    document = Document(file, data)
    top = document.top("Rollout")
    top.constant("model", model)
    top.constant("environment", environment)
    percent = top.number("percent", Percent.parse, ZERO, required=True)
    stable = top.value("stable", check_release, "")
    canary = top.value("canary", check_release, "")
    phase = top.value("phase", choice(Phase), None)
    name = top.value("rollout", _rollout_id(environment, model), "", required=bool(canary))
    _check_percent(top, percent, canary, phase)
    if (canary or phase) and not top.has("stable"):
        # Without this, every pointer of the line would go.
        top.report("the key 'stable' is missing", None, "only a model without a baseline has none")
    build = partial(
        Rollout,
        model=model,
        environment=environment,
        stable=stable,
        canary=canary,
        id=name,
        percent=percent,
        steps=top.numbers("steps", Percent.parse) or STEPS,
        advance=top.value("advance", choice(Advance), Advance.AUTOMATIC),
        soak=top.value("soak", parse_span, timedelta(hours=2)),
        soak_from=_soak_from(top),
        deadline=top.value("deadline", parse_span, timedelta(hours=72)),
        on_deadline=top.value("onDeadline", choice(OnDeadline), OnDeadline.HOLD),
        on_new_version=top.value("onNewVersion", choice(OnNewVersion), OnNewVersion.REFUSE),
        holdback=top.number("holdback", Percent.parse, ZERO),
        phase=phase,
        min_sites=top.number("minSites", whole, 5),
    )
    top.close()
    return document.finish(build)


def _rollout_id(environment: str, model: str) -> Callable[[str], str]:
    grammar = re.compile(f"{re.escape(f'{environment}-{model}-')}{_ATTEMPT}", re.ASCII)

    def parse(text: str) -> str:
        if not grammar.fullmatch(text):
            example = f"{environment}-{model}-v13-3f9a1c2b-1"
            raise ValueError(f"{text[:80]!r} is not a rollout id such as {example}")
        return text

    return parse


def _soak_from(top: Fields) -> dict[Percent, timedelta]:
    found: dict[Percent, timedelta] = {}
    for name, node in top.entries("soakFrom"):
        try:
            percent = Percent.parse(name)
        except ValueError as error:
            top.report(str(error), "soakFrom")
            continue
        span = top.scalar(node, parse_span, timedelta(0), "soakFrom")
        found[percent] = span
    return found


def _check_percent(top: Fields, percent: Percent, canary: str, phase: Phase | None) -> None:
    if percent == ZERO:
        return
    if not canary:
        hint = "promote a version first, or set percent to 0"
        top.report("percent is above 0 but there is no canary", "percent", hint)
    elif phase in (Phase.REVERTED, Phase.COMPLETED):
        hint = "promote again to start a new rollout, or set percent to 0"
        top.report(f"percent is above 0 but the rollout is {phase}", "percent", hint)


def choice(kind: type[E]) -> Callable[[str], E]:
    """Make a parser for one of a few words."""

    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            words = ", ".join(one.value for one in kind)
            raise ValueError(f"{text!r} is none of {words}") from None

    return parse


def read_cohort(file: str, data: bytes) -> Cohort:
    """Read the frozen draw.

    Raises:
        InputError: Every problem with its line.
    """
    found = _read_canonical(data)
    return _read_any(file, data) if found is None else found


def _read_any(file: str, data: bytes) -> Cohort:
    document = Document(file, data)
    top = document.top("Cohort")
    rollout = top.value("rollout", str, "", required=True)
    algorithm = top.value("algorithm", str, "", required=True)
    n = top.number("n", whole, 0, required=True)
    members = []
    for row in top.mappings("sites"):
        site = row.value("id", lambda text: check_name("site", text), "", required=True)
        members.append(Member(site, row.value("stratum", str, "")))
        row.close()
    excluded = []
    for row in top.mappings("excluded"):
        site = row.value("id", lambda text: check_name("site", text), "", required=True)
        excluded.append(Excluded(site, row.value("why", str, "")))
        row.close()
    if n != len(members):
        top.report(f"n is {n} but {len(members)} sites are listed", "n")
    if len({member.id for member in members}) != len(members):
        top.report("a site is listed twice", "sites")
    top.close()
    return document.finish(lambda: Cohort(rollout, tuple(members), tuple(excluded), algorithm))


def _read_canonical(data: bytes) -> Cohort | None:
    """Read a draw that has the writer's form and no problem; None where the parser has to."""
    whole_file = _COHORT.fullmatch(plain(data))
    found = read_rows(whole_file[4]) if whole_file else None
    if whole_file is None or found is None or found[0] != ("id", "stratum"):
        return None
    try:
        members = tuple(Member(check_name("site", id_), stratum) for id_, stratum in found[1])
    except ValueError:
        return None
    is_good = len({one.id for one in members}) == len(members) == int(whole_file[3])
    return Cohort(whole_file[1], members, (), whole_file[2]) if is_good else None


def write_cohort(cohort: Cohort) -> bytes:
    """Write the frozen draw, one site a line."""
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Cohort",
            "rollout": cohort.rollout,
            "algorithm": cohort.algorithm,
            "n": cohort.n,
            "sites": [Row(id=one.id, stratum=one.stratum) for one in cohort.members],
            "excluded": [Row(id=one.id, why=one.why) for one in cohort.excluded],
        }
    )
