"""The rules of `verify` that real Kustomize and Helm answer, where they are found."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from generator import layout
from generator.build.values import Object
from generator.errors import InputError, Problem
from generator.lint import Rule
from generator.lint.rendered import Rendering, look, look_at_pods, sound
from generator.lint.view import View
from generator.model.environment import Kind
from generator.model.percent import ZERO
from generator.model.release import Release
from generator.model.rollout import Rollout
from generator.model.site import Site
from generator.render import helm
from generator.render.helm import Frozen
from generator.yamltext import quote, set_scalar
from tidegate.engines import Engines

_TWIN = "v999999999-00000000"  # where no second release is at hand
_REPORT = "please report it with the base: tidegate renders it otherwise than Kustomize"


def engine_rules(engines: Engines) -> tuple[Rule, ...]:
    """Give the rules; without its engine a rule finds nothing, but its id is known."""
    asked = _Asked(engines)
    return (
        Rule("kustomize-build", asked.kustomize, "Argo CD would get something else.", is_last=True),
        Rule("helm-template", asked.helm, "Stable and canary would differ.", is_last=True),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Asks the engines."""

    engines: Engines

    def kustomize(self, view: View) -> Iterator[Problem]:
        """Build each profile of each release; what is rendered here must be the same."""
        for one in sound(view) if self.engines.has("kustomize") else ():
            file = f"{one.folder}/kustomization.yaml"
            try:
                real = self.engines.build(one.files, one.folder)
            except InputError as error:
                if one.is_outside or not one.problems:  # otherwise `rendered` tells it
                    yield Problem(error.problems[0].message, file, hint="mend it in models/")
                continue
            if one.is_outside:
                yield from look(replace(one, objects=real))
            elif not one.problems:
                yield from self._difference(one, real, file)

    def _difference(self, one: Rendering, real: tuple[Object, ...], file: str) -> Iterator[Problem]:
        if [_canonical(each) for each in real] == [_canonical(each) for each in one.objects]:
            return
        version = self.engines.versions["kustomize"]
        pairs = zip(real, one.objects, strict=False)
        names = [f"{a['kind']} {a['metadata']['name']}" for a, b in pairs if a != b]
        what = names[0] if names else "number of objects"
        yield Problem(f"kustomize {version} gives another {what}", file, hint=_REPORT)

    def helm(self, view: View) -> Iterator[Problem]:
        """Lint and render a pointer of each line, and its releases with the aliases swapped."""
        for rollout, site in _cloud(view) if self.engines.has("helm") else ():
            folder = layout.pointer(rollout.environment, site.id, rollout.model)
            try:
                files = view.tree.read_many(view.ids(folder))
                self.engines.lint(files, folder)
                for each in self._template(files, folder):
                    problems = look_at_pods(each)
                    yield from (replace(problem, file=folder) for problem in problems)
                yield from self._swapped(view, rollout, site, folder)
            except InputError as error:
                yield Problem(error.problems[0].message, folder, hint="mend the chart in models/")

    def _swapped(self, view: View, rollout: Rollout, site: Site, folder: str) -> Iterator[Problem]:
        one = _frozen(view, rollout, rollout.stable)
        other = _frozen(view, rollout, rollout.canary) if rollout.canary else _twin(one)
        both = [
            self._template(helm.pointer(site, stable, canary, ZERO), folder)
            for stable, canary in ((one, other), (other, one))
        ]
        first, second = ({_canonical(o) for o in page if _is_kept(o)} for page in both)
        if first != second:
            text = min(first ^ second)
            found = json.loads(text)
            name = f"{found['kind']} {found.get('metadata', {}).get('name', '')}"
            what = f"as stable and as canary a release gives another {name}"
            yield Problem(what, folder, hint="name and write objects by .Values.release alone")

    def _template(self, files: Mapping[str, bytes], folder: str) -> tuple[Object, ...]:
        return self.engines.template(files, folder)


def _canonical(one: Object) -> str:
    return json.dumps(one, sort_keys=True)


def _is_kept(one: Object) -> bool:
    return str(one["kind"]) != "HTTPRoute"  # it holds the weights, which go with the alias


def _cloud(view: View) -> Iterable[tuple[Rollout, Site]]:
    """Give each cloud line that has a release, with the one cluster that stands for all.

    The pointers of a line differ by nothing but the site: the rule `pointers` compares them.
    """
    for rollout in view.rollouts():
        environment = view.environment(rollout.environment)
        sites = view.sites(rollout.environment)
        names = [name for name in (rollout.stable, rollout.canary) if name]
        known = all(view.release(rollout.environment, rollout.model, name) for name in names)
        if environment is None or environment.kind is not Kind.CLOUD or not (names and known):
            continue
        folders = [layout.release(rollout.environment, rollout.model, name) for name in names]
        folders.append(f"{layout.SITES}/{rollout.environment}")
        above = tuple(f"{folder}/" for folder in folders)
        if sites and rollout.stable and not any(path.startswith(above) for path in view.blamed):
            yield rollout, sites[0]


def _frozen(view: View, rollout: Rollout, name: str) -> Frozen:
    folder = layout.release(rollout.environment, rollout.model, name)
    files = view.tree.read_many(view.ids(folder))
    release = view.repository.release(rollout.environment, rollout.model, name)
    return Frozen(release, {path[len(folder) + 1 :]: data for path, data in files.items()})


def _twin(one: Frozen) -> Frozen:
    """Make a second release of the same chart."""
    release: Release = replace(one.release, id=_TWIN)
    copied = {path: data for path, data in one.files.items() if path.startswith(helm.CHART)}
    path = f"{helm.CHART}Chart.yaml"
    text = copied.get(path, b"").decode("utf-8", "replace")
    copied[path] = set_scalar(text, "name", quote(release.model)).encode()
    folder = layout.release(release.environment, release.model, release.id)
    files = helm.release_files(release, copied)
    return Frozen(release, {path[len(folder) + 1 :]: data for path, data in files.items()})
