"""One commit goes to a branch that is there already, as a fast-forward, and is looked up there."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from generator.errors import ConflictError, InputError, RemoteError, redact
from generator.gitrepo.process import Git, check_branch, check_remote, last_line, refusal


@dataclass(frozen=True, slots=True)
class Target:
    """Where a branch lies.

    Attributes:
        url: A remote, or the name of one.
        user: Name beside the token; "" leaves credentials to Git.
        token: For this URL and nothing else.
    """

    url: str
    user: str = ""
    token: str = field(default="", repr=False)

    def settings(self) -> Mapping[str, str]:
        """Give Git the token for this one URL, so that no redirect takes it elsewhere."""
        if not self.token:
            return {}
        pair = b64encode(f"{self.user}:{self.token}".encode()).decode()
        scope = f"http.{self.url}"
        return {
            f"{scope}.extraHeader": f"Authorization: Basic {pair}",
            "http.followRedirects": "false",
            "credential.helper": "",
        }


def send(git: Git, target: Target, commit: str, branch: str) -> None:
    """Push one commit and read the branch back.

    Raises:
        ConflictError: Somebody else has pushed to the branch meanwhile.
        InputError: The remote does not take the push.
        RemoteError: The remote does not answer.
    """
    name = f"refs/heads/{check_branch(branch)}"
    url, settings = check_remote(target.url), target.settings()
    words = ("push", "--porcelain", "--end-of-options", url, f"{commit}:{name}")
    code, out, err = git.call(*words, settings=settings)
    asked = ("ls-remote", "--end-of-options", url, name)
    answer, there, why = git.call(*asked, settings=settings)
    if answer != 0:
        if code != 0:
            raise InputError(f"the push to {branch} was refused: {refusal(out, err)}")
        raise RemoteError("Git", last_line(why), endpoint=redact(url))
    if there.decode("ascii", "replace").partition("\t")[0].strip() == commit:
        return
    if "[rejected]" in refusal(out, err):
        raise ConflictError(f"somebody else has pushed to {branch}: that commit is judged instead")
    raise InputError(f"the push to {branch} was refused: {refusal(out, err)}")
