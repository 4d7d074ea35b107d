"""Read and write a recording: the judge's input as a file, one JSON object a line."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal, NoReturn, assert_never

from generator.errors import InputError

MAX_LINE_BYTES = 16 * 2**20
MAX_COUNT = 2**53  # a double holds it exactly
MAX_NAME = 253
ARMS = ("canary", "stable", "both")

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|\+00:00)", re.ASCII)

Arm = Literal["canary", "stable", "both"]
"""`both`: traffic is split, every site serves both releases at once."""
SiteCounts = Mapping[str, tuple[int, int]]
"""(events, bad events) per site; where traffic is split, per `site/release/pod`."""


@dataclass(frozen=True, slots=True)
class ObjectivesLine:
    """How the objectives of a rollout split alpha; the weights sum to at most 1."""

    rollout: str
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        """Refuse weights that would spend more than the whole alpha."""
        _check_name("rollout", self.rollout)
        for name, weight in self.weights.items():
            _check_name("objective", name)
            if not 0 < weight <= 1:
                raise ValueError(
                    f"the weight of {_show(name)} lies above 0 and at most 1, not {_show(weight)}"
                )
        if not self.weights or sum(self.weights.values()) > 1 + 1e-9:
            raise ValueError("objectives needs at least one weight, and a sum of at most 1")


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """What sites did under the stable release before; objective None = all of them."""

    rollout: str
    objective: str | None
    sites: SiteCounts

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        _check_name("rollout", self.rollout)
        if self.objective is not None:
            _check_name("objective", self.objective)
        _check_counts("history", self.sites)


@dataclass(frozen=True, slots=True)
class AssignedLine:
    """The arm and stratum of every site of the rollout, from `at` on.

    Where traffic is split all sites are in both arms, and each such line begins a step.
    """

    rollout: str
    at: datetime | None
    sites: Mapping[str, tuple[Arm, str]]

    def __post_init__(self) -> None:
        """Refuse an arm that does not exist."""
        _check_name("rollout", self.rollout)
        if self.at is not None:
            _check_time(self.at)
        for site, (arm, stratum) in self.sites.items():
            _check_name("site", site)
            if arm not in ARMS:
                raise ValueError(
                    f"site {_show(site)}: the arm is canary, stable or both, not {_show(arm)}"
                )
            _check_text(f"the stratum of {_show(site)}", stratum, least=0)


@dataclass(frozen=True, slots=True)
class TickLine:
    """The increments of one objective in the interval that ends at `at`.

    `fresh` is how many canary and stable sites have any fresh series; None = not known. `seen`
    are the sites that showed any series, without counts for either arm. A site that no objective
    of a tick names was silent.
    """

    rollout: str
    objective: str
    at: datetime
    canary: SiteCounts
    stable: SiteCounts
    fresh: tuple[int, int] | None = None
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse counts that cannot be, and a site in both arms."""
        _check_name("rollout", self.rollout)
        _check_name("objective", self.objective)
        _check_time(self.at)
        _check_counts("canary", self.canary)
        _check_counts("stable", self.stable)
        both = self.canary.keys() & self.stable.keys()
        if both:
            raise ValueError(f"site {_show(min(both))} is in both arms")
        if self.fresh is not None and not all(_is_count(number) for number in self.fresh):
            raise ValueError(f"fresh holds two counts of sites, not {_show(self.fresh)}")
        for site in self.seen:
            _check_name("site", site)


Line = ObjectivesLine | HistoryLine | AssignedLine | TickLine

# kind -> keys that must be there, keys that may be there
_KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "objectives": (frozenset({"rollout", "objectives"}), frozenset()),
    "history": (frozenset({"rollout", "history"}), frozenset({"objective"})),
    "assigned": (frozenset({"rollout", "assigned"}), frozenset({"at"})),
    "canary": (
        frozenset({"rollout", "objective", "at", "canary", "stable"}),
        frozenset({"fresh", "seen"}),
    ),
}


def parse(line: bytes | str, file: str, number: int) -> Line:
    """Read one line.

    Args:
        line: The line, with or without its end.
        file: Where it stands, for messages.
        number: Its number there, from 1.

    Raises:
        InputError: It is not exactly one of the four kinds of line, every number and time valid.
    """
    try:
        return _line(_fields(line))
    except InputError as error:
        raise located(error, file, number) from None
    except RecursionError:
        raise InputError("nested too deeply", file=file, line=number) from None
    except ValueError as error:
        raise InputError(str(error), file=file, line=number) from None


def located(error: InputError, file: str, number: int) -> InputError:
    """Say where the first problem of an error stands."""
    problem = error.problems[0]
    return InputError(problem.message, file=file, line=number, hint=problem.hint)


def dump(line: Line) -> str:
    """Write one line in its canonical form, without a line end; `parse` reads it back."""
    fields: dict[str, Any] = {"rollout": line.rollout}
    match line:
        case ObjectivesLine():
            fields["objectives"] = dict(sorted(line.weights.items()))
        case HistoryLine():
            fields |= {"objective": line.objective} if line.objective is not None else {}
            fields["history"] = dict(sorted(line.sites.items()))
        case AssignedLine():
            fields["assigned"] = dict(sorted(line.sites.items()))
            fields |= {"at": show_time(line.at)} if line.at is not None else {}
        case TickLine():
            fields |= {"objective": line.objective, "at": show_time(line.at)}
            fields["canary"] = dict(sorted(line.canary.items()))
            fields["stable"] = dict(sorted(line.stable.items()))
            fields |= {"fresh": line.fresh} if line.fresh is not None else {}
            fields |= {"seen": sorted(line.seen)} if line.seen else {}
        case _:
            assert_never(line)
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def show_time(at: datetime) -> str:
    """Write RFC 3339 in UTC, ending in Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _fields(line: bytes | str) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        fields = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not isinstance(fields, dict):
        raise ValueError(f"a line is a JSON object, not {_show(fields)}")
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {_show(twice)} stands twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _line(fields: dict[str, Any]) -> Line:
    kind = next((kind for kind in _KEYS if kind in fields), "canary")
    _check_keys(fields, *_KEYS[kind])
    rollout = fields["rollout"]
    match kind:
        case "objectives":
            given = _object("objectives", fields["objectives"]).items()
            return ObjectivesLine(rollout, {name: _weight(weight) for name, weight in given})
        case "history":
            if "objective" in fields:
                _check_name("objective", fields["objective"])
            return HistoryLine(rollout, fields.get("objective"), _pairs("history", fields))
        case "assigned":
            at = _time(fields["at"]) if "at" in fields else None
            return AssignedLine(rollout, at, _pairs("assigned", fields))
        case _:
            fresh = _pair("fresh", fields["fresh"]) if "fresh" in fields else None
            at, arms = _time(fields["at"]), (_pairs("canary", fields), _pairs("stable", fields))
            seen = _names("seen", fields.get("seen", []))
            return TickLine(rollout, fields["objective"], at, *arms, fresh, seen)


def _check_keys(fields: Iterable[str], needed: frozenset[str], optional: frozenset[str]) -> None:
    for key in fields:
        if key not in needed | optional:
            near = get_close_matches(key[:MAX_NAME], sorted(needed | optional), n=1)
            hint = f"did you mean {near[0]!r}?" if near else None
            raise InputError(f"unknown key {_show(key)}", hint=hint)
    missing = sorted(needed - set(fields))
    if missing:
        raise ValueError(f"the key {missing[0]!r} is missing")


def _object(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is an object, not {_show(value)}")
    return value


def _pairs(key: str, fields: dict[str, Any]) -> dict[str, Any]:
    found = _object(key, fields[key])
    return {site: _pair(site, value) for site, value in found.items()}


def _names(key: str, value: object) -> tuple[Any, ...]:
    if type(value) is not list:
        raise ValueError(f"{key} is a list of sites, not {_show(value)}")
    return tuple(value)


def _pair(name: str, value: object) -> tuple[Any, Any]:
    if type(value) is not list or len(value) != 2:
        raise ValueError(f"{_show(name)}: expected a list of two, not {_show(value)}")
    return value[0], value[1]


def _weight(value: object) -> float:
    if type(value) is float or (type(value) is int and value == 1):
        return float(value)
    raise ValueError(f"a weight is a number above 0 and at most 1, not {_show(value)}")


def _time(value: object) -> datetime:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(f"{_show(value)} is not a time: write UTC such as 2026-11-20T08:05:00Z")
    return datetime.fromisoformat(value)


def _check_time(at: datetime) -> None:
    if at.utcoffset() != timedelta(0):
        raise ValueError(f"the time {at.isoformat()} is not in UTC")


def _check_name(what: str, name: object) -> None:
    _check_text(what, name, least=1)


def _check_text(what: str, text: object, least: int) -> None:
    if not isinstance(text, str) or not least <= len(text) <= MAX_NAME or not text.isprintable():
        raise ValueError(f"{what} has {least} to {MAX_NAME} characters, not {_show(text)}")


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number <= MAX_COUNT


def _check_counts(what: str, counts: SiteCounts) -> None:
    for site, (events, bad) in counts.items():
        if type(events) is not int or type(bad) is not int or not 0 <= bad <= events <= MAX_COUNT:
            raise ValueError(
                f"{what} {_show(site)}: write [events, bad] as integers with "
                f"0 <= bad <= events, not {_show([events, bad])}"
            )
        _check_name("site", site)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
