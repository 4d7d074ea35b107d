"""What the blueprints and the machine write, read by the real engines."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import blueprints, scaffold
from generator.model.percent import FULL, ZERO, Percent
from generator.model.release import ModelVersion, Release
from generator.model.site import Site
from generator.render import helm, kustomize
from generator.render.helm import Frozen

pytest.importorskip("cookiecutter", reason="not run: cookiecutter (not installed)")

Engine = Callable[[str], str]
Files = Mapping[str, bytes]
MODEL = "defect-detector"
PROFILES = ("cpu", "gpu", "jetson-arm64")
SITE = Site("eu-central-1", "eks-eu-central-1", labels={"line": '3 "a": b'})
POINTER = f"sites/cloud-eks/eu-central-1/{MODEL}"
# Text from a registry: printable, otherwise anything.
REGISTRY_NAME = 'it\'s {{ .Values.site }} "defect": # détecteur'


def a_release(environment: str, number: int) -> Release:
    digest = f"sha256:{number:08x}" + "0" * 56
    version = ModelVersion(
        registry_name=REGISTRY_NAME,
        version=str(number),
        model_id=f"m-{number}",
        run_id=f"r-{number}",
        created_ms=1,
        uri=f"s3://models/{number}/artifacts?",
        digest=digest,
        files=1,
        size_bytes=1,
        asked=f"{MODEL}@champion",
    )
    return Release(
        id=f"v{number}-{number:08x}",
        model=MODEL,
        environment=environment,
        version=version,
        image=f"registry.example.com:5000/models/server:{number}@{digest}",
        config_digest=digest,
        digest=digest,
        source_commit="0" * 40,
    )


def scaffolded(name: str, prefix: str) -> Files:
    files = scaffold.render(blueprints.load(name), {"model": MODEL})
    return {path.removeprefix(prefix): data for path, data in files.items()}


def write(root: Path, files: Files) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def start(command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def run(*command: str, cwd: Path) -> str:
    """Run an engine that has nothing to complain about."""
    done = start(command, cwd)
    assert (done.returncode, done.stderr) == (0, ""), f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fail(*command: str, cwd: Path) -> str:
    done = start(command, cwd)
    assert done.returncode != 0, done.stdout
    return done.stderr + done.stdout


def objects(text: str) -> dict[tuple[str, str], Any]:
    found = [one for one in yaml.safe_load_all(text) if one]
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(named) == len(found), "two objects with one name"
    return named


def check_restricted(deployment: Any) -> None:
    """Hold a Deployment against the restricted profile of the Pod Security Standards, and ours."""
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert not any("hostPort" in port for port in container["ports"])
        assert "metrics" in {port["name"] for port in container["ports"]}
    assert pod["terminationGracePeriodSeconds"] >= 30


def check_pins(deployment: Any, release: Release) -> None:
    """Every pin stands on the pod template, and the container reads it from there."""
    spec = deployment["spec"]
    assert spec["revisionHistoryLimit"] == 0
    assert spec["progressDeadlineSeconds"] == 120
    metadata = spec["template"]["metadata"]
    assert kustomize.pins(release).items() <= metadata["annotations"].items()
    assert metadata["labels"]["tidegate.dev/release"] == release.id
    assert "tidegate.dev/site" in metadata["labels"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == (
        f"registry.example.com:5000/models/server@{release.version.digest}"
    )
    for one in container["env"]:
        if "fieldRef" in one.get("valueFrom", {}):
            kind, _, key = one["valueFrom"]["fieldRef"]["fieldPath"].partition("['")
            assert key.removesuffix("']") in metadata[kind.removeprefix("metadata.")]


# ------------------------------------------------------------------ edge


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out one release and one site per hardware profile."""
    root = tmp_path_factory.mktemp("edge")
    release = a_release("edge-k3s", 13)
    copied = scaffolded("model-edge-k3s", f"models/{MODEL}/")
    frozen = {path.replace("profiles/", "components/"): data for path, data in copied.items()}
    write(root, kustomize.release_files(release, frozen))
    for number, profile in enumerate(PROFILES):
        site = Site(f"plant-{number}", f"k3s-{number}", hardware=profile, labels=SITE.labels)
        write(root, kustomize.pointer("edge-k3s", MODEL, site, release.id, ["line"]))
    return root


@pytest.mark.parametrize(("number", "profile"), tuple(enumerate(PROFILES)))
def test_a_site_builds(edge: Path, engine: Engine, number: int, profile: str) -> None:
    folder = edge / f"sites/edge-k3s/plant-{number}/{MODEL}"
    built = objects(run(engine("kustomize"), "build", ".", cwd=folder))
    assert set(built) == {
        (kind, MODEL) for kind in ("Deployment", "NetworkPolicy", "Service", "ServiceAccount")
    }
    deployment = built["Deployment", MODEL]
    check_restricted(deployment)
    check_pins(deployment, a_release("edge-k3s", 13))
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["tidegate.dev/site"] == f"plant-{number}"
    assert template["metadata"]["annotations"]["tidegate.dev/setting-line"] == SITE.labels["line"]
    # Selectors are immutable: what a release or a site adds must never reach them.
    assert deployment["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": MODEL}}
    assert built["Service", MODEL]["spec"]["selector"] == {"app.kubernetes.io/name": MODEL}


def images_of(built: dict[Any, Any]) -> set[str]:
    pod = built["Deployment", MODEL]["spec"]["template"]["spec"]
    found = {one["image"] for key in ("containers", "initContainers") for one in pod.get(key, [])}
    return found | {one["image"]["reference"] for one in pod["volumes"] if "image" in one}


def test_the_list_of_images_is_what_the_sites_render(tmp_path: Path, engine: Engine) -> None:
    """Each place in which a person can name an image, read by the real engine."""
    other = [f"registry.example.com/tools/{name}@sha256:{name[0] * 64}" for name in "abcdef"]
    copied = dict(scaffolded("model-edge-k3s", f"models/{MODEL}/"))
    copied = {path.replace("profiles/", "components/"): data for path, data in copied.items()}
    pod = copied["base/deployment.yaml"].decode()
    pod = pod.replace(
        "      containers:\n",
        f"      initContainers:\n      - {{name: fetch, image: '{other[0]}'}}\n"
        "      containers:\n      - {name: named, image: stand-in}\n",
    )
    volume = f"      volumes:\n      - name: w\n        image: {{reference: '{other[1]}'}}\n"
    copied["base/deployment.yaml"] = pod.replace("      volumes:\n", volume).encode()
    name, _, digest = other[2].partition("@")
    images = f"images:\n- name: stand-in\n  newName: {name}:7\n  digest: {digest}\n"
    copied["base/kustomization.yaml"] += images.encode()
    operation = [
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"image": other[3]}}
    ]
    texts = (
        yaml.safe_dump(operation).replace("image:", "name: patched\n    image:"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: "
        f"{{containers: [{{name: merged, image: '{other[4]}'}}]}}}}}}\n",
    )
    patches = [{"patch": text, "target": {"kind": "Deployment"}} for text in texts]
    component = yaml.safe_load(copied["components/gpu/kustomization.yaml"])
    component["patches"] += patches
    copied["components/gpu/kustomization.yaml"] = yaml.safe_dump(component).encode()
    release = a_release("edge-k3s", 13)
    write(tmp_path, kustomize.release_files(release, copied))
    folder = f"releases/edge-k3s/{MODEL}/{release.id}"
    built = [
        images_of(objects(run(engine("kustomize"), "build", one, cwd=tmp_path / folder)))
        for one in PROFILES
    ]
    listed = (tmp_path / folder / "images.txt").read_text().splitlines()
    assert set().union(*built) == set(listed)
    assert len(listed) == len(set(listed)) == 6


def test_profiles_choose_the_hardware(edge: Path, engine: Engine) -> None:
    pods = []
    for number in range(len(PROFILES)):
        folder = edge / f"sites/edge-k3s/plant-{number}/{MODEL}"
        built = objects(run(engine("kustomize"), "build", ".", cwd=folder))
        pods.append(built["Deployment", MODEL]["spec"]["template"]["spec"])
    limits = [pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu") for pod in pods]
    assert limits == [None, "1", "1"]
    assert [pod.get("runtimeClassName") for pod in pods] == [None, "nvidia", "nvidia"]
    assert pods[2]["nodeSelector"] == {"kubernetes.io/arch": "arm64"}


# ------------------------------------------------------------------ cloud


def frozen(number: int) -> Frozen:
    release = a_release("cloud-eks", number)
    folder = f"releases/cloud-eks/{MODEL}/{release.id}/"
    files = helm.release_files(release, scaffolded("model-cloud-eks", f"models/{MODEL}/"))
    return Frozen(release, {path.removeprefix(folder): data for path, data in files.items()})


@pytest.fixture(scope="module")
def releases() -> tuple[Frozen, Frozen]:
    """Freeze two releases of one chart."""
    return frozen(12), frozen(13)


@pytest.fixture
def template(tmp_path: Path, engine: Engine) -> Callable[[Files], dict[Any, Any]]:
    """Render a pointer as Argo CD does: the Application's name is the release name."""

    def render(files: Files) -> dict[Any, Any]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        write(root, files)
        name = f"cloud-eks-{MODEL}-eu-central-1"
        command = (engine("helm"), "template", name, ".", "--namespace", "models")
        return objects(run(*command, cwd=root / POINTER))

    return render


def weights(rendered: dict[Any, Any]) -> dict[str, int]:
    (rule,) = rendered["HTTPRoute", MODEL]["spec"]["rules"]
    return {one["name"]: one["weight"] for one in rule["backendRefs"]}


def test_a_stable_release_renders(template: Any, releases: tuple[Frozen, Frozen]) -> None:
    rendered = template(helm.pointer(SITE, releases[0], None, ZERO, ["line"]))
    name = f"{MODEL}-v12-0000000c"
    kinds = (
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    )
    assert set(rendered) == {*((kind, name) for kind in kinds), ("HTTPRoute", MODEL)}
    deployment = rendered["Deployment", name]
    check_restricted(deployment)
    check_pins(deployment, releases[0].release)
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["tidegate.dev/setting-line"] == SITE.labels["line"]
    assert "replicas" not in deployment["spec"]
    assert weights(rendered) == {name: 10_000}


def test_the_route_leads_to_services_that_are_there(
    template: Any, releases: tuple[Frozen, Frozen]
) -> None:
    rendered = template(helm.pointer(SITE, *releases, Percent.of(5)))
    assert weights(rendered) == {f"{MODEL}-v12-0000000c": 9500, f"{MODEL}-v13-0000000d": 500}
    for name in weights(rendered):
        selector = rendered["Service", name]["spec"]["selector"]
        labels = rendered["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
    for frozen in releases:
        name = f"{MODEL}-{frozen.release.id}"
        check_pins(rendered["Deployment", name], frozen.release)


def test_two_releases_share_no_pod(template: Any, releases: tuple[Frozen, Frozen]) -> None:
    rendered = template(helm.pointer(SITE, *releases, Percent.of(5)))
    selectors = [
        tuple(sorted(one["spec"]["selector"].items()))
        for (kind, _), one in rendered.items()
        if kind == "Service"
    ]
    assert len(set(selectors)) == 2


def test_each_release_renders_from_its_own_bytes(
    template: Any, releases: tuple[Frozen, Frozen]
) -> None:
    path = "chart/templates/service.yaml"
    edited = releases[1].files[path].replace(b"port: 80", b"port: 81")
    canary = Frozen(releases[1].release, {**releases[1].files, path: edited})
    rendered = template(helm.pointer(SITE, releases[0], canary, ZERO))
    ports = {
        name: one["spec"]["ports"][0]["port"]
        for (kind, name), one in rendered.items()
        if kind == "Service"
    }
    assert ports == {f"{MODEL}-v12-0000000c": 80, f"{MODEL}-v13-0000000d": 81}


def test_completion_keeps_every_object_of_the_canary(
    template: Any, releases: tuple[Frozen, Frozen]
) -> None:
    stable, canary = releases
    before = template(helm.pointer(SITE, stable, canary, FULL))
    after = template(helm.pointer(SITE, canary, None, ZERO))
    of_canary = {key: one for key, one in before.items() if key[1].endswith(canary.release.id)}
    assert of_canary
    assert {key: one for key, one in after.items() if key[0] != "HTTPRoute"} == of_canary


def test_an_alias_changes_no_object(template: Any, releases: tuple[Frozen, Frozen]) -> None:
    one_way = template(helm.pointer(SITE, *releases, ZERO))
    other_way = template(helm.pointer(SITE, releases[1], releases[0], FULL))
    assert one_way == other_way


def test_without_autoscaling_the_chart_says_how_many(
    template: Any, releases: tuple[Frozen, Frozen]
) -> None:
    path = "chart/values.yaml"
    values = releases[0].files[path].replace(b"enabled: true ", b"enabled: false")
    fixed = Frozen(releases[0].release, {**releases[0].files, path: values})
    rendered = template(helm.pointer(SITE, fixed, None, ZERO))
    assert rendered["Deployment", f"{MODEL}-v12-0000000c"]["spec"]["replicas"] == 2
    assert not any(kind == "HorizontalPodAutoscaler" for kind, _ in rendered)


def chart_values(release: Release) -> dict[str, Any]:
    return {
        "release": release.id,
        "site": "eu-central-1",
        "image": f"registry.example.com/server@{release.digest}",
        "annotations": dict(kustomize.pins(release)),
    }


def test_the_chart_passes_lint(tmp_path: Path, engine: Engine) -> None:
    write(tmp_path, scaffolded("model-cloud-eks", f"models/{MODEL}/"))
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(chart_values(a_release("cloud-eks", 12))))
    run(engine("helm"), "lint", "--strict", "chart", "--values", str(values), cwd=tmp_path)


def test_the_pointer_passes_lint(
    tmp_path: Path, engine: Engine, releases: tuple[Frozen, Frozen]
) -> None:
    write(tmp_path, helm.pointer(SITE, *releases, Percent.of(5)))
    run(engine("helm"), "lint", "--strict", POINTER, cwd=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicas": 3}, "replicas"),
        ({"global": {"image": "x"}}, "global"),
        ({"image": "registry.example.com/server:latest"}, "image"),
        ({"release": "stable"}, "release"),
        ({"autoscaling": {"minReplica": 1}}, "minReplica"),
        ({"resources": {"limits": {"cpu": 1}}}, "cpu"),
        ({"annotations": {"evil.example.com/x": "y"}}, "evil.example.com/x"),
        ({"tolerations": [{"keys": "a"}]}, "keys"),
    ],
)
def test_the_values_are_closed(
    tmp_path: Path, engine: Engine, change: dict[str, Any], message: str
) -> None:
    write(tmp_path, scaffolded("model-cloud-eks", f"models/{MODEL}/"))
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(chart_values(a_release("cloud-eks", 12)) | change))
    command = (engine("helm"), "template", "x", "chart", "--values", str(values))
    said = fail(*command, cwd=tmp_path)
    assert "values don't meet the specifications of the schema" in said
    assert message in said


def test_the_chart_alone_does_not_render(tmp_path: Path, engine: Engine) -> None:
    write(tmp_path, scaffolded("model-cloud-eks", f"models/{MODEL}/"))
    assert "release" in fail(engine("helm"), "template", "x", "chart", cwd=tmp_path)


def test_templates_use_no_name_that_an_alias_changes() -> None:
    for path, data in scaffolded("model-cloud-eks", f"models/{MODEL}/").items():
        for word in (b".Chart", b".Release", b"lookup", b"rand", b"now", b"genCA"):
            assert word not in data, path


def test_an_archive_of_the_pointer_renders_both_releases(
    tmp_path: Path, engine: Engine, template: Any, releases: tuple[Frozen, Frozen]
) -> None:
    """Flux packs the pointer before it renders it, and an archive holds charts by their names."""
    files = helm.pointer(SITE, *releases, Percent.of(5))
    write(tmp_path / "x", files)
    run(engine("helm"), "package", str(tmp_path / "x" / POINTER), "-d", str(tmp_path), cwd=tmp_path)
    command = (engine("helm"), "template", "x", "site-0.0.0.tgz", "--namespace", "models")
    assert objects(run(*command, cwd=tmp_path)) == template(files)
