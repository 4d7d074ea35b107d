import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
CONTRACTS = {each["name"]: each for each in PROJECT["tool"]["importlinter"]["contracts"]}
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
SOURCES = sorted(
    path
    for package in ("tidegate", "generator", "reconciler")
    for path in (ROOT / package).rglob("*.py")
)
LONGEST_MODULE = 400


def modules(package: str) -> set[str]:
    found = (path.stem for path in (ROOT / package).iterdir())
    return {f"{package}.{name}" for name in found if not name.startswith("__")}


def doors() -> set[str]:
    lines = CONTRACTS["rooms do no I/O and know no clock"]["ignore_imports"]
    return {line.split(" -> ")[0].removesuffix(".**") for line in lines}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ]", line)[0].lower() for line in requirements}


def bounds(requirement: str) -> frozenset[str]:
    return frozenset(re.findall(r"[<>=!~]+[\d.]+", requirement))


# ------------------------------------------------------------------ packaging


def test_the_wheel_holds_the_four_packages():
    assert PACKAGES == ["tidegate", "generator", "reconciler", "blueprints"]
    assert all((ROOT / package / "__init__.py").is_file() for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_and_does_nothing(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_the_base_stays_small():
    assert names(PROJECT["project"]["dependencies"]) == {"click", "httpx", "numpy", "pyyaml"}


def test_the_extra_all_is_every_other_extra():
    extras = dict(PROJECT["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert set(re.findall(r"\w+", everything)) == {"tidegate", *extras}


def test_the_lock_was_made_from_this_project():
    (locked,) = (each for each in LOCK["package"] if each["name"] == "tidegate")
    groups = PROJECT["project"]["optional-dependencies"].values()
    lines = [*PROJECT["project"]["dependencies"], *(line for each in groups for line in each)]
    assert {
        (each["name"], bounds(each.get("specifier", "")))
        for each in locked["metadata"]["requires-dist"]
    } == {(*names([line]), bounds(line)) for line in lines}
    assert locked["version"] == PROJECT["project"]["version"]


def test_the_lock_names_public_hosts_only():
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


# ------------------------------------------------------------------ rooms and doors


def test_every_door_that_exists_is_protected():
    contract = CONTRACTS["only the command line and the loop's entry open the doors"]
    inner = {"generator.http", "reconciler.loop", "reconciler.wiring"}
    existing = (modules("generator") | modules("reconciler")) & doors()
    assert existing - inner - set(contract["protected_modules"]) == set()


def test_a_door_lies_in_the_top_layers():
    tops = {
        f"{package}.{name.strip('() ')}"
        for package, most in (("generator", 2), ("reconciler", 3))
        for layer in CONTRACTS[f"{package}: doors above rooms"]["layers"][:most]
        for name in layer.split("|")
    }
    assert doors() <= tops
    assert tops - doors() == {"reconciler.simulate"}


def test_a_room_that_opens_a_file_fails_its_test():
    room = str(ROOT / "generator" / "layout.py")
    code = compile("open('/dev/null').close()", room, "exec")
    with pytest.raises(AssertionError, match="a room touched the outside: open"):
        exec(code)


def test_a_door_may_open_a_file():
    door = str(ROOT / "generator" / "gitrepo" / "snapshot.py")
    exec(compile("open('/dev/null').close()", door, "exec"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_below_the_wall(path):
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


# ------------------------------------------------------------------ make and CI


def test_every_target_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert re.findall(r"^([a-z0-9-]+):.*## \S", makefile, re.MULTILINE) == phony[1].split()


def test_continuous_integration_runs_the_command_of_the_readme():
    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^exec make .*\btest\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_workflows_pin_actions_and_call_make_only():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(
        re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "a@" + "0" * 40)) for step in steps
    )
    assert all(step.get("run", "make").startswith("make") for step in steps)
