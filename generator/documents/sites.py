"""`environments/<env>/sites/<shard>.yaml` and the CSV that sites are imported from."""

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import yaml

from generator.documents.reading import Document, Fields
from generator.documents.rows import plain, read_rows
from generator.errors import InputError, Problem
from generator.model.site import Site, check_column
from generator.yamltext import Row, dump, end_of, quote

SHARD_SIZE = 500
COLUMNS = ("id", "cluster", "region", "hardware")
LONGEST_VALUE = 200
MOST_CSV_BYTES = 16 * 1024 * 1024


def read_shard(file: str, data: bytes, stem: str) -> tuple[Site, ...]:
    """Read one site file; a file with no row (`[]`) is one with no sites.

    Raises:
        InputError: Every problem with its line.
    """
    found = _read_canonical(data, stem)
    return _read_any(file, data, stem) if found is None else found


def _read_any(file: str, data: bytes, stem: str) -> tuple[Site, ...]:
    document = Document(file, data)
    if not isinstance(document.root, yaml.SequenceNode):
        raise InputError("a site file is one list of sites", file=file, line=1)
    rows: list[tuple[yaml.Node, Site]] = []
    for node in document.root.value:
        found = _read_row(document, Fields(document, node), node, stem)
        if found is not None:
            rows.append((node, found))
    _check_rows(document, rows)
    _check_columns(document, rows)
    return document.finish(lambda: tuple(site for _, site in rows))


def _read_canonical(data: bytes, stem: str) -> tuple[Site, ...] | None:
    """Read a file that has the writer's form and no problem; None where the parser has to."""
    found = read_rows(plain(data))
    if found is None or found[0][: len(COLUMNS)] != COLUMNS:
        return None
    names = found[0][len(COLUMNS) :]
    try:
        for name in names:
            check_column(name)
        sites = tuple(
            Site(id_, cluster, region, hardware, dict(zip(names, cells, strict=True)), stem)
            for id_, cluster, region, hardware, *cells in found[1]
            if all(check_value(cell) == cell for cell in cells)
        )
    except ValueError:
        return None
    is_good = len({site.id for site in sites}) == len(sites) <= SHARD_SIZE
    return sites if is_good else None


def _read_row(document: Document, row: Fields, node: yaml.Node, stem: str) -> Site | None:
    before = len(document.problems)
    known = {name: row.value(name, str, "", required=True) for name in COLUMNS}
    labels = {name: row.scalar(value, check_value, "", name) for name, value in row.rest(*COLUMNS)}
    if len(document.problems) > before or not isinstance(node, yaml.MappingNode):
        return None
    try:
        return Site(labels=labels, shard=stem, **known)
    except ValueError as error:
        document.report(node, str(error))
        return None


def _check_rows(document: Document, rows: Sequence[tuple[yaml.Node, Site]]) -> None:
    if len(rows) > SHARD_SIZE:
        document.report(document.root, f"{len(rows)} sites, {SHARD_SIZE} at most in one file")
    odd = [node for node, site in rows if site.labels.keys() != rows[0][1].labels.keys()]
    if odd:
        document.report(odd[0], "every site of a file must have the same columns")
    seen: set[str] = set()
    for node, site in rows:
        if site.id in seen:
            document.report(node, f"site {site.id!r} is listed twice")
        seen.add(site.id)


def _check_columns(document: Document, rows: Sequence[tuple[yaml.Node, Site]]) -> None:
    for name, node in {name: node for node, site in reversed(rows) for name in site.labels}.items():
        try:
            check_column(name)
        except ValueError as error:
            document.report(node, str(error), "rename the column in every row")


def write_shard(sites: Iterable[Site]) -> bytes:
    """Write one site file, a site a line."""
    return dump([Row(_row(site)) for site in sites])


def append_rows(text: str, sites: Iterable[Site]) -> str:
    """Add sites below the last row of a file that a person owns.

    Raises:
        InputError: It is not written one site a line.
    """
    lines = write_shard(sites).decode("ascii")
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if not isinstance(root, yaml.SequenceNode):
        return lines
    if not root.value:
        start, stop = root.start_mark.index, root.end_mark.index
        return f"{text[:start]}{lines.rstrip()}{text[stop:]}" if text[stop:] else lines
    place = _spans(text, root)[-1][1]
    head = text[:place] if text[:place].endswith("\n") else f"{text[:place]}\n"
    return f"{head}{textwrap.indent(lines, ' ' * root.start_mark.column)}{text[place:]}"


def remove_rows(text: str, ids: frozenset[str]) -> str:
    """Take rows out of a file that a person owns, leaving the other bytes alone.

    Raises:
        InputError: It is not written one site a line.
    """
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if not isinstance(root, yaml.SequenceNode):
        return text
    spans = _spans(text, root)
    gone = [_id_of(node) in ids for node in root.value]
    kept, position = "", 0
    for (start, stop), goes in zip(spans, gone, strict=True):
        kept += text[position : start if goes else stop]
        position = stop
    if gone and all(gone):
        first = spans[0][0]
        return f"{text[:first]}[]\n{kept[first:]}{text[position:]}"
    return kept + text[position:]


def _spans(text: str, root: yaml.SequenceNode) -> list[tuple[int, int]]:
    """Find the whole lines of each row; comments between rows belong to none."""
    if root.flow_style and root.value:
        hint = "write each as a line of its own, as in: - {id: ...}"
        raise InputError("the site file is not written one site a line", hint=hint)
    dash = re.compile(rf"^ {{{root.start_mark.column}}}-", re.MULTILINE)
    spans: list[tuple[int, int]] = []
    stop = 0
    for node in root.value:
        found = dash.search(text, stop)
        start = found.start() if found else node.start_mark.index
        stop = text.find("\n", len(text[: end_of(node)].rstrip())) + 1 or len(text)
        spans.append((start, stop))
    return spans


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
    seen: dict[str, int] = {}
    for line, row in rows:
        is_good = _is_good(row, needs_hardware=needs_hardware)
        wrong = [] if is_good else list(_csv_problems(row, needs_hardware=needs_hardware))
        if row["id"] in seen:
            wrong.append(f"site {row['id']!r} already stands in line {seen[row['id']]}")
        elif row["id"]:
            seen[row["id"]] = line
        problems.extend(Problem(text, file, line) for text in wrong)
    if problems:
        raise InputError.many(problems)
    return tuple((line, _csv_site(row)) for line, row in rows)


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
        try:
            check_column(name)
        except ValueError as error:
            problems.append(Problem(str(error), file, 1))
        if header.count(name) > 1:
            problems.append(Problem(f"the column {name!r} stands there twice", file, 1))
    if problems:
        raise InputError.many(dict.fromkeys(problems))


def _cells(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) != len(header):
        # A row of another width would shift every value; nothing in it can be trusted.
        return {"id": "", "": f"{len(cells)} cells, the header has {len(header)}"}
    return {name: cell.strip(" ") for name, cell in zip(header, cells, strict=True)}


def _is_good(row: Mapping[str, str], *, needs_hardware: bool) -> bool:
    """Say of a whole row that it is a site, which is quicker than to look for what is wrong."""
    if "" in row or not row["id"] or (needs_hardware and not row.get("hardware")):
        return False
    try:
        return all(check_value(cell) == cell for cell in _csv_site(row).labels.values())
    except ValueError:
        return False


def _csv_problems(row: Mapping[str, str], *, needs_hardware: bool) -> Iterable[str]:
    if "" in row:
        yield row[""]
        return
    for name in ("id", "cluster"):
        if not row[name]:
            yield f"the column {name!r} is empty"
    if needs_hardware and not row.get("hardware"):
        yield "the column 'hardware' is empty; an edge site names its hardware profile"
    for name, cell in row.items():
        try:
            _check_cell(name, cell)
        except ValueError as error:
            yield str(error)


def _check_cell(name: str, cell: str) -> None:
    if name not in COLUMNS:
        check_value(cell)
    elif not cell.isascii():
        # Spelled out, since a look-alike looks right.
        raise ValueError(f"{name} {cell[:80]!a} holds characters that are not ASCII")
    elif cell:
        Site(**{"id": "any", "cluster": "any", name: cell})  # type: ignore[arg-type] # (not labels)


def _csv_site(row: Mapping[str, str]) -> Site:
    labels = {name: cell for name, cell in row.items() if name not in COLUMNS}
    return Site(row["id"], row["cluster"], row.get("region", ""), row.get("hardware", ""), labels)


def say_row(site: Site) -> str:
    """Write a site as it stands in its file, for messages."""
    inner = ", ".join(f"{name}: {quote(value)}" for name, value in _row(site).items())
    return f"- {{{inner}}}"
