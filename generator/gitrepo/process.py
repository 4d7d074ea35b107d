"""The one way Git is started: fixed words, own environment, time-out, process group."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from generator.changes import one_line
from generator.errors import InputError, RemoteError, redact

TIMEOUT_S = 120
NO_SETTINGS: Mapping[str, str] = {}
GRACE_S = 2  # for Git to take its lock files away
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "XDG_CONFIG_HOME",
    "LANG",
    "TMPDIR",
)
_KEPT_GIT = (
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_ALLOW_PROTOCOL",
)
_OPTIONS = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.quotePath=false",
    "-c", "core.autocrlf=false",
    "-c", "core.attributesFile=/dev/null",
    "-c", "protocol.ext.allow=never",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "log.showSignature=false",
)  # fmt: skip
# For a clone that may be lost at any time: the remote is the truth, and keeps its own settings.
# A power cut costs one fetch; a search for deltas costs more than the bytes it saves.
_CACHE_OPTIONS = ("-c", "core.fsync=none", "-c", "pack.window=0")
# fast-import and pack-objects take and free a large buffer for every object. With these, glibc
# does not give it back to the kernel each time: half the time of a commit of 10,000 files.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_TOP_PAD_": "16777216"}
_HELPER = re.compile(r"[\w+.-]*::", re.ASCII)


class Git:
    """One repository folder and the way Git is called on it."""

    def __init__(
        self, folder: Path, work_tree: Path | None = None, *, throwaway: bool = False
    ) -> None:
        """Take a bare repository, or the Git folder of a checkout and its work tree.

        A throw-away clone in which a command finds damage loses its HEAD, so that the next
        fetch makes it anew; for the same reason it is not flushed to the disk.
        """
        self.folder = folder
        self._throwaway = throwaway
        self._place = [*(_CACHE_OPTIONS if throwaway else ()), f"--git-dir={folder}"]
        if work_tree is not None:
            self._place += ["-C", str(work_tree), f"--work-tree={work_tree}"]

    def run(
        self, *words: str, stdin: bytes = b"", check: bool = True, timeout_s: float = TIMEOUT_S
    ) -> bytes:
        """Run one Git command and give its output back.

        Raises:
            RemoteError: It failed or took too long.
        """
        code, out, err = self.call(*words, stdin=stdin, timeout_s=timeout_s)
        if check and code != 0:
            if self._throwaway:
                self._look_for_damage()
            raise RemoteError("Git", last_line(err) or f"git {words[0]} ended with {code}")
        return out

    def _look_for_damage(self) -> None:
        code, _, _ = self.call("fsck", "--no-dangling", "--no-reflogs", "--no-progress")
        if code != 0:
            (self.folder / "HEAD").unlink(missing_ok=True)

    def call(
        self,
        *words: str,
        stdin: bytes = b"",
        timeout_s: float = TIMEOUT_S,
        bare: bool = False,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> tuple[int, bytes, bytes]:
        """Run one Git command; give exit code, output and error text back.

        `bare` leaves the repository to Git's own search. `settings` are for this command alone,
        and go through its environment, where no other user of the machine can read them.

        Raises:
            RemoteError: It took too long, or there is no Git.
        """
        command = ["git", *_OPTIONS, *([] if bare else self._place), *words]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**_environment(), **_told(settings)},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise InputError("git is not installed", hint="install Git 2.39 or newer") from error
        with process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                _end_group(process)
                raise RemoteError("Git", f"git {words[0]} took over {timeout_s:g} s") from error
            except BaseException:
                _end_group(process)
                raise
        return process.returncode, out, err


def check_remote(url: str) -> str:
    """Give a remote back when Git cannot take it for an option or a command.

    Raises:
        InputError: It could.
    """
    bad = url.startswith("-") or _HELPER.match(url) or not url.isprintable() or not url
    if bad:
        raise InputError(f"{redact(url)!r} is not a repository URL")
    return url


def check_branch(name: str) -> str:
    """Give a branch name back when it can be nothing else.

    Raises:
        InputError: Git would refuse it or take it for something else.
    """
    parts = name.split("/")
    plain = name.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    good = all(part and part[0].isalnum() and ".." not in part for part in parts)
    if not (good and plain.isalnum() and name.isascii() and len(name) < 200):
        raise InputError(f"{name!r} is not a branch name")
    return name


def _told(settings: Mapping[str, str]) -> Mapping[str, str]:
    found = {"GIT_CONFIG_COUNT": str(len(settings))} if settings else {}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _environment() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in (*_KEPT, *_KEPT_GIT) if name in os.environ}
    fixed = {
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_HTTP_LOW_SPEED_LIMIT": "100",
        "GIT_HTTP_LOW_SPEED_TIME": "30",
    }
    return kept | fixed | _MALLOC


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def last_line(err: bytes) -> str:
    """Give the line of an error text that says why, without credentials."""
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = (told or lines or [""])[0 if told else -1]
    return one_line(redact(line.removeprefix("fatal: ").removeprefix("error: ")), 300)


def refusal(out: bytes, err: bytes) -> str:
    """Say why a push was refused: Git's reason, then what the remote told."""
    told = [
        line.removeprefix("remote: ").strip()
        for line in err.decode("utf-8", "replace").splitlines()
        if line.startswith("remote: ")
    ]
    lines = [line for line in out.decode("utf-8", "replace").splitlines() if line.startswith("!")]
    reason = lines[0].rpartition("\t")[2] if lines else last_line(err) or "it did not stay there"
    return one_line(redact(" ".join([reason, *[line for line in told if line][:3]])), 400)
