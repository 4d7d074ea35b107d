"""Site files and the CSV they come from: hostile rows are named by line, people's bytes stay."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.documents.sites import (
    SHARD_SIZE,
    append_rows,
    check_value,
    read_csv,
    read_shard,
    remove_rows,
    say_row,
    write_shard,
)
from generator.errors import InputError
from generator.model.site import Site

NO_NAME = "is not a name: use lower-case letters, digits and inner hyphens"
FILE = "environments/edge-k3s/sites/s000.yaml"
PLANT = Site("plant-0001", "k3s-0001", "eu-north", "gpu", {"line": "a"})
OTHER = Site("plant-0002", "k3s-0002", "eu-south", "cpu", {"line": "b"})


def told(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError) as error:
        read_shard(FILE, data, "s000")
    problems = [str(problem) for problem in error.value.problems]
    assert all(problem.startswith(f"{FILE}:") for problem in problems)
    return [problem.removeprefix(f"{FILE}:").strip() for problem in problems]


def row(**changed: str) -> str:
    columns = {"id": '"a"', "cluster": '"k"', "region": '"eu"', "hardware": '"cpu"', **changed}
    inner = ", ".join(f"{name}: {value}" for name, value in columns.items() if value)
    return f"- {{{inner}}}\n"


def test_sites_read_back_as_they_were_written() -> None:
    assert read_shard(FILE, write_shard([PLANT, OTHER]), "s000") == (PLANT, OTHER)


def test_a_site_is_one_line() -> None:
    line = '- {id: "plant-0001", cluster: "k3s-0001", region: "eu-north", hardware: "gpu"'
    assert write_shard([PLANT]).decode() == f'{line}, line: "a"}}\n' == f"{say_row(PLANT)}\n"


def test_a_file_without_a_site_is_an_empty_list() -> None:
    assert read_shard(FILE, write_shard([]), "s000") == ()


names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
cells = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@given(names, names, cells, st.sampled_from(["line", "on", "y", "n", "a-b", "null", "id2"]))
def test_any_id_and_column_survives_the_file(
    id_: str, cluster: str, cell: str, column: str
) -> None:
    site = Site(id_, cluster, "", "cpu", {column: cell}, "s007")
    assert read_shard(FILE, write_shard([site]), "s007") == (site,)


@pytest.mark.parametrize(
    "id_", ["012", "7e10", "on", "1.10", "12", "1e3", "0x1f", "no", "1:30", "~"]
)
def test_an_id_that_tools_read_differently_must_be_quoted(id_: str) -> None:
    assert told(row() + row(id=id_)) == [
        f"2: id: {id_!r} reads differently in different tools; quote it"
    ]


@pytest.mark.parametrize("id_", ["012", "7e10", "on", "12", "no", "y", "null"])
def test_the_same_id_in_quotes_is_fine(id_: str) -> None:
    assert [site.id for site in read_shard(FILE, row(id=f'"{id_}"').encode(), "s000")] == [id_]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: b\n", ["1: a site file is one list of sites"]),
        ("x\n", ["1: a site file is one list of sites"]),
        ("- x\n", ["1: expected a mapping of keys to values"]),
        (row(cluster=""), ["1: the key 'cluster' is missing"]),
        (
            row(region="", hardware=""),
            ["1: the key 'hardware' is missing", "1: the key 'region' is missing"],
        ),
        (row() + row(), ["2: site 'a' is listed twice"]),
        (
            row() + row(id="b") + row() + row(id="b"),
            ["3: site 'a' is listed twice", "4: site 'b' is listed twice"],
        ),
        (row() + row(id="b", line='"x"'), ["2: every site of a file must have the same columns"]),
        (
            row(id='"Plant"'),
            [f"1: site 'Plant' {NO_NAME}"],
        ),
        (
            row(id='"../x"'),
            [f"1: site '../x' {NO_NAME}"],
        ),
        (
            row(id='"a\\nb"'),
            [f"1: site 'a\\nb' {NO_NAME}"],
        ),
        (
            row(id='"pl\u0430nt"'),
            [f"1: site 'pl\u0430nt' {NO_NAME}"],
        ),
        (
            row(id=f'"{"x" * 300}"'),
            ["1: site 'xxxxxxxxxxxxxxxxxxxx'... has 300 characters, 53 at most"],
        ),
        (
            row(hardware='"G P U"'),
            [f"1: hardware profile 'G P U' {NO_NAME}"],
        ),
        (row(cluster='"a b"'), ["1: cluster 'a b' holds characters that are not allowed"]),
        (row(cluster='""'), ["1: cluster '' holds characters that are not allowed"]),
        (row(region='"eu/../x"'), ["1: region 'eu/../x' holds characters that are not allowed"]),
        (row(line=f'"{"x" * 201}"'), ["1: line: 201 characters, 200 at most"]),
        (row(line='"é"'), ["1: line: 'é' holds characters that are not printable ASCII"]),
        (row(line="[a]"), ["1: line must be one value"]),
        (row(line="no"), ["1: line: 'no' reads differently in different tools; quote it"]),
        (
            row(id="&x a") + row(id="b", cluster="*x"),
            ["1: anchors and aliases are not allowed", "2: anchors and aliases are not allowed"],
        ),
        (
            "- {id: a, id: b, cluster: k, region: eu, hardware: cpu}\n",
            ["1: the key 'id' stands here twice"],
        ),
        (row() + "---\n" + row(id="b"), ["2: not YAML: but found another document"]),
    ],
)
def test_a_wrong_row_is_named(text: str, problems: list[str]) -> None:
    assert told(text) == problems


def test_a_file_holds_at_most_500_sites() -> None:
    sites = [Site(f"p-{number}", "k") for number in range(SHARD_SIZE + 1)]
    assert told(write_shard(sites)) == ["1: 501 sites, 500 at most in one file"]
    assert len(read_shard(FILE, write_shard(sites[:-1]), "s000")) == SHARD_SIZE


def test_all_problems_come_in_one_pass() -> None:
    text = row(id="012") + row(cluster='"a b"') + row() + row(id="b", hardware='"X"')
    assert [problem.partition(":")[0] for problem in told(text)] == ["1", "2", "4"]


# ------------------------------------------------------------------ rows come and go

OWNED = """\
# Ours. Poland first:
- {id: "a", cluster: "k-a", region: "pl", hardware: "cpu"}   # line 3 is shut
# Germany
- id: "b"
  cluster: "k-b"   # the new one
  region: "de"
  hardware: "gpu"
# two in Spain

- {id: 'c', cluster: "k-c",
   region: "es", hardware: "cpu"}
- {id: "d", cluster: "k-d", region: "es", hardware: "cpu"}
# the end
"""
A, B, C, D = read_shard(FILE, OWNED.encode(), "s000")
E = Site("e", "k-e", "fr", "cpu")


@pytest.mark.parametrize(
    ("gone", "lines"),
    [
        ("a", [2]),
        ("b", [4, 5, 6, 7]),
        ("c", [10, 11]),
        ("d", [12]),
        ("ac", [2, 10, 11]),
        ("abc", [2, 4, 5, 6, 7, 10, 11]),
        ("", []),
    ],
)
def test_only_the_rows_of_a_site_go(gone: str, lines: list[int]) -> None:
    kept = [text for n, text in enumerate(OWNED.splitlines(keepends=True), 1) if n not in lines]
    assert remove_rows(OWNED, frozenset(gone)) == "".join(kept)


@pytest.mark.parametrize(
    "odd",
    [
        "-\n  id: b\n  cluster: k\n  hardware: cpu\n  region: de\n",
        "-   # - odd\n  {id: b,\n  cluster: k, hardware: cpu, region: de}\n",
        "- id: b\n  cluster: k\n  hardware: cpu\n  region: >-\n    de\n",
        "- id: b\n  cluster: k\n  hardware: cpu\n  region: >-\n    de\n\n",
        '- "id": "b"\n  cluster: k\n  hardware: cpu\n  region: "d\\\n    e"\n',
    ],
)
def test_a_row_goes_however_it_is_written(odd: str) -> None:
    above, below = row(id='"a"'), row(id='"c"')
    assert len(read_shard(FILE, (above + odd + below).encode(), "s000")) == 3
    left = remove_rows(above + odd + below, frozenset("b"))
    assert left.replace("\n\n", "\n") == above + below
    assert remove_rows(above + odd + below, frozenset("ac")).rstrip("\n") == odd.rstrip("\n")


def test_the_last_row_leaves_an_empty_list_and_the_comments() -> None:
    text = remove_rows("# Ours.\n- {id: a}   # gone\n# the end\n", frozenset("a"))
    assert text == "# Ours.\n[]\n# the end\n"
    assert remove_rows(OWNED, frozenset("abcd")).count("\n#") == OWNED.count("\n#")
    assert yaml.safe_load(remove_rows(OWNED, frozenset("abcd"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "[]\n",
        "[]",
        "\n[ ]\n\n",
        "# Ours.\n[]\n",
        "# Ours.\n[]   # nothing yet\n# the end\n",
        "---\n[]\n",
    ],
)
def test_the_first_row_replaces_the_empty_list(text: str) -> None:
    result = append_rows(text, [E])
    assert read_shard(FILE, result.encode(), "s000") == (E,)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in result.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n# the end", "\n# the end\n", "\n...\n"])
def test_a_row_comes_below_the_last_one(end: str) -> None:
    text = OWNED.removesuffix("\n# the end\n") + end
    result = append_rows(text, [E])
    assert read_shard(FILE, result.encode(), "s000") == (A, B, C, D, E)
    assert result.replace(f"{say_row(E)}\n", "").rstrip("\n") == text.rstrip("\n")


def test_a_new_row_stands_as_far_in_as_the_others() -> None:
    text = '  - {id: "a", cluster: "k-a", region: "pl", hardware: "cpu"}\n'
    assert append_rows(text, [E]) == f"{text}  {say_row(E)}\n"
    assert append_rows("", [E]) == f"{say_row(E)}\n"


@pytest.mark.parametrize("text", ['[{id: "a"}]\n', '[{id: "a"},\n {id: "b"}]\n'])
def test_a_list_in_brackets_is_left_to_the_person(text: str) -> None:
    with pytest.raises(InputError, match="not written one site a line"):
        append_rows(text, [E])
    with pytest.raises(InputError, match="not written one site a line"):
        remove_rows(text, frozenset("a"))


@given(st.sets(st.sampled_from(string.ascii_lowercase)), st.sets(st.sampled_from("abcd")))
def test_added_rows_can_be_taken_out_again(added: set[str], removed: set[str]) -> None:
    sites = [Site(f"new-{name}", "k", "fr", "cpu") for name in sorted(added)]
    text = append_rows(OWNED, sites) if sites else OWNED
    text = remove_rows(text, frozenset(site.id for site in sites))
    assert text == OWNED
    left = read_shard(FILE, remove_rows(text, frozenset(removed)).encode(), "s000")
    assert [site.id for site in left] == sorted(set("abcd") - removed)


# ------------------------------------------------------------------ the CSV


def rows(text: str | bytes, *, needs_hardware: bool = True) -> tuple[tuple[int, Site], ...]:
    data = text.encode() if isinstance(text, str) else text
    return read_csv("plants.csv", data, needs_hardware=needs_hardware)


def csv_told(text: str | bytes, *, needs_hardware: bool = True) -> list[str]:
    with pytest.raises(InputError) as error:
        rows(text, needs_hardware=needs_hardware)
    return [str(problem).removeprefix("plants.csv:") for problem in error.value.problems]


HEADER = "id,region,hardware,cluster\n"


@pytest.mark.parametrize(
    "text",
    [
        "id,cluster,region,hardware,line\nplant-0001,k3s-0001,eu-north,gpu,a\n",
        "id,cluster,region,hardware,line\nplant-0001,k3s-0001,eu-north,gpu,a",
        "line,hardware,region,cluster,id\r\na,gpu,eu-north,k3s-0001,plant-0001\r\n",
        "\ufeffid,cluster,region,hardware,line\nplant-0001,k3s-0001,eu-north,gpu,a\n",
        ' id , cluster,region,hardware,line\n "plant-0001", k3s-0001 ,eu-north,gpu,a\n'.replace(
            '"', ""
        ),
        '"id","cluster","region","hardware","line"\n"plant-0001","k3s-0001","eu-north","gpu","a"\n',
        "id,cluster,region,hardware,line\n\nplant-0001,k3s-0001,eu-north,gpu,a\n\n\n",
    ],
)
def test_the_columns_of_a_csv_are_found_by_name(text: str) -> None:
    assert [site for _, site in rows(text)] == [PLANT]


def test_rows_carry_their_lines() -> None:
    text = f'{HEADER}a,eu,cpu,k\n\n"b",eu,cpu,k\n'
    assert [(line, site.id) for line, site in rows(text)] == [(2, "a"), (4, "b")]


def test_only_id_and_cluster_are_needed_in_the_cloud() -> None:
    assert rows("id,cluster\na,k\n", needs_hardware=False) == ((2, Site("a", "k")),)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [" the file is empty; first line: id,region,hardware,cluster"]),
        ("\n\n", [" the file is empty; first line: id,region,hardware,cluster"]),
        (HEADER, ["1: no sites below the header"]),
        (HEADER + "\n\n", ["1: no sites below the header"]),
        (b"\xff\xfei\x00d\x00", ["1: not UTF-8"]),
        (HEADER.encode() + b"a,eu,cpu,k\nb,eu,cpu,\xff\n", ["3: not UTF-8"]),
        (f'{HEADER}a,eu,cpu,"k\n', ["2: not CSV: unexpected end of data"]),
        (f'{HEADER}a,eu,cpu,"k"x\n', ["2: not CSV: ',' expected after '\"'"]),
        (
            "region,hardware\neu,cpu\n",
            ["1: the column 'id' is missing", "1: the column 'cluster' is missing"],
        ),
        ("ID,cluster\na,k\n", ["1: the column 'id' is missing"]),
        (
            "id;cluster\na;k\n",
            [
                "1: the column 'id' is missing",
                "1: the column 'cluster' is missing",
                "1: 'id;cluster' is not a column name",
            ],
        ),
        ("id,cluster,id\na,k,b\n", ["1: the column 'id' stands there twice"]),
        ("id,cluster,\na,k,\n", ["1: '' is not a column name"]),
        ("id,cluster,l\u0456ne\na,k,x\n", ["1: 'l\u0456ne' is not a column name"]),
        (
            "id,cluster,path\na,k,x\n",
            ["1: 'path' cannot be a column: Argo CD puts a value of its own there"],
        ),
        ("id,cluster,a b\na,k,x\n", ["1: 'a b' is not a column name"]),
        (f"id,cluster,{'x' * 64}\na,k,x\n", [f"1: {'x' * 64!r} is not a column name"]),
        (f"{HEADER}a,eu,cpu\n", ["2: 3 cells, the header has 4"]),
        (f"{HEADER}a,eu,cpu,k,x\n", ["2: 5 cells, the header has 4"]),
        (f"{HEADER},eu,cpu,k\n", ["2: the column 'id' is empty"]),
        (f"{HEADER}a,eu,cpu,\n", ["2: the column 'cluster' is empty"]),
        (
            f"{HEADER}a,eu,,k\n",
            ["2: the column 'hardware' is empty; an edge site names its hardware profile"],
        ),
        (f"{HEADER}a,eu,cpu,k\na,eu,cpu,k2\n", ["3: site 'a' already stands in line 2"]),
        (
            f"{HEADER}a,eu,cpu,k\nA,eu,cpu,k\n",
            [f"3: site 'A' {NO_NAME}"],
        ),
        (
            f"{HEADER}../x,eu,cpu,k\n",
            [f"2: site '../x' {NO_NAME}"],
        ),
        (
            f'{HEADER}"a\nb",eu,cpu,k\nc,eu,cpu,k\nD,eu,cpu,k\n',
            [
                f"2: site 'a\\nb' {NO_NAME}",
                f"5: site 'D' {NO_NAME}",
            ],
        ),
        (
            f"{HEADER}pl\u0430nt,eu,cpu,k\n",
            ["2: id 'pl\\u0430nt' holds characters that are not ASCII"],
        ),
        (
            f"{HEADER}{'x' * 300},eu,cpu,k\n",
            ["2: site 'xxxxxxxxxxxxxxxxxxxx'... has 300 characters, 53 at most"],
        ),
        (
            f"{HEADER}a,eu north,cpu,k\n",
            ["2: region 'eu north' holds characters that are not allowed"],
        ),
        (
            f"{HEADER}a,eu,CPU,k\n",
            [f"2: hardware profile 'CPU' {NO_NAME}"],
        ),
        (f"{HEADER}a,eu,cpu,k\tx\n", ["2: cluster 'k\\tx' holds characters that are not allowed"]),
        (f"{HEADER}a\0,eu,cpu,k\n", None),
        (f"id,cluster,hardware,line\na,k,cpu,{'x' * 201}\n", ["2: 201 characters, 200 at most"]),
        (
            f"{HEADER}A,a b,CPU,\n",
            [
                "2: the column 'cluster' is empty",
                f"2: site 'A' {NO_NAME}",
                "2: region 'a b' holds characters that are not allowed",
                f"2: hardware profile 'CPU' {NO_NAME}",
            ],
        ),
        (
            "id,cluster,hardware,line\na,k,cpu,é\n",
            ["2: 'é' holds characters that are not printable ASCII"],
        ),
        (b"x" * (16 * 1024 * 1024 + 1), [" larger than 16777216 bytes"]),
    ],
)
def test_a_hostile_csv_is_refused_with_the_line(
    text: str | bytes, problems: list[str] | None
) -> None:
    found = csv_told(text)
    assert found == problems if problems is not None else found[0].startswith("2: ")


def test_a_csv_tells_all_problems_in_one_pass() -> None:
    text = f"{HEADER}../x,eu,cpu,k\nb,eu,cpu,k\nb,eu,cpu,k\nC,eu,cpu,k\nd,eu\n"
    assert [problem.partition(":")[0] for problem in csv_told(text)] == ["2", "4", "5", "6"]


@pytest.mark.parametrize("text", ["", "a", "a b", "x" * 200, "~", '"'])
def test_a_printable_cell_is_a_value(text: str) -> None:
    assert check_value(text) == text


@pytest.mark.parametrize("text", ["x" * 201, "a\nb", "é", "\x7f", "\0", "a\u200b"])
def test_any_other_cell_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"at most|printable ASCII"):
        check_value(text)


@pytest.mark.parametrize("name", ["path", "values", '"a b"', '"\u00e9"', '"a.b"'])
def test_a_column_of_a_site_file_has_a_name_that_can_be_one(name: str) -> None:
    two = row(**{name: '"x"'}) + row(id='"b"', **{name: '"x"'})
    (problem,) = told(two)
    assert problem.startswith("1: ")
    assert "column" in problem
