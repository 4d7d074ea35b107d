"""`.tidegate/answers.yaml`: what a repository was made from."""

from collections.abc import Mapping

from generator.documents.reading import Document
from generator.documents.rollout import choice
from generator.model.answers import Answers
from generator.model.environment import Kind
from generator.yamltext import Row, dump

SCALARS = ("image", "registry", "prometheus", "remote", "branch", "interval")


def write_answers(answers: Answers) -> bytes:
    """Write the answers, so that every later command knows what the blueprints were given."""
    return dump(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "Answers",
            "environments": [
                Row(name=name, type=kind.value) for name, kind in answers.environments.items()
            ],
            "models": [Row(name=name, image=answers.image_of(name)) for name in answers.models],
            **{name: getattr(answers, name) for name in SCALARS},
        }
    )


def read_answers(file: str, data: bytes) -> Answers:
    """Read the answers.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    top = document.top("Answers")
    environments: dict[str, Kind] = {}
    for row in top.mappings("environments"):
        name = row.value("name", str, "", required=True)
        if name in environments:
            row.report(f"the environment {name!r} stands here twice", "name")
        environments[name] = row.value("type", choice(Kind), Kind.EDGE, required=True)
        row.close()
    images: dict[str, str] = {}
    for row in top.mappings("models"):
        name = row.value("name", str, "", required=True)
        if name in images:
            row.report(f"the model {name!r} stands here twice", "name")
        images[name] = row.value("image", str, "")
        row.close()
    texts = {name: top.value(name, str, "", required=True) for name in SCALARS}
    top.close()
    return document.finish(lambda: _checked(environments, images, texts))


def _checked(
    environments: Mapping[str, Kind], images: Mapping[str, str], texts: Mapping[str, str]
) -> Answers:
    own = {name: image for name, image in images.items() if image != texts["image"]}
    answers = Answers(environments, tuple(images), own_images=own, **texts)
    answers.check()
    return answers
