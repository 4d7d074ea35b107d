"""The same work by the tools that people have: cookiecutter for each site, Git in a work tree."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measuring import Clock, Cost, run

if TYPE_CHECKING:
    from tests.bench.place import Place

POINTER = """\
# Written by tidegate; tidegate verify compares these bytes.
apiVersion: "kustomize.config.k8s.io/v1beta1"
kind: "Kustomization"
resources:
- "../../../../releases/edge-k3s/{{ cookiecutter.model }}/{{ cookiecutter.release }}/\
{{ cookiecutter.hardware }}"
labels:
- pairs:
    "tidegate.dev/site": "{{ cookiecutter.site }}"
  includeTemplates: true
"""
ROW = """\
- {id: "{{ cookiecutter.site }}", cluster: "{{ cookiecutter.cluster }}", \
region: "{{ cookiecutter.region }}", hardware: "{{ cookiecutter.hardware }}", \
line: "{{ cookiecutter.line }}"}
"""
ANSWERS = {
    "site": "plant-00001",
    "model": "defect-detector",
    "release": "v12-3f9a1c2b",
    "hardware": "gpu",
    "cluster": "k3s-00001",
    "region": "eu-north",
    "line": "a",
}


def scaffold_sites(folder: Path, count: int) -> Cost:
    """Write what a site has of its own, its pointer and its row, once for each site."""
    from cookiecutter.generate import generate_files

    template, out = folder / "template", folder / "scaffolded"
    inside = template / "{{ cookiecutter.site }}" / "{{ cookiecutter.model }}"
    inside.mkdir(parents=True)
    out.mkdir()
    (template / "cookiecutter.json").write_text(json.dumps(ANSWERS))
    (inside / "kustomization.yaml").write_text(POINTER)
    (inside.parent / "site.yaml").write_text(ROW)
    clock = Clock()
    for number in range(count):
        answers = {**ANSWERS, "site": f"plant-{number:05d}", "cluster": f"k3s-{number:05d}"}
        generate_files(str(template), {"cookiecutter": answers}, str(out), accept_hooks=False)
    cost = clock.cost()
    assert len(list(out.glob("*/*/kustomization.yaml"))) == count
    return cost


def step(place: "Place") -> Cost:
    """Make the same commit in a work tree that is there, and push it to the same kind of remote."""
    tree = place.folder / "work"
    place.git("clone", "--quiet", place.forked("plain"), str(tree))
    # Git may clean up behind a commit, in the background; that is not part of the step.
    place.git("-C", str(tree), "config", "gc.auto", "0")
    place.git("-C", str(tree), "status", "--short")
    clock = Clock()
    for path, data in place.files.items():
        (tree / path).write_bytes(data)
    edited = clock.cost()
    for words in (
        ("add", "--all"),
        ("commit", "--quiet", "--message", "25 %"),
        ("push", "--quiet"),
    ):
        edited += run("git", *words, inside=tree)
    return edited
