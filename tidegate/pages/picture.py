"""One drawing for a README: the staircase of the newest rollouts on a card of its own."""

from tidegate.pages import phrases
from tidegate.pages.markup import Markup, tag, words
from tidegate.pages.sheet import chart_rules, hatching
from tidegate.pages.staircase import staircase
from tidegate.pages.story import Story

WIDTH, HEIGHT = 900.0, 320.0


def picture(story: Story, most: int = 2) -> bytes:
    """Draw a small SVG of the newest rollouts, for light and dark pages.

    Args:
        story: The line.
        most: Newest rollouts to draw.
    """
    caption = f"{story.model} on {story.environment}, {phrases.sites(len(story.squares), story)}"
    rect = tag("rect", x=0.5, y=0.5, width=WIDTH - 1, height=HEIGHT - 1, rx=10, class_="card")
    inner = staircase(story, WIDTH - 44, HEIGHT - 26, most=most, caption=caption, detailed=False)
    drawing = tag(
        "svg",
        tag("title", words(f"{story.model} on {story.environment}: {phrases.headline(story)}")),
        tag("style", Markup(chart_rules())),
        hatching(),
        rect,
        tag("g", inner, transform="translate(22 14)"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )
    return f"{drawing}\n".encode()
