"""Build a commit beside all branches, with one process and no index."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from generator.changes import ChangeSet
from generator.errors import InputError
from generator.gitrepo.process import Git

_NOWHERE = "refs/tidegate/nowhere"


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands as author and committer."""

    name: str
    mail: str

    def __str__(self) -> str:
        """Write `Name <mail>`."""
        return f"{self.name} <{self.mail}>"


# Who commits where no person does; nobody is called so on purpose.
BOT = Person("tidegate", "tidegate@localhost")


def person_of(git: Git) -> Person:
    """Say who works here, by Git's own rules.

    Raises:
        InputError: Git does not know.
    """
    # Without this Git makes up an address from the name of the machine, where it can.
    code, out, _ = git.call("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    name, _, rest = out.decode("utf-8", "replace").strip().partition(" <")
    if code != 0 or not name:
        hint = 'git config --global user.name "..." and user.email'
        raise InputError("Git does not know who you are", hint=hint)
    return Person(name, rest.partition(">")[0])


def build(git: Git, change: ChangeSet, person: Person, now: datetime, *, beside: str = "") -> str:
    """Write the commit of a change set under no reference, and give its id.

    Args:
        git: Where it is written.
        change: The files on one base.
        person: Author and committer.
        now: UTC.
        beside: A second parent, of which nothing is taken but its place in the history.

    Raises:
        RemoteError: Git could not write (disk full, broken repository).
    """
    stream = b"".join(_stream(change, person, now, beside))
    out = git.run("fast-import", "--quiet", "--force", "--done", "--date-format=raw", stdin=stream)
    return out.decode().strip()


def _stream(change: ChangeSet, person: Person, now: datetime, beside: str) -> Iterable[bytes]:
    who = f"{person} {int(now.timestamp())} +0000"
    message = change.message().encode()
    yield f"commit {_NOWHERE}\nmark :1\nauthor {who}\ncommitter {who}\n".encode()
    yield b"data %d\n%s\n" % (len(message), message)
    if change.base:
        yield f"from {change.base}\n".encode()
    if beside:
        yield f"merge {beside}\n".encode()
    for path, data in sorted(change.files.items()):
        name = _quote(path)
        if data is None:
            yield b"D %s\n" % name
        else:
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(data), data)
    # The reset forgets the branch before it is written, so a kill leaves no reference behind.
    yield f"\nget-mark :1\nreset {_NOWHERE}\n\ndone\n".encode()


def _quote(path: str) -> bytes:
    if "\0" in path:
        raise ValueError(f"{path!r} is not a path")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode("utf-8", "surrogateescape")
