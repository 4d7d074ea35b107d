"""What a rollout says of itself, from documents as the evidence holds them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from generator.model.percent import ZERO, Percent
from generator.model.rollout import Phase, Rollout
from generator.telling.life import comment, final, marker
from generator.telling.markdown import marked
from generator.telling.stepping import proposal, steps_of
from tests.unit.test_markdown import HOSTILE, spans

CLIMBING = Rollout(
    "defect-detector",
    "edge-k3s",
    stable="v12-9be07d11",
    canary="v13-3f9a1c2b",
    id="edge-k3s-defect-detector-v13-3f9a1c2b-1",
    percent=Percent.of(10),
    phase=Phase.PROGRESSING,
)
ENDED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
HISTORY = {"decision": "history", "at": "2026-11-20T08:00:00Z"}


def move(
    decision: str, before: str, after: str, why: str = "all objectives hold"
) -> Mapping[str, Any]:
    return {
        "decision": decision,
        "at": "2026-11-20T10:10:00Z",
        "fromPercent": before,
        "toPercent": after,
        "verdict": "Breached" if decision == "revert" else "Healthy",
        "why": why,
        "objectives": [
            {
                "objective": "errors",
                "bad": 120,
                "events": 61_234,
                "expectedBad": 118.25,
                "ratio": 1.0148,
                "eBad": 0.25,
                "eOk": 1.2e6,
            },
            {"objective": "confidence", "bad": 3, "events": 61_234, "ratio": None},
        ],
    }


def test_before_the_first_step_it_says_where_it_stands() -> None:
    said = comment(replace(CLIMBING, percent=Percent.of(5)), [HISTORY], 500)
    assert said.startswith("**v13 is at 5% of 500 sites**\n\n```text\n  100% ")
    assert "    5% ██                                       25 sites, soak 2 h  <- here\n" in said
    assert "No step was taken yet." in said
    assert "`tidegate revert defect-detector --env edge-k3s --reason ...`" in said


def test_after_a_step_it_says_why_and_with_which_numbers() -> None:
    said = comment(CLIMBING, [HISTORY, move("advance", "5", "10")], 500)
    assert (
        "| 2026-11-20 10:10 UTC | `advance` | `5` → `10` | `Healthy` | `all objectives hold` |"
    ) in said
    assert "| `errors` | 120 | 61,234 | 118.2 | 1.015 | 0.25 | 1.2e+06 |" in said
    assert "| `confidence` | 3 | 61,234 | - | - | - | - |" in said


@pytest.mark.parametrize(
    ("rollout", "n", "words"),
    [
        (replace(CLIMBING, phase=Phase.PAUSED), 500, "v13 is at 10% of 500 sites, paused"),
        (CLIMBING, 0, "v13 is at 10% of the traffic"),
        (
            replace(CLIMBING, canary="", percent=ZERO, phase=Phase.REVERTED),
            500,
            "It was taken back: v12 runs everywhere again",
        ),
        (
            replace(
                CLIMBING, stable="v13-3f9a1c2b", canary="", percent=ZERO, phase=Phase.COMPLETED
            ),
            500,
            "v13 runs everywhere",
        ),
    ],
)
def test_the_first_line_says_how_it_stands(rollout: Rollout, n: int, words: str) -> None:
    assert comment(rollout, [], n).startswith(f"**{words}**")


def test_the_last_words_count_time_and_those_who_lag() -> None:
    done = replace(CLIMBING, canary="", stable=CLIMBING.canary, phase=Phase.COMPLETED)
    entries = [HISTORY, move("advance", "5", "100"), move("complete", "100", "0")]
    said = final(done, entries, 500, ["plant-0002", "plant-0001"], ENDED)
    assert "Took 1 d 1 h, 2 decisions and 61,234 counted predictions." in said
    assert said.endswith("Not there yet, 2 sites: `plant-0001`, `plant-0002`")
    assert final(done, entries, 500, (), ENDED).endswith("No site is known to lag behind.")
    many = final(done, entries, 500, [f"plant-{n:04d}" for n in range(130)], ENDED)
    assert many.endswith("`plant-0099` and 30 more")


def test_a_rollout_without_evidence_has_last_words_too() -> None:
    back = replace(CLIMBING, canary="", percent=ZERO, phase=Phase.REVERTED)
    said = final(back, [], 500, (), ENDED)
    assert said == "**It was taken back: v12 runs everywhere again**\n\nNo step was taken yet."
    assert "Took 1 d 1 h, 0 decisions." in final(back, [HISTORY], 500, (), ENDED)
    bare = {**move("revert", "5", "0"), "objectives": [{"objective": "x", "events": None}]}
    assert "Took 1 d 1 h, 1 decision." in final(back, [HISTORY, bare], 500, (), ENDED)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_in_evidence_are_only_words(text: str) -> None:
    entry = {**move("advance", text, text, text), "objectives": [{"objective": text}]}
    said = final(CLIMBING, [HISTORY, entry], 500, [text], ENDED) + comment(CLIMBING, [entry], 5)
    inner = re.sub(r"```text\n.*?\n```", "", said, flags=re.DOTALL)
    assert "open" not in spans(inner)
    bare = "".join(re.split(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", inner)[::2])
    assert not re.search(r"[@#<!\[]", bare)
    assert not re.search(r"^/", said, flags=re.MULTILINE)


def test_a_rollout_has_one_marker() -> None:
    assert marked(marker(CLIMBING.id), "x").startswith("<!-- tidegate:comment rollout/edge-k3s-")


def test_the_last_words_say_who_superseded_it_and_who_served_it() -> None:
    back = replace(CLIMBING, canary="", percent=ZERO, phase=Phase.REVERTED)
    counts = {"canary": 50, "serving": 41, "reachable": 48}
    entries = [HISTORY, {**move("advance", "5", "10"), "adoption": counts}]
    said = final(back, entries, 500, (), ENDED, by="v14-11112222")
    assert "\n\nSuperseded by `v14-11112222`.\n\n" in said
    assert said.endswith(
        "When that was decided, 41 of 48 reachable canary sites served it (50 in all)."
    )


def test_where_nobody_watches_it_says_whom_to_ask() -> None:
    done = replace(CLIMBING, canary="", stable=CLIMBING.canary, phase=Phase.COMPLETED)
    said = final(done, [], 500, None, ENDED)
    assert said.endswith("who lags behind: `tidegate status defect-detector --env edge-k3s`")


def test_what_it_waits_for_is_only_words() -> None:
    said = comment(CLIMBING, [], 500, "holds, metrics: `@all` <b>")
    assert "\n\n``holds, metrics: `@all` <b>``\n\n" in said


def test_a_step_has_a_branch_and_a_text_of_its_own() -> None:
    to = Percent.of(25)
    said = proposal(
        CLIMBING, to, "10% -> 25%", "main", 500, move("advance", "5", "10")["objectives"]
    )
    assert said.branch == "step/edge-k3s/defect-detector/v13-3f9a1c2b-1/25"
    assert said.branch.startswith(steps_of("edge-k3s", "defect-detector"))
    assert (said.base, said.title) == ("main", "10% -> 25%")
    assert said.labels == ("tidegate/step", "rollout/defect-detector")
    assert "The evidence allows 25% of `edge-k3s-defect-detector-v13-3f9a1c2b-1`." in said.body
    assert "50 sites, soak 2 h  <- here\n" in said.body
    assert "| `errors` | 120 | 61,234 | 118.2 | 1.015 | 0.25 | 1.2e+06 |" in said.body
