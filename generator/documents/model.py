"""`models/<model>/model.yaml`: the objectives and where the model comes from."""

from fractions import Fraction
from functools import partial

from generator.documents.reading import Document, Fields, decimal
from generator.model.config import ModelSpec
from generator.model.objective import Below, Indicator, Objective, Ratio, Selector, Slower
from generator.model.release import check_image
from generator.model.spans import parse_span

_NOTHING = Selector("nothing")


def read_model(file: str, data: bytes, name: str) -> ModelSpec:
    """Read a model's settings.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Model")
    top.constant("name", name)
    registry = top.mapping("registry")
    image = top.value("image", check_image, "")
    from_tag = top.value("imageFrom", _tag, False)
    if bool(image) == from_tag and not document.problems:
        top.report(
            "the serving image is not named",
            None,
            "write image: REFERENCE@sha256:..., or imageFrom: tag to take it from the version",
        )
    build = partial(
        ModelSpec,
        name=name,
        registry_name=registry.value("name", str, name),
        runtime=top.value("runtime", str, "plain"),
        image=image,
        image_from_tag=from_tag,
        objectives=tuple(_objective(row) for row in top.mappings("objectives")),
    )
    registry.close()
    top.close()
    return document.finish(build)


def _objective(row: Fields) -> Objective:
    indicator = _indicator(row)
    name = row.value("name", str, "", required=True)
    target = row.number("target", lambda text: Fraction(decimal(text)), Fraction(99), required=True)
    margin = row.number("margin", lambda text: float(decimal(text)), 1.5)
    about = row.value("about", _about, isinstance(indicator, Below))
    row.close()
    try:
        return Objective(name, indicator, target, margin, about)
    except ValueError as error:
        row.report(str(error))
        return Objective("unreadable", indicator, Fraction(99))


def _indicator(row: Fields) -> Indicator:
    kinds = [key for key in ("bad", "slowerThan", "below") if row.has(key)]
    if len(kinds) != 1:
        row.report("an objective has one of bad (with total), slowerThan, below (with histogram)")
    parse = Selector.parse
    match kinds[:1]:
        case ["slowerThan"]:
            bound = row.value("slowerThan", _seconds, Fraction(1), required=True)
            return Slower(bound, row.value("histogram", selector, _NOTHING, required=True))
        case ["below"]:
            floor = row.number("below", lambda text: Fraction(decimal(text)), Fraction(1))
            return Below(floor, row.value("histogram", selector, _NOTHING, required=True))
        case _:
            bad = row.value("bad", parse, _NOTHING, required=True)
            return Ratio(bad, row.value("total", parse, _NOTHING, required=True))


def selector(text: str) -> Selector:
    """Read a selector of a histogram, without its suffix.

    Raises:
        ValueError: Not a selector, or the suffix is already there.
    """
    parsed = Selector.parse(text)
    for suffix in ("_bucket", "_count", "_sum"):
        if parsed.metric.endswith(suffix):
            raise ValueError(f"name the histogram without {suffix}")
    return parsed


def _seconds(text: str) -> Fraction:
    span = parse_span(text)
    if not span:
        raise ValueError("must be above 0")
    return Fraction(round(span.total_seconds() * 1000), 1000)


def _tag(text: str) -> bool:
    if text != "tag":
        raise ValueError(f"{text!r} is not known; the only other place for an image is tag")
    return True


def _about(text: str) -> bool:
    if text not in ("predictions", "service"):
        raise ValueError(f"{text!r} is none of predictions, service")
    return text == "predictions"
