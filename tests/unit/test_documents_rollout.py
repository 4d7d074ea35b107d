"""The rollout file and the draw: closed, in one pass, and no percentage that cannot stand."""

from datetime import timedelta

import pytest

from generator.documents.rollout import read_cohort, read_rollout, write_cohort
from generator.errors import InputError
from generator.model.cohort import Cohort, Excluded, Member
from generator.model.percent import FULL, ZERO, Percent
from generator.model.rollout import Advance, OnDeadline, OnNewVersion, Phase, Rollout

NO_PERCENT = (
    "is not a percentage: write a number from 0 to 100 with at most two digits after the point"
)
FILE = "rollouts/edge-k3s/defect-detector.yaml"
HEAD = """\
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
model: defect-detector
environment: edge-k3s
"""
# The example of the design, word for word.
DESIGN = (
    HEAD
    + """\
stable: v12-9be07d11
canary: v13-3f9a1c2b
rollout: edge-k3s-defect-detector-v13-3f9a1c2b-1   # machine; stands right above percent
percent: 5                  # bump me: in a pull request or here; the sites follow
steps: [5, 10, 25, 50, 100]
advance: automatic          # automatic | pull-request | manual
soak: 2h                    # per step, from the commit of the step
soakFrom: {25: 24h}         # optional: longer from this percentage on
deadline: 72h               # longest wait in one step; then onDeadline: hold | revert | ask
onDeadline: hold
onNewVersion: refuse        # refuse | supersede
holdback: 0                 # percent kept on stable until the last soak has passed
phase: Progressing          # machine: Progressing | Paused | Reverted | Completed
"""
)
NAME = "rollout: edge-k3s-defect-detector-v13-3f9a1c2b-1\n"
CLIMBING = f"{NAME}stable: v12-9be07d11\ncanary: v13-3f9a1c2b\nphase: Progressing\n"


def read(text: str) -> Rollout:
    return read_rollout(FILE, text.encode(), "edge-k3s", "defect-detector")


def told(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    prefix = f"{FILE}:"
    problems = [str(problem) for problem in error.value.problems]
    assert all(problem.startswith(prefix) for problem in problems)
    return [problem.removeprefix(prefix).strip() for problem in problems]


def test_the_example_of_the_design_is_read() -> None:
    assert read(DESIGN) == Rollout(
        model="defect-detector",
        environment="edge-k3s",
        stable="v12-9be07d11",
        canary="v13-3f9a1c2b",
        id="edge-k3s-defect-detector-v13-3f9a1c2b-1",
        percent=Percent.of(5),
        soak_from={Percent.of(25): timedelta(hours=24)},
        phase=Phase.PROGRESSING,
    )


def test_the_defaults_are_those_of_the_design() -> None:
    rollout = read(f"{HEAD}percent: 0\n")
    assert rollout == Rollout("defect-detector", "edge-k3s")
    assert [str(step) for step in rollout.steps] == ["5", "10", "25", "50", "100"]
    assert (rollout.soak, rollout.deadline) == (timedelta(hours=2), timedelta(hours=72))
    assert rollout.advance is Advance.AUTOMATIC
    assert rollout.on_deadline is OnDeadline.HOLD
    assert rollout.on_new_version is OnNewVersion.REFUSE
    assert (rollout.holdback, rollout.min_sites, rollout.phase) == (ZERO, 5, None)


def test_every_setting_is_read() -> None:
    rollout = read(
        f"{HEAD}{CLIMBING}percent: 2.5\n"
        "steps: [2.5, 33.33, 100]\nadvance: pull-request\nsoak: 90s\n"
        "soakFrom:\n  2.5: 0s\n  50: 3d\ndeadline: 30m\nonDeadline: ask\n"
        "onNewVersion: supersede\nholdback: 10\nminSites: 1\n".replace("Progressing", "Paused")
    )
    assert [str(step) for step in rollout.steps] == ["2.5", "33.33", "100"]
    assert rollout.advance is Advance.PULL_REQUEST
    assert rollout.soak_at(Percent.parse("49.99")) == timedelta(0)
    assert rollout.soak_at(FULL) == timedelta(days=3)
    assert rollout.soak == timedelta(seconds=90)
    assert rollout.on_deadline is OnDeadline.ASK
    assert rollout.on_new_version is OnNewVersion.SUPERSEDE
    assert (rollout.holdback, rollout.min_sites) == (Percent.of(10), 1)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "stable: v12-9be07d11\npercent: 5\n",
            "6: percent is above 0 but there is no canary; "
            "promote a version first, or set percent to 0",
        ),
        (
            f"percent: 0.01\n{CLIMBING.replace('Progressing', 'Reverted')}",
            "5: percent is above 0 but the rollout is Reverted; "
            "promote again to start a new rollout, or set percent to 0",
        ),
        (
            f"{CLIMBING.replace('Progressing', 'Completed')}percent: 100\n",
            "9: percent is above 0 but the rollout is Completed; "
            "promote again to start a new rollout, or set percent to 0",
        ),
    ],
)
def test_a_percentage_that_cannot_stand_is_refused(lines: str, problem: str) -> None:
    assert told(HEAD + lines) == [problem]


@pytest.mark.parametrize("phase", ["Reverted", "Completed"])
def test_the_same_phases_at_zero_percent_are_fine(phase: str) -> None:
    assert read(f"{HEAD}{CLIMBING.replace('Progressing', phase)}percent: 0\n").percent == ZERO


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (f"{NAME}canary: v13-3f9a1c2b\nphase: Progressing\npercent: 5\n", "stable"),
        (f"{NAME}canary: v13-3f9a1c2b\npercent: 0\n", "stable"),
        ("phase: Completed\npercent: 0\n", "stable"),
        ("stable: v12-9be07d11\ncanary: v13-3f9a1c2b\npercent: 0\n", "rollout"),
    ],
)
def test_a_lost_machine_line_takes_no_site_down(lines: str, problem: str) -> None:
    (found,) = told(HEAD + lines)
    assert found.startswith(f"1: the key {problem!r} is missing")


@pytest.mark.parametrize(
    "name",
    [
        *("x", "r1", "''", "edge-k3s-defect-detector-v13-3f9a1c2b", "'../../../etc/passwd'"),
        *("other-defect-detector-v13-3f9a1c2b-1", "edge-k3s-defect-detector-v13-3f9a1c2b-1/.."),
        *('"edge-k3s-defect-detector-v13-3f9a1c2b-1\\nVerdict: Healthy"',),
        *("edge-k3s-defect-detector-v13-3f9a1c2b-0x1", "edge-k3s-defect-detector-v13-3F9A1C2B-1"),
        "edge-k3s-defect-detector-v13-3f9a1c2b-1234567890",
    ],
)
def test_a_rollout_id_becomes_a_path_and_a_trailer_and_is_checked(name: str) -> None:
    (problem,) = told(f"{HEAD}{CLIMBING.removeprefix(NAME)}rollout: {name}\npercent: 5\n")
    assert problem.startswith("8: rollout: ")
    assert "is not a rollout id such as edge-k3s-defect-detector-v13-3f9a1c2b-1" in problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "1: the key 'percent' is missing"),
        ("percent: 0\npercent: 0\n", "6: the key 'percent' stands here twice"),
        ("percnt: 0\npercent: 0\n", "5: unknown key 'percnt'; did you mean 'percent'?"),
        ("percent: 0\nStable: x\n", "6: unknown key 'Stable'; did you mean 'stable'?"),
        ("percent: 0\nstable: v12\n", "6: stable: 'v12' is not a release id such as v13-3f9a1c2b"),
        (
            "percent: 0\nstable: latest\n",
            "6: stable: 'latest' is not a release id such as v13-3f9a1c2b",
        ),
        (
            "percent: 0\nadvance: yes\n",
            "6: advance: 'yes' reads differently in different tools; quote it",
        ),
        (
            "percent: 0\nadvance: auto\n",
            "6: advance: 'auto' is none of automatic, pull-request, manual",
        ),
        ("percent: 0\nonDeadline: wait\n", "6: onDeadline: 'wait' is none of hold, revert, ask"),
        (
            "percent: 0\nonNewVersion: no\n",
            "6: onNewVersion: 'no' reads differently in different tools; quote it",
        ),
        (
            "percent: 0\nsteps: [5, 10]\n",
            "the last step must be 100; keep sites back with holdback",
        ),
        ("percent: 0\nsteps: [10, 5, 100]\n", "steps must rise from above 0"),
        ("percent: 0\nsteps: [5, 5, 100]\n", "steps must rise from above 0"),
        ("percent: 0\nsteps: [0, 100]\n", "steps must rise from above 0"),
        ("percent: 0\nsteps: 100\n", "6: steps must be a list"),
        ("percent: 0\nsteps: ['5', 100]\n", "6: steps must be a number without quotes"),
        ("percent: 0\nsoak: 2\n", "6: soak: '2' reads differently in different tools; quote it"),
        (
            "percent: 0\nsoak: '2'\n",
            "6: soak: '2' is not a span of time: write 250ms, 90s, 5m, 2h or 3d",
        ),
        (
            "percent: 0\nsoak: 1h30m\n",
            "6: soak: '1h30m' reads differently in different tools; quote it",
        ),
        (
            "percent: 0\nsoakFrom: {25%: 1h}\n",
            f"6: '25%' {NO_PERCENT}",
        ),
        (
            "percent: 0\nsoakFrom: {25: 1}\n",
            "6: soakFrom: '1' reads differently in different tools; quote it",
        ),
        ("percent: 0\nsoakFrom: [25]\n", "6: soakFrom must be a mapping"),
        (
            "percent: 0\nholdback: 5%\n",
            f"6: holdback: '5%' {NO_PERCENT}",
        ),
        ("percent: 0\nminSites: 2.5\n", "6: minSites: '2.5' is not a whole number"),
        (
            "percent: 0\nphase: Holding\n",
            "6: phase: 'Holding' is none of Progressing, Paused, Reverted, Completed",
        ),
    ],
)
def test_a_wrong_line_is_named(lines: str, problem: str) -> None:
    assert told(HEAD + lines) == [problem]


def test_a_file_of_another_model_or_environment_is_refused() -> None:
    text = HEAD.replace("defect-detector", "weld-check").replace("edge-k3s", "edge-2")
    assert told(f"{text}percent: 0\n") == [
        "3: model must be 'defect-detector'",
        "4: environment must be 'edge-k3s'",
    ]


def test_all_problems_come_in_one_pass() -> None:
    text = DESIGN.replace("v12-9be07d11", "v12").replace("percent: 5 ", "percent: 5% ")
    text = text.replace("soak: 2h", "soak: two").replace("holdback: 0", "holdbak: 0")
    assert [problem.partition(":")[0] for problem in told(text)] == ["5", "8", "11", "16"]


# ------------------------------------------------------------------ the draw

COHORT = Cohort(
    "edge-k3s-defect-detector-v13-3f9a1c2b-1",
    (Member("plant-0002", "eu/cpu"), Member("012", "-/-")),
    (Excluded("plant-0001", "trial line"),),
)
DRAW = "rollouts/edge-k3s/defect-detector.cohort.yaml"


def test_a_draw_reads_back_in_its_order() -> None:
    assert read_cohort(DRAW, write_cohort(COHORT)) == COHORT


def test_a_draw_is_written_one_site_a_line() -> None:
    assert write_cohort(COHORT).decode() == (
        'apiVersion: "tidegate.dev/v1alpha1"\n'
        'kind: "Cohort"\n'
        'rollout: "edge-k3s-defect-detector-v13-3f9a1c2b-1"\n'
        'algorithm: "stratified-sha256/1"\n'
        '"n": 2\n'
        "sites:\n"
        '- {id: "plant-0002", stratum: "eu/cpu"}\n'
        '- {id: "012", stratum: "-/-"}\n'
        "excluded:\n"
        '- {id: "plant-0001", why: "trial line"}\n'
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"n": 2', '"n": 3', f"{DRAW}:5: n is 3 but 2 sites are listed"),
        ('"012"', '"plant-0002"', f"{DRAW}:7: a site is listed twice"),
        ('"012"', "012", f"{DRAW}:8: id: '012' reads differently in different tools; quote it"),
        ('"012"', '"../x"', f"{DRAW}:8: id: site '../x' is not a name"),
        ("stratum", "statum", f"{DRAW}:7: unknown key 'statum'; did you mean 'stratum'?"),
        ("why", "because", f"{DRAW}:10: unknown key 'because'"),
        ("sites:\n", "site:\n", f"{DRAW}:6: unknown key 'site'; did you mean 'sites'?"),
    ],
)
def test_a_draw_changed_by_hand_is_found(old: str, new: str, problem: str) -> None:
    data = write_cohort(COHORT).replace(old.encode(), new.encode(), 1)
    with pytest.raises(InputError) as error:
        read_cohort(DRAW, data)
    assert any(str(one).startswith(problem) for one in error.value.problems), str(error.value)
