"""Figures as people read them, and the place in the README that holds them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.measuring import Cost

START = "<!-- figures: make bench ARGS=--write -->\n"
END = "<!-- end of figures -->\n"
COMMANDS = ("init", "baseline", "promote", "warm step", "cold step", "verify", "expand", "pass")


@dataclass(frozen=True)
class Figures:
    """All costs by name, and what they are of."""

    sites: int
    others: int
    changed: int
    cores: int
    load: float
    taken: Mapping[str, Sequence[Cost]]

    def walls(self, *names: str) -> list[float]:
        """Give the wall seconds of some figures, each round added up."""
        rounds = zip(*(self.taken[name] for name in names), strict=True)
        return [sum(one.wall_s for one in each) for each in rounds]

    def cpu(self, *names: str) -> float:
        """Give the median of processor seconds."""
        rounds = zip(*(self.taken[name] for name in names), strict=True)
        return statistics.median(sum(one.cpu_s for one in each) for each in rounds)

    def ratio(self, rival: str, *ours: str, scale: float = 1.0) -> float:
        """Say how many times longer the rival took, as the median over the rounds."""
        pairs = zip(self.walls(rival), self.walls(*ours), strict=True)
        return statistics.median(scale * other / mine for other, mine in pairs)

    @property
    def peak_mb(self) -> float:
        """The most memory that any process of any command had."""
        return max(one.peak_mb for name in COMMANDS for one in self.taken[name])

    def as_data(self) -> Mapping[str, Any]:
        """Give everything that was measured."""
        taken = {name: [vars(one) for one in costs] for name, costs in self.taken.items()}
        told = {
            "sites": self.sites,
            "changed": self.changed,
            "cores": self.cores,
            "load": self.load,
        }
        return {**told, "cookiecutter_sites": self.others, "taken": taken}


def show(figures: Figures) -> str:
    """Write the table."""
    per_site = figures.sites / figures.others
    rows = [
        ("", "tidegate", "processor", "rival", "ratio"),
        ("---", "---:", "---:", "---:", "---:"),
        (
            f"scaffold the files of {figures.sites:,} sites, no Git on either side",
            *_ours(figures, "files"),
            f"{_say(figures.walls('cookiecutter'), per_site)} cookiecutter for each site, "
            f"from {figures.others}",
            f"{figures.ratio('cookiecutter', 'files', scale=per_site):.0f}x",
        ),
        (
            "the same as `init` and the baseline, committed and pushed",
            *_ours(figures, "init", "baseline"),
            "the same, still without Git",
            f"{figures.ratio('cookiecutter', 'init', 'baseline', scale=per_site):.0f}x",
        ),
        ("of that `init` alone", *_ours(figures, "init"), "", ""),
        (
            f"5 -> 25 %: {figures.changed:,} pointers, one commit, pushed",
            *_ours(figures, "warm step"),
            f"{_say(figures.walls('plain step'))} edit, add, commit, push in a warm work tree",
            f"{figures.ratio('plain step', 'warm step'):.1f}x",
        ),
        ("the same by `tidegate set-percent`", *_ours(figures, "cold step"), "", ""),
        ("start a rollout", *_ours(figures, "promote"), "", ""),
        ("`tidegate verify`, per 1,000 sites", *_ours(figures, "verify", each=1000), "", ""),
        ("`tidegate expand`, nothing to do", *_ours(figures, "expand"), "", ""),
        ("a pass of the reconciler without metrics", *_ours(figures, "pass"), "", ""),
        (
            "read, measure and judge one tick of three objectives",
            *_ours(figures, "tick"),
            f"{max(one.peak_mb for one in figures.taken['tick']):.0f} MB",
            "",
        ),
        ("most memory of any other of these", f"{figures.peak_mb:.0f} MB", "", "", ""),
    ]
    times = len(figures.taken["init"])
    cores = "1 core" if figures.cores == 1 else f"{figures.cores} cores"
    words = (
        f"{cores}, load {figures.load:.1f} before; {times} rounds, tidegate and rival by turns; "
        "median (least to most)."
    )
    return f"{words}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _ours(figures: Figures, *names: str, each: int = 0) -> tuple[str, str]:
    scale = each / figures.sites if each else 1.0
    return _say(figures.walls(*names), scale), f"{figures.cpu(*names) * scale:.2f} s"


def _say(walls: Sequence[float], scale: float = 1.0) -> str:
    digits = 0 if max(walls) * scale > 20 else 2
    middle, least, most = (scale * pick(walls) for pick in (statistics.median, min, max))
    return f"{middle:.{digits}f} s ({least:.{digits}f} to {most:.{digits}f})"


def write_block(text: str, table: str) -> str:
    """Put the table between the markers of a document.

    Raises:
        ValueError: The markers are not there, once each and in this order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end) or START in after or END in after:
        raise ValueError(f"the document needs one {START.strip()} and one {END.strip()} below it")
    return f"{before}{START}\n{table}\n{END}{after}"
