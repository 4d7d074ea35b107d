"""`sites/` is what the rollouts, cohorts, releases and sites give, byte for byte."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from generator import layout
from generator.changes import blob_id
from generator.errors import InputError, Problem
from generator.expand import expand
from generator.expand import pointers as pointers_of
from generator.layout import RepoPath
from generator.lint.finding import count, few
from generator.lint.view import View


@dataclass(frozen=True, slots=True)
class Comparison:
    """The pointers of one line as they are and as they should be.

    Attributes:
        expected: What the expansion gives.
        wrong: Paths that are missing, different or too many.
        problems: Why there is no expansion.
    """

    expected: Mapping[RepoPath, bytes]
    wrong: tuple[RepoPath, ...]
    problems: tuple[Problem, ...] = ()


def compare(view: View, environment: str, model: str) -> Comparison:
    """Compare one line, once."""
    name = ("pointers", environment, model)
    return view.once(name, lambda: _compare(view, environment, model))


def _compare(view: View, environment: str, model: str) -> Comparison:
    found = pointers_of(view.tree, environment, model)
    try:
        expected = expand(view.repository, environment, model).files
    except InputError as error:
        return Comparison({}, (), error.problems)
    except ValueError as error:
        return Comparison({}, (), (Problem(str(error)),))
    like = next(iter(found.values()), None)
    wrong = {path for path, data in expected.items() if found.get(path) != blob_id(data, like)}
    wrong.update(path for path in found if path not in expected)
    return Comparison(expected, tuple(sorted(wrong)))


def pointers(view: View) -> Iterator[Problem]:
    """Compare every line; one that cannot be expanded says why."""
    for environment, model in view.lines():
        line = compare(view, environment, model)
        if line.wrong:
            yield _difference(view, environment, model, line)
        if line.problems and not _sources(view, environment, model):
            yield from _blocked(view, layout.rollout(environment, model), line.problems)


def _blocked(view: View, path: RepoPath, problems: Iterable[Problem]) -> Iterator[Problem]:
    for one in problems:
        # What is not there cannot be mended; then the file that asks for it has to be.
        file = one.file or path
        if file != layout.CONFIG and view.tree.read(file) is None:
            file = path
        if file not in view.blamed:
            yield replace(one, file=file, message=f"the sites cannot be compared: {one.message}")


def _difference(view: View, environment: str, model: str, line: Comparison) -> Problem:
    first = line.wrong[0]
    sites = list(dict.fromkeys(path.split("/")[2] for path in line.wrong))
    text = (
        f"{count(len(line.wrong), 'file')} of {model} on {environment} "
        f"{'is' if len(line.wrong) == 1 else 'are'} not what "
        f"{layout.rollout(environment, model)} asks for: {few(sites)}"
    )
    return Problem(text, first, _line(view, line, first), _fix(view, environment, model, line))


def _fix(view: View, environment: str, model: str, line: Comparison) -> str:
    """Tell an edit of the pointers, which has to go, from one that they have to follow."""
    if wrong := _sources(view, environment, model):
        return f"mend {wrong} first; then tidegate expand {model} --env {environment}"
    under = f"{layout.SITES}/{environment}"
    before = view.committed(under)
    like = next(iter(before.values()), None)
    edited = [
        path
        for path in line.wrong
        if before.get(path)
        == (blob_id(line.expected[path], like) if path in line.expected else None)
    ]
    if len(edited) < len(line.wrong) or not view.tree.commit:
        return f"tidegate expand {model} --env {environment}"
    return view.restore(edited[0]) if len(edited) == 1 else f"git restore {layout.SITES}"


def _sources(view: View, environment: str, model: str) -> RepoPath:
    """Find an error in what the pointers follow from: they must not follow it."""
    rollout = layout.rollout(environment, model)
    folders = (f"{layout.RELEASES}/{environment}/{model}/", layout.cohort(environment, model))
    found = (path for path in view.blamed if path == rollout or path.startswith(folders))
    return min(found, default="")


def _line(view: View, line: Comparison, path: RepoPath) -> int | None:
    """Find the first line that differs."""
    have = view.read(path).splitlines()
    want = line.expected.get(path, b"").splitlines()
    pairs = enumerate(zip(have, want, strict=False), 1)
    return next((number for number, (one, other) in pairs if one != other), None)


def unproven(view: View) -> tuple[RepoPath, ...]:
    """List the files under `sites/` whose bytes the expansion does not vouch for."""
    proven: set[RepoPath] = set()
    for line in view.lines():
        compared = compare(view, *line)
        proven.update(compared.expected.keys() - set(compared.wrong))
    return tuple(path for path in view.ids(layout.SITES) if path not in proven)
