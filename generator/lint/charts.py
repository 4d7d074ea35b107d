"""A Helm chart gives the same objects at every rendering, as stable and as canary."""

import json
import re
from collections.abc import Iterable, Iterator

from generator import layout
from generator.errors import Problem
from generator.layout import RepoPath
from generator.lint.manifests import is_template, models_of
from generator.lint.view import View
from generator.model.environment import Kind

# Both releases are parts of one chart, so Helm gives them one name, and each another path.
_ALIASED = re.compile(
    r"(?<![\w)])\.(?:(?:Chart|Template)\b|Release\b(?!\.(?:Namespace|Service)\b))[\w.]*"
)
_CHANGING = re.compile(
    r"\b(?:rand[A-Z]\w*|shuffle|uuidv4|now|ago|date|date_?[iI]n_?[zZ]one|htmlDate\w*|lookup|"
    r"gen[A-Z]\w*|htpasswd|bcrypt|encryptAES|getHostByName|env|expandenv)\b"
)
_ACTIONS = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def chart(view: View) -> Iterator[Problem]:
    """Check the Helm chart of every model that has a cloud rollout."""
    for model in sorted(models_of(view, Kind.CLOUD)):
        folder = layout.chart(model)
        if f"{folder}/Chart.yaml" not in view.ids(folder):
            hint = f"git restore it, or tidegate model add {model}"
            yield Problem("the chart has no Chart.yaml", folder, hint=hint)
            continue
        yield from _chart_file(view, folder, model)
        yield from _schema(view, folder)
        templates = [path for path in view.ids(folder) if is_template(path)]
        for path in templates:
            yield from _template(path, view.read(path).decode("utf-8", "replace"))
        yield from _chart_image(view, folder, templates)


def _chart_file(view: View, folder: RepoPath, model: str) -> Iterator[Problem]:
    path = f"{folder}/Chart.yaml"
    for document in view.documents(path):
        if document.text("name") != model:
            text = f"the chart must have the name of its model, {model!r}"
            yield Problem(text, path, document.line_of("name"), f'write name: "{model}"')
        if document.items("dependencies"):
            hint = "a release is rendered without network: write what it needs as templates"
            line = document.line_of("dependencies")
            yield Problem("the chart has dependencies", path, line, hint)


def _schema(view: View, folder: RepoPath) -> Iterator[Problem]:
    path = f"{folder}/values.schema.json"
    data = view.tree.read(path)
    if data is None:
        hint = "write one, with additionalProperties: false"
        yield Problem("the values have no schema", path, hint=hint)
        return
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        yield Problem("not JSON", path, getattr(error, "lineno", 1), "mend it: it is no schema now")
        return
    if not isinstance(found, dict) or found.get("additionalProperties") is not False:
        text = "the schema is open: a misspelt value would be ignored"
        yield Problem(text, path, 1, "write additionalProperties: false")
    if remote := re.search(rb'"\$ref"\s*:\s*"(?!#)[^"]*"', data):
        line = data.count(b"\n", 0, remote.start()) + 1
        yield Problem(
            "the schema refers to another file", path, line, "write it out under definitions"
        )


def _template(path: RepoPath, text: str) -> Iterator[Problem]:
    for action in _ACTIONS.finditer(text[: text.rfind("}}") + 2]):  # else quadratic
        found = tuple(_unsteady(action.group()))
        line = text.count("\n", 0, action.start()) + 1 if found else 0
        yield from (Problem(what, path, line, hint) for what, hint in found)


def _unsteady(action: str) -> Iterator[tuple[str, str]]:
    if found := _ALIASED.search(action):
        what = f"{found.group()} does not tell stable from canary, or changes with their place"
        yield what, "name objects by .Values.release"
    if found := _CHANGING.search(_without_texts(action)):
        yield f"{found.group()} gives something else at every rendering", "write it as a value"


def _without_texts(action: str) -> str:
    bare = re.sub(r'"[^"]*"|`[^`]*`', "", action)
    bare = re.sub(r"/\*.*?\*/", "", bare, flags=re.DOTALL)
    return re.sub(r"[.$][A-Za-z_.][\w.]*", "", bare)


def _chart_image(view: View, folder: RepoPath, templates: Iterable[RepoPath]) -> Iterator[Problem]:
    text = "".join(view.read(path).decode("utf-8", "replace") for path in templates)
    if not re.search(r"image:.*\{\{[^}]*\.Values\.image\b", text):
        what = "no container has the image .Values.image, which the release pins"
        yield Problem(what, folder, hint="write image: {{ .Values.image | quote }}")
