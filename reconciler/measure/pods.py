"""Count each pod by itself where a site serves both releases at once.

Traffic is split among pods that come and go; which release one runs its own series say. So each
pod, told apart by its label `instance`, becomes a row that never changes arms; what a site shows
without that label is one row per release.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from reconciler.measure.assignment import EVER, Assignment, Roster, Window
from reconciler.measure.series import Answer, Series

LONGEST = 128
POD = "instance"


def pod_of(labels: Mapping[str, str]) -> str:
    """Name the row that a series counts for: `site/release/pod`."""
    pod = labels.get(POD, "")
    fits = pod.isprintable() and len(pod) <= LONGEST
    return "/".join((labels["site"], labels["release"], *([pod] if pod and fits else ())))


def by_pod(
    answers: Mapping[str, Answer], texts: Iterable[str], assignment: Assignment, window: Window
) -> tuple[Mapping[str, Answer], Roster]:
    """Let pods stand where sites do.

    Args:
        answers: By text of the query.
        texts: Those of them that are about pods.
        assignment: Sites and releases; both arms are everywhere.
        window: Ticks.
    """
    arms = {assignment.stable: 0, assignment.canary: 1}
    told = {text: tuple(_told(answers[text].series, assignment, arms)) for text in texts}
    found = {one.labels["site"]: one.labels["release"] for some in told.values() for one in some}
    names = tuple(sorted(found))
    is_canary = np.array([arms[found[name]] == 1 for name in names], np.bool_)
    width = len(window.seconds)
    rows = Roster(
        names=names,
        rows={name: row for row, name in enumerate(names)},
        is_canary=np.repeat(is_canary[:, None], width, axis=1),
        flipped=np.full((len(names), width), EVER),
        arm_of=arms,
    )
    return {text: replace(answers[text], series=some) for text, some in told.items()}, rows


def _told(
    series: Iterable[Series], assignment: Assignment, arms: Mapping[str, int]
) -> Iterator[Series]:
    for one in series:
        labels = one.labels
        if labels.get("site") in assignment.sites and labels.get("release") in arms:
            yield replace(one, labels={**labels, "site": pod_of(labels)})
