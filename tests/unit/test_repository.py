"""A tree read into the model: each file belongs to its place."""

import pytest

from generator import layout
from generator.errors import InputError
from tests.builders import EDGE, MODEL, Memory, baseline, fleet


@pytest.mark.parametrize(
    "place", [(EDGE, MODEL, "v9-00000000"), (EDGE, "other", ""), ("x", "", "")]
)
def test_a_release_of_another_folder_is_refused(place: tuple[str, str, str]) -> None:
    have = Memory(fleet(5)).do(baseline(12))
    stable = have.view.rollout().stable
    environment, model, release = (
        a or b for a, b in zip(place, (EDGE, MODEL, stable), strict=True)
    )
    here = layout.release_file(EDGE, MODEL, stable)
    there = layout.release_file(environment, model, release)
    moved = have.put(there, have.files[here])
    with pytest.raises(InputError) as error:
        moved.view.repository.release(environment, model, release)
    hint = "restore the file from the commit that froze it"
    assert str(error.value) == f"{there}: this is the release.yaml of {here}; {hint}"
    assert moved.view.repository.release(EDGE, MODEL, stable).id == stable
