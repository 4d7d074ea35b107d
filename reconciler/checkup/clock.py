"""Clocks: everything tidegate decides hangs on when a sample or a commit was made."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.checkup.finding import Finding, failed, passed, warned

NOTED = timedelta(seconds=5)
WRONG = timedelta(seconds=60)


def skew(check: str, where: str, theirs: datetime, between: tuple[datetime, datetime]) -> Finding:
    """Compare another clock with ours.

    Args:
        check: Id of the finding.
        where: Whose clock.
        theirs: What it said.
        between: Our clock before the question and after the answer.
    """
    before, after = between
    # A clock that is read to the second says the second that has begun.
    off = max(before - theirs - timedelta(seconds=1), theirs - after, timedelta(0))
    ahead = "ahead of" if theirs > after else "behind"
    if off <= NOTED:
        return passed(check, where, "its clock agrees with this machine's")
    text = f"its clock is {off.total_seconds():.0f} s {ahead} this machine's"
    fix = "run chrony or systemd-timesyncd on both: timedatectl set-ntp true"
    return (failed if off > WRONG else warned)(check, where, text, fix)


def commits(where: str, newest: datetime | None, now: datetime) -> Iterator[Finding]:
    """Compare the newest commit with our clock: soak and deadline count from commits."""
    if newest is None:
        return
    ahead = newest - now
    if ahead > WRONG:
        text = f"the newest commit is {ahead.total_seconds():.0f} s in the future"
        fix = "set this machine's clock, or that of whoever committed: timedatectl set-ntp true"
        yield failed("git.clock", where, text, fix)
    else:
        yield passed("git.clock", where, "no commit is from the future")
