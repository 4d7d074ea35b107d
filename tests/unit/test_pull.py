"""Whose approval counts, and which places are forges."""

import pytest

from generator.model.forge import ForgePlace
from generator.model.pull import (
    Opinion,
    PullRequest,
    Review,
    State,
    approvals,
    objections,
)

PULL = PullRequest(1, "u", "b", "main", "head", "t", "", State.OPEN, "bot")


@pytest.mark.parametrize(
    ("review", "counts"),
    [
        (Review("ada", Opinion.APPROVED, "head"), True),
        (Review("ada", Opinion.APPROVED, "older"), False),
        (Review("ada", Opinion.APPROVED, ""), False),
        (Review("bot", Opinion.APPROVED, "head"), False),
        (Review("ci", Opinion.APPROVED, "head", is_bot=True), False),
        (Review("ada", Opinion.CHANGES, "head"), False),
    ],
)
def test_an_approval_counts_of_this_head_by_another_person(review: Review, counts: bool) -> None:
    assert approvals(PULL, (review,)) == (("ada",) if counts else ())


def test_who_asked_for_changes_objects_whatever_the_head() -> None:
    said = (Review("ada", Opinion.CHANGES, "older"), Review("ben", Opinion.APPROVED, "head"))
    assert objections(said) == ("ada",)


@pytest.mark.parametrize(
    ("kind", "url", "api"),
    [
        ("github", "https://github.com", "https://api.github.com"),
        ("github", "https://git.acme.example", "https://git.acme.example/api/v3"),
        ("gitlab", "https://gitlab.com", "https://gitlab.com/api/v4"),
        ("gitea", "https://git.acme.example/gitea", "https://git.acme.example/gitea/api/v1"),
    ],
)
def test_a_forge_has_its_api_below_its_address(kind: str, url: str, api: str) -> None:
    place = ForgePlace(kind, url, "acme/fleet")
    assert (place.is_there, place.api, place.page) == (True, api, f"{url}/acme/fleet")


def test_no_forge_needs_no_address() -> None:
    assert not ForgePlace().is_there


def test_groups_lie_in_between_on_gitlab() -> None:
    assert ForgePlace("gitlab", "https://gitlab.com", "acme/edge/fleet").is_there


@pytest.mark.parametrize(
    ("kind", "url", "project", "words"),
    [
        ("bitbucket", "https://x.example", "acme/fleet", "is none of"),
        ("github", "https://github.com", "fleet", "write owner/name"),
        ("github", "https://github.com", "acme/edge/fleet", "write owner/name"),
        ("github", "https://github.com", "../fleet", "is not a project"),
        ("github", "https://github.com", "acme/fleet.git", "is not a project"),
        ("github", "https://github.com", "acme/fleet?x", "is not a project"),
        ("gitea", "", "acme/fleet", "forge.url is missing"),
        ("gitea", "ssh://git.example", "acme/fleet", "forge.url is missing"),
        ("gitea", "https://git.example/", "acme/fleet", "without a slash"),
        ("gitea", "https://git.example?x=1", "acme/fleet", "without a slash"),
    ],
)
def test_a_place_that_could_be_another_one_is_refused(
    kind: str, url: str, project: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ForgePlace(kind, url, project)
