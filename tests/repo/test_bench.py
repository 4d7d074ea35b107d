"""The bench runs, on a tiny fleet, and puts its figures into a document; no figure is judged."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.measuring import Cost
from tests.bench.table import END, START, Figures, show, write_block

ROOT = Path(__file__).resolve().parents[2]
TAKEN = {
    "init": [Cost(1.0, 0.5, 40.0), Cost(3.0, 1.5, 42.0)],
    "baseline": [Cost(1.0, 0.5, 50.0), Cost(1.0, 0.5, 50.0)],
    "files": [Cost(0.5, 0.5, 90.0), Cost(1.0, 0.75, 90.0)],
    "cookiecutter": [Cost(1.0, 1.0, 999.0), Cost(2.0, 1.0, 999.0)],
    "promote": [Cost(1.0, 1.0, 60.0)] * 2,
    "warm step": [Cost(0.5, 0.4, 70.0), Cost(0.25, 0.2, 70.0)],
    "plain step": [Cost(2.0, 2.0, 999.0), Cost(1.0, 1.0, 999.0)],
    "cold step": [Cost(1.0, 1.0, 40.0)] * 2,
    "verify": [Cost(2.5, 2.5, 80.6)] * 2,
    "expand": [Cost(1.0, 1.0, 40.0)] * 2,
    "pass": [Cost(1.0, 1.0, 40.0)] * 2,
    "tick": [Cost(1.5, 1.0, 240.0), Cost(2.5, 2.0, 200.0)],
}
FIGURES = Figures(10_000, 100, 2_000, 2, 0.5, TAKEN)


def rows(table: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return {row[0]: [cell.strip() for cell in row[1:]] for row in cells[2:]}


@pytest.mark.timeout(300)
def test_the_bench_measures_each_figure_and_writes_them_down(tmp_path: Path) -> None:
    readme, data = tmp_path / "README.md", tmp_path / "figures.json"
    readme.write_text(f"above\n{START}old\n{END}below\n")
    sizes = ("--sites", "120", "--rivals", "2", "--times", "1")
    where = ("--write", "--readme", str(readme), "--json", str(data))
    command = [sys.executable, "tests/bench", *sizes, *where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert readme.read_text() == f"above\n{START}\n{done.stdout}\n{END}below\n"
    told = rows(done.stdout)
    assert "5 -> 25 %: 24 pointers, one commit, pushed" in told
    assert all(re.match(r"[0-9.]+ (s|MB)", cells[0]) for cells in told.values())
    measured = json.loads(data.read_text())
    assert measured["taken"].keys() == TAKEN.keys()
    assert all(one["wall_s"] > 0 for costs in measured["taken"].values() for one in costs)


def test_figures_are_medians_and_ratios_of_the_same_round() -> None:
    assert show(FIGURES).startswith(
        "2 cores, load 0.5 before; 2 rounds, tidegate and rival by turns"
    )
    told = rows(show(FIGURES))
    files, scaffold, init, step, *_ = told.values()
    assert files[:2] == ["0.75 s (0.50 to 1.00)", "0.62 s"]
    assert files[2].startswith("150 s (100 to 200) cookiecutter for each site")
    assert files[3] == "200x"
    assert init[:2] == ["2.00 s (1.00 to 3.00)", "1.00 s"]
    assert scaffold[:2] == ["3.00 s (2.00 to 4.00)", "1.50 s"]
    assert scaffold[2] == "the same, still without Git"
    assert scaffold[3] == "50x"
    assert step[:2] == ["0.38 s (0.25 to 0.50)", "0.30 s"]
    assert step[3] == "4.0x"
    assert told["`tidegate verify`, per 1,000 sites"][:2] == ["0.25 s (0.25 to 0.25)", "0.25 s"]
    tick = told["read, measure and judge one tick of three objectives"]
    assert tick[:3] == ["2.00 s (1.50 to 2.50)", "1.50 s", "240 MB"]
    assert told["most memory of any other of these"][0] == "81 MB"


@pytest.mark.parametrize("text", ["", START, END, END + START, (START + END) * 2])
def test_a_document_without_one_place_for_them_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="needs one"):
        write_block(text, "table\n")


def test_the_readme_has_the_place_for_the_figures() -> None:
    assert write_block((ROOT / "README.md").read_text(), "table\n").count("table\n") == 1
