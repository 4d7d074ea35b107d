"""The door to MLflow; `generator.registry.versions` states its promises."""

from generator.registry.files import Limits
from generator.registry.session import (
    AbsentError,
    has_credentials,
    load_mlflow,
    open_session,
    quiet,
)
from generator.registry.versions import IMAGE_TAG, RESULT_TAGS, Registry

__all__ = [
    "IMAGE_TAG",
    "RESULT_TAGS",
    "AbsentError",
    "Limits",
    "Registry",
    "has_credentials",
    "load_mlflow",
    "open_session",
    "quiet",
]
