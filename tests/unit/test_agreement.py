"""Sites that serve something else than what is applied there are named, once, and not too early."""

from collections.abc import Mapping
from datetime import timedelta

from reconciler.applied import Agreement, Application, Standing, State, Wanted
from tests.builders import EDGE, MODEL, NOW

OLD, NEW = "v12-9be07d11", "v13-3f9a1c2b"
LINE = (EDGE, MODEL)
TICK = timedelta(minutes=5)
SOON = timedelta(seconds=10)


def standing(site: str, applied: str, wants: str, sync: str = "Synced") -> Standing:
    one = Wanted(EDGE, MODEL, site, "s000", frozenset({wants}))
    application = Application(site, sync, "Healthy", "", frozenset({applied}))
    return Standing(one, application, State.APPLIED)


def flipped(*sites: str) -> Mapping[str, Standing]:
    return {site: standing(site, NEW, NEW) for site in sites}


def said(site: str) -> str:
    return f"{site} serves {OLD}, Argo CD has applied {NEW}, Git wants {NEW}"


def test_right_after_a_step_the_newest_tick_is_too_old_to_tell() -> None:
    agreement, sites = Agreement(), flipped("a")
    assert agreement.news(LINE, sites, {"a": OLD}, NOW, NOW + SOON) == ()
    assert agreement.news(LINE, sites, {"a": OLD}, NOW, NOW + 2 * SOON) == ()
    assert agreement.news(LINE, sites, {"a": NEW}, NOW + TICK, NOW + TICK + SOON) == ()


def test_what_a_later_tick_still_shows_is_named_once() -> None:
    agreement, sites = Agreement(), flipped("b", "a", "c")
    serving = {"a": OLD, "b": OLD, "c": NEW}
    assert agreement.news(LINE, sites, serving, NOW, NOW + SOON) == ()
    later = NOW + TICK
    assert agreement.news(LINE, sites, serving, later, later) == (said("a"), said("b"))
    assert agreement.news(LINE, sites, serving, later, later + SOON) == ()


def test_what_had_ended_is_named_again_when_it_comes_back() -> None:
    agreement, sites = Agreement(), flipped("a")
    for tick, serves, told in (
        (0, OLD, ()),
        (1, OLD, (said("a"),)),
        (2, NEW, ()),
        (3, OLD, ()),
        (4, OLD, (said("a"),)),
    ):
        at = NOW + tick * TICK
        assert agreement.news(LINE, sites, {"a": serves}, at, at) == told


def test_another_rollout_has_its_own_disagreements() -> None:
    agreement, sites, other = Agreement(), flipped("a"), (EDGE, "ocr")
    for line in (LINE, other):
        assert agreement.news(line, sites, {"a": OLD}, NOW, NOW) == ()
    later = NOW + TICK
    assert agreement.news(LINE, sites, {"a": OLD}, later, later) == (said("a"),)
    assert agreement.news(other, sites, {"a": OLD}, later, later) == (said("a"),)


def test_who_says_nothing_or_is_on_the_way_is_not_named() -> None:
    agreement = Agreement()
    sites = {
        "silent": standing("silent", NEW, NEW),
        "moving": standing("moving", NEW, NEW, sync="OutOfSync"),
        "stray": standing("stray", OLD, OLD),
    }
    serving = {"silent": None, "moving": OLD, "stray": NEW, "unknown": NEW}
    assert agreement.news(LINE, sites, serving, NOW, NOW) == ()
    text = f"stray serves {NEW}, Argo CD has applied {OLD}, Git wants {OLD}"
    assert agreement.news(LINE, sites, serving, NOW + TICK, NOW + TICK) == (text,)


def test_of_many_sites_a_few_are_named() -> None:
    agreement, sites = Agreement(), flipped(*(f"s{number:02}" for number in range(12)))
    serving = dict.fromkeys(sites, OLD)
    agreement.news(LINE, sites, serving, NOW, NOW)
    found = agreement.news(LINE, sites, serving, NOW + TICK, NOW + TICK)
    assert found == (*(said(f"s{number:02}") for number in range(10)), "and 2 more sites")
