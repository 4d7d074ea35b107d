"""Where what Git wants, what Argo CD has applied and what a site says it serves are not one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.applied.standing import Standing

NAMED = 10
Line = tuple[str, str]  # environment, model


@dataclass(frozen=True, slots=True, order=True)
class Apart:
    """A site that serves something else than what is applied there.

    Attributes:
        site: Site id.
        serves: Release that its newest series name.
        applied: Release that Argo CD has applied.
        wants: What Git wants, in words.
    """

    site: str
    serves: str
    applied: str
    wants: str

    def __str__(self) -> str:
        """Write it for a person."""
        return (
            f"{self.site} serves {self.serves}, Argo CD has applied {self.applied}, "
            f"Git wants {self.wants}"
        )


@dataclass
class Agreement:
    """Names every disagreement once, for as long as it lasts.

    What a site serves is as old as the newest tick, and Argo CD's word is of now: right after a
    step all sites of that step seem to disagree. So one counts only at a tick that lies after it
    was first seen. What is kept is a cache; a reconciler that starts anew names it again.
    """

    _since: dict[Line, dict[Apart, datetime]] = field(default_factory=dict)
    _named: dict[Line, frozenset[Apart]] = field(default_factory=dict)

    def news(
        self,
        line: Line,
        standings: Mapping[str, Standing],
        serving: Mapping[str, str | None],
        through: datetime,
        now: datetime,
    ) -> tuple[str, ...]:
        """Name the sites that disagree, where that has not been said yet.

        Their predictions count for the release that their own series name, and for no other one;
        so none of them is counted for what Git wants. A site on its way is not named: it may not
        have started the new release yet.

        Args:
            line: Environment and model.
            standings: How each site stands, by site.
            serving: Site to the release that its newest series name; None where they name none.
            through: The tick that `serving` is from.
            now: UTC.
        """
        before = self._since.get(line, {})
        self._since[line] = {one: before.get(one, now) for one in _apart(standings, serving)}
        sure = {one for one, since in self._since[line].items() if since < through}
        fresh = sorted(sure - self._named.get(line, frozenset()))
        self._named[line] = frozenset(sure)
        more = [f"and {len(fresh) - NAMED} more sites"] if len(fresh) > NAMED else []
        return (*map(str, fresh[:NAMED]), *more)


def _apart(standings: Mapping[str, Standing], serving: Mapping[str, str | None]) -> Iterator[Apart]:
    for site, one in standings.items():
        says, applied = serving.get(site), one.applied
        if says and applied and says != applied:
            yield Apart(site, says, applied, " or ".join(sorted(one.wanted.releases)))
