"""What the person sees: lines, one line that is written over, and pictures from Git."""

import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

import click

from generator.repository import Repository
from tidegate import pages
from tidegate.files import write_whole
from tidegate.pages import terminal

WIDEST = 120
NARROWEST = 60


class Screen:
    """Standard output for what stays, standard error for the line that does not."""

    def __init__(self) -> None:
        """Look once whether anybody watches."""
        self._live = sys.stderr.isatty()
        self._colour = terminal.has_colour(sys.stdout, os.environ)
        self._written = 0

    def tell(self, text: str) -> None:
        """Write a line that stays."""
        self._wipe()
        click.echo(text)

    def progress(self, text: str) -> None:
        """Write over the line before, where somebody watches."""
        if self._live:
            self._wipe()
            shown = text[: shutil.get_terminal_size()[0] - 1]
            click.echo(shown, nl=False, err=True)
            self._written = len(shown)

    def staircase(self, repository: Repository, line: tuple[str, str], now: datetime) -> None:
        """Draw the newest rollouts over time."""
        story = pages.gather(repository, *line, now=now)
        self.tell("")
        self.tell(terminal.staircase(story, self._width(), colour=self._colour))
        self.tell("")

    def grid(self, repository: Repository, line: tuple[str, str], now: datetime) -> None:
        """Draw every site."""
        story = pages.gather(repository, *line, now=now)
        self.tell("")
        self.tell(terminal.grid(story, self._width(), colour=self._colour))
        self.tell("")

    def _width(self) -> int:
        columns = shutil.get_terminal_size()[0] if sys.stdout.isatty() else 100
        return max(NARROWEST, min(WIDEST, columns))

    def _wipe(self) -> None:
        if self._written:
            click.echo("\r" + " " * self._written + "\r", nl=False, err=True)
            self._written = 0


def write_report(repository: Repository, line: tuple[str, str], now: datetime, to: Path) -> None:
    """Write the page about a line, and beside it the picture for a README; each atomically."""
    story = pages.gather(repository, *line, now=now)
    files = {
        to: pages.render(story, f"{line[1]} on {line[0]}"),
        to.with_name("rollout.svg"): pages.picture(story),
    }
    for place, data in files.items():
        write_whole(place.parent, place.name, data)
