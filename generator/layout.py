"""Every path of the generated repository, as text relative to its root."""

RepoPath = str  # POSIX, never absolute, never with ".."

CONFIG = "tidegate.yaml"
REJECTED = "rejected.yaml"
ANSWERS = ".tidegate/answers.yaml"
LOCK = ".tidegate/lock.yaml"
PRISTINE = ".tidegate/pristine"
ENVIRONMENTS = "environments"
MODELS = "models"
ROLLOUTS = "rollouts"
RELEASES = "releases"
SITES = "sites"
EVIDENCE = "evidence"
ARGOCD = "argocd"
FLUX = "flux"
MONITORING = "monitoring"
RECONCILER = "reconciler"


def pristine(path: RepoPath) -> RepoPath:
    """Locate the copy of a file as its blueprint wrote it."""
    return f"{PRISTINE}/{path}"


def environment(env: str) -> RepoPath:
    """Locate the settings of an environment."""
    return f"{ENVIRONMENTS}/{env}/environment.yaml"


def shards(env: str) -> RepoPath:
    """Locate the folder of an environment's site files."""
    return f"{ENVIRONMENTS}/{env}/sites"


def shard(env: str, stem: str) -> RepoPath:
    """Locate one site file."""
    return f"{shards(env)}/{stem}.yaml"


def model(name: str) -> RepoPath:
    """Locate the settings of a model."""
    return f"{MODELS}/{name}/model.yaml"


def base(name: str) -> RepoPath:
    """Locate the Kustomize base of a model."""
    return f"{MODELS}/{name}/base"


def profiles(name: str) -> RepoPath:
    """Locate the hardware profiles (Kustomize Components) of a model."""
    return f"{MODELS}/{name}/profiles"


def chart(name: str) -> RepoPath:
    """Locate the Helm chart of a model."""
    return f"{MODELS}/{name}/chart"


def rollout(env: str, name: str) -> RepoPath:
    """Locate the file a release manager edits."""
    return f"{ROLLOUTS}/{env}/{name}.yaml"


def cohort(env: str, name: str) -> RepoPath:
    """Locate the frozen draw of the latest rollout."""
    return f"{ROLLOUTS}/{env}/{name}.cohort.yaml"


def release(env: str, name: str, release_id: str) -> RepoPath:
    """Locate the folder of one release."""
    return f"{RELEASES}/{env}/{name}/{release_id}"


def release_file(env: str, name: str, release_id: str) -> RepoPath:
    """Locate the pins of one release."""
    return f"{release(env, name, release_id)}/release.yaml"


def site(env: str, site_id: str) -> RepoPath:
    """Locate the folder of one site."""
    return f"{SITES}/{env}/{site_id}"


def pointer(env: str, site_id: str, name: str) -> RepoPath:
    """Locate the folder that Argo CD applies for one model on one site."""
    return f"{site(env, site_id)}/{name}"


def watched(env: str) -> RepoPath:
    """Locate what watches one environment: rules, their tests, the settings of its agents."""
    return f"{MONITORING}/fleet/{env}"


def rules(env: str, name: str) -> RepoPath:
    """Locate the recording and alert rules of one model."""
    return f"{watched(env)}/rules/{name}.yaml"


def rule_tests(env: str, name: str) -> RepoPath:
    """Locate what promtool checks the rules of one model with."""
    return f"{watched(env)}/tests/{name}.yaml"


def dashboard(name: str) -> RepoPath:
    """Locate one Grafana dashboard."""
    return f"{MONITORING}/dashboards/{name}.json"


def evidence(env: str, name: str, rollout_id: str) -> RepoPath:
    """Locate the folder with the evidence of one rollout."""
    return f"{EVIDENCE}/{env}/{name}/{rollout_id}"


def evidence_file(env: str, name: str, rollout_id: str, number: int, decision: str) -> RepoPath:
    """Locate one decision's evidence; the recording beside it ends in `.ndjson.gz`."""
    return f"{evidence(env, name, rollout_id)}/{number:04d}-{decision}.json"


def recording(evidence_path: RepoPath) -> RepoPath:
    """Locate the recording that belongs to an evidence file."""
    return evidence_path.removesuffix(".json") + ".ndjson.gz"
