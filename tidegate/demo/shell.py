"""What a person can ask of the demo: the story, to go on, to serve."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generator.errors import InputError
from tidegate.demo.story import (
    EDGE,
    MODEL,
    TICK,
    Demo,
    is_over,
    open_demo,
    prepare,
    tell_story,
)
from tidegate.demo.workspace import Story, Workspace

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed."""

    folder: Path
    seed: int
    sites: int
    fault: str
    fresh: bool


def story(words: Words, now: datetime, tell: Tell) -> None:
    """Tell the story from where it is to its end.

    Raises:
        InputError: The folder holds something else.
    """
    workspace = Workspace(words.folder)
    told = _begin(workspace, words, now, tell)
    prepare(workspace, told, tell)
    demo, api = open_demo(workspace, told, tell)
    with api:
        tell_story(demo)
    _summary(demo, tell)


def _begin(workspace: Workspace, words: Words, now: datetime, tell: Tell) -> Story:
    if workspace.exists() and not words.fresh:
        told = workspace.load()
        if (told.seed, told.sites, told.fault) == (words.seed, words.sites, words.fault):
            tell(f"going on with the demo in {words.folder}")
            return told
    workspace.remove()
    return workspace.begin(words.seed, words.sites, words.fault, now)


def resume(words: Words, hours: int, broken: str, tell: Tell) -> None:
    """Let the fleet and the reconciler go on after the story.

    Raises:
        InputError: There is no demo, or no such site.
    """
    workspace = Workspace(words.folder)
    _need(workspace)
    demo, api = open_demo(workspace, workspace.load(), tell)
    with api:
        demo.live(demo.story.clock)
        if broken:
            _break(demo, broken)
        until = demo.story.clock + timedelta(hours=hours)
        while demo.story.clock < until:
            demo.tick()
    _summary(demo, tell)


def _break(demo: Demo, site: str) -> None:
    try:
        demo.fleet.break_site(site)
    except KeyError:
        raise InputError(f"there is no site {site!r}", hint="such as plant-0042") from None
    demo.say(f"{site} breaks: 20 times the errors from now on")


def serve(words: Words, tell: Tell) -> None:
    """Catch up with the real clock and serve the metrics in real time until Ctrl-C.

    Raises:
        InputError: There is no demo.
    """
    workspace = Workspace(words.folder)
    _need(workspace)
    demo, api = open_demo(workspace, workspace.load(), tell)
    with api:
        demo.live(datetime.now(UTC))
        tell(f"metrics at http://127.0.0.1:{demo.story.port}, in real time; Ctrl-C ends it. Try:")
        tell(f"  tidegate status -C {workspace.checkout}")
        tell(f"  tidegate reconcile --repo {workspace.origin} --once")
        while True:
            time.sleep(1)
            demo.live(datetime.now(UTC))


def _need(workspace: Workspace) -> None:
    if not workspace.exists():
        raise InputError(f"there is no demo in {workspace.folder}", hint="tidegate demo makes one")


def _summary(demo: Demo, tell: Tell) -> None:
    rollout = demo.rollout()
    tell("")
    tell("git log --oneline")
    for commit in demo.repository().tree.log(("**",), 20):
        tell(f"  {commit.id[:8]} {commit.subject}")
    tell("")
    for release, served in demo.fleet.ledger().items():
        tell(
            f"{release}: {served.predictions} predictions served, {served.bad} bad, "
            f"{served.excess} of them would have been good under v1"
        )
    state = "over" if is_over(demo) else "not over"
    tell(f"{EDGE}/{MODEL} is {rollout.phase} on {rollout.stable}; the story is {state}")
    tell(f"one tick is {TICK}; the workspace is {demo.workspace.folder.resolve()}")
