"""One page that holds everything: no script, nothing fetched, light and dark, and on paper."""

from collections.abc import Iterator, Sequence

from tidegate.pages import phrases
from tidegate.pages.axis import say_moment
from tidegate.pages.commitlist import commit_list
from tidegate.pages.markup import Markup, join, tag, words
from tidegate.pages.section import section
from tidegate.pages.sheet import hatching, page_rules
from tidegate.pages.story import Story, short

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(stories: Story | Sequence[Story], title: str) -> bytes:
    """Write one HTML file about one or more lines; the same stories give the same bytes.

    Args:
        stories: In the order in which they are shown.
        title: Of the page, foreign text.
    """
    told = (stories,) if isinstance(stories, Story) else tuple(stories)
    board = _board(told) if len(told) > 1 else Markup("")
    body = tag(
        "body",
        tag("svg", hatching(), width=0, height=0, class_="defs", aria_hidden="true"),
        tag("header", tag("p", words(title), class_="name"), board),
        tag("main", *(_line(story) for story in told)),
        _footer(told),
    )
    return f"<!doctype html>\n{tag('html', _head(title), body, lang='en')}\n".encode()


def _head(title: str) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", words(title)),
        tag("style", Markup(page_rules())),
    )


def _board(stories: Sequence[Story]) -> Markup:
    """Draw the promotion board: a card for each line."""
    return tag("nav", *(_card(story) for story in stories), class_="board")


def _card(story: Story) -> Markup:
    state = phrases.status(story)
    return tag(
        "a",
        tag("span", words(story.environment), class_="k"),
        tag("strong", words(short(story.stable) or "none")),
        tag("span", words(state), class_="state"),
        tag("span", words(story.model), class_="k"),
        href=f"#{_anchor(story)}",
    )


def _anchor(story: Story) -> str:
    return f"{story.environment}--{story.model}"


def _line(story: Story) -> Markup:
    return tag("article", *_parts(story), id=_anchor(story))


def _parts(story: Story) -> Iterator[Markup]:
    yield tag("p", words(f"{story.model} on {story.environment}"), class_="eyebrow")
    yield tag("h1", words(phrases.headline(story)))
    yield from section(story)
    yield tag("h2", words("Commits"))
    yield commit_list(story)


def _footer(stories: Sequence[Story]) -> Markup:
    heads = sorted({story.head[:12] for story in stories})
    through = max((story.through for story in stories), default=None)
    until = f", known up to {say_moment(through)} UTC" if through else ""
    text = f"Read from Git alone, commit {', '.join(heads)}{until}. Made by tidegate."
    return tag("footer", join(words(text)))
