"""What should bring the pointers to the sites, and which files are worth a closer look."""

from collections.abc import Iterator

from generator import layout
from generator.changes import blob_id
from generator.errors import InputError
from generator.intents.delivery import Delivered, delivery
from generator.layout import RepoPath
from generator.lint.view import View
from generator.render import argocd

REGIONS = (layout.ARGOCD, argocd.PULL, layout.FLUX, layout.MONITORING)


def delivered(view: View) -> Delivered | None:
    """Compute what should be there, once; None where `tidegate.yaml` is invalid."""

    def compute() -> Delivered | None:
        try:
            return delivery(view.repository)
        except InputError:
            return None

    return view.once("delivered", compute)


def region(path: RepoPath) -> RepoPath:
    """Give the folder whose rule looks at a file."""
    return next((one for one in reversed(REGIONS) if path.startswith(f"{one}/")), "")


def wrong(view: View, under: RepoPath) -> tuple[RepoPath, ...]:
    """List the files of a region that are not what they should be, bytes or presence."""
    return view.once(("wrong", under), lambda: tuple(_wrong(view, under)))


def _wrong(view: View, under: RepoPath) -> Iterator[RepoPath]:
    expected = delivered(view)
    if expected is None:
        return
    have = view.ids(under)
    for path in sorted({*expected.files, *have}):
        if region(path) != under or expected.is_blurred(path):
            continue
        data, id_ = expected.files.get(path), have.get(path)
        if data is None or id_ is None or blob_id(data, id_) != id_:
            yield path


def telling(view: View, under: RepoPath) -> tuple[RepoPath, ...]:
    """List the files of a region that can show anything new.

    Where there are files for each site, one that is as it was written stands for all of its kind;
    the others are looked at one by one.
    """
    return view.once(("telling", under), lambda: tuple(_telling(view, under)))


def _telling(view: View, under: RepoPath) -> Iterator[RepoPath]:
    expected = delivered(view)
    proven = expected.files.keys() - set(wrong(view, under)) if expected is not None else set()
    seen: set[tuple[str, ...]] = set()
    for path in view.ids(under):
        if region(path) != under:
            continue
        parts = path.removeprefix(f"{under}/").split("/")
        kind = (parts[0], *parts[2:]) if under != layout.ARGOCD else (path,)
        if path not in proven or kind not in seen:
            yield path
        if path in proven:
            seen.add(kind)
