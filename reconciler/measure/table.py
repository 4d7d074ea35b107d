"""Series side by side: the labels and points of a whole answer in few objects.

An answer for a large fleet is some 10,000 series of a few points each. As an object per point it
takes ten times the room, and most of the time of a tick to make and to look through.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from reconciler.measure.series import Series

Names = tuple[str, ...]
Texts = tuple[str, ...]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Places = NDArray[np.intc]
Points = tuple[Places, Places, Floats]


@dataclass(frozen=True, eq=False)
class Table:
    """The series of one answer; seen one by one they are `Series`.

    Attributes:
        ticks: Seconds since the epoch; the columns.
        names: Of each series, the names of its labels.
        texts: Of each series, the values of its labels, in the order of the names.
        rows: Of each point, the series; rising.
        columns: Of each point, the tick.
        values: Of each point, the value, finite.
    """

    ticks: range
    names: Sequence[Names]
    texts: Sequence[Texts]
    rows: Places
    columns: Places
    values: Floats

    def __len__(self) -> int:
        """Count the series."""
        return len(self.names)

    def __iter__(self) -> Iterator[Series]:
        """Give the series one by one."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Series:
        """Give one series."""
        first, last = np.searchsorted(self.rows, (range(len(self))[row] + np.arange(2)))
        times = [self.ticks[column] for column in self.columns[first:last]]
        points = zip(times, self.values[first:last].tolist(), strict=True)
        return Series(dict(zip(self.names[row], self.texts[row], strict=True)), tuple(points))

    def __eq__(self, other: object) -> bool:
        """Compare the series, whatever they are held in."""
        return isinstance(other, tuple | Table) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # what is compared by value holds arrays

    def spread(self, targets: Rows, height: int) -> Floats:
        """Lay the points into rows of ticks; where two meet, the larger stays.

        Args:
            targets: Of each series, its row, or -1 to leave it out.
            height: Number of the rows.
        """
        width = len(self.ticks)
        found = np.full(height * width, np.nan)
        rows = targets[self.rows]
        kept = rows >= 0
        np.fmax.at(found, (rows * width + self.columns)[kept], self.values[kept])
        return found.reshape(height, width)


@dataclass
class Lines:
    """Collects the series of one table; mutable."""

    ticks: range
    names: list[Names] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)
    _counts: "array[int]" = field(default_factory=lambda: array("i"))
    _columns: "array[int]" = field(default_factory=lambda: array("i"))
    _values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, names: Names, texts: Texts, columns: Sequence[int], values: list[float]) -> None:
        """Add one series.

        Args:
            names: Of its labels.
            texts: Values of its labels, in the same order.
            columns: The ticks of its points.
            values: Of its points.
        """
        self.names.append(names)
        self.texts.append(texts)
        self._counts.append(len(columns))
        self._columns.extend(columns)
        self._values.fromlist(values)

    def table(self) -> Table:
        """Give what was collected; nothing may be added later."""
        counts = np.frombuffer(self._counts, np.intc) if self._counts else 0
        return Table(
            self.ticks,
            self.names,
            self.texts,
            np.repeat(np.arange(len(self.names), dtype=np.intc), counts),
            np.frombuffer(self._columns or b"", np.intc),
            np.frombuffer(self._values or b"", np.float64),
        )


def table_of(series: Iterable[Series] | Table, ticks: range) -> Table:
    """Give series as a table over a row of ticks; points beside the ticks are left out."""
    if isinstance(series, Table):
        return series if series.ticks == ticks else _moved(series, ticks)
    each = list(series)
    points = chain.from_iterable(chain.from_iterable(one.points for one in each))
    times, values = np.fromiter(points, np.float64).reshape(-1, 2).T
    rows = np.repeat(np.arange(len(each), dtype=np.intc), [len(one.points) for one in each])
    return Table(
        ticks,
        [tuple(one.labels) for one in each],
        [tuple(one.labels.values()) for one in each],
        *_placed(rows, times, values, ticks),
    )


def _moved(table: Table, ticks: range) -> Table:
    times = np.array(table.ticks, np.float64)[table.columns]
    return Table(ticks, table.names, table.texts, *_placed(table.rows, times, table.values, ticks))


def _placed(rows: Places, times: Floats, values: Floats, ticks: range) -> Points:
    columns, rest = np.divmod(times - ticks.start, ticks.step)
    inside = (rest == 0) & (columns >= 0) & (columns < len(ticks))
    return rows[inside], columns[inside].astype(np.intc), values[inside]


def join(parts: Sequence[Iterable[Series] | Table], ticks: range) -> Table:
    """Put the pieces of each series together; twins within a piece stay apart."""
    tables = [table_of(part, ticks) for part in parts]
    lines: list[tuple[Names, Texts]] = []
    row_of: dict[tuple[frozenset[tuple[str, str]], int], int] = {}
    found: list[Places] = []
    for table in tables:
        twins: dict[frozenset[tuple[str, str]], int] = {}
        rows = np.zeros(len(table), np.intc)
        for number, line in enumerate(zip(table.names, table.texts, strict=True)):
            labels = frozenset(zip(*line, strict=True))
            twins[labels] = twins.get(labels, 0) + 1
            rows[number] = row_of.setdefault((labels, twins[labels]), len(lines))
            if rows[number] == len(lines):
                lines.append(line)
        found.append(rows[table.rows])
    every = np.concatenate(found)
    order = np.argsort(every, kind="stable")
    return Table(
        ticks,
        [names for names, _ in lines],
        [texts for _, texts in lines],
        every[order],
        np.concatenate([table.columns for table in tables])[order],
        np.concatenate([table.values for table in tables])[order],
    )
