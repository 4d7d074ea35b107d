"""One page that holds everything: no script, nothing fetched, light and dark, and on paper."""

from collections.abc import Iterator, Sequence

from tidegate.pages.axis import say_moment
from tidegate.pages.board import anchor, board
from tidegate.pages.commitlist import commit_list
from tidegate.pages.markup import Markup, join, tag, words
from tidegate.pages.phrases import headline
from tidegate.pages.section import section
from tidegate.pages.sheet import hatching, page_rules
from tidegate.pages.standing import (
    GLYPHS,
    NEEDY,
    Standing,
    answer,
    because,
    needy_first,
    sentence,
    standing,
)
from tidegate.pages.story import Story
from tidegate.pages.survey import MOST_LINES, Survey, Told, Unread

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MOST_ANSWERS = 12


def render(told: Survey | Story | Sequence[Told], title: str) -> bytes:
    """Write one HTML file about one or more lines; the same input gives the same bytes.

    Args:
        told: All lines of a repository, or some in the order of the board.
        title: Of the page, foreign text.
    """
    if isinstance(told, Story):
        told = (told,)
    found = told if isinstance(told, Survey) else Survey(tuple(told))
    sorted_ = needy_first(found.told)
    drawn, left_out = sorted_[:MOST_LINES], sorted_[MOST_LINES:]
    body = tag(
        "body",
        tag("svg", hatching(), width=0, height=0, class_="defs", aria_hidden="true"),
        tag("header", *_header(found, title, drawn)),
        tag("main", *(_article(one, found) for one in drawn), *_left_out(left_out)),
        _footer(found),
    )
    return f"<!doctype html>\n{tag('html', _head(title), body, lang='en')}\n".encode()


def _head(title: str) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", words(title)),
        tag("style", Markup(page_rules())),
    )


def _header(found: Survey, title: str, drawn: Sequence[Told]) -> Iterator[Markup]:
    """Say the answer: one sentence, one line for each that needs a person, and the board."""
    at = f", {say_moment(found.now)} UTC" if found.now else ""
    yield tag("p", words(f"{title}{at}"), class_="name")
    if len(found.told) == 1:
        return
    yield tag("h1", words(answer(found)))
    needy = [one for one in drawn if standing(one) in NEEDY]
    if needy:
        yield tag("ul", *(_answer(one) for one in needy[:MOST_ANSWERS]), class_="answers")
    if len(needy) > MOST_ANSWERS:
        yield tag("p", words(f"and {len(needy) - MOST_ANSWERS} more below"), class_="note")
    if found.told:
        yield board(found, drawn)


def _answer(told: Told) -> Markup:
    which = standing(told)
    name = tag("a", words(f"{told.model} on {told.environment}"), href=f"#{anchor(told)}")
    kind = "harm" if which in (Standing.REVERTED, Standing.UNREAD) else None
    said = tag("span", words(sentence(told)), class_="say")
    glyph = tag("b", words(GLYPHS[which]), class_="glyph", aria_hidden="true")
    return tag("li", glyph, tag("span", name, said), class_=kind)


def _article(told: Told, found: Survey) -> Markup:
    return tag("article", *_parts(told, found), id=anchor(told))


def _parts(told: Told, found: Survey) -> Iterator[Markup]:
    yield tag("p", words(f"{told.model} on {told.environment}"), class_="eyebrow")
    level = "h1" if len(found.told) == 1 else "h2"
    if isinstance(told, Unread):
        yield tag(level, words("It cannot be read."), class_="headline")
        yield tag("p", words(told.trouble), class_="lead")
        return
    yield tag(level, words(headline(told)), class_="headline")
    if because(told):
        yield tag("p", words(because(told)), class_="lead")
    yield from section(told)
    yield tag("h3", words("Commits"), class_="part")
    yield commit_list(told)


def _left_out(left_out: Sequence[Told]) -> Iterator[Markup]:
    if left_out:
        names = ", ".join(f"{one.model} on {one.environment}" for one in left_out)
        text = f"{len(left_out)} more stand on the board only, ask with --env or --model: {names}"
        yield tag("p", words(text), class_="note")


def _footer(found: Survey) -> Markup:
    stories = [one for one in found.told if isinstance(one, Story)]
    heads = sorted({story.head[:12] for story in stories} | {found.head[:12]} - {""})
    through = max((story.through for story in stories), default=None)
    until = f", known up to {say_moment(through)} UTC" if through else ""
    commit = f", commit {', '.join(heads)}" if heads else ""
    asked = " and from the metrics API" if any(one.coming for one in stories) else " alone"
    text = (
        f"Read from Git{asked}{commit}{until}. Where sites are counted, Git asks them to run it; "
        "what they reported is named. Made by tidegate."
    )
    return tag("footer", join(words(text)))
