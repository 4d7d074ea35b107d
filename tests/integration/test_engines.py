"""The door to real Kustomize and Helm: how they are found, and what they cannot do here."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.errors import InputError
from tidegate import engines as door
from tidegate.engines import Engine, find

Find = Callable[[str], str]


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_engine_is_found_in_a_folder_and_says_its_version(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    script(tmp_path, "kustomize", "echo v5.8.1")
    script(tmp_path, "helm", "echo v3.2.0+gabc")
    found = find(str(tmp_path))
    assert dict(found.versions) == {"kustomize": "5.8.1"}
    assert found.told() == (
        "kustomize 5.8.1",
        "not run: helm (found 3.2.0, 3.14 or newer is needed)",
    )
    assert find().told() == ("not run: kustomize (not found)", "not run: helm (not found)")


def test_an_engine_that_is_named_must_be_there():
    with pytest.raises(InputError, match="there is no helm at '/gone'"):
        find(named={"helm": "/gone"})


def test_an_engine_that_does_not_run_is_not_there(tmp_path):
    found = find(named={"kustomize": script(tmp_path, "k", "exit 3")})
    assert found.missing["kustomize"] == "found, but it does not run"


def test_an_engine_sees_its_files_and_nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "token")
    name = script(tmp_path, "kustomize", "pwd; /usr/bin/env; /bin/cat a/b.txt; /bin/ls -A .")
    out = Engine("kustomize", name).run({"a/b.txt": b"text\n"}).decode()
    assert "token" not in out
    assert "HTTPS_PROXY=http://127.0.0.1:9" in out
    assert out.endswith("text\na\n")
    folder = Path(out.splitlines()[0])
    assert not folder.exists()


def test_a_failure_is_one_bounded_line_without_the_folder(tmp_path):
    name = script(
        tmp_path,
        "helm",
        'echo "Error: $PWD/a \033[31m" >&2; /usr/bin/yes x | /usr/bin/head -c 9000 >&2; exit 1',
    )
    with pytest.raises(InputError) as error:
        Engine("helm", name).run({"a": b""})
    text = str(error.value)
    assert text.startswith("helm: Error: ")
    assert "\033" not in text
    assert len(text) < 500


def test_an_output_without_end_is_cut_off(tmp_path):
    name = script(tmp_path, "helm", "exec /usr/bin/yes")
    with pytest.raises(InputError, match="helm wrote more than 4194304 bytes"):
        Engine("helm", name).run({})


def test_an_engine_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "TIMEOUT_S", 0.5)
    name = script(tmp_path, "helm", "/bin/sleep 60 & /bin/sleep 60")
    with pytest.raises(InputError, match=r"helm took over 0\.5 s"):
        Engine("helm", name).run({})


@pytest.mark.parametrize(
    "resource", ["https://example.com/x.yaml", "github.com/o/r//x?ref=main", "git@e.x:o/r"]
)
def test_real_kustomize_reaches_nothing_outside(engine: Find, resource: str):
    found = find(named={"kustomize": engine("kustomize")})
    files = {"a/kustomization.yaml": f"resources: ['{resource}']".encode()}
    with pytest.raises(InputError, match=r"refused|no 'git' program|not a valid directory"):
        found.build(files, "a")
