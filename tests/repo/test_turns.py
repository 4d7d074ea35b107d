"""Of several reconcilers one works; trouble with the Lease, or with the hub, stops nobody."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from generator.errors import InputError, RemoteError
from generator.repository import Repository
from reconciler.following import Following, View
from reconciler.loop import Loop, once
from reconciler.outlook import Memory
from reconciler.wiring import lease
from tests.builders import CLOUD, EDGE, NOW, Origin, baseline, fleet, promote
from tests.metrics import DAY, HOUR, Plants, Scene
from tests.unit.test_following import Argo

NOTHING = [f"{env}/defect-detector: nothing climbs" for env in (CLOUD, EDGE)]


@dataclass
class Turns:
    """A Lease that somebody else holds, or that cannot be reached."""

    mine: bool = True
    trouble: str = ""
    released: int = 0

    def is_mine(self, now: datetime) -> tuple[bool, str]:
        if self.trouble:
            raise RemoteError("Kubernetes", self.trouble)
        return self.mine, "me" if self.mine else "somebody"

    def release(self) -> None:
        self.released += 1
        if self.trouble:
            raise RemoteError("Kubernetes", self.trouble)


@dataclass
class Log:
    """The lines of the log."""

    lines: list[Mapping[str, str]] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(json.loads(line))

    def texts(self) -> list[str]:
        return [one.get("trouble") or one["text"] for one in self.lines]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    made = Scene(Origin.start(tmp_path_factory.mktemp("turns"), fleet(100)), Plants())
    made.do(baseline(12), NOW)
    return made


@pytest.fixture
def loop(scene: Scene) -> Callable[..., tuple[Loop, Log]]:
    def make(**more: object) -> tuple[Loop, Log]:
        log = Log()
        made = Loop(scene.remote, lambda _: scene.plants.query, 60, log)
        for name, value in more.items():
            setattr(made, name, value)
        return made, log

    return make


def test_who_holds_the_lease_works_and_lets_go(loop: Callable[..., tuple[Loop, Log]]) -> None:
    turns = Turns()
    made, log = loop(lease=turns)
    assert made.run(once=True) == 0
    assert log.texts() == ["works", *NOTHING]
    assert turns.released == 1


def test_who_does_not_hold_it_looks_at_nothing(loop: Callable[..., tuple[Loop, Log]]) -> None:
    made, log = loop(lease=Turns(mine=False))
    assert made.run(once=True) == 0
    assert log.texts() == ["waits: somebody holds the lease"]


def test_a_lease_out_of_reach_keeps_nobody_from_work(
    loop: Callable[..., tuple[Loop, Log]],
) -> None:
    made, log = loop(lease=Turns(trouble="connection refused"))
    assert made.run(once=True) == 0
    assert log.texts() == ["Kubernetes: connection refused", *NOTHING]


def test_what_the_hub_holds_is_said_once(loop: Callable[..., tuple[Loop, Log]]) -> None:
    made, log = loop(follower=Following(Argo()))
    made.run(once=True)
    made.run(once=True)
    said = [text for text in log.texts() if "missing" in text]
    assert len(said) == 1
    assert said[0].startswith(f"{EDGE}/defect-detector: 100 missing (plant-0001, ")


class Broken:
    """A hub whose door has a bug."""

    def rows(self) -> Mapping[str, tuple[str, str, str]]:
        raise KeyError("cells")


def test_a_bug_in_the_hubs_door_keeps_no_rollout_from_its_turn(
    loop: Callable[..., tuple[Loop, Log]], scene: Scene
) -> None:
    made, log = loop(follower=Following(Broken()))  # type: ignore[arg-type]
    assert made.run(once=True) == 0
    bug = "this is a bug in tidegate: KeyError: 'cells'"
    assert log.texts() == [*NOTHING, bug]
    follower = Following(Broken())  # type: ignore[arg-type]
    done = once(scene.remote, lambda _: scene.plants.query, NOW, Memory(), follower=follower)
    assert [one.say() for one in done] == NOTHING


class Watching(Following):
    """Remembers which heads it was asked to look at."""

    def __init__(self) -> None:
        super().__init__(Argo())
        self.seen: list[str] = []

    def look(self, repository: Repository, now: datetime) -> View:
        self.seen.append(repository.tree.commit)
        return super().look(repository, now)


def test_argo_cd_is_looked_at_right_after_a_commit(scene: Scene, tmp_path: Path) -> None:
    own, watching = scene.copy(tmp_path / "own"), Watching()
    promoted = own.do(promote(13), NOW + DAY)
    done = once(
        own.remote, lambda _: own.plants.query, NOW + DAY + HOUR, Memory(), follower=watching
    )
    (landed,) = (one.commit for one in done if one.commit)
    assert watching.seen == [promoted, landed]


@pytest.mark.parametrize("place", ["", "one", "a/b/c", "A/b", "a/"])
def test_a_lease_is_written_with_its_namespace(place: str) -> None:
    with pytest.raises(InputError, match="write NAMESPACE/NAME"):
        lease(None, place, 60)  # type: ignore[arg-type]
