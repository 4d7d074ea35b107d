"""What a metrics API answered: raw counters at tick boundaries, and what it said about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from generator.errors import RemoteError

if TYPE_CHECKING:
    from reconciler.measure.table import Table


@dataclass(frozen=True, slots=True)
class Series:
    """One counter or gauge.

    Attributes:
        labels: All its labels.
        points: (seconds since the epoch, finite value), rising in time.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one query.

    Attributes:
        series: As they came; two may have the same labels when the API is broken.
        warnings: The API's own doubts, such as a partial response: not to be trusted.
        notes: What was left out or said by the way; the rest can be trusted.
    """

    series: "tuple[Series, ...] | Table"
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class MetricsUnavailable(RemoteError):  # noqa: N818 (a name of the design; it is a state)
    """The metrics cannot be read or trusted now; that says nothing about a model."""

    @classmethod
    def of(cls, error: RemoteError) -> Self:
        """Narrow an error of the door below."""
        narrowed = cls(error.system, "", endpoint=error.endpoint)
        narrowed.args = error.args
        return narrowed
