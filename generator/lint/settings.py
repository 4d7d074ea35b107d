"""What `tidegate.yaml` and the environments say about the rest of the repository."""

from collections.abc import Iterator, Mapping, Sequence

from generator import layout
from generator.errors import Problem
from generator.lint.finding import few
from generator.lint.view import View
from generator.model.environment import Environment

_COLUMNS = ("id", "cluster", "region", "hardware")


def environment(view: View) -> Iterator[Problem]:
    """Check what an environment says about others and about its sites."""
    for name in view.environments():
        settings = view.environment(name)
        if settings is not None:
            path = layout.environment(name)
            for key, text, hint in (
                *_requires(view, settings),
                *_columns(view, settings),
            ):
                yield Problem(text, path, view.line(path, key), hint)


def _requires(view: View, settings: Environment) -> Iterator[tuple[str, str, str]]:
    known = view.environments()
    for name in settings.requires:
        if name not in known:
            yield "requires", f"there is no environment {name!r}", f"known: {', '.join(known)}"
    if settings.name in _upstream(view, settings.name):
        text = f"{settings.name} would wait for itself"
        yield "requires", text, "take the environment that closes the circle away"


def _upstream(view: View, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        settings = view.environment(waiting.pop())
        fresh = set(settings.requires if settings is not None else ()) - found
        found |= fresh
        waiting.extend(fresh)
    return found


def _columns(view: View, settings: Environment) -> Iterator[tuple[str, str, str]]:
    rows = view.sites(settings.name)
    if not rows:
        return
    wanted: Mapping[str, Sequence[str]] = {"strata": settings.strata, "settings": settings.settings}
    for key, columns in wanted.items():
        for column in columns:
            lacking = [one.id for one in rows if column not in (*_COLUMNS, *one.labels)]
            if lacking:
                text = f"{key} names the column {column!r}, which some sites lack: {few(lacking)}"
                yield key, text, "add the column, or take its name away"


def remote(view: View) -> Iterator[Problem]:
    """Say that Argo CD gets nothing while it is not known where this repository lies."""
    config = view.config()
    if config is not None and not config.remote and any(one.stable for one in view.rollouts()):
        line = view.line(layout.CONFIG, "remote")
        text = "a model has a baseline, but there is no remote: Argo CD is told nothing"
        hint = 'write remote: "https://...", then tidegate expand'
        yield Problem(text, layout.CONFIG, line, hint)


def images(view: View) -> Iterator[Problem]:
    """Demand that the images of models and of releases in use are allowed."""
    config = view.config()
    if config is None or not config.images:
        return
    for path, key, image in _images(view):
        if not any(is_below(image, prefix) for prefix in config.images):
            text = f"the image {image.partition('@')[0]} is not allowed"
            hint = f"images.allow in {layout.CONFIG} holds: {few(config.images)}"
            yield Problem(text, path, view.line(path, key), hint)


def _images(view: View) -> Iterator[tuple[str, str, str]]:
    for name in view.models():
        spec = view.model(name)
        if spec is not None and spec.image:
            yield layout.model(name), "image", spec.image
    for one in view.rollouts():
        for key in (one.stable, one.canary):
            release = view.release(one.environment, one.model, key) if key else None
            if release is not None:
                yield layout.release_file(one.environment, one.model, key), "image", release.image


def is_below(image: str, prefix: str) -> bool:
    """Say whether a prefix covers an image whole part by whole part.

    `registry.example/models` covers neither `registry.example/models-evil` nor, without the
    path, `registry.example.org`.
    """
    ends = ("/", ":", "@")
    rest = image.removeprefix(prefix)
    return bool(prefix) and rest != image and (prefix.endswith(ends) or rest.startswith(ends))
