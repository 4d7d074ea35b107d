"""`check-pr`: what CI does with a pull request, from its new commit to the marks on it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from generator.errors import InputError
from generator.gate.case import Case
from generator.gate.change import Change
from generator.gate.comment import MARKER, comment, statuses
from generator.gate.expansion import bumped, follow
from generator.gate.origin import Origin
from generator.gitrepo.bare import Bare
from generator.gitrepo.commit import BOT, build
from generator.gitrepo.sending import Target, send
from generator.gitrepo.snapshot import Snapshot
from generator.model.forge import ForgePlace
from generator.zones import zone
from tidegate import gating
from tidegate.engines import Engines
from tidegate.gating import Judged, open_change
from tidegate.hearing import find, hear, opened
from tidegate.place import Place
from tidegate.rules import odd, rules

if TYPE_CHECKING:
    from generator.forge import Secrets
    from generator.forge.door import Door
    from generator.model.pull import PullRequest

# What each forge takes beside a token, as the name of whoever holds it.
USERS = {"github": "x-access-token", "gitlab": "oauth2", "gitea": "oauth2"}


@dataclass(frozen=True, slots=True)
class Check:
    """One pull request in CI, or at a desk.

    Attributes:
        where: The checkout; its branch is that of the pull request, "" takes what CI says, and
            where nobody does, nothing is pushed.
        base: Main; "" takes what CI says.
        head: The commit to judge; "" takes what CI says.
        origin: What CI says.
        secrets: For the forge.
        engines: Those that may run.
    """

    where: Place
    base: str
    head: str
    origin: Origin
    secrets: "Secrets"
    engines: Engines

    def run(self) -> Judged:
        """Expand, judge, and say so on the forge.

        Raises:
            InputError: The sites do not follow, and nobody may push them from here.
            ConflictError: Somebody has pushed to the branch meanwhile.
            RemoteError: Something does not answer; doing it again goes on from here.
        """
        change = open_change(self.where, self.base, self.head, self.origin)
        newest = self._expanded(change)
        if newest != change.head.tree.commit:
            change = open_change(self.where, self.base, newest, self.origin)
        with opened(change, self.secrets) as door:
            pull = find(door, change, self.origin) if door else None
            found = self._judge(change, door, pull)
            if door and pull and not self.origin.is_fork:
                _say(door, pull, found)
        return found

    def _judge(self, change: Change, door: "Door | None", pull: "PullRequest | None") -> Judged:
        newest = change.head.tree.commit
        # The forge may not have noticed our own push yet.
        seen = replace(pull, head=newest) if pull and self._is_ours(pull, change) else pull
        voices = hear(door, seen) if door and seen else None
        case = Case(change, self.where.now, self.origin, voices, zone)
        place = self.where.open()
        return gating.judge(
            case, lambda commit: rules(odd(place, commit, is_head=True), self.engines)
        )

    def _is_ours(self, pull: "PullRequest", change: Change) -> bool:
        return pull.head == self.origin.head != change.head.tree.commit

    def _expanded(self, change: Change) -> str:
        """Push the sites that follow from a bump; give the newest commit."""
        git = self.where.open().git
        newest, made = change.head, ""
        for move in bumped(change):
            step = follow(newest, move)
            if step is not None:
                made = build(git, step, BOT, self.where.now)
                newest = newest.beside(Snapshot(git, made))
        if made:
            self._push(change, made)
        return made or change.head.tree.commit

    def _push(self, change: Change, made: str) -> None:
        branch = self.where.branch or self.origin.branch
        words = " && ".join(
            [
                f"git switch {branch or 'YOUR-BRANCH'}",
                *(f"tidegate expand {one.model} --env {one.environment}" for one in bumped(change)),
                "git push",
            ]
        )
        if not branch or self.origin.is_fork:
            why = "the branch lies in a fork" if self.origin.is_fork else "the branch is not named"
            raise InputError(f"the sites do not follow the percentage yet: {why}", hint=words)
        try:
            send(self.where.open().git, self._target(change), made, branch)
        except InputError as error:
            text = f"the sites do not follow the percentage yet, and {error}"
            raise InputError(text, hint=words) from error
        click.echo(f"pushed {made[:12]} to {branch}: the sites follow the percentage", err=True)

    def _target(self, change: Change) -> Target:
        """Push where the checkout came from; a token goes only to the forge that it is for."""
        place = self.where.open()
        origin = place.url if isinstance(place, Bare) else place.remote()
        forge = change.base.config().forge
        if not (self.secrets.token and forge.is_there and _is_web(origin, forge)):
            return Target(origin if isinstance(place, Bare) else "origin")
        return Target(f"{forge.page}.git", USERS[forge.kind], self.secrets.token)


def _is_web(origin: str, forge: ForgePlace) -> bool:
    return origin.startswith(("http://", "https://")) and forge.url.startswith("http")


def _say(door: "Door", pull: "PullRequest", found: Judged) -> None:
    change = found.case.change
    for status in statuses(change, found.findings, pull.url):
        door.show(change.head.tree.commit, status)
    door.comment(pull.number, MARKER, comment(change, found.findings))
