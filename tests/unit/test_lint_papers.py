"""Owners that exist and are asked, links that lead somewhere, a table that is complete."""

from functools import cache

import pytest

from generator.lint import Finding, lint
from generator.lint.papers import _covers
from tests.builders import CLOUD, NOW, Memory, baseline, fleet, opened

README, OWNERS = "README.md", "CODEOWNERS"
RUNBOOK = "docs/runbooks/revert.md"


@cache
def settled() -> Memory:
    return Memory(fleet(sites=12, clusters=1)).do(baseline(12)).do(baseline(12, CLOUD))


def only(have: Memory) -> Finding:
    (one,) = lint(opened(have), NOW)
    return one


def appended(path: str, text: str) -> Memory:
    return settled().put(path, settled().files[path] + text.encode())


def test_what_the_blueprint_writes_is_right() -> None:
    assert lint(opened(settled()), NOW) == ()
    assert lint(opened(Memory(fleet(sites=12))), NOW) == ()


# ------------------------------------------------------------------ owners


def test_a_path_that_is_not_there_is_found() -> None:
    one = only(appended(OWNERS, "/modles/ @ml\n"))
    assert (one.rule, one.file) == ("owners", OWNERS)
    assert one.message == "there is no /modles/, so these owners are asked for nothing"
    assert one.line == len(settled().files[OWNERS].splitlines()) + 1


@pytest.mark.parametrize("name", ["releases/", "sites/", "argocd/", ".tidegate/", "tidegate.yaml"])
def test_what_moves_a_model_and_nobody_owns_is_found(name: str) -> None:
    one = only(appended(OWNERS, f"/{name}\n"))
    assert (one.rule, one.message) == (
        "owners",
        f"nobody owns /{name}, so anybody's change of it passes",
    )


def test_without_a_line_for_all_what_is_left_is_found() -> None:
    text = settled().files[OWNERS].decode()
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("*"))
    found = lint(opened(settled().put(OWNERS, kept.encode())), NOW)
    assert [one.message.split(",")[0] for one in found] == [
        "nobody owns /.tidegate/",
        "nobody owns /argocd/",
        "nobody owns /flux/",
        "nobody owns /monitoring/",
        "nobody owns /tidegate.yaml",
    ]


def test_sections_comments_and_patterns_are_understood() -> None:
    more = (
        "[Platform] @x\n^[Docs]\n/docs/**/*.md @w # words\n*.tf @x\nterraform/ @x\n\n# /none/ @x\n"
    )
    assert lint(opened(appended(OWNERS, more)), NOW) == ()


@pytest.mark.parametrize(
    ("pattern", "path", "covers"),
    [
        ("*", "releases/any", True),
        ("/releases/", "releases/any", True),
        ("/releases", "releases/any", True),
        ("releases/", "a/releases/any", True),
        ("/releases/*", "releases/any", True),
        ("/release", "releases/any", False),
        ("/rel*/", "releases/any", True),
        ("*.yaml", "tidegate.yaml", True),
        ("*.yaml", "releases/any", False),
        ("/a/**/c", "a/b/b/c", True),
        ("/a.b", "aXb", False),
    ],
)
def test_a_pattern_covers_what_a_forge_says(pattern: str, path: str, covers: bool) -> None:
    assert _covers(pattern, path) is covers


# ------------------------------------------------------------------ links


@pytest.mark.parametrize(
    ("path", "text", "target"),
    [
        (README, "\n[a](docs/runbooks/reverts.md)\n", "docs/runbooks/reverts.md"),
        (README, '\n![a](<page.svg> "title")\n', "page.svg"),
        (RUNBOOK, "\n[a](docs/runbooks/revert.md)\n", "docs/runbooks/revert.md"),
        (RUNBOOK, "\n[a](../../../README.md)\n", "../../../README.md"),
        (RUNBOOK, "\n[a](/READ.md#promote)\n", "/READ.md"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(path: str, text: str, target: str) -> None:
    one = only(appended(path, text))
    assert (one.rule, one.file) == ("links", path)
    assert one.message == f"the link leads to {target!r}, which is not here"
    assert one.line == len(settled().files[path].splitlines()) + 2


def test_links_to_pages_places_and_folders_are_right() -> None:
    text = (
        "[a](https://example.com) [b](#when) [c](../../README.md#promote) [d](/models/) "
        "[e](mailto:a@example.com) [f](./pause.md)\n```\n[g](no.md)\n```\n"
    )
    assert lint(opened(appended(RUNBOOK, text)), NOW) == ()


def test_a_row_of_the_table_that_is_gone_is_found() -> None:
    text = settled().files[README].decode()
    kept = "".join(line for line in text.splitlines(True) if not line.startswith("| `evid"))
    have = settled().put(
        "evidence/edge-k3s/defect-detector/edge-k3s-defect-detector-v1-00000000-1/0001-seen.json",
        b"{}",
    )
    rules = {one.rule for one in lint(opened(have), NOW)}
    found = lint(opened(have.put(README, kept.encode())), NOW)
    (one,) = (one for one in found if one.rule not in rules)
    assert (one.rule, one.message) == ("links", "the table does not say what evidence/ is for")


def test_a_row_of_the_table_for_nothing_is_found() -> None:
    text = settled().files[README].decode()
    more = text.replace("| `argocd/`", "| `fluxx/` | x | y |\n| `argocd/`")
    one = only(settled().put(README, more.encode()))
    assert (one.rule, one.message) == ("links", "the table names 'fluxx', which is not here")
    assert text.splitlines()[(one.line or 1) - 1].startswith("| `argocd/`")


def test_a_readme_without_a_table_is_a_person_s_own() -> None:
    assert lint(opened(settled().put(README, b"# Ours\n")), NOW) == ()
