"""The commits of one line as a table."""

from collections.abc import Iterator

from generator.model.percent import ZERO
from tidegate.pages import phrases
from tidegate.pages.axis import say_moment
from tidegate.pages.markup import Markup, tag, words
from tidegate.pages.story import Commit, Move, Story

MOST = 60


def commit_list(story: Story) -> Markup:
    """List the newest commits."""
    names = ("Time, UTC", "Commit", "Move", "What", "Verdict", "By")
    head = tag("tr", *(tag("th", words(name), scope="col") for name in names))
    told = f"{story.model} {story.environment}: "
    rows = (_row(commit, told) for commit in story.commits[:MOST])
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="commits")
    return tag("div", table, *_rest(story), class_="scroll")


def _rest(story: Story) -> Iterator[Markup]:
    if len(story.commits) > MOST:
        text = f"{len(story.commits) - MOST} older ones: git log"
        yield tag("p", words(text), class_="note")


def _row(commit: Commit, told: str) -> Markup:
    reason = tag("small", words(commit.reason)) if commit.reason else Markup("")
    return tag(
        "tr",
        tag("td", words(say_moment(commit.at)), class_="n"),
        tag("td", tag("code", words(commit.id[:9]))),
        tag("td", words(_move(commit))),
        tag("td", words(commit.subject.removeprefix(told)), reason),
        tag("td", words(commit.verdict)),
        tag("td", words(commit.author.partition(" <")[0], 60)),
    )


def _move(commit: Commit) -> str:
    percent = commit.percent
    to = (
        f" {'at' if commit.move is Move.START else 'to'} {percent}%"
        if percent is not None and percent != ZERO
        else ""
    )
    return f"{phrases.GLYPHS[commit.move]} {phrases.MOVES[commit.move]}{to}".strip()
