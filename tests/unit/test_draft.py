"""A draft is a tree like any other: what is pending is listed, named and read."""

import pytest

from generator.changes import Draft, blob_id
from tests.builders import Memory

BASE = Memory({"a/1": b"one", "a/2": b"two", "top": b"top"})


class Sha256(Memory):
    """A repository whose object names are SHA-256."""

    def __init__(self) -> None:
        super().__init__(BASE.files)
        self.commit = "5e" * 32


def edited(base: Memory) -> Draft:
    draft = Draft(base)
    draft.write({"a/1": b"new", "b/3": b"three", "root": b"root"})
    draft.delete(["a/2"])
    return draft


def test_the_whole_listing_holds_what_is_pending() -> None:
    found = {"a/1": b"new", "b/3": b"three", "root": b"root", "top": b"top"}
    assert edited(BASE).ids("") == {path: blob_id(data) for path, data in found.items()}


def test_a_folder_holds_what_is_pending_in_it() -> None:
    assert edited(BASE).ids("a") == {"a/1": blob_id(b"new")}
    assert edited(BASE).ids("b") == {"b/3": blob_id(b"three")}


def test_pending_files_are_named_as_the_repository_names_its_objects() -> None:
    draft = edited(Sha256())
    wanted = blob_id(b"three", "5e" * 32)
    assert len(wanted) == 64
    assert draft.id("b/3") == draft.ids("b")["b/3"] == draft.ids("")["b/3"] == wanted


@pytest.mark.parametrize("base", [BASE, Sha256()])
def test_an_edit_back_to_the_base_is_no_change(base: Memory) -> None:
    draft = Draft(base)
    draft.write({"a/1": b"one", "a/2": b"other", "top": b"top"})
    assert draft.changes() == {"a/2": b"other"}
