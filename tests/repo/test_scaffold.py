"""Blueprints on disk: found, digested, rendered; hostile answers come out inert or are refused."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator import blueprints, scaffold
from generator.documents.config import read_config, read_environment
from generator.documents.model import read_model
from generator.documents.rollout import read_rollout
from generator.errors import InputError
from generator.model.blueprint import Answer, Blueprint, Input, Type
from generator.model.config import Config
from generator.model.environment import Environment, Kind
from generator.model.rollout import Rollout

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

ANSWERS: dict[str, dict[str, Answer]] = {
    "environment-cloud-eks": {"environment": "cloud-eks"},
    "environment-edge-k3s": {"environment": "edge-k3s"},
    "model": {"model": "defect-detector", "registry_name": "defect-detector"},
    "model-cloud-eks": {"model": "defect-detector"},
    "model-edge-k3s": {"model": "defect-detector"},
    "reconciler": {},
    "repository": {},
    "rollout": {"model": "defect-detector", "environment": "edge-k3s"},
}
NAMES = sorted(ANSWERS)
# What reads as something else than text in YAML 1.1, YAML 1.2 or Go.
TRAPS = ["on", "no", "null", "y", "012", "1e3", "0x1f", "12-1"]
HOSTILE = [
    "{{ 7*7 }}",
    "[= 7*7 =]",
    "[= cookiecutter.__class__ =]",
    "[% include '/etc/hostname' %]",
    "[# gone #]",
    "../x",
    'a" b: "c',
    "it's # not a comment",
    "&a *a !!python/object",
    "- x: {y}",
    "\\x41 \\u0041 %s ${HOME} $(HOME)",
    "snow ☃ and 🙂",
]


def render(name: str, **answers: Answer) -> Mapping[str, bytes]:
    return scaffold.render(blueprints.load(name), ANSWERS[name] | answers)


def sample(template: Mapping[str, bytes], outputs: tuple[str, ...]) -> Blueprint:
    title = Input("title", Type.TEXT, default="x")
    return Blueprint("sample", 1, (title,), outputs, template, "sha256:0")


def test_every_blueprint_is_known() -> None:
    assert list(blueprints.names()) == NAMES


def test_an_unknown_blueprint_is_refused() -> None:
    with pytest.raises(InputError, match=r"no blueprint is called '\.\./model'; known: env"):
        blueprints.load("../model")


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_writes_what_it_declares(name: str) -> None:
    blueprint = blueprints.load(name)
    assert blueprint.version >= 1
    assert re.fullmatch("sha256:[0-9a-f]{64}", blueprint.digest)
    files = scaffold.render(blueprint, ANSWERS[name])
    assert len(files) == len(blueprint.outputs) == len(blueprint.template)
    assert list(files) == sorted(files)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_engine_is_left_in_the_files(name: str) -> None:
    for path, data in render(name).items():
        text = data.decode("ascii")
        assert not any(mark in path + text for mark in ("cookiecutter.", "[=", "=]", "[%", "%]"))
        assert not any(line != line.rstrip() for line in text.split("\n")), path
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", NAMES)
def test_templates_use_nothing_that_differs_between_runs(name: str) -> None:
    blueprint = blueprints.load(name)
    for data in blueprint.template.values():
        code = " ".join(re.findall(r"\[[=%].*?[=%]\]", data.decode("ascii"), re.DOTALL))
        assert not re.search(r"random|uuid|now|slugify|import|include|extends", code)
    assert scaffold.render(blueprint, ANSWERS[name]) == scaffold.render(blueprint, ANSWERS[name])


def test_the_digest_covers_every_byte() -> None:
    digests = {blueprints.load(name).digest for name in NAMES}
    assert len(digests) == len(NAMES)


def test_the_repository_file_is_readable() -> None:
    files = render("repository", remote="https://git.example.com/fleet.git", images=["r.io/m/"])
    assert read_config("tidegate.yaml", files["tidegate.yaml"]) == Config(
        remote="https://git.example.com/fleet.git", images=("r.io/m/",)
    )


def test_dot_files_have_their_dots() -> None:
    files = render("repository")
    assert {".gitattributes", ".gitignore", ".editorconfig"} <= set(files)
    assert b"\n* text=auto eol=lf\n" in files[".gitattributes"]


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    files = render("repository")
    links = re.findall(r"\]\(([^)]+)\)", files["README.md"].decode())
    assert links
    assert set(links) <= set(files)


def test_owners_stand_in_codeowners() -> None:
    owners = render("repository", release_owner="@acme/releases")["CODEOWNERS"].decode()
    assert "/rollouts/        @acme/releases\n" in owners
    assert owners.split("\n")[1].split() == ["*", "@platform-engineers"]


@pytest.mark.parametrize(
    ("kind", "strata"), [(Kind.EDGE, ("region", "hardware")), (Kind.CLOUD, ("region",))]
)
def test_an_environment_is_readable(kind: Kind, strata: tuple[str, ...]) -> None:
    answers: dict[str, Answer] = {"prometheus": "https://prometheus.example.com", "interval": "1m"}
    files = render(f"environment-{kind}", environment="e1", requires=["staging"], **answers)
    expected = Environment(
        "e1",
        kind,
        prometheus="https://prometheus.example.com",
        interval=timedelta(minutes=1),
        strata=strata,
        requires=("staging",),
    )
    path = "environments/e1/environment.yaml"
    assert read_environment(path, files[path], "e1") == expected


def test_a_model_is_readable() -> None:
    path = "models/defect-detector/model.yaml"
    spec = read_model(path, render("model")[path], "defect-detector")
    assert spec.image_from_tag
    found = [(one.name, one.target, one.margin, one.about_predictions) for one in spec.objectives]
    assert found == [
        ("errors", Fraction(99), 1.5, False),
        ("latency", Fraction(99), 1.5, False),
        ("confidence", Fraction(95), 1.3, True),
    ]


def test_a_model_can_pin_its_image() -> None:
    image = f"registry.example.com:5000/models/server:1@sha256:{'a' * 64}"
    path = "models/defect-detector/model.yaml"
    assert read_model(path, render("model", image=image)[path], "defect-detector").image == image


def test_a_rollout_starts_without_anything() -> None:
    path = "rollouts/edge-k3s/defect-detector.yaml"
    data = render("rollout", min_sites=1, soak="10m")[path]
    assert read_rollout(path, data, "edge-k3s", "defect-detector") == Rollout(
        "defect-detector", "edge-k3s", soak=timedelta(minutes=10), min_sites=1
    )
    assert b"\npercent: 0                  # bump me" in data


@pytest.mark.parametrize("name", TRAPS)
def test_names_that_look_like_numbers_stay_text(name: str) -> None:
    files = dict(render("model-edge-k3s", model=name))
    deployment = yaml.safe_load(files[f"models/{name}/base/deployment.yaml"])
    assert deployment["metadata"]["name"] == name
    assert deployment["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}
    path = f"models/{name}/model.yaml"
    assert read_model(path, render("model", model=name)[path], name).name == name


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_comes_out_as_itself(hostile: str) -> None:
    data = render("model", registry_name=hostile)["models/defect-detector/model.yaml"]
    assert yaml.safe_load(data)["registry"] == {"name": hostile}
    assert list(yaml.safe_load(data)) == [
        "apiVersion",
        "kind",
        "name",
        "registry",
        "runtime",
        "imageFrom",
        "objectives",
    ]


@pytest.mark.parametrize("hostile", [*HOSTILE, "a\nb", "a\x00", "", "/etc", "a/b", "."])
@pytest.mark.parametrize("name", ["model", "model-cloud-eks", "model-edge-k3s", "rollout"])
def test_a_hostile_name_is_refused(name: str, hostile: str) -> None:
    with pytest.raises(InputError):
        render(name, model=hostile)


@given(st.text())
def test_quoted_text_reads_back_as_itself(text: str) -> None:
    title = Input("title", Type.TEXT)
    try:
        answer = title.check(text)
    except ValueError:
        assert len(text) > 200 or not text.isprintable()
    else:
        inserted = scaffold.write_answer(Type.TEXT, answer)
        assert yaml.safe_load(f"key: {inserted}   # comment\nlast: 1\n") == {"key": text, "last": 1}


def test_control_characters_are_refused() -> None:
    with pytest.raises(InputError, match=r"registry_name: 'a\\nb' holds control characters"):
        render("model", registry_name="a\nb")


def test_unknown_and_missing_answers_are_named() -> None:
    with pytest.raises(InputError) as caught:
        scaffold.render(blueprints.load("model"), {"modell": "x", "registry_name": "x"})
    assert [str(one) for one in caught.value.problems] == [
        "model: unknown answer 'modell'; did you mean 'model'?",
        "model: the answer 'model' is missing",
    ]


@pytest.mark.parametrize(
    ("template", "outputs", "message"),
    [
        ({"a": b"1"}, ("a", "b"), "does not write what it declares: b"),
        ({"a": b"1", "b": b"1"}, ("a",), "does not write what it declares: b"),
        ({"a.yaml": b"x: [= cookiecutter.title =]: y"}, ("a.yaml",), "wrote no YAML"),
        ({"a": b"[= cookiecutter.gone =]"}, ("a",), "cannot be rendered"),
        ({"a": b"[% if %]"}, ("a",), "cannot be rendered"),
        ({"[= 7 * 7 =]": b""}, ("49",), "cannot be the path of an output"),
        ({"a": b""}, ("../a",), "cannot be the path of an output"),
        ({"a/../../b": b""}, ("b",), "cannot be the path of an output"),
    ],
)
def test_a_broken_blueprint_is_named(
    template: dict[str, bytes], outputs: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        scaffold.render(sample(template, outputs), {})


def test_a_path_that_leaves_the_folder_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    escape = {r"[= ['..', '..', 'escaped'] | join('\x2f') =]": b"x"}
    with pytest.raises(InputError, match="cannot be the path"):
        scaffold.render(sample(escape, ("a",)), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "code",
    [
        "[= random_ascii_string(5) =]",
        "[= uuid4() =]",
        "[% now 'utc' %]",
        "[= cookiecutter.title | slugify =]",
        "[= cookiecutter.title | upper =]",
        "[= cookiecutter.title.__class__ =]",
        "[= cookiecutter.title.ljust(10 ** 9) =]",
        "[= cookiecutter.title.ljust(1000000000) =]",
        "[= cookiecutter.title.ljust.__self__ =]",
        "[= cookiecutter.title.format(1) =]",
        "[= cookiecutter['title'] =]",
        "[= cookiecutter.other =]",
        "[= cookiecutter._template =]",
        "[= lipsum() =]",
        "[= range(10) =]",
        "[= self =]",
        "[% for one in cookiecutter.title %]x[% endfor %]",
        "[% set x = 1 %]",
        "[% include 'b' %]",
        "[% import 'b' as b %]",
        "[% extends 'b' %]",
        "[% macro m() %][% endmacro %]",
        "[% raw %]x[% endraw %][= namespace() =]",
        "[= 'a' * 999999999 =]",
        "[= cookiecutter.title is defined =]",
        "[= 1 if cookiecutter.title else 2 =]",
    ],
)
def test_a_template_that_is_more_than_inputs_is_refused(code: str) -> None:
    files = {"a": f"one\n{code}\n".encode()}
    with pytest.raises(InputError) as caught:
        scaffold.render(sample(files, ("a",)), {})
    assert "the blueprint sample" in str(caught.value), caught.value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hooks/pre_gen_project.py", "holds hooks/pre_gen_project.py; it holds blueprint.yaml"),
        ("hooks/post_gen_project.sh", "holds hooks/post_gen_project.sh"),
        ("cookiecutter.json", "holds cookiecutter.json"),
        ("local_extensions.py", "holds local_extensions.py"),
        ("templates/macros.txt", "holds templates/macros.txt"),
    ],
)
def test_a_blueprint_that_brings_code_is_refused(tmp_path: Path, path: str, message: str) -> None:
    shutil.copytree("blueprints/rollout", tmp_path / "rollout")
    place = tmp_path / "rollout" / path
    place.parent.mkdir(exist_ok=True)
    place.write_text("{}")
    with pytest.raises(InputError, match=message):
        blueprints.load("rollout", tmp_path / "rollout")


def test_a_blueprint_that_links_out_is_refused(tmp_path: Path) -> None:
    shutil.copytree("blueprints/rollout", tmp_path / "rollout")
    assert blueprints.load("rollout", tmp_path / "rollout") == blueprints.load("rollout")
    (tmp_path / "rollout/template/x").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="template/x: a blueprint holds no links"):
        blueprints.load("rollout", tmp_path / "rollout")
    (tmp_path / "rollout/template/x").unlink()
    (tmp_path / "rollout/template/y").symlink_to("/etc")
    with pytest.raises(InputError, match="template/y: a blueprint holds no links"):
        blueprints.load("rollout", tmp_path / "rollout")


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="link: a blueprint writes regular files only"):
        list(scaffold._collect(tmp_path))


def test_rendering_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, temporary, work = (tmp_path / one for one in ("home", "temporary", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(work)
    render("repository")
    with pytest.raises(InputError):
        scaffold.render(sample({"a": b"[% if %]"}, ("a",)), {})
    assert Path.cwd() == work
    assert [*home.iterdir(), *temporary.iterdir(), *work.iterdir()] == []


def test_a_home_with_settings_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render("model")
    (tmp_path / ".cookiecutterrc").write_text("default_context: {model: stolen}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(tmp_path / ".cookiecutterrc"))
    assert render("model") == before


def test_threads_take_turns() -> None:
    here = Path.cwd()
    with ThreadPoolExecutor(8) as pool:
        names = [f"m{number}" for number in range(16)]
        found = list(pool.map(lambda name: list(render("rollout", model=name)), names))
    assert found == [[f"rollouts/edge-k3s/{name}.yaml"] for name in names]
    assert Path.cwd() == here


def test_the_umask_changes_no_byte() -> None:
    before = render("repository")
    old = os.umask(0o077)
    try:
        assert render("repository") == before
    finally:
        os.umask(old)


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cookiecutter.generate", None)
    with pytest.raises(InputError, match=r"pip install 'tidegate\[scaffold\]'"):
        render("model")


def test_an_invalid_default_is_noticed() -> None:
    blueprint = blueprints.load("rollout")
    broken: tuple[Any, ...] = (replace(blueprint.inputs[0], default="A B"),)
    with pytest.raises(InputError, match="not allowed"):
        replace(blueprint, inputs=broken).complete({})
