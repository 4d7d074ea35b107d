"""What a release directory is made of: the files of `models/` at one commit, and the pins."""

from collections.abc import Mapping

from generator import layout
from generator.documents.release import write_release
from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.environment import Kind
from generator.model.release import Release
from generator.render import helm, kustomize
from generator.repository import Repository


def copied_files(repository: Repository, kind: Kind, model: str) -> Mapping[str, bytes]:
    """Read what a release copies, under the names that it has there.

    Raises:
        InputError: A folder is missing, or a name is not printable.
    """
    if kind is Kind.CLOUD:
        folders = {layout.chart(model): "chart"}
    else:
        folders = {layout.base(model): "base", layout.profiles(model): "components"}
    found: dict[RepoPath, bytes] = {}
    for under, target in folders.items():
        paths = tuple(repository.tree.ids(under))
        if not paths:
            hint = f"tidegate model add {model} makes it"
            raise InputError("the folder is missing or empty", file=under, hint=hint)
        odd = [path for path in paths if not path.isprintable()]
        if odd:
            raise InputError(f"{odd[0]!a} is no name for a file of a release", file=under)
        read = repository.tree.read_many(paths)
        found.update({target + path.removeprefix(under): data for path, data in read.items()})
    return found


def frozen_files(release: Release, copied: Mapping[str, bytes]) -> Mapping[RepoPath, bytes]:
    """Write the whole directory of a release.

    Args:
        release: The pins.
        copied: As `copied_files` gives them.

    Raises:
        InputError: A manifest cannot be read.
    """
    folder = layout.release(release.environment, release.model, release.id)
    is_chart = any(path.startswith(helm.CHART) for path in copied)
    render = helm.release_files if is_chart else kustomize.release_files
    return {**render(release, copied), f"{folder}/release.yaml": write_release(release)}
