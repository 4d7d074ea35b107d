"""What a person can ask of the demo: the story, to go on, to serve."""

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generator.errors import InputError
from generator.gitrepo.checkout import Checkout
from reconciler.wiring import calm_collector
from tidegate.demo.screen import Screen, write_report
from tidegate.demo.story import (
    EDGE,
    LINE,
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

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed."""

    folder: Path
    seed: int
    sites: int
    fault: str
    fresh: bool


def story(words: Words, now: datetime, screen: Screen) -> None:
    """Tell the story from where it is to its end.

    Raises:
        InputError: The folder holds something else.
    """
    workspace = Workspace(words.folder)
    told = _begin(workspace, words, now, screen)
    prepare(workspace, told, screen)
    calm_collector()
    demo, api = open_demo(workspace, told, screen)
    with api:
        if is_over(demo):
            demo.live(demo.story.clock)
            screen.tell("the story is over already; `tidegate demo --fresh` tells it again")
        else:
            tell_story(demo)
    _summary(demo)
    _hand_over(demo)


def _begin(workspace: Workspace, words: Words, now: datetime, screen: Screen) -> Story:
    if workspace.exists() and not words.fresh:
        told = workspace.load()
        if (told.seed, told.sites, told.fault) == (words.seed, words.sites, words.fault):
            screen.tell(f"going on with the demo in {words.folder}")
            return told
    workspace.remove()
    return workspace.begin(words.seed, words.sites, words.fault, now)


def resume(words: Words, hours: int, broken: str, screen: Screen) -> None:
    """Let the fleet and the reconciler go on after the story.

    Raises:
        InputError: There is no demo, or no such site.
    """
    workspace = Workspace(words.folder)
    _need(workspace)
    demo, api = open_demo(workspace, workspace.load(), screen)
    with api:
        demo.live(_newest(demo))
        if broken:
            _break(demo, broken)
        until = demo.story.clock + timedelta(hours=hours)
        while demo.story.clock < until:
            demo.tick()
    _summary(demo)
    _hand_over(demo)


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


def serve(words: Words, screen: Screen) -> None:
    """Catch up with the real clock and serve the metrics in real time until Ctrl-C.

    Raises:
        InputError: There is no demo.
    """
    workspace = Workspace(words.folder)
    _need(workspace)
    demo, api = open_demo(workspace, workspace.load(), screen)
    with api:
        demo.live(datetime.now(UTC))
        screen.tell(
            f"metrics at http://127.0.0.1:{demo.story.port}, in real time; Ctrl-C ends it. Try:"
        )
        screen.tell(f"  tidegate status -C {workspace.checkout}")
        screen.tell(f"  tidegate reconcile --repo {workspace.origin} --once")
        while True:
            time.sleep(1)
            demo.live(datetime.now(UTC))


def _need(workspace: Workspace) -> None:
    if not workspace.exists():
        raise InputError(f"there is no demo in {workspace.folder}", hint="tidegate demo makes one")


def _hand_over(demo: Demo) -> None:
    """Bring the person's checkout up to date, and say what to try next."""
    checkout = Checkout(demo.workspace.checkout)
    checkout.pull()
    name, mail = MANAGER.name, MANAGER.mail
    for key, value in (("user.name", name), ("user.email", mail)):
        checkout.git.run("config", key, value)
    folder = demo.workspace.folder
    me = sys.argv[0] if sys.argv[0].endswith("bin/tidegate") else "tidegate"
    demo.screen.tell("")
    demo.screen.tell(f"the repository is {folder}/origin.git, your checkout {folder}/fleet; try:")
    for line in _TRY:
        demo.screen.tell("  " + line.format(me=me, folder=folder, edge=EDGE, model=MODEL))


_TRY = (
    "{me} status -C {folder}/fleet",
    "{me} promote {model}/4 --env {edge} -C {folder}/fleet --push --reason 'try version 4'",
    "{me} demo --dir {folder} --resume --hours 6      # fleet and reconciler go on",
    "{me} set-percent {model} 50 --env {edge} -C {folder}/fleet --push --reason 'hurry'",
    "{me} demo --dir {folder} --resume --break plant-0042",
    "{me} demo --dir {folder} --serve                 # then, beside it: {me} reconcile",
)


def _summary(demo: Demo) -> None:
    """Say what Git holds now, what it cost, and write the report."""
    tell, repository = demo.screen.tell, demo.repository()
    tell("git log --oneline")
    for commit in repository.tree.log(("**",), 20):
        tell(f"  {commit.id[:8]} {commit.subject}")
    tell("")
    for release, served in demo.fleet.ledger().items():
        excess = f", {served.excess:,} of them because of it" if served.excess else ""
        tell(f"{release:<13} served {served.predictions:,} predictions, {served.bad:,} bad{excess}")
    rollout = demo.rollout()
    write_report(repository, LINE, demo.story.clock, demo.workspace.folder / REPORT)
    tell("")
    tell(f"{EDGE}/{MODEL}: {rollout.phase}, {rollout.stable} is stable")
    tell(f"the report is {demo.workspace.folder / REPORT}")
