"""Objectives that can be measured, and spans of time that leave room for each other."""

import difflib
from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.lint.view import View
from generator.model.environment import Environment
from generator.model.objective import Below, Objective, Ratio, Selector
from generator.model.rollout import Rollout
from generator.model.spans import say_span
from generator.model.specimens import specimens
from generator.model.telemetry import CONFIDENCE, EXPORTED, OUTCOMES, PREDICTIONS, Metric

_NEAR = 0.9  # a misspelling, not another metric
_PARTS = ("_bucket", "_count", "_sum")
Found = Iterator[tuple[str, str, str]]  # key, text, hint


def objectives(view: View) -> Iterator[Problem]:
    """Check that series can exist that each objective counts, good ones and bad ones."""
    for name in view.models():
        spec, path = view.model(name), layout.model(name)
        for number, one in enumerate(spec.objectives if spec is not None else ()):
            for key, text, hint in (*_meaning(one), *_contract(one)):
                documents = view.documents(path)
                line = documents[0].line_of("objectives", number, key) if documents else None
                yield Problem(f"{one.name}: {text}", path, line, hint)


def _meaning(one: Objective) -> Found:
    try:
        specimens(one.indicator)
    except ValueError as error:
        key = "bad" if isinstance(one.indicator, Ratio) else "histogram"
        yield key, str(error), "write selectors that tell bad events from all events"


def _contract(one: Objective) -> Found:
    indicator = one.indicator
    if isinstance(indicator, Ratio):
        yield from _counter("bad", indicator.bad)
        yield from _counter("total", indicator.total)
        return
    yield from _known("histogram", indicator.histogram)
    kind = EXPORTED.get(indicator.histogram.metric, Metric.HISTOGRAM)
    if kind is not Metric.HISTOGRAM:
        text = f"{indicator.histogram.metric} is a {kind}, not a histogram"
        yield "histogram", text, "write it with bad and total"
    is_share = indicator.histogram.metric == CONFIDENCE
    if is_share and isinstance(indicator, Below) and not 0 < indicator.floor < 1:
        text = f"{CONFIDENCE} lies between 0 and 1, so every prediction or none is below"
        yield "below", text, "write a share such as 0.6"


def _counter(key: str, selector: Selector) -> Found:
    yield from _known(key, selector)
    kind = EXPORTED.get(selector.metric, Metric.COUNTER)
    if kind is not Metric.COUNTER:
        hint = f"write {selector.metric}_count" if kind is Metric.HISTOGRAM else "name a counter"
        yield key, f"{selector.metric} is a {kind}, not a counter", hint
    if selector.metric == PREDICTIONS:
        for matcher in selector.matchers:
            if matcher.label == "outcome" and not any(map(matcher.takes, OUTCOMES)):
                text = f"no {PREDICTIONS} has {matcher}"
                yield key, text, f"its outcomes are {', '.join(OUTCOMES)}"


def _known(key: str, selector: Selector) -> Found:
    name = selector.metric
    for part in _PARTS:
        name = name.removesuffix(part)
    near = difflib.get_close_matches(name, EXPORTED, 1, _NEAR)
    if near and name not in EXPORTED:
        yield key, f"there is no metric {selector.metric}", f"did you mean {near[0]}?"


def spans(view: View) -> Iterator[Problem]:
    """Check that a site may be away as long as it is said, and that a step can end in time."""
    for name in view.environments():
        settings = view.environment(name)
        if settings is not None:
            path = layout.environment(name)
            for key, text, hint in _environment(settings):
                yield Problem(text, path, view.line(path, key), hint)
    for one in view.rollouts():
        settings = view.environment(one.environment)
        if settings is not None:
            path = layout.rollout(one.environment, one.model)
            for key, text, hint in _rollout(settings, one):
                yield Problem(text, path, view.line(path, key), hint)


def _environment(settings: Environment) -> Found:
    away, history = settings.offline_budget, settings.history
    if history < away:
        text = (
            f"a site may be away for {say_span(away)}, but is compared with {say_span(history)} of "
            "its own past: it can come back without any"
        )
        yield "history", text, "make history as long as offlineBudget"


def _rollout(settings: Environment, one: Rollout) -> Found:
    limit = say_span(one.deadline)
    if one.deadline < settings.offline_budget:
        text = (
            f"a site may be away for {say_span(settings.offline_budget)}, but a step waits for "
            f"{limit}: what such a site measured comes too late"
        )
        yield "deadline", text, f"make it as long as offlineBudget of {one.environment}"
    if settings.adopt_within >= one.deadline:
        text = (
            f"a release that never starts is noticed after {say_span(settings.adopt_within)}, but "
            f"a step waits for {limit} at most"
        )
        yield "deadline", text, f"make it longer than adoptWithin of {one.environment}"
