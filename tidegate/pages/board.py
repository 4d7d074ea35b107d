"""The promotion board: for each model a row of cards, in the way that a release goes."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from generator.model.percent import WHOLE, Percent
from tidegate.pages import phrases
from tidegate.pages.markup import Markup, join, tag, words
from tidegate.pages.standing import GLYPHS, Standing, standing
from tidegate.pages.story import Story, short
from tidegate.pages.survey import Survey, Told, Unread

BAR_WIDTH, BAR_HEIGHT = 160.0, 6.0


def anchor(told: Told) -> str:
    """Name the place of a line on the page."""
    return f"{told.environment}--{told.model}"


def board(survey: Survey, drawn: Sequence[Told]) -> Markup:
    """Draw a card for every line.

    Args:
        survey: All lines.
        drawn: Those that have a section on the page, to which their cards lead.
    """
    linked = {anchor(one) for one in drawn}
    rows = groupby(survey.told, key=lambda one: one.model)
    return tag("nav", *(_row(model, list(row), survey, linked) for model, row in rows))


def _row(model: str, row: Sequence[Told], survey: Survey, linked: set[str]) -> Markup:
    here = {one.environment for one in row}
    cards = []
    for one in row:
        after = [name for name in survey.requires.get(one.environment, ()) if name in here]
        cards.append(_card(one, after, is_linked=anchor(one) in linked))
    return join(tag("h3", words(model)), tag("div", *cards, class_="board"))


def _card(told: Told, after: Sequence[str], *, is_linked: bool) -> Markup:
    found = standing(told)
    kind = "card harm" if found in (Standing.REVERTED, Standing.UNREAD) else "card"
    return tag(
        "a",
        *_where(told.environment, after),
        tag("strong", words(_stable(told))),
        tag("span", words(f"{GLYPHS[found]} {_state(told, found)}"), class_="state"),
        *(_bar(told) if isinstance(told, Story) and told.is_climbing else ()),
        href=f"#{anchor(told)}" if is_linked else None,
        class_=f"{kind} after" if after else kind,
    )


def _where(environment: str, after: Sequence[str]) -> Iterator[Markup]:
    then = tag("small", words(f"after {', '.join(after)}")) if after else Markup("")
    yield tag("span", words(environment), then, class_="k")


def _stable(told: Told) -> str:
    return (short(told.stable) or "none") if isinstance(told, Story) else "?"


def _state(told: Told, found: Standing) -> str:
    if isinstance(told, Unread) or found is Standing.PENDING:
        return found
    if found is Standing.RESTING:
        return f"on {phrases.sites(len(told.squares), told)}"
    if found is Standing.REVERTED:
        return phrases.status(told)
    return f"{phrases.status(told)}, {found}"


def _bar(story: Story) -> Iterator[Markup]:
    """Draw how far the canary is."""
    yield tag(
        "svg",
        tag("title", words(f"{story.percent}%")),
        tag("rect", width=BAR_WIDTH, height=BAR_HEIGHT, class_="strip"),
        tag("rect", width=_share(story.percent) * BAR_WIDTH, height=BAR_HEIGHT, class_="good"),
        *(
            tag("path", d=f"M{x:g} 0v{BAR_HEIGHT:g}", class_="notch")
            for x in (BAR_WIDTH / 4, BAR_WIDTH / 2, BAR_WIDTH * 3 / 4)
        ),
        viewBox=f"0 0 {BAR_WIDTH:g} {BAR_HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        class_="bar",
    )


def _share(percent: Percent) -> float:
    return percent.basis_points / WHOLE
