"""Rules, dashboards and settings follow from the objectives, the environments, the baselines."""

from collections.abc import Mapping, Sequence

from generator import layout
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.environment import Environment
from generator.model.names import check_name
from generator.render import monitoring as render
from generator.repository import Repository

_CENTRAL = f"{layout.MONITORING}/central/"
_DASHBOARDS = f"{layout.MONITORING}/dashboards/"


def monitoring(repository: Repository) -> tuple[Mapping[RepoPath, bytes], Sequence[RepoPath]]:
    """Compute everything under `monitoring/`; never fails on what one file says.

    Returns:
        Path to bytes; and the files, or folders with a slash at the end, that follow from a file
        nobody can read: what stands there now stays.
    """
    files: dict[RepoPath, bytes] = {}
    unclear: list[RepoPath] = []
    watched: list[Environment] = []
    for name in repository.environments():
        try:
            settings = repository.environment(name)
        except InputError:
            unclear += [f"{layout.watched(name)}/", _CENTRAL, _DASHBOARDS]
            continue
        own, unread = _models(repository, settings)
        unclear += unread
        if own or unread:
            files.update({**own, **_environment(settings)})
            watched.append(settings)
    if watched:
        files.update(render.dashboards())
    if watched and _CENTRAL not in unclear:
        files.update(render.central(watched))
    return files, unclear


def _models(
    repository: Repository, settings: Environment
) -> tuple[Mapping[RepoPath, bytes], Sequence[RepoPath]]:
    files: dict[RepoPath, bytes] = {}
    held: list[RepoPath] = []
    known = repository.models()
    for environment, model in repository.rollouts():
        if environment == settings.name and model in known:
            try:
                files.update(_model(repository, settings, model))
            except (InputError, ValueError):
                held += [layout.rules(environment, model), layout.rule_tests(environment, model)]
    return files, held


def _model(repository: Repository, settings: Environment, model: str) -> Mapping[RepoPath, bytes]:
    check_name("model", model)
    if not repository.rollout(settings.name, model).stable:
        return {}
    spec = repository.model(model)
    return {
        layout.rules(settings.name, model): render.model_rules(settings, spec),
        layout.rule_tests(settings.name, model): render.model_tests(settings, spec),
    }


def _environment(settings: Environment) -> Mapping[RepoPath, bytes]:
    name = render.RECONCILER
    return {
        layout.rules(settings.name, name): render.reconciler_rules(settings),
        layout.rule_tests(settings.name, name): render.reconciler_tests(settings, name),
        **render.agent(settings),
    }
