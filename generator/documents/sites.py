"""`environments/<env>/sites/<shard>.yaml` and the CSV that sites are imported from."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import yaml

from generator.documents.reading import Document, Fields
from generator.errors import InputError, Problem
from generator.model.site import Site
from generator.yamltext import Row, dump, quote

SHARD_SIZE = 500
COLUMNS = ("id", "cluster", "region", "hardware")
LONGEST_VALUE = 200
MOST_CSV_BYTES = 16 * 1024 * 1024


def read_shard(file: str, data: bytes, stem: str) -> tuple[Site, ...]:
    """Read one site file; a file with no row (`[]`) is one with no sites.

    Raises:
        InputError: Every problem with its line.
    """
    document = Document(file, data)
    if not isinstance(document.root, yaml.SequenceNode):
        raise InputError("a site file is one list of sites", file=file, line=1)
    sites: list[Site] = []
    keys: set[frozenset[str]] = set()
    for node in document.root.value:
        row = Fields(document, node)
        found = _read_row(document, row, node, stem)
        if found is not None:
            sites.append(found)
            keys.add(frozenset(("region", "hardware", *found.labels)))
    _check_rows(document, sites, keys)
    return document.finish(lambda: tuple(sites))


def _read_row(document: Document, row: Fields, node: yaml.Node, stem: str) -> Site | None:
    before = len(document.problems)
    known = {name: row.value(name, str, "", required=True) for name in COLUMNS}
    labels = {name: row.scalar(value, check_value, "", name) for name, value in row.rest(*COLUMNS)}
    if len(document.problems) > before:
        return None
    try:
        return Site(labels=labels, shard=stem, **known)
    except ValueError as error:
        document.report(node, str(error))
        return None


def _check_rows(document: Document, sites: Sequence[Site], keys: set[frozenset[str]]) -> None:
    if len(sites) > SHARD_SIZE:
        document.report(document.root, f"{len(sites)} sites, {SHARD_SIZE} at most in one file")
    if len(keys) > 1:
        document.report(document.root, "every site of a file must have the same columns")
    seen: set[str] = set()
    for site in sites:
        if site.id in seen:
            document.report(document.root, f"site {site.id!r} is listed twice")
        seen.add(site.id)


def write_shard(sites: Iterable[Site]) -> bytes:
    """Write one site file, a site a line."""
    return dump([Row(_row(site)) for site in sites])


def append_rows(text: str, sites: Iterable[Site]) -> str:
    """Add sites below the last row of a file that a person owns."""
    body = "" if not text.strip() or text.strip() == "[]" else text.rstrip("\n") + "\n"
    return body + write_shard(sites).decode("ascii")


def remove_rows(text: str, ids: frozenset[str]) -> str:
    """Take rows out of a file that a person owns, leaving the other bytes alone."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if not isinstance(root, yaml.SequenceNode):
        return text
    starts = [node.start_mark.index for node in root.value]
    lines = [text.rfind("\n", 0, start) + 1 for start in starts] + [len(text)]
    if root.flow_style and ids:
        raise ValueError("the site file is not written one site a line; remove the row by hand")
    kept = [text[: lines[0]]]
    for node, start, stop in zip(root.value, lines, lines[1:], strict=False):
        if not ids & {_id_of(node)}:
            kept.append(text[start:stop])
    result = "".join(kept)
    return result if len(kept) > 1 else result + "[]\n"


def _id_of(node: yaml.Node) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in pairs if key.value == "id"), "")


def _row(site: Site) -> dict[str, str]:
    known = {name: site.column(name) for name in COLUMNS}
    return known | dict(sorted(site.labels.items()))


def check_value(text: str) -> str:
    """Give the value of a column back when it can be a label or an annotation.

    Raises:
        ValueError: Too long, or it holds what is not printable ASCII.
    """
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"{len(text)} characters, {LONGEST_VALUE} at most")
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{text!r} holds characters that are not printable ASCII")
    return text


def read_csv(file: str, data: bytes, *, needs_hardware: bool) -> tuple[tuple[int, Site], ...]:
    """Read sites from a CSV, with the line of each.

    Args:
        file: Its name, for messages.
        data: All of it.
        needs_hardware: An edge site must name its hardware profile.

    Raises:
        InputError: Every problem with its line.
    """
    rows = _csv_rows(file, data)
    problems: list[Problem] = []
    found: list[tuple[int, Site]] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        try:
            site = _csv_site(row, needs_hardware=needs_hardware)
        except ValueError as error:
            problems.append(Problem(str(error), file, line))
            continue
        if site.id in seen:
            text = f"site {site.id!r} already stands in line {seen[site.id]}"
            problems.append(Problem(text, file, line))
        seen.setdefault(site.id, line)
        found.append((line, site))
    if problems:
        raise InputError.many(problems)
    return tuple(found)


def _csv_rows(file: str, data: bytes) -> list[tuple[int, Mapping[str, str]]]:
    if len(data) > MOST_CSV_BYTES:
        raise InputError(f"larger than {MOST_CSV_BYTES} bytes", file=file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8", file=file, line=line) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(file, header)
        rows = []
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                rows.append((line, _cells(header, cells)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", file=file, line=reader.line_num) from error
    if not rows:
        raise InputError("no sites below the header", file=file, line=1)
    return rows


def _check_header(file: str, header: Sequence[str]) -> None:
    if not any(header):
        raise InputError(
            "the file is empty", file=file, hint="first line: id,region,hardware,cluster"
        )
    problems = [
        Problem(f"the column {name!r} is missing", file, 1)
        for name in ("id", "cluster")
        if name not in header
    ]
    for name in header:
        if not name.isascii() or not name.replace("-", "_").isidentifier() or len(name) > 63:
            problems.append(Problem(f"{name[:80]!r} is not a column name", file, 1))
        if header.count(name) > 1:
            problems.append(Problem(f"the column {name!r} stands there twice", file, 1))
    if problems:
        raise InputError.many(dict.fromkeys(problems))


def _cells(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) != len(header):
        # A row of another width would shift every value; nothing in it can be trusted.
        return {"id": "", "": f"{len(cells)} cells, the header has {len(header)}"}
    return {name: cell.strip(" ") for name, cell in zip(header, cells, strict=True)}


def _csv_site(row: Mapping[str, str], *, needs_hardware: bool) -> Site:
    if "" in row:
        raise ValueError(row[""])
    labels = {name: check_value(cell) for name, cell in row.items() if name not in COLUMNS}
    for name in ("id", "cluster"):
        if not row[name]:
            raise ValueError(f"the column {name!r} is empty")
    if needs_hardware and not row.get("hardware"):
        raise ValueError("the column 'hardware' is empty; an edge site names its hardware profile")
    return Site(row["id"], row["cluster"], row.get("region", ""), row.get("hardware", ""), labels)


def say_row(site: Site) -> str:
    """Write a site as it stands in its file, for messages."""
    inner = ", ".join(f"{name}: {quote(value)}" for name, value in _row(site).items())
    return f"- {{{inner}}}"
