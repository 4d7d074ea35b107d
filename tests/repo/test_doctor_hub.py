"""`tidegate doctor` at a hub: what it asks, what it is refused, and that it writes nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import layout
from generator.repository import Repository
from tests.builders import CLOUD, EDGE, Origin, baseline, fleet
from tests.kubernetes_api import TOKEN, Fake, serving
from tests.repo.test_cli import tidegate
from tests.repo.test_doctor import doctor, states

ARGO = "/apis/argoproj.io/v1alpha1"
NAMESPACE = f"{ARGO}/namespaces/argocd"
APPS, SETS, PROJECTS = (
    f"{NAMESPACE}/{k}" for k in ("applications", "applicationsets", "appprojects")
)
MAPS, SECRETS = (f"/api/v1/namespaces/argocd/{kind}" for kind in ("configmaps", "secrets"))
RUNS = "/apis/apps/v1/namespaces/argocd/statefulsets"
SITES = 20
CANARY = "c2VjcmV0LWJ5dGVz"
FOLDERS = {"ApplicationSet": SETS, "AppProject": PROJECTS, "Application": APPS}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    made = Origin.start(tmp_path_factory.mktemp("hub"), fleet(SITES, clusters=2))
    made.must(baseline(12))
    return made


@pytest.fixture
def hub(origin: Origin) -> Iterator[Fake]:
    """Serve what Argo CD would hold of the fleet."""
    with serving() as fake:
        fake.objects["/version"] = {"gitVersion": "v1.36.1"}
        kinds = [{"name": one} for one in ("applications", "applicationsets", "appprojects")]
        fake.objects[ARGO] = {"resources": kinds}
        for name in ("argocd-cm", "argocd-cmd-params-cm"):
            fake.put(MAPS, metadata={"name": name}, data={})
        labels = {"app.kubernetes.io/name": "argocd-application-controller"}
        container = {"image": "quay.io/argoproj/argocd:v3.5.1", "args": ["/usr/bin/argocd-x"]}
        template = {"spec": {"containers": [container]}}
        metadata = {"name": labels["app.kubernetes.io/name"], "labels": labels}
        fake.put(RUNS, metadata=metadata, spec={"template": template})
        for data in origin.view.under(layout.ARGOCD).values():
            for one in yaml.safe_load_all(data):
                fake.put(FOLDERS[one["kind"]], **one)
        have = Repository(origin.fetch())
        for site in (*have.sites(EDGE), *have.sites(CLOUD)):
            own = {"metadata": {"name": site.cluster}, "data": {"config": CANARY}}
            fake.put(SECRETS, **own)
        for site in have.sites(EDGE):
            _application(fake, site.id, site.cluster)
        yield fake


def _application(fake: Fake, site: str, cluster: str) -> None:
    (made,) = (one for path, one in fake.objects.items() if path.startswith(f"{SETS}/edge"))
    template = made["spec"]["template"]
    fake.put(
        APPS,
        metadata={
            "name": f"{EDGE}-defect-detector-{site}",
            "labels": template["metadata"]["labels"],
        },
        spec={**template["spec"], "destination": {"name": cluster, "namespace": "models"}},
        status={"sync": {"status": "Synced"}, "health": {"status": "Healthy"}},
    )


def look(origin: Origin, fake: Fake, tmp_path: Path, *words: str) -> tuple[int, Any]:
    return doctor(origin, "--kubeconfig", str(fake.kubeconfig(tmp_path)), *words)


def troubles(found: Any) -> dict[str, list[str]]:
    """Name what is not well at the hub."""
    mine = {check: listed for check, listed in found.items() if check[:6] in ("argocd", "cluste")}
    ill = {
        check: [one["state"] for one in listed if one["state"] != "ok"]
        for check, listed in mine.items()
    }
    return {check: listed for check, listed in ill.items() if listed}


def test_a_good_hub_is_well(origin: Origin, hub: Fake, tmp_path: Path) -> None:
    _, found = look(origin, hub, tmp_path, "--lease", "tidegate/reconciler")
    assert troubles(found) == {}
    for check in ("answers", "version", "clock", "rights"):
        assert states(found, f"cluster.{check}") == ["ok"]
    assert found["argocd.version"][0]["message"] == "Argo CD 3.5.1"
    assert found["argocd.applications"][0]["message"] == f"{SITES} Applications, as Git wants"
    assert found["cluster.rights"][0]["where"] == "tester"


def test_nothing_is_written_and_no_secret_is_read(
    origin: Origin, hub: Fake, tmp_path: Path
) -> None:
    before = dict(hub.objects)
    place = ("--repo", origin.clone.url, "--state-dir", str(tmp_path / "state"))
    config = str(hub.kubeconfig(tmp_path))
    _, out, err = tidegate("doctor", *place, "--kubeconfig", config, "--all", "--no-engines")
    assert hub.objects == before
    reviews = {path.rpartition("/")[2] for method, path in hub.calls if method != "GET"}
    assert reviews == {"selfsubjectaccessreviews", "selfsubjectreviews"}
    assert {path for _, path in hub.calls if "secrets" in path} == {SECRETS}
    assert CANARY not in out + err
    assert TOKEN not in out + err


def test_planted_trouble_at_the_hub_is_found(origin: Origin, hub: Fake, tmp_path: Path) -> None:
    hub.objects[f"{MAPS}/argocd-cm"]["data"]["resource.inclusions"] = "- {kinds: [Deployment]}"
    hub.objects[f"{MAPS}/argocd-cmd-params-cm"]["data"]["controller.sync.timeout.seconds"] = "60"
    controller = hub.objects[f"{RUNS}/argocd-application-controller"]
    controller["spec"]["template"]["spec"]["containers"][0]["args"].append("--policy=sync")
    project = hub.objects[f"{PROJECTS}/{EDGE}.s000"]
    deny = {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "namespaces": ["*"]}
    project["spec"]["syncWindows"] = [deny]
    (first, second, third, *_), gone = (
        sorted(path for path in hub.objects if path.startswith(f"{APPS}/{EDGE}")),
        f"{APPS}/tidegate",
    )
    del hub.objects[gone], hub.objects[first]
    hub.objects[second]["spec"]["syncPolicy"] = {}
    hub.objects[third]["status"]["operationState"] = {
        "phase": "Running",
        "startedAt": "2026-01-01T00:00:00Z",
    }
    code, found = look(origin, hub, tmp_path)
    assert code == 1
    assert troubles(found) == {
        "argocd.applications": ["error"],
        "argocd.autosync": ["error"],
        "argocd.hanging": ["warning"],
        "argocd.kinds": ["error"],
        "argocd.policy": ["error"],
        "argocd.retry": ["error"],
        "argocd.root": ["error"],
        "argocd.timeout": ["warning"],
        "argocd.windows": ["error"],
    }
    ill = [
        one for listed in found.values() for one in listed if one["state"] in ("error", "warning")
    ]
    assert all(one["fix"] for one in ill)


@pytest.mark.parametrize(
    ("end", "check"),
    [
        ("/configmaps/argocd-cm", "argocd.settings"),
        ("/configmaps/argocd-cmd-params-cm", "argocd.parameters"),
        ("/appprojects", "argocd.windows"),
        ("/applicationsets", "argocd.sets"),
        ("/statefulsets", "argocd.version"),
        ("/secrets", "argocd.clusters"),
        ("/applications", "argocd.applications"),
    ],
)
def test_what_may_not_be_read_is_not_checked_and_hides_nothing(
    origin: Origin, hub: Fake, tmp_path: Path, end: str, check: str
) -> None:
    hub.fail[end] = 403
    _, found = look(origin, hub, tmp_path)
    assert {state for listed in troubles(found).values() for state in listed} == {"not checked"}
    (one,) = found[check]
    assert (one["state"], "allow" in one["fix"]) == ("not checked", True)
    assert states(found, "cluster.rights") == ["ok"]


def test_a_reconciler_that_may_not_patch_is_an_error(
    origin: Origin, hub: Fake, tmp_path: Path
) -> None:
    hub.denied |= {"patch applications", "update leases"}
    code, found = look(origin, hub, tmp_path, "--lease", "ops/tidegate")
    assert (code, troubles(found)) == (1, {"cluster.rights": ["error"]})
    assert found["cluster.rights"][0]["message"] == (
        "tester may not patch applications.argoproj.io in argocd, "
        "update leases.coordination.k8s.io in ops"
    )


def test_an_api_server_that_is_away_is_named_once(
    origin: Origin, hub: Fake, tmp_path: Path
) -> None:
    config = hub.kubeconfig(tmp_path)
    config.write_text(config.read_text().replace(str(hub.port), "9"))
    code, found = doctor(origin, "--kubeconfig", str(config))
    assert (code, states(found, "cluster.answers")) == (1, ["error"])
    assert {state for listed in troubles(found).values() for state in listed} == {
        "error",
        "not checked",
    }
    assert states(found, "git.push") == ["ok"]
    assert states(found, "installation.python") == ["ok"]


@pytest.mark.parametrize("fault", ["hang", "garbage"])
def test_an_answer_that_never_comes_is_a_finding(
    origin: Origin, hub: Fake, tmp_path: Path, fault: str
) -> None:
    getattr(hub, fault).add(APPS)
    code, found = look(origin, hub, tmp_path)
    assert code == 1
    assert states(found, "argocd.applications") == ["error"]
    assert hub.calls.count(("GET", APPS)) == 1
    assert states(found, "argocd.sets") == ["ok"]
    assert not [one for listed in found.values() for one in listed if "broke" in one["message"]]


def test_a_cluster_without_argo_cd_says_so(origin: Origin, hub: Fake, tmp_path: Path) -> None:
    del hub.objects[ARGO]
    hub.fail["/v1alpha1"] = 404
    _, found = look(origin, hub, tmp_path)
    assert states(found, "argocd.crds") == ["error"]
    assert "--kubeconfig FILE --context NAME" in found["argocd.crds"][0]["fix"]


def test_a_kubeconfig_that_is_not_there_is_a_finding(origin: Origin, tmp_path: Path) -> None:
    code, found = doctor(origin, "--kubeconfig", str(tmp_path / "none"))
    assert (code, states(found, "cluster.answers")) == (1, ["error"])
    assert states(found, "git.push") == ["ok"]


def test_without_a_cluster_argo_cd_is_not_checked(origin: Origin) -> None:
    _, found = doctor(origin)
    assert states(found, "cluster.answers") == ["not checked"]


def test_one_part_alone_can_be_looked_at(origin: Origin) -> None:
    _, found = doctor(origin, "--only", "installation")
    heads = {check.partition(".")[0] for check in found}
    assert heads == {"git", "installation"}
