"""`python -m reconciler`: the loop alone, for a container; it knows no command line library.

The environment says what the options do not:

    TIDEGATE_REPO            URL of the fleet repository (--repo)
    TIDEGATE_LISTEN          HOST:PORT for /healthz, /readyz and /metrics; a port alone is on
                             loopback; nothing listens without it (--listen)
    TIDEGATE_EVERY_SECONDS   from the start of a pass to the start of the next; 60
    TIDEGATE_STATE_DIR       where the bare clone is kept; it may be deleted at any time
    TIDEGATE_ALLOW_ORIGINS   metrics APIs that Git may name, separated by blanks
    TIDEGATE_TOKEN_FILES     ORIGIN=FILE with a bearer token for it, separated by blanks
    TIDEGATE_KUBECONFIG      kubeconfig of the hub, or in-cluster for the pod's own service account;
                             without it nobody looks at Argo CD
    TIDEGATE_ARGOCD_NAMESPACE  where Argo CD lives; argocd
    TIDEGATE_LEASE           NAMESPACE/NAME of a Lease, so that of several reconcilers one works
    TIDEGATE_FORGE_TOKEN     for the forge that tidegate.yaml names: rollouts are told of in their
                             pull requests; for an App of GitHub TIDEGATE_FORGE_APP and
                             TIDEGATE_FORGE_APP_KEY, a file
    TIDEGATE_FORGE_URL       the forge that the token is for, if it is not the public one

Git finds its credentials as it always does (HOME, GIT_CONFIG_GLOBAL, GIT_ASKPASS, GIT_SSH_COMMAND).
Standard output is the log, one JSON object a line. With --once it makes one pass and ends: 0 all
went well, 1 it did not, 6 somebody else was faster every time, 70 a bug.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from generator.errors import InputError, TidegateError
from generator.forge import Secrets
from generator.gitrepo.bare import Bare
from generator.zones import zone
from reconciler.cluster import Hub
from reconciler.exporter import Exporter, serve
from reconciler.following import Following
from reconciler.loop import Loop
from reconciler.outlook import Memory
from reconciler.wiring import BareRemote, Origins, calm_collector, hub_api, lease, origin_of


def main(words: Sequence[str] | None = None) -> int:
    """Run until a signal, or once; 1 when the configuration is wrong."""
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m reconciler", None, __doc__, formatter_class=described
    )
    parser.add_argument("--repo", default=os.environ.get("TIDEGATE_REPO", ""), metavar="URL")
    parser.add_argument("--once", action="store_true", help="one pass, then stop")
    listen = os.environ.get("TIDEGATE_LISTEN", "")
    parser.add_argument("--listen", default=listen, metavar="HOST:PORT", help="answer probes there")
    told = parser.parse_args(words)
    try:
        loop = _wire(told.repo)
        if told.listen and not told.once:
            loop.watch = exporter = Exporter(loop.every_s, datetime.now(UTC))
            loop.say(f"listens on {serve(exporter, told.listen)}")
    except TidegateError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 (the only output before the log)
        return 1
    calm_collector()
    return loop.run(once=told.once)


def _wire(repo: str) -> Loop:
    if not repo:
        raise InputError("no repository is named", hint="--repo URL or TIDEGATE_REPO")
    folder = os.environ.get("TIDEGATE_STATE_DIR") or tempfile.mkdtemp(prefix="tidegate-")
    name = hashlib.sha256(repo.encode()).hexdigest()[:16]
    remote = BareRemote(Bare(Path(folder) / f"{name}.git", repo))
    allowed = _allowed()
    origins = Origins(allowed, loopback=repo.startswith(("file://", "/")))
    secrets = [token for token in allowed.values() if token]
    forge, memory = _forge(), Memory(zones=zone)
    hidden = [*secrets, forge.token]
    loop = Loop(remote, origins.connect, _every(), _log, memory, secrets=hidden)
    loop.teller = remote.post(forge)
    kubeconfig = os.environ.get("TIDEGATE_KUBECONFIG", "")
    place = os.environ.get("TIDEGATE_LEASE", "")
    if kubeconfig:
        api = hub_api(kubeconfig)
        loop.follower = Following(Hub(api, os.environ.get("TIDEGATE_ARGOCD_NAMESPACE", "argocd")))
        loop.lease = lease(api, place, loop.every_s) if place else None
    elif place:
        raise InputError("TIDEGATE_LEASE needs a cluster", hint="set TIDEGATE_KUBECONFIG, too")
    return loop


def _forge() -> Secrets:
    words = (
        os.environ.get(f"TIDEGATE_FORGE_{name}", "") for name in ("URL", "TOKEN", "APP", "APP_KEY")
    )
    url, token, client, file = words
    return Secrets(url, token.strip(), client, _token(file) if file else "")


def _every() -> float:
    text = os.environ.get("TIDEGATE_EVERY_SECONDS", "60")
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise InputError(f"TIDEGATE_EVERY_SECONDS={text!r}: write whole seconds, such as 60")
    return float(text)


def _allowed() -> dict[str, str]:
    texts = os.environ.get("TIDEGATE_ALLOW_ORIGINS", "").split()
    allowed = dict.fromkeys((origin_of(text) for text in texts), "")
    for pair in os.environ.get("TIDEGATE_TOKEN_FILES", "").split():
        origin, equals, file = pair.rpartition("=")
        if not equals:
            raise InputError("TIDEGATE_TOKEN_FILES: write ORIGIN=FILE, separated by blanks")
        allowed[origin_of(origin)] = _token(file)
    return allowed


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the token cannot be read", file=file) from error


def _log(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the log is standard output)


if __name__ == "__main__":
    sys.exit(main())
