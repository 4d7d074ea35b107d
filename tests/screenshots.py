"""Draw docs/page-*.png with a real browser: `python -m tests.screenshots`.

500 sites from the demo, which is told first where it is not there yet, and 10,000 sites made by
the same intents that the commands use; those have no metrics, so they show the grid.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generator.changes import Committed
from generator.documents.config import write_time
from generator.repository import Repository
from tests.builders import ADA, CLOUD, NOW, Origin, baseline, fleet, percent, promote

ROOT = Path(__file__).resolve().parents[1]
DOCS, DEMO = ROOT / "docs", ROOT / ".demo"
TIDEGATE = str(Path(sys.executable).with_name("tidegate"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LARGEST_BYTES = 200_000
PHONE, DESKTOP = 390, 1280
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
DARK = "--blink-settings=preferredColorScheme=0"
CLIMB = ((2, "10"), (4, "25"))


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the page, the window, dark or light."""

    name: str
    page: str
    width: int
    height: int
    is_dark: bool = False


SHOTS = (
    Shot("page-500.png", "500", DESKTOP, 1180),
    Shot("page-500-phone.png", "500", PHONE, 1180, is_dark=True),
    Shot("page-10000.png", "10000", DESKTOP, 1900, is_dark=True),
)


def main() -> int:
    """Make both pages, and every picture of them."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print(f"not run: {BROWSERS[0]} (not found)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pages = dict(_pages(Path(folder)))
        wrong = [shot.name for shot in SHOTS if not _draw(browser, pages[shot.page], shot)]
    for name in wrong:
        print(f"docs/{name} has more than {LARGEST_BYTES} bytes", file=sys.stderr)
    return 1 if wrong else 0


def _pages(folder: Path) -> Iterator[tuple[str, Path]]:
    if not (DEMO / "report.html").exists():
        subprocess.run([TIDEGATE, "demo", "--dir", str(DEMO)], check=True)
    yield "500", _page(folder, "500", DEMO / "origin.git")
    yield "10000", _page(folder, "10000", _ten_thousand(folder / "fleet"))


def _page(folder: Path, name: str, remote: Path) -> Path:
    """Make a page as of half an hour after the newest commit."""
    asked = ["git", "-C", str(remote), "log", "-1", "--format=%ct", "main"]
    last = int(subprocess.run(asked, check=True, capture_output=True).stdout)
    now = write_time(datetime.fromtimestamp(last + 1800, UTC))
    where = ["--repo", f"file://{remote}", "--state-dir", str(folder / "state"), "--now", now]
    subprocess.run([TIDEGATE, "page", "-o", str(folder / name), *where], check=True)
    return folder / name / "index.html"


def _ten_thousand(folder: Path) -> Path:
    """Let a release climb to 25 % of 10,000 sites."""
    origin = Origin.start(folder, fleet(10_000))
    moves = [(0, baseline(12)), (0, baseline(12, CLOUD)), (24, promote(13))]
    moves += [(24 + hours, percent(text)) for hours, text in CLIMB]
    for hours, intent in moves:
        change = intent(Repository(origin.clone.fetch()))
        assert change is not None
        assert isinstance(origin.clone.land(change, ADA, NOW + timedelta(hours=hours)), Committed)
    return folder / "origin.git"


def _draw(browser: str, page: Path, shot: Shot) -> bool:
    place = DOCS / shot.name
    with tempfile.TemporaryDirectory() as profile:
        asked = [
            *(browser, *SWITCHES, f"--user-data-dir={profile}"),
            *((DARK,) if shot.is_dark else ()),
            f"--window-size={shot.width},{shot.height}",
            f"--screenshot={place}",
            page.as_uri(),
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": profile}
        subprocess.run(asked, check=True, timeout=300, capture_output=True, env=environment)
    print(f"docs/{shot.name}: {place.stat().st_size:,} bytes")
    return place.stat().st_size < LARGEST_BYTES


if __name__ == "__main__":
    sys.exit(main())
