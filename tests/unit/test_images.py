"""`images.txt`: every image that a site of a release pulls, and nothing that it does not."""

from dataclasses import replace

import pytest

from generator import layout
from generator.documents.release import freeze, recompute, write_release
from generator.errors import InputError
from generator.lint import lint
from generator.model.release import FORMAT, Release
from generator.render.images import image_list, untagged
from tests.builders import EDGE, IMAGE, MODEL, NOW, Memory, baseline, fleet, opened, version

DIGEST = "sha256:" + "ab" * 32
OTHER = f"registry.example.com/tools/exporter@{DIGEST}"
COPIED = {"base/deployment.yaml": b"kind: Deployment\n"}


def a_release(image: str = IMAGE) -> Release:
    return freeze(EDGE, MODEL, version(12), image, COPIED, "0" * 40)


def listed(data: bytes, path: str = "base/deployment.yaml") -> list[str]:
    """List what a file adds to the server's own image."""
    found = image_list(a_release(), {path: data}).decode().splitlines()
    assert found == sorted(set(found))
    return [one for one in found if one != IMAGE]


def test_a_release_without_another_image_lists_the_server() -> None:
    assert image_list(a_release(), COPIED) == f"{IMAGE}\n".encode()


def test_the_server_stands_there_as_the_pods_name_it() -> None:
    tagged = f"registry.example.com:5000/models/server:1.2@{DIGEST}"
    expected = f"registry.example.com:5000/models/server@{DIGEST}"
    assert image_list(a_release(tagged), COPIED) == f"{expected}\n".encode()
    assert untagged(f"server:1@{DIGEST}") == f"server@{DIGEST}"


@pytest.mark.parametrize(
    "text",
    [
        f"spec: {{containers: [{{image: '{OTHER}'}}]}}",
        f"spec:\n  initContainers:\n  - image: {OTHER}   # of old",
        f"spec: {{volumes: [{{image: {{reference: '{OTHER}'}}}}]}}",
        f"a: 1\n---\nb: {OTHER}",
        f"patches:\n- patch: |-\n    - op: add\n      value: {OTHER}\n      path: /x/image",
        f"images:\n- name: x\n  newName: registry.example.com/tools/exporter\n  digest: {DIGEST}",
        f"images:\n- digest: {DIGEST}\n  name: registry.example.com/tools/exporter\n- name: y",
    ],
)
@pytest.mark.parametrize("path", ["base/a.yaml", "components/gpu/a.yml", "base/Kustomization"])
def test_an_image_is_found_wherever_it_stands(text: str, path: str) -> None:
    assert listed(text.encode(), path) == [OTHER]


@pytest.mark.parametrize(
    "text",
    [
        f"# was {OTHER}",
        f"image: {OTHER}0",
        "image: exporter:1.2",
        f"images: [{{name: x, newTag: '{DIGEST}'}}]",
        "images: [{name: x, digest: latest}]",
        f"images: [{{name: 'a b', digest: '{DIGEST}'}}]",
        "",
    ],
)
def test_what_is_no_pinned_image_is_not_listed(text: str) -> None:
    assert listed(text.encode()) == []


def test_json_may_be_indented_with_tabs() -> None:
    assert listed(f'{{\n\t"image": "{OTHER}"\n}}'.encode(), "base/a.json") == [OTHER]


def test_other_files_are_not_read() -> None:
    assert listed(f"image: {OTHER}\n[".encode(), "base/README.md") == []


def test_a_deep_file_or_one_of_aliases_costs_nothing() -> None:
    deep = b"[" * 5_000 + b"]" * 5_000
    assert listed(deep) == []
    bomb = b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (n, n) for n in range(99))
    assert listed(bomb) == []


@pytest.mark.parametrize("data", [b"a: [\n", b"\xff", b"\x00"])
def test_a_manifest_that_cannot_be_read_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^components/gpu/patch\.yaml: not YAML; mend it"):
        image_list(a_release(), {"components/gpu/patch.yaml": data})


# ------------------------------------------------------------------ in a repository


def settled() -> Memory:
    return Memory(fleet(sites=12, clusters=1)).do(baseline(12))


def path_of(have: Memory) -> str:
    return f"{layout.release(EDGE, MODEL, have.view.rollout().stable)}/images.txt"


def test_a_release_holds_its_list_and_a_person_s_image_comes_with_the_next_one() -> None:
    have = settled()
    assert have.files[path_of(have)] == f"{IMAGE}\n".encode()
    path = f"{layout.profiles(MODEL)}/gpu/patch.yaml"
    container = f"      containers:\n      - name: exporter\n        image: {OTHER}\n"
    have = have.edit(path, "      containers:\n", container)
    after = have.do(baseline(13))
    assert after.files[path_of(after)] == f"{IMAGE}\n{OTHER}\n".encode()
    assert after.files[path_of(have)] == f"{IMAGE}\n".encode()


@pytest.mark.parametrize("data", [b"", f"{IMAGE}\n{OTHER}\n".encode(), None])
def test_a_list_that_is_not_that_of_the_release_is_found(data: bytes | None) -> None:
    have = settled()
    changed = have.put(path_of(have), data)
    (one,) = lint(opened(changed), NOW)
    assert (one.rule, one.file) == ("release", path_of(have))
    assert one.message == "1 file of the release differ from what its pins give: images.txt"


def test_a_release_of_the_first_format_stays_valid_without_a_list() -> None:
    """It was named by another digest, so nothing in it may be added or expected today."""
    have = settled()
    now = have.view.repository.release(EDGE, MODEL, have.view.rollout().stable)
    old = replace(now, format=1)
    digest = recompute(old)
    old = replace(old, digest=digest, id=f"v12-{digest[7:15]}")
    assert b"format" not in write_release(old)
    assert b"format: 2\n" in write_release(now)
    files: dict[str, bytes] = {}
    for path, data in have.files.items():
        new = data.replace(now.id.encode(), old.id.encode())
        files[path.replace(now.id, old.id)] = new
    folder = layout.release(EDGE, MODEL, old.id)
    del files[f"{folder}/images.txt"]
    files[f"{folder}/release.yaml"] = write_release(old)
    assert lint(opened(Memory(files)), NOW) == ()
    with_list = Memory({**files, f"{folder}/images.txt": f"{IMAGE}\n".encode()})
    assert [one.rule for one in lint(opened(with_list), NOW)] == ["release"]


def test_a_release_of_a_newer_format_is_refused() -> None:
    with pytest.raises(ValueError, match=f"format {FORMAT + 1} is not known here: update tidegate"):
        replace(a_release(), format=FORMAT + 1)
