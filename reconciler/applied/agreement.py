"""Where what Git wants, what Argo CD has applied and what a site says it serves are not one."""

from collections.abc import Iterator, Mapping

from reconciler.applied.standing import Standing

NAMED = 10


def disagreements(
    standings: Mapping[str, Standing], serving: Mapping[str, str | None]
) -> tuple[str, ...]:
    """Name the sites that serve something else than what is applied there.

    Their predictions count for the release that their own series name, and for no other one; so
    none of them is counted for what Git wants. A site on its way is not named: it may not have
    started the new release yet.

    Args:
        standings: How each site stands, by site.
        serving: Site to the release that its newest series name; None where they name none.
    """
    found = list(_all(standings, serving))
    more = [f"and {len(found) - NAMED} more sites"] if len(found) > NAMED else []
    return (*found[:NAMED], *more)


def _all(standings: Mapping[str, Standing], serving: Mapping[str, str | None]) -> Iterator[str]:
    for site, one in sorted(standings.items()):
        says, applied = serving.get(site), one.applied
        if says and applied and says != applied:
            wants = " or ".join(sorted(one.wanted.releases))
            yield f"{site} serves {says}, Argo CD has applied {applied}, Git wants {wants}"
