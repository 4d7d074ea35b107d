"""What a promotion says of itself: whole texts, and hostile words in each of their places."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from generator import layout
from generator.changes import ChangeSet
from generator.documents.rollout import write_cohort
from generator.intents import promote as intents
from generator.intents.words import Asked
from generator.model.cohort import Excluded
from generator.model.release import ModelVersion
from generator.repository import Repository
from generator.telling.promotion import Metrics, Promotion, promotion, proposal, superseded
from tests.builders import CLOUD, EDGE, MODEL, Files, Memory, baseline, fleet, version
from tests.metrics import plain
from tests.unit.test_markdown import HOSTILE, spans

TEXTS = Path(__file__).parents[1] / "texts"
ASKED = Asked("Ada <ada@example.com>", "finds hairline cracks; asked by @acme/vision, see #12")
MEASURED = Metrics({"auc": 0.971, "recall": 0.9125}, {"auc": 0.9585, "loss": float("nan")})


def look(
    files: Files,
    env: str = EDGE,
    *,
    first: bool = False,
    what: ModelVersion | None = None,
    asked: Asked = ASKED,
    metrics: Metrics | None = MEASURED,
) -> Promotion:
    have = Memory(files)
    have = have if first else have.do(baseline(12, env))
    start = intents.baseline if first else intents.promote
    repository = Repository(have)
    change = start(repository, env, MODEL, what or version(12 if first else 13), asked)
    assert change is not None
    return promotion(repository, change, env, MODEL, asked, metrics)


def cases() -> dict[str, Promotion]:
    whole = look(plain(fleet()))
    drawn = whole.after.cohort(EDGE, MODEL)
    assert drawn is not None
    away = tuple(
        Excluded(f"plant-{number:04d}", "away since Tuesday") for number in range(900, 935)
    )
    files = {
        **whole.change.files,
        layout.cohort(EDGE, MODEL): write_cohort(replace(drawn, excluded=away)),
    }
    change = ChangeSet(whole.change.base, files, whole.change.subject)
    return {
        "promotion": whole,
        "excluded": promotion(whole.before, change, EDGE, MODEL, ASKED, MEASURED),
        "cloud": look(fleet(), CLOUD),
        "baseline": look(plain(fleet()), first=True, metrics=None),
    }


@pytest.mark.parametrize("name", ["promotion", "excluded", "cloud", "baseline"])
def test_the_whole_text_is_as_it_was_read_by_people(name: str) -> None:
    found = proposal(cases()[name], "main")
    text = f"{found.branch}\n{found.title}\n{', '.join(found.labels)}\n\n{found.body}\n"
    # A blueprint may change; what is said of it may not.
    text = re.sub(r"(?<=sha256:)[0-9a-f]{64}", "...", text)
    text = re.sub(r"(?<=v1[23]-)[0-9a-f]{8}", "........", text)
    assert text == (TEXTS / f"{name}.md").read_text(encoding="utf-8")


def test_the_same_promotion_has_the_same_words() -> None:
    assert proposal(look(fleet()), "main") == proposal(look(fleet()), "main")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_only_words(text: str) -> None:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    what = replace(version(13), registry_name=line, asked=line)
    metrics = Metrics({text: 1.0}, {text: 0.5})
    found = proposal(look(fleet(), what=what, asked=Asked(text, text), metrics=metrics), "main")
    inner = re.sub(r"```text\n.*?\n```", "", found.body, flags=re.DOTALL)
    assert "open" not in spans(inner)
    bare = "".join(re.split(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", inner)[::2])
    assert not re.search(r"[@#<!\[]", re.sub(r"<!-- tidegate:.*? -->|^#+ ", "", bare, flags=re.M))
    assert found.body.count("<!-- tidegate:end -->") == 1
    assert text not in found.title


def test_the_machine_block_can_be_read_and_not_ended() -> None:
    body = proposal(look(fleet()), "main").body
    block = re.search(r"<!-- tidegate:promotion (\{.*\}) -->", body)
    assert block
    data = json.loads(block[1])
    assert (data["environment"], data["model"], data["format"]) == (EDGE, MODEL, 1)
    assert data["rollout"].endswith(data["release"] + "-1")


def test_what_replaces_it_is_linked() -> None:
    url = "https://git.example/acme/fleet/pull/7"
    assert superseded(url).startswith(f"Superseded by <{url}>")
    with pytest.raises(ValueError, match="not an address"):
        superseded("javascript:alert(1)> <b>")
