"""The door to the API server: what it reads, what it writes, and how it fails."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from generator.errors import InputError, RemoteError
from reconciler.applied import Application, Nudges
from reconciler.cluster import Api, Conflict, Hub, Lease, connect
from reconciler.cluster import api as door
from tests.builders import NOW
from tests.kubernetes_api import TOKEN, Fake, serving

APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
SETS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/tidegate/leases"
REFRESH = "argocd.argoproj.io/refresh"


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as found:
        yield found


@pytest.fixture
def api(fake: Fake, tmp_path: Path) -> Api:
    return connect(fake.kubeconfig(tmp_path))


def app(fake: Fake, name: str, **status: Any) -> dict[str, Any]:
    sync = {"status": "Synced", "revision": "c" * 40}
    status = {"sync": sync, "health": {"status": "Healthy"}, **status}
    return fake.put(APPS, metadata={"name": name}, status=status, spec={})


def test_rows_come_in_pages_of_500(fake: Fake, api: Api) -> None:
    for number in range(1_201):
        app(fake, f"a-{number:04d}")
    rows = Hub(api).rows()
    assert len(rows) == 1_201
    assert rows["a-0007"] == ("Synced", "Healthy", "c" * 40)
    assert fake.calls == [("GET", APPS)] * 3


def test_few_are_read_one_by_one_and_many_as_a_list(fake: Fake, api: Api) -> None:
    for number in range(150):
        app(fake, f"a-{number:04d}")
    hub = Hub(api)
    few = hub.read({"a-0001", "gone-app"})
    version = fake.objects[f"{APPS}/a-0001"]["metadata"]["resourceVersion"]
    good = Application("a-0001", "Synced", "Healthy", "c" * 40, version=version)
    assert few == {"a-0001": good}
    assert ("GET", f"{APPS}/a-0001") in fake.calls
    fake.calls.clear()
    assert len(hub.read({f"a-{number:04d}" for number in range(149)})) == 149
    assert fake.calls == [("GET", APPS)]


def test_a_refresh_is_one_annotation(fake: Fake, api: Api) -> None:
    app(fake, "one")
    assert Hub(api).nudge(Nudges(refresh=("one",)), "m") == {}
    assert fake.objects[f"{APPS}/one"]["metadata"]["annotations"] == {REFRESH: "normal"}


def test_only_a_running_sync_is_ended(fake: Fake, api: Api) -> None:
    app(fake, "running", operationState={"phase": "Running"})
    app(fake, "done", operationState={"phase": "Succeeded"})
    app(fake, "new")
    known = Hub(api).read(["running", "done", "new"])
    ends = {name: one.version for name, one in known.items()}
    assert Hub(api).nudge(Nudges(end=ends), "m") == {}
    phases = [
        fake.objects[f"{APPS}/{n}"]["status"].get("operationState")
        for n in ("running", "done", "new")
    ]
    assert phases == [{"phase": "Terminating"}, {"phase": "Succeeded"}, None]


def test_a_sync_that_has_turned_to_another_commit_since_is_not_ended(fake: Fake, api: Api) -> None:
    one = app(fake, "turned", operationState={"phase": "Running", "retryCount": 1})
    seen = Hub(api).read(["turned"])["turned"]
    one["status"]["operationState"]["retryCount"] = 2
    one["metadata"]["resourceVersion"] = "later"
    assert Hub(api).nudge(Nudges(end={"turned": seen.version}), "m") == {}
    assert one["status"]["operationState"]["phase"] == "Running"


def test_a_kick_starts_the_sync_that_argo_cd_would(fake: Fake, api: Api) -> None:
    one = app(fake, "late", operationState={"phase": "Failed"})
    retry = {"limit": -1, "refresh": True}
    options = ["CreateNamespace=true", "ServerSideApply=true"]
    one["spec"] = {
        "syncPolicy": {"automated": {"prune": True}, "retry": retry, "syncOptions": options}
    }
    assert Hub(api).nudge(Nudges(kick=("late",)), "m") == {}
    started = fake.objects[f"{APPS}/late"]["operation"]
    assert started["sync"] == {"prune": True, "syncOptions": options}
    assert started["retry"] == retry
    assert started["initiatedBy"] == {"username": "tidegate"}


def test_a_kick_leaves_alone_what_has_changed_meanwhile(fake: Fake, api: Api) -> None:
    one = app(fake, "late", operationState={"phase": "Failed"})

    def change(method: str, path: str) -> None:
        one["metadata"]["resourceVersion"] = "someone else"

    fake.before = change
    assert Hub(api).nudge(Nudges(kick=("late",)), "m") == {}
    assert "operation" not in fake.objects[f"{APPS}/late"]
    fake.before = None
    one["operation"] = {"sync": {}}
    assert Hub(api).nudge(Nudges(kick=("late",)), "m") == {}
    assert fake.objects[f"{APPS}/late"]["operation"] == {"sync": {}}


def test_a_set_is_woken_by_a_value_of_its_own(fake: Fake, api: Api) -> None:
    fake.put(SETS, metadata={"name": "edge.eu.m"})
    Hub(api).nudge(Nudges(wake=("edge.eu.m",)), "abc-17")
    annotations = fake.objects[f"{SETS}/edge.eu.m"]["metadata"]["annotations"]
    assert annotations == {"argocd.argoproj.io/application-set-refresh": "abc-17"}


def test_one_that_cannot_be_nudged_does_not_keep_the_others(fake: Fake, api: Api) -> None:
    for name in ("one", "two", "three"):
        app(fake, name)
    fake.fail["/two"] = 403
    failed = Hub(api).nudge(Nudges(refresh=("one", "two", "three", "gone")), "m")
    assert set(failed) == {"two"}
    assert "not permitted" in failed["two"]
    assert REFRESH in fake.objects[f"{APPS}/three"]["metadata"]["annotations"]


def test_a_name_cannot_leave_its_folder(api: Api, fake: Fake) -> None:
    failed = Hub(api).nudge(Nudges(refresh=("../../secrets/x", "a?b", "")), "m")
    assert set(failed) == {"../../secrets/x", "a?b", ""}
    assert fake.calls == []


# ------------------------------------------------------------------ trouble


@pytest.mark.parametrize(
    ("code", "word"), [(401, "credentials"), (403, "not permitted"), (500, "status 500")]
)
def test_a_refusal_says_what_was_asked(fake: Fake, api: Api, code: int, word: str) -> None:
    fake.fail["applications"] = code
    with pytest.raises(RemoteError, match=word) as caught:
        Hub(api).rows()
    text = str(caught.value)
    assert f"Kubernetes at http://127.0.0.1:{fake.port}: GET {APPS}: " in text
    assert TOKEN not in text
    assert text.isprintable()


def test_an_answer_that_is_no_json_is_refused(fake: Fake, api: Api) -> None:
    fake.garbage.add(APPS)
    with pytest.raises(RemoteError, match="not a JSON object"):
        Hub(api).rows()


def test_no_call_outlives_its_time(fake: Fake, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    app(fake, "one")
    quick = Api(api._client, api._urllib3, read_s=0.3, total_s=0.6)
    fake.hang.add(APPS)
    with pytest.raises(RemoteError, match="timed out"):
        Hub(quick).rows()
    fake.hang.clear()
    fake.trickle.add(APPS)
    with pytest.raises(RemoteError, match="longer than"):
        Hub(quick).rows()


def test_no_server_is_said(api: Api, tmp_path: Path) -> None:
    with serving() as gone:
        found = connect(gone.kubeconfig(tmp_path))
    with pytest.raises(RemoteError, match="refused"):
        Hub(found).rows()


def test_an_answer_is_read_to_a_cap(fake: Fake, api: Api) -> None:
    app(fake, "one", note="x" * 200_000)
    small = Api(api._client, api._urllib3, body_bytes=100_000)
    with pytest.raises(RemoteError, match="longer than"):
        Hub(small).read({"one"})


@pytest.mark.parametrize("text", ["", "{", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InputError, match=r"config: no cluster: .*; name a kubeconfig"):
        connect(file)


def test_outside_of_a_pod_there_is_no_service_account() -> None:
    with pytest.raises(InputError, match="no cluster"):
        connect()


# ------------------------------------------------------------------ the lease


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(api: Api, holder: str, clock: Clock) -> Lease:
    return Lease(api, ("tidegate", "reconciler"), holder, 60, clock)


def test_one_holds_and_the_other_waits(fake: Fake, api: Api) -> None:
    clock = Clock()
    one, two = lease(api, "one", clock), lease(api, "two", clock)
    assert (one.hold(NOW), two.hold(NOW), one.hold(NOW)) == ("one", "one", "one")
    spec = fake.objects[f"{LEASES}/reconciler"]["spec"]
    assert spec["leaseDurationSeconds"] == 60
    assert spec["acquireTime"] == spec["renewTime"] == "2026-11-20T08:00:00.000000Z"


def test_a_silent_holder_loses_it_by_the_clock_of_who_waits(fake: Fake, api: Api) -> None:
    clock = Clock()
    one, two = lease(api, "one", clock), lease(api, "two", clock)
    one.hold(NOW)
    assert two.hold(NOW) == "one"
    clock.now += 59
    one.hold(NOW + timedelta(seconds=59))
    assert two.hold(NOW) == "one"
    clock.now += 59
    assert two.hold(NOW) == "one"
    clock.now += 2
    assert two.hold(NOW) == "two"
    assert one.hold(NOW) == "two"
    assert fake.objects[f"{LEASES}/reconciler"]["spec"]["leaseTransitions"] == 1


def test_who_ends_lets_go(fake: Fake, api: Api) -> None:
    clock = Clock()
    one, two = lease(api, "one", clock), lease(api, "two", clock)
    one.hold(NOW)
    two.release()
    assert two.hold(NOW) == "one"
    one.release()
    assert two.hold(NOW) == "two"


def test_a_lost_race_for_it_names_the_winner(fake: Fake, api: Api) -> None:
    one = lease(api, "one", Clock())

    def race(method: str, path: str) -> None:
        fake.before = None
        fake.put(LEASES, metadata={"name": "reconciler"}, spec={"holderIdentity": "two"})

    fake.before = race
    assert one.hold(NOW) == "two"


def test_creating_twice_is_a_conflict(fake: Fake, api: Api) -> None:
    api.create(LEASES, {"metadata": {"name": "x"}})
    with pytest.raises(Conflict):
        api.create(LEASES, {"metadata": {"name": "x"}})


def test_time_outs_are_set_for_every_call() -> None:
    assert (door.CONNECT_S, door.READ_S, door.TOTAL_S) == (5.0, 10.0, 60.0)
