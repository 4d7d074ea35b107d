"""What a person can ask of the demo: the story, to go on, to serve."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generator.errors import InputError
from generator.gitrepo.checkout import Checkout
from reconciler.wiring import calm_collector
from tidegate.demo.story import (
    EDGE,
    MANAGER,
    MODEL,
    TICK,
    Demo,
    is_over,
    open_demo,
    prepare,
    tell_story,
)
from tidegate.demo.workspace import Story, Workspace, at

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
    calm_collector()
    demo, api = open_demo(workspace, told, tell)
    with api:
        tell_story(demo)
    _summary(demo, tell)
    _hand_over(demo, tell)


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
        demo.live(_newest(demo))
        if broken:
            _break(demo, broken)
        until = demo.story.clock + timedelta(hours=hours)
        while demo.story.clock < until:
            demo.tick()
    _summary(demo, tell)
    _hand_over(demo, tell)


def _newest(demo: Demo) -> datetime:
    """Find where to go on: after the last tick, and after what a person has committed since."""
    newest = demo.repository().tree.log(("**",), 1)[0].at
    while demo.story.clock < newest:
        demo.story = at(demo.story, demo.story.clock + TICK)
    return demo.story.clock


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


def _hand_over(demo: Demo, tell: Tell) -> None:
    """Bring the person's checkout up to date, and say what to try next."""
    checkout = Checkout(demo.workspace.checkout)
    checkout.pull()
    name, mail = MANAGER.name, MANAGER.mail
    for key, value in (("user.name", name), ("user.email", mail)):
        checkout.git.run("config", key, value)
    folder = demo.workspace.folder
    tell("")
    tell(f"the repository is {folder}/origin.git, your checkout {folder}/fleet; try:")
    for line in _TRY:
        tell("  " + line.format(folder=folder, edge=EDGE, model=MODEL))


_TRY = (
    "tidegate status -C {folder}/fleet",
    "tidegate promote {model}/4 --env {edge} -C {folder}/fleet --push --reason 'try version 4'",
    "tidegate demo --dir {folder} --resume --hours 6      # fleet and reconciler go on",
    "tidegate set-percent {model} 50 --env {edge} -C {folder}/fleet --push --reason 'hurry'",
    "tidegate demo --dir {folder} --resume --break plant-0042",
    "tidegate demo --dir {folder} --serve                 # then, beside it: tidegate reconcile",
)


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
