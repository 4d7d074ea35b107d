"""Scaffold several blueprints into one set of files."""

from collections.abc import Mapping, Sequence

from generator.blueprints import load
from generator.intents.setup import Piece
from generator.model.blueprint import Stamp
from generator.scaffold import render


def scaffold(pieces: Sequence[Piece]) -> tuple[Mapping[str, bytes], Mapping[str, Stamp]]:
    """Render every piece.

    Returns:
        The files, and which blueprints wrote them.

    Raises:
        InputError: An input is missing or wrong, or the extra `scaffold` is not installed.
    """
    files: dict[str, bytes] = {}
    blueprints = {name: load(name) for name in dict.fromkeys(name for name, _ in pieces)}
    for name, inputs in pieces:
        files.update(render(blueprints[name], inputs))
    return files, {name: blueprint.stamp for name, blueprint in blueprints.items()}
