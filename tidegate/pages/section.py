"""What the page says about one line: staircase, then every rollout, the newest first."""

from collections.abc import Iterator, Sequence

from generator.model.spans import say_span
from reconciler.analysis import Verdict
from tidegate.pages import phrases
from tidegate.pages.axis import say_moment
from tidegate.pages.convergence import caption, convergence, is_known, notes
from tidegate.pages.curve import evidence
from tidegate.pages.grid import grid, legend
from tidegate.pages.markup import Markup, join, tag, words
from tidegate.pages.staircase import staircase
from tidegate.pages.story import Climb, Curve, End, Story

WIDTH, HEIGHT = 1040.0, 432.0
CURVE_WIDTH, CURVE_HEIGHT = 370.0, 250.0
OPENED = 3
MOST_CURVES = 9
_COLUMNS = ("Bad", "Expected", "Ratio", "Predictions", "Evidence of worse", "Verdict")
_NAMES = {
    Verdict.HEALTHY: "healthy",
    Verdict.BREACHED: "breached",
    Verdict.UNDECIDED: "undecided",
    Verdict.NO_DATA: "no data",
    Verdict.STALE: "stale",
}


def section(story: Story) -> Iterator[Markup]:
    """Draw all about one line but its commits."""
    if story.climbs:
        yield chart(staircase(story, WIDTH, HEIGHT), WIDTH, HEIGHT, "Staircase", "wide")
    newest = list(reversed(story.climbs))
    for climb in newest[:OPENED]:
        yield tag("section", *_climb(climb, story))
    for climb in newest[OPENED:]:
        name = tag("summary", words(f"{climb.short}, {phrases.outcome(climb)}"))
        yield tag("details", name, tag("dl", *_facts(climb)))
    if story.earlier:
        yield tag("p", words(f"{story.earlier} older rollouts are in Git."), class_="note")
    if not story.climbs and story.squares:
        yield tag("h3", words("Sites"), class_="part")
        yield grid(story.squares)


def chart(inner: Markup, width: float, height: float, name: str, kind: str) -> Markup:
    """Put a drawing on the page; wide ones scroll on a narrow screen."""
    drawing = tag(
        "svg", tag("title", words(name)), inner, viewBox=f"0 0 {width:g} {height:g}", role="img"
    )
    return tag("div", drawing, class_=f"chart {kind}")


def _climb(climb: Climb, story: Story) -> Iterator[Markup]:
    kind = "chip harm" if climb.ending.how is End.REVERTED else "chip"
    chip = tag("span", words(phrases.ENDS[climb.ending.how]), class_=kind)
    yield tag("h3", words(f"{climb.short} "), chip, class_="part")
    yield tag("dl", *_facts(climb))
    if climb.trouble:
        yield tag(
            "p", words(f"The evidence cannot be judged again: {climb.trouble}"), class_="note"
        )
    curves = _worst_first(climb.curves)
    if curves:
        yield _numbers(curves, story)
        yield tag("div", *(_evidence(climb, curve) for curve in curves), class_="curves")
    yield from _more(len(climb.curves) - len(curves), "objectives")
    yield from _sites(climb, story)


def _worst_first(curves: Sequence[Curve]) -> Sequence[Curve]:
    """Keep the order of a few; of very many show those with the most evidence against them."""
    if len(curves) <= MOST_CURVES:
        return curves
    return sorted(curves, key=lambda one: -max(point.e_bad for point in one.points))[:MOST_CURVES]


def _more(count: int, what: str) -> Iterator[Markup]:
    if count > 0:
        yield tag("p", words(f"and {count} more {what}: tidegate replay"), class_="note")


def _sites(climb: Climb, story: Story) -> Iterator[Markup]:
    """Draw the sites: how they came over time, and each as a square."""
    if is_known(climb):
        drawing = convergence(climb, CURVE_WIDTH, CURVE_HEIGHT)
        name = tag("figcaption", tag("b", words("sites")), Markup(" "), words(caption(climb)))
        figure = tag("figure", name, chart(drawing, CURVE_WIDTH, CURVE_HEIGHT, "Sites", ""))
        text = tag("div", *(tag("p", words(note)) for note in notes(climb)), class_="beside")
        yield tag("div", figure, text, class_="curves reports")
    if climb.squares:
        yield legend(climb.squares)
        yield grid(climb.squares, named=climb is story.last)


def _facts(climb: Climb) -> Iterator[Markup]:
    by = f", {climb.by}" if climb.by else ""
    promoted = f"{climb.reason or 'no reason given'}{by}"
    facts = [
        ("Release", f"{climb.release}, in place of {climb.stable or 'none'}"),
        ("Model", climb.digest),
        ("Why", promoted),
        ("Began", say_moment(climb.begun)),
        ("Steps", phrases.rungs(climb)),
        ("Reach", phrases.blast(climb)),
        (_ending_name(climb), _ending(climb)),
        ("Evidence", climb.evidence),
    ]
    for name, text in facts:
        if text:
            yield tag("dt", words(name))
            yield tag("dd", words(text))


def _ending_name(climb: Climb) -> str:
    return phrases.ENDS[climb.ending.how].capitalize()


def _ending(climb: Climb) -> str:
    ending = climb.ending
    by = f", {ending.by}" if ending.by else ""
    rejected = "; the release is rejected" if ending.is_rejected else ""
    match ending.how:
        case End.COMPLETED:
            return f"{say_moment(ending.at)}, after the last soak of {_last_soak(climb)}{by}"
        case End.CLIMBING | End.PAUSED:
            return f"for {say_span(climb.span)} as of {say_moment(ending.at)}"
        case End.REVERTED | End.SUPERSEDED:
            why = f": {ending.why}" if ending.why else ""
            span = say_span(climb.span)
            return f"{say_moment(ending.at)}, after {span}{why}{by}{rejected}"


def _last_soak(climb: Climb) -> str:
    return say_span(climb.steps[-1].soak)


def _numbers(curves: Sequence[Curve], story: Story) -> Markup:
    head = tag("tr", *(tag("th", words(name), scope="col") for name in ("Objective", *_COLUMNS)))
    rows = (_row(curve, story) for curve in curves)
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="numbers")
    return tag("div", table, class_="scroll")


def _row(curve: Curve, story: Story) -> Markup:
    seen = curve.proved or curve.compared
    ratio = phrases.times(seen.bad / seen.expected) if seen.expected >= 1 else "-"
    most = curve.proved.e_bad if curve.proved else max(one.e_bad for one in curve.points)
    cells = (
        f"{seen.bad:,}",
        f"{seen.expected:,.0f}" if seen.expected >= 100 else f"{seen.expected:.1f}",
        ratio,
        f"{seen.events:,}",
        f"{phrases.evidence(most)}, proof at {phrases.evidence(curve.bound_bad)}",
        f"{_NAMES[seen.verdict]}, {seen.at:%H:%M}",
    )
    name = join(
        tag("b", words(curve.objective)),
        tag("small", words(story.objectives.get(curve.objective, ""))),
    )
    kind = "harm" if curve.proved else None
    named = zip(_COLUMNS, cells, strict=True)
    told = (tag("td", words(cell), data_name=column) for column, cell in named)
    return tag("tr", tag("th", name, scope="row"), *told, class_=kind)


def _evidence(climb: Climb, curve: Curve) -> Markup:
    drawing = evidence(climb, curve, CURVE_WIDTH, CURVE_HEIGHT)
    name = tag("figcaption", tag("b", words(curve.objective)), Markup(" "), words(_verdict(curve)))
    return tag("figure", name, chart(drawing, CURVE_WIDTH, CURVE_HEIGHT, curve.objective, ""))


def _verdict(curve: Curve) -> str:
    proved = curve.proved
    if proved:
        return f"proved worse at {proved.at:%H:%M}"
    return f"{_NAMES[curve.compared.verdict]} at {curve.compared.at:%H:%M}"
