"""The door to cookiecutter: the only import of it, made when it is first needed.

Promises. Answers are checked and made inert before the engine sees them, and are never rendered
themselves. No hook runs, no user configuration is read, nothing is written outside a temporary
folder that is gone when the call ends. What comes out is exactly what the blueprint declares.

The engine changes the working directory of the process: calls are made one at a time, and the
directory is put back. Do not start threads that depend on it.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import yaml

from generator.errors import InputError
from generator.layout import RepoPath
from generator.model.blueprint import Answer, Blueprint, Type, fill
from generator.yamltext import quote

# Six formats in these templates use double braces; none uses these.
DELIMITERS = {
    "block_start_string": "[%",
    "block_end_string": "%]",
    "variable_start_string": "[=",
    "variable_end_string": "=]",
    "comment_start_string": "[#",
    "comment_end_string": "#]",
}
_ROOT = "[=cookiecutter.root=]"
# A template that were called .gitignore would act where it lies.
_OURS = {"root": "out", "dot": "."}
_ONE_AT_A_TIME = Lock()
_PLAIN = frozenset(
    {"Output", "TemplateData", "If", "Const", "Concat", "Compare", "Operand", "Not", "And", "Or"}
)
_WIDEST = 80


def render(blueprint: Blueprint, answers: Mapping[str, Answer]) -> Mapping[RepoPath, bytes]:
    """Write the files of a blueprint.

    Args:
        blueprint: From `generator.blueprints`.
        answers: Input name to plain value; inputs with a default may be left out.

    Returns:
        Path inside the generated repository to bytes, in path order.

    Raises:
        InputError: An answer is unknown, missing or does not fit; the extra is not installed; or
            the blueprint writes something else than it declares.
    """
    complete = blueprint.complete(answers)
    context = {one.name: write_answer(one.type, complete[one.name]) for one in blueprint.inputs}
    declared = _declared(blueprint, context)
    _refuse_code(blueprint)
    with tempfile.TemporaryDirectory(prefix="tidegate-") as name:
        folder = Path(name).resolve()
        _lay_out(folder / "in" / _ROOT, blueprint.template)
        with _ONE_AT_A_TIME:
            _generate(blueprint.name, folder, context)
        found = dict(sorted(_collect(folder / _OURS["root"])))
    _check(blueprint.name, declared, found)
    for path, data in found.items():
        if path.endswith(".yaml") and "/chart/templates/" not in path:
            _parse(path, data)
    return found


def write_answer(kind: Type, answer: Answer) -> str:
    """Write a checked answer as a template inserts it: a word bare, any other text quoted."""
    match answer:
        case int():
            return str(answer)
        case str():
            return answer if kind is Type.WORD else quote(answer)
        case _:
            return f"[{', '.join(quote(one) for one in answer)}]"


def _refuse_code(blueprint: Blueprint) -> None:
    """Refuse every expression that is more than inputs, conditions on them and padding.

    The engine offers functions for chance, time and identifiers, filters, imports, and through
    attributes of attributes all of Python. A list of what is allowed is shorter.
    """
    jinja2 = _engine()
    # Parsing only: nothing is evaluated here.
    environment = jinja2.Environment(**DELIMITERS)
    for path, data in blueprint.template.items():
        try:
            tree = environment.parse(data.decode("utf-8"))
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            text = f"the blueprint {blueprint.name} cannot be rendered: {path}: {error}"
            raise InputError(text) from error
        known = {one.name for one in blueprint.inputs}
        for node in tree.find_all(jinja2.nodes.Node):
            if not _is_plain(node, known):
                hint = "a template may insert inputs, join them, pad them and ask for them"
                text = f"the blueprint {blueprint.name} cannot be rendered: {_say(node)}"
                raise InputError(text, file=path, line=node.lineno, hint=hint)


def _say(node: Any) -> str:  # noqa: ANN401 (the engine's tree)
    name = getattr(node, "attr", None) or getattr(node, "name", None)
    kind = type(node).__name__.lower()
    return f"{kind} {name!a} is not allowed" if name else f"{kind} is not allowed"


def _is_plain(node: Any, known: Collection[str]) -> bool:  # noqa: ANN401 (the engine's tree)
    match type(node).__name__:
        case "Name":
            return bool(node.name == "cookiecutter")
        case "Getattr":
            is_input = type(node.node).__name__ == "Name" and node.attr in known
            return bool(is_input or node.attr == "ljust")
        case "Call":
            is_padding = type(node.node).__name__ == "Getattr" and node.node.attr == "ljust"
            return bool(is_padding) and len(node.args) == 1 and _is_width(node.args[0])
        case name:
            return str(name) in _PLAIN


def _is_width(node: Any) -> bool:  # noqa: ANN401 (the engine's tree)
    value = getattr(node, "value", None)
    return isinstance(value, int) and 0 <= value <= _WIDEST


def _declared(blueprint: Blueprint, context: Mapping[str, str]) -> frozenset[RepoPath]:
    """Work the paths out before the engine does: it would follow one out of the folder."""
    words = {one.name: context[one.name] for one in blueprint.inputs if one.type is Type.WORD}
    try:
        declared = frozenset(fill(path, words) for path in blueprint.outputs)
        written = [fill(path, {**words, **_OURS}) for path in blueprint.template]
    except ValueError as error:
        raise InputError(f"the blueprint {blueprint.name}: {error}") from error
    _check(blueprint.name, declared, written)
    return declared


def _lay_out(folder: Path, template: Mapping[str, bytes]) -> None:
    for path, data in template.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _generate(name: str, folder: Path, context: Mapping[str, str]) -> None:
    try:
        from cookiecutter.exceptions import CookiecutterException
        from cookiecutter.generate import generate_files
        from jinja2 import TemplateError
    except ImportError:
        raise _missing() from None
    settings = {
        "_jinja2_env_vars": {**DELIMITERS, "trim_blocks": True, "lstrip_blocks": True},
        "_new_lines": "\n",
    }
    try:
        generate_files(
            repo_dir=folder / "in",
            context={"cookiecutter": {**context, **_OURS, **settings}},
            output_dir=folder,
            accept_hooks=False,
        )
    except (CookiecutterException, TemplateError, OSError, ValueError) as error:
        raise InputError(f"the blueprint {name} cannot be rendered: {error}") from error


def _engine() -> ModuleType:
    try:
        import jinja2
        import jinja2.nodes
    except ImportError:
        raise _missing() from None
    return jinja2


def _missing() -> InputError:
    return InputError("cookiecutter is not installed", hint="pip install 'tidegate[scaffold]'")


def _collect(folder: Path) -> Iterator[tuple[RepoPath, bytes]]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise InputError("a blueprint writes regular files only", file=inside)
        if path.is_file():
            yield inside, path.read_bytes()


def _check(name: str, declared: frozenset[RepoPath], written: Iterable[RepoPath]) -> None:
    wrong = ", ".join(sorted(declared.symmetric_difference(written)))
    if wrong:
        raise InputError(f"the blueprint {name} does not write what it declares: {wrong}")


def _parse(path: RepoPath, data: bytes) -> None:
    try:
        yaml.compose(data.decode("utf-8"), Loader=yaml.CSafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        message = str(error).replace("\n", " ")
        raise InputError(f"the blueprint wrote no YAML: {message}", file=path) from error
