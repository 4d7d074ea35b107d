"""`tidegate judge`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from reconciler.analysis import ObjectiveVerdict, Settings


class Readable(Protocol):
    """A stream of bytes, packed or not."""

    def readline(self, size: int, /) -> bytes:
        """Read one line, or its first `size` bytes."""
        ...


@click.command
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--alpha",
    default=0.01,
    show_default=True,
    help="Chance to call a harmless release worse, per rollout.",
)
@click.option(
    "--beta",
    default=0.05,
    show_default=True,
    help="Chance to pass a release that is exactly at the margin.",
)
@click.option(
    "--margin",
    default=1.5,
    show_default=True,
    help="Healthy only when this many times worse than stable is ruled out.",
)
@click.option(
    "--min-sites", default=5, show_default=True, help="Fewest canary sites with events, per step."
)
@click.option(
    "--min-events",
    default=1000,
    show_default=True,
    help="Fewest events from the sites that joined in a step.",
)
def judge(
    file: str, alpha: float, beta: float, margin: float, min_sites: int, min_events: int
) -> None:
    """Judge a recording: one JSON verdict for each tick line, in order.

    FILE is a recording, one JSON object a line; `-` reads standard input, and a name that ends
    in .gz is unpacked. Each verdict is printed as soon as its line was read, so a recording may
    still be growing. Rollouts may be mixed. Stops at the first line that is wrong.

    verdict is Healthy, Breached, Undecided, NoData or Stale. e_bad is the evidence that the
    canary is worse, e_ok that it is not --margin times worse (1 = none). detectable_ratio is the
    smallest "times worse" that would be proven by now, null above 10.

    \b
    tidegate judge evidence/edge-k3s/defect-detector/.../0002-advance.ndjson.gz
    zcat evidence/edge-k3s/defect-detector/.../*.ndjson.gz | tidegate judge - --margin 1.3
    """
    from reconciler.analysis import Settings

    try:
        settings = Settings(alpha, beta, margin, min_sites=min_sites, min_events=min_events)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if file == "-":
        _judge(_lines(sys.stdin.buffer), "standard input", settings)
    else:
        _judge(_file(Path(file)), file, settings)


def _judge(lines: Iterator[bytes], file: str, settings: "Settings") -> None:
    from generator.errors import InputError
    from reconciler.analysis import Judge
    from reconciler.recording import located, parse

    judges: dict[str, Judge] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = parse(text, file, number)
        try:
            verdict = judges.setdefault(line.rollout, Judge(settings)).feed(line)
        except InputError as error:
            raise located(error, file, number) from None
        if verdict is not None:
            click.echo(_json(verdict))


def _file(path: Path) -> Iterator[bytes]:
    import gzip
    import zlib

    from generator.errors import InputError

    try:
        with path.open("rb") as packed:
            if path.name.endswith(".gz"):
                with gzip.open(packed) as unpacked:
                    yield from _lines(unpacked)
            else:
                yield from _lines(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read: {error}", file=str(path)) from None


def _lines(stream: Readable) -> Iterator[bytes]:
    from reconciler.recording import MAX_LINE_BYTES

    while text := stream.readline(MAX_LINE_BYTES + 1):
        yield text


def _json(verdict: "ObjectiveVerdict") -> str:
    from reconciler.recording import show_time

    ratio = verdict.detectable_ratio
    fields = {
        "rollout": verdict.rollout,
        "objective": verdict.objective,
        "at": show_time(verdict.at),
        "verdict": verdict.verdict,
        "e_bad": float(f"{verdict.e_bad:.6g}"),
        "e_ok": float(f"{verdict.e_ok:.6g}"),
        "events": verdict.events,
        "bad": verdict.bad,
        "expected_bad": round(verdict.expected_bad, 3),
        "detectable_ratio": None if ratio is None else round(ratio, 3),
        "reasons": [{"code": one.code, "text": one.text} for one in verdict.reasons],
    }
    return json.dumps(fields, allow_nan=False)
