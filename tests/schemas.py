"""Hold a document against the API that will read it: core schemas from PyPI, closed ones of ours.

    check_document(document)                     # any Kubernetes object, Kustomization or Component

The schemas in `schemas/` hold exactly the fields that tidegate writes. One that is not written yet
is added there by hand, from the documentation of the API.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

KUBERNETES = "1.36"
OURS = Path(__file__).parent / "schemas"
CORE = (
    Path(kubernetes_validate.__file__).parent
    / "kubernetes-json-schema"
    / f"v{KUBERNETES}.0-local-strict"
)


@functools.cache
def ours() -> Mapping[tuple[str, str], Any]:
    """Read the closed schemas by apiVersion and kind."""
    found = {}
    for path in sorted(OURS.glob("*.json")):
        schema = json.loads(path.read_bytes())
        names = schema["properties"]
        found[names["apiVersion"]["const"], names["kind"]["const"]] = schema
    return found


def check_document(document: Any) -> None:
    """Fail unless the API takes this document, with every field that it has.

    Args:
        document: One object, as a YAML reader gives it.
    """
    assert isinstance(document, dict), document
    name = (document.get("apiVersion", ""), document.get("kind", ""))
    try:
        if name in ours():
            jsonschema.Draft7Validator(ours()[name]).validate(document)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError as error:
        raise AssertionError(f"no schema for {name}: write one in {OURS}") from error
    except jsonschema.ValidationError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "."
        raise AssertionError(f"{name} at {where}: {error.message}") from error


def write_schemas(folder: Path) -> tuple[str, ...]:
    """Write every schema so that kubeconform finds it without a network.

    The core schemas name each other by URL, which kubeconform would ask; as files they need none.

    Args:
        folder: An empty one.

    Returns:
        The arguments of kubeconform.
    """
    for path in CORE.glob("*.json"):
        schema = json.loads(path.read_bytes().replace(b'"/api/_defin', b'"_defin'))
        schema.pop("$id", None)
        (folder / path.name).write_text(json.dumps(schema))
    core = f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    own = f"{OURS}/{{{{.Group}}}}_{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    return "-strict", "-schema-location", core, "-schema-location", own
