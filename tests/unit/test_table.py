"""A table holds what single series hold."""

import numpy as np
import pytest

from reconciler.measure import Answer, Lines, Series, Table, join
from reconciler.measure.table import table_of

TICKS = range(300, 1501, 300)
A = Series({"site": "a", "pod": "x"}, ((300, 1.0), (900, 3.0)))
B = Series({"site": "b"}, ())
C = Series({"site": "c"}, ((300, 7.0), (300, 9.0), (1500, 8.0)))


def table(*series: Series) -> Table:
    lines = Lines(TICKS)
    for one in series:
        columns = [TICKS.index(at) for at, _ in one.points]
        values = [value for _, value in one.points]
        lines.add(tuple(one.labels), tuple(one.labels.values()), columns, values)
    return lines.table()


def test_its_series_are_those_that_were_added() -> None:
    found = table(A, B, C)
    assert tuple(found) == (A, B, C)
    assert (len(found), found[1], found[-1]) == (3, B, C)
    assert Answer(found) == Answer((A, B, C))
    assert Answer(found) != Answer((A, B, A))


def test_an_empty_one_is_no_series() -> None:
    assert tuple(table()) == ()
    assert table().spread(np.zeros(0, np.intp), 0).shape == (0, 5)


def test_a_row_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        table(A)[1]


def test_points_are_laid_into_rows_and_where_two_meet_the_larger_stays() -> None:
    found = table(A, B, C).spread(np.array([1, -1, 0]), 2)
    nan = float("nan")
    np.testing.assert_array_equal(found, [[9, nan, nan, nan, 8], [1, nan, 3, nan, nan]])


def test_series_become_a_table_without_the_points_beside_the_ticks() -> None:
    stray = Series(A.labels, ((0, 5.0), (301, 5.0), *A.points, (1800, 5.0)))
    assert tuple(table_of((stray, B), TICKS)) == (A, B)


def test_a_table_of_other_ticks_keeps_the_points_at_common_ones() -> None:
    moved = table_of(table(A, B, C), range(900, 2101, 600))
    assert [one.points for one in moved] == [((900, 3.0),), (), ((1500, 8.0),)]


def test_pieces_are_joined_by_label_and_twins_stay_apart() -> None:
    twin = Series({"pod": "x", "site": "a"}, ((1200, 4.0),))
    joined = join([table(A, C), table(B, twin, twin)], TICKS)
    assert tuple(joined) == (Series(A.labels, (*A.points, *twin.points)), C, B, twin)
