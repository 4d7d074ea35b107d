"""`tidegate reconcile`."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidegate.forges import with_forge
from tidegate.place import bare_clone, is_local, read_now

if TYPE_CHECKING:
    from generator.forge import Secrets
    from generator.repository import Repository
    from reconciler.cluster import Lease
    from reconciler.following import Following
    from reconciler.loop import Done
    from reconciler.post import Post


@click.command
@click.option("--repo", required=True, metavar="URL", help="The fleet repository.")
@click.option("--once", is_flag=True, help="One pass, then stop.")
@click.option("--now", default="", metavar="RFC3339", help="Pretend it is then (file:// only).")
@click.option("--every", default=60.0, show_default=True, help="Seconds between passes.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A metrics API that Git may name; loopback ones are allowed with a file:// remote.",
)
@click.option(
    "--token-file",
    "tokens",
    multiple=True,
    metavar="ORIGIN=FILE",
    help="Bearer token for one origin.",
)
@click.option(
    "--listen",
    default="",
    envvar="TIDEGATE_LISTEN",
    metavar="HOST:PORT",
    help="Answer /healthz, /readyz, /metrics there; a port alone is on loopback.",
)
@click.option(
    "--state-dir",
    default=Path(click.get_app_dir("tidegate")),
    type=click.Path(path_type=Path),
    envvar="TIDEGATE_STATE_DIR",
    help="Where the bare clone is kept; may be deleted at any time.",
)
@click.option(
    "--kubeconfig",
    default="",
    metavar="FILE",
    help="The hub's API server: watch Argo CD and help it along; in-cluster for a pod's own.",
)
@click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--argocd-namespace",
    default="argocd",
    show_default=True,
    metavar="NAME",
    help="Where Argo CD lives.",
)
@click.option(
    "--lease",
    default="",
    metavar="NAMESPACE/NAME",
    help="A Lease on the hub, so that of several reconcilers one works.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document (with --once).")
@click.option("--exit-code", is_flag=True, help="3 nothing changed, 4 held, 5 reverted.")
@with_forge
def reconcile(
    repo: str,
    once: bool,  # noqa: FBT001 (click passes it by name)
    now: str,
    every: float,
    origins: tuple[str, ...],
    tokens: tuple[str, ...],
    listen: str,
    state_dir: Path,
    kubeconfig: str,
    context: str,
    argocd_namespace: str,
    lease: str,
    as_json: bool,  # noqa: FBT001 (click passes it by name)
    exit_code: bool,  # noqa: FBT001 (click passes it by name)
    secrets: "Callable[[], Secrets]",
) -> None:
    """Look at every rollout: advance it, revert it, or say what it waits for.

    Everything it must remember is in Git; any number of reconcilers may run at once, and one may
    be killed at any moment.

    Where tidegate.yaml names a forge and TIDEGATE_FORGE_TOKEN is set (for a forge of your own
    TIDEGATE_FORGE_URL, too), each rollout is told of in the pull request that it came from.

    \b
    tidegate reconcile --repo https://git.example/fleet.git --allow-origin http://prometheus:9090
    tidegate reconcile --repo file:///srv/fleet.git --once --now 2026-11-20T08:05:00Z
    tidegate reconcile --repo https://git.example/fleet.git --kubeconfig ~/.kube/hub --once
    """
    from generator.zones import zone
    from reconciler import loop
    from reconciler.guard import Guard
    from reconciler.outlook import Memory
    from reconciler.wiring import BareRemote, Origins, calm_collector

    _check(now, repo, once=once, follows=bool(kubeconfig), lease=lease)
    allowed = allowed_origins(origins, tokens)
    calm_collector()
    remote = BareRemote(bare_clone(repo, state_dir))
    connect = Origins(allowed, is_local(repo)).connect
    follower, turns = _follow(kubeconfig, context, argocd_namespace, lease, every)
    if not once:
        forge, memory = secrets(), Memory(zones=zone)
        hidden = [token for token in (*allowed.values(), forge.token) if token]
        teller = remote.post(forge)
        endless = loop.Loop(
            remote, connect, every, click.echo, memory, secrets=hidden, teller=teller
        )
        endless.follower, endless.lease = follower, turns
        _run(endless, listen)
        return
    at = read_now(now)
    guard = Guard(remote)
    done = loop.once(guard, connect, at, Memory(zones=zone), follower=follower)
    if follower:
        _settle(follower, done)
    _print(done, as_json=as_json)
    if guard.newest:
        _tell(remote.post(secrets()), guard.newest, done, at, follower)
    sys.exit(_code(done, told=exit_code))


def _check(now: str, repo: str, *, once: bool, follows: bool, lease: str) -> None:
    from generator.errors import InputError

    if lease and (once or not follows):
        raise InputError("--lease goes with --kubeconfig and without --once")
    if now and not is_local(repo):
        raise InputError("--now is only for local remotes (file://), for tests and replays")
    if now and not once:
        raise InputError("--now goes with --once")


def _tell(
    post: "Post",
    repository: "Repository",
    done: "tuple[Done, ...]",
    now: datetime,
    follower: "Following | None",
) -> None:
    """Tell of the pass in pull requests; what cannot be told is a warning."""
    from reconciler import loop

    view = follower.view if follower else None
    said = post.tell(repository, done, now, view)
    for text in (*said, *post.finish(loop.TELL_S)):
        click.echo(f"warning: {text}", err=True)


def _print(done: "tuple[Done, ...]", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_data(one) for one in done], indent=2))
        return
    for one in done:
        click.echo(one.say())


def _follow(
    kubeconfig: str, context: str, namespace: str, place: str, every: float
) -> "tuple[Following | None, Lease | None]":
    from reconciler.cluster import Hub
    from reconciler.following import Following
    from reconciler.wiring import hub_api, lease

    if not kubeconfig:
        return None, None
    api = hub_api(kubeconfig, context)
    return Following(Hub(api, namespace)), lease(api, place, every) if place else None


def _settle(follower: "Following", done: "tuple[Done, ...]") -> None:
    """Help Argo CD along after a commit, and say how the sites stand."""
    from reconciler import loop

    if any(one.commit for one in done):
        loop.settle(follower, time.sleep, loop.SETTLE_S, lambda _: None)
    for text in (*follower.view.say(), *follower.view.troubles):
        click.echo(text, err=True)


def _run(endless: object, address: str) -> None:
    from reconciler.exporter import Exporter, serve
    from reconciler.loop import Loop

    assert isinstance(endless, Loop)  # noqa: S101 (the type is only known lazily)
    if address:
        endless.watch = exporter = Exporter(endless.every_s, read_now(""))
        endless.say(f"listens on {serve(exporter, address)}")
    endless.run()


def allowed_origins(origins: tuple[str, ...], tokens: tuple[str, ...]) -> dict[str, str]:
    """Read which metrics APIs may be asked, and with which token."""
    from reconciler.wiring import origin_of

    return dict.fromkeys((origin_of(text) for text in origins), "") | dict(map(_token, tokens))


def _token(text: str) -> tuple[str, str]:
    from generator.errors import InputError
    from reconciler.wiring import origin_of

    origin, equals, file = text.rpartition("=")
    if not equals:
        raise InputError(f"--token-file {text!r}: write ORIGIN=FILE")
    try:
        return origin_of(origin), Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the token cannot be read", file=file) from error


def _data(one: object) -> dict[str, object]:
    from reconciler.loop import Done, say_decision

    assert isinstance(one, Done)  # noqa: S101 (the type is only known lazily)
    return {
        "environment": one.passed.environment,
        "model": one.passed.model,
        "decision": type(one.passed.decision).__name__ if one.passed.decision else None,
        "text": say_decision(one.passed.decision),
        "commit": one.commit or None,
        "subject": one.passed.change.subject if one.passed.change and one.commit else None,
        "trouble": one.trouble or None,
    }


def _code(done: object, *, told: bool) -> int:
    from generator.errors import ExitCode
    from reconciler.loop import Done
    from reconciler.policy import Escalate, Hold, Revert

    assert isinstance(done, tuple)  # noqa: S101 (the type is only known lazily)
    passes: tuple[Done, ...] = done
    trouble = _trouble(passes)
    if trouble or not told:
        return trouble
    if any(one.commit and isinstance(one.passed.decision, Revert) for one in passes):
        return ExitCode.REVERTED
    if any(one.commit for one in passes):
        return ExitCode.DONE
    held = any(isinstance(one.passed.decision, Hold | Escalate) for one in passes)
    return ExitCode.HELD if held else ExitCode.NOTHING_CHANGED


def _trouble(done: object) -> int:
    """Give the code of the worst trouble, 0 for none, and show every bug."""
    from reconciler.loop import Done, exit_code

    assert isinstance(done, tuple)  # noqa: S101 (the type is only known lazily)
    passes: tuple[Done, ...] = done
    for one in passes:
        if one.bug:
            traceback.print_exception(one.bug)
    return exit_code(passes)
