"""The model file: objectives that can be judged, one of them about the predictions."""

from fractions import Fraction

import pytest

from generator.documents.model import read_model
from generator.errors import InputError
from generator.model.config import ModelSpec
from generator.model.objective import Below, Matcher, Objective, Ratio, Selector, Slower

FILE = "models/defect-detector/model.yaml"
IMAGE = f"registry.example.com/models/server@sha256:{'5e' * 32}"
HEAD = f"""\
apiVersion: tidegate.dev/v1alpha1
kind: Model
name: defect-detector
image: "{IMAGE}"
"""
# The example of the design, word for word.
DESIGN = """\
objectives:
- name: errors
  bad: 'model_predictions_total{outcome="error"}'     # selectors, not rates
  total: 'model_predictions_total'
  target: 99.0           # the SLO
  margin: 1.5            # advance only when "1.5 times worse than stable" is ruled out
- name: latency
  slowerThan: 250ms      # must be an edge of the histogram
  histogram: 'model_prediction_latency_seconds'
  target: 99.0
  margin: 1.5
- name: confidence
  below: 0.6             # bad = predictions under the floor
  histogram: 'model_prediction_confidence'
  target: 95.0
  margin: 1.3
"""
BELOW = "- {name: confidence, below: 0.6, histogram: c, target: 95}\n"


def read(text: str) -> ModelSpec:
    return read_model(FILE, text.encode(), "defect-detector")


def told(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    return [str(problem).removeprefix(f"{FILE}:").strip() for problem in error.value.problems]


def test_the_example_of_the_design_is_read() -> None:
    total = Selector("model_predictions_total")
    errors = Selector("model_predictions_total", (Matcher("outcome", "=", "error"),))
    latency = Slower(Fraction(1, 4), Selector("model_prediction_latency_seconds"))
    confidence = Below(Fraction(3, 5), Selector("model_prediction_confidence"))
    assert read(HEAD + DESIGN) == ModelSpec(
        name="defect-detector",
        registry_name="defect-detector",
        runtime="plain",
        image=IMAGE,
        image_from_tag=False,
        objectives=(
            Objective("errors", Ratio(errors, total), Fraction(99), 1.5),
            Objective("latency", latency, Fraction(99), 1.5),
            Objective("confidence", confidence, Fraction(95), 1.3, about_predictions=True),
        ),
    )


def test_the_image_can_come_from_the_tag_and_the_name_from_the_registry() -> None:
    text = HEAD.replace(f'image: "{IMAGE}"', "imageFrom: tag\nregistry: {name: 'Defekte & Risse'}")
    spec = read(f"{text}runtime: triton\nobjectives:\n{BELOW}")
    assert (spec.image, spec.image_from_tag) == ("", True)
    assert (spec.registry_name, spec.runtime) == ("Defekte & Risse", "triton")


def test_any_objective_can_be_about_the_predictions() -> None:
    row = "- {name: drift, about: predictions, bad: a, total: b, target: 99}\n"
    assert read(f"{HEAD}objectives:\n{row}").objectives[0].about_predictions


@pytest.mark.parametrize(
    "rows",
    [
        "objectives: []\n",
        "",
        "objectives:\n- {name: errors, bad: a, total: b, target: 99}\n",
        "objectives:\n- {name: c, about: service, below: 0.6, histogram: c, target: 95}\n",
    ],
)
def test_a_model_that_is_only_fast_and_up_is_refused(rows: str) -> None:
    (problem,) = told(HEAD + rows)
    assert problem.startswith("no objective is about the predictions themselves")


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        (
            "{name: a, target: 99}",
            [
                "6: an objective has one of bad (with total), slowerThan, below (with histogram)",
                "6: the key 'bad' is missing",
                "6: the key 'total' is missing",
            ],
        ),
        ("{name: a, bad: x, target: 99}", ["6: the key 'total' is missing"]),
        ("{name: a, bad: x, total: 'rate(x[5m])', target: 99}", None),
        ("{name: a, bad: 'x or y', total: x, target: 99}", None),
        (
            "{name: a, bad: 'x{site=\"p\"}', total: x, target: 99}",
            ["6: bad: 'x{site=\"p\"}' sets the label 'site', which tidegate sets itself"],
        ),
        (
            "{name: a, slowerThan: 250ms, histogram: x_bucket, target: 99}",
            ["6: histogram: name the histogram without _bucket"],
        ),
        (
            "{name: a, slowerThan: 0ms, histogram: x, target: 99}",
            ["6: slowerThan: must be above 0"],
        ),
        (
            "{name: a, slowerThan: 250, histogram: x, target: 99}",
            ["6: slowerThan: '250' reads differently in different tools; quote it"],
        ),
        (
            "{name: a, below: '0.6', histogram: x, target: 99}",
            ["6: below must be a number without quotes"],
        ),
        (
            "{name: a, below: nan, histogram: x, target: 99}",
            ["6: below: 'nan' is not a plain decimal number"],
        ),
        (
            "{name: a, below: 1e-1, histogram: x, target: 99}",
            ["6: below: '1e-1' is not a plain decimal number"],
        ),
        (
            "{name: a, below: 010, histogram: x, target: 99}",
            ["6: below: '010' is not a plain decimal number"],
        ),
        ("{name: a, below: 0.6, target: 99}", ["6: the key 'histogram' is missing"]),
        ("{name: a, below: 0.6, histogram: x}", ["6: the key 'target' is missing"]),
        (
            "{name: a, below: 0.6, histogram: x, target: 100}",
            ["6: target lies between 0 and 100 percent, not 100.0"],
        ),
        (
            "{name: a, below: 0.6, histogram: x, target: 99%}",
            ["6: target: '99%' is not a plain decimal number"],
        ),
        (
            "{name: a, below: 0.6, histogram: x, target: 99, margin: 1}",
            ["6: margin lies above 1 and at most 10, not 1.0"],
        ),
        (
            "{name: a, below: 0.6, histogram: x, target: 99, margn: 2}",
            ["6: unknown key 'margn'; did you mean 'margin'?"],
        ),
        ("{name: a, below: 0.6, total: x, histogram: x, target: 99}", None),
        (
            "{name: adoption, below: 0.6, histogram: x, target: 99}",
            ["6: the objective 'adoption' is built in; choose another name"],
        ),
        (
            "{name: confidence, below: 0.6, histogram: x, target: 99}",
            ["two objectives have the same name"],
        ),
        (
            "{name: A, below: 0.6, histogram: x, target: 99}",
            ["6: objective 'A' is not a name: use lower-case letters, digits and inner hyphens"],
        ),
        (
            "{name: a, about: us, below: 0.6, histogram: x, target: 99}",
            ["6: about: 'us' is none of predictions, service"],
        ),
    ],
)
def test_a_wrong_objective_is_named(row: str, problems: list[str] | None) -> None:
    found = told(f"{HEAD}objectives:\n- {row}\n{BELOW}")
    assert found == problems if problems is not None else found[0].startswith("6: ")


def test_an_objective_is_a_mapping() -> None:
    assert "6: expected a mapping of keys to values" in told(f"{HEAD}objectives:\n- x\n{BELOW}")


@pytest.mark.parametrize(
    "lines", ["", f'image: "{IMAGE}"\nimageFrom: tag\n', "image: ''\n", "imageFrom: latest\n"]
)
def test_the_serving_image_is_named_once_and_pinned(lines: str) -> None:
    head = HEAD.partition("image")[0]
    (problem,) = told(f"{head}{lines}objectives:\n{BELOW}")
    assert "image" in problem


@pytest.mark.parametrize("image", ["server:latest", "server", f"{IMAGE}0", "server:1.2.3"])
def test_an_image_without_digest_is_refused(image: str) -> None:
    problems = told(f"{HEAD.replace(IMAGE, image)}objectives:\n{BELOW}")
    assert problems[0].startswith(
        f"4: image: image {image!r} is not pinned: write REFERENCE@sha256:"
    )


def test_all_problems_come_in_one_pass() -> None:
    rows = (
        DESIGN.replace("99.0 ", "99,0 ")
        .replace("250ms", "fast")
        .replace("'model_prediction_c", "'(")
    )
    found = told(f"{HEAD.replace('name: d', 'name: D')}{rows}")
    assert [problem.partition(":")[0] for problem in found] == ["3", "9", "12", "18"]
