"""`argocd/` is what the environments, their sites and the baselines give, byte for byte."""

import shlex
from collections.abc import Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.lint.traps import trapped
from generator.lint.view import View
from generator.model.names import check_name
from generator.model.site import Site
from generator.render import argocd


def delivery(view: View) -> Iterator[Problem]:
    """Compare, leaving out the files whose danger another rule has named."""
    expected = _expected(view)
    if expected is None:
        return
    known = trapped(view)
    held = _held(view)
    have = view.ids(layout.ARGOCD)
    paths = sorted({*expected, *have})
    wrong = [
        path
        for path in paths
        if view.tree.read(path) != expected.get(path)
        and path not in known
        and not path.startswith(held)
    ]
    if wrong:
        text = (
            f"{count(len(wrong), 'file')} of {layout.ARGOCD}/ "
            f"{'is' if len(wrong) == 1 else 'are'} not what sites and baselines give: {few(wrong)}"
        )
        yield Problem(text, wrong[0], _line(view, wrong[0], expected), _fix(view, wrong))


def _expected(view: View) -> dict[RepoPath, bytes] | None:
    config = view.config()
    if config is None:
        return None
    files: dict[RepoPath, bytes] = {}
    for name in view.environments():
        settings = view.environment(name)
        models = [one.model for one in view.rollouts() if one.environment == name and one.stable]
        if settings is not None:
            files.update(argocd.environment(config, settings, _named(view.sites(name)), models))
    return {**files, **argocd.root(config)} if files else files


def _named(sites: tuple[Site, ...]) -> list[Site]:
    """Leave out the sites of a file whose name cannot be one; another rule names it."""

    def is_name(text: str) -> bool:
        try:
            return bool(check_name("site file", text))
        except ValueError:
            return False

    return [site for site in sites if is_name(site.shard)]


def _held(view: View) -> tuple[RepoPath, ...]:
    """List where nothing can be said, because a file that it follows from is invalid."""
    held: list[RepoPath] = []
    for name in view.environments():
        folder = f"{argocd.FLEET}/{name}/"
        if view.environment(name) is None:
            held.append(folder)
        for stem in view.shards(name):
            if view.shard(name, stem) is None:
                held.append(f"{folder}{stem}/")
            for environment, model in view.lines():
                if environment == name and view.rollout(environment, model) is None:
                    held.append(f"{folder}{stem}/")
    return tuple(held)


def _line(view: View, path: RepoPath, expected: dict[RepoPath, bytes]) -> int | None:
    have = view.read(path).splitlines()
    want = expected.get(path, b"").splitlines()
    pairs = enumerate(zip(have, want, strict=False), 1)
    return next((number for number, (one, other) in pairs if one != other), None)


def _fix(view: View, wrong: list[RepoPath]) -> str:
    if all(view.restore(path) for path in wrong):
        return view.restore(wrong[0]) if len(wrong) == 1 else f"git restore {layout.ARGOCD}"
    newest = view.tree.log((wrong[0],), 1)
    if len(wrong) == 1 and newest and wrong[0] in view.ids(layout.ARGOCD):
        return f"tidegate expand, or git revert {shlex.quote(newest[0].id[:12])}"
    return "tidegate expand"
