import pytest

from generator.model.reference import Reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("defect-detector@champion", Reference("defect-detector", alias="champion")),
        ("defect-detector/13", Reference("defect-detector", version="13")),
        ("a@b/3", Reference("a@b", version="3")),
        ("a@b@c", Reference("a@b", alias="c")),
        ("Prüfung 2@x_Y-1", Reference("Prüfung 2", alias="x_Y-1")),
        ("欠陥検出/1", Reference("欠陥検出", version="1")),
    ],
)
def test_a_reference_reads_back_as_it_was_written(text, reference):
    assert Reference.parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write NAME@ALIAS"),
        ("defect-detector", "write NAME@ALIAS"),
        ("@champion", "write NAME@ALIAS"),
        ("a@", "write NAME@ALIAS"),
        ("a/", "write NAME@ALIAS"),
        ("a/0", "not a version number"),
        ("a/01", "not a version number"),
        ("a/٣", "not a version number"),
        ("a/1/2", "not a version number"),
        ("a/latest", "not a version number"),
        ("a@cham pion", "not an alias"),
        ("a@b\n", "not an alias"),
        ("a@latest", "registered last"),
        ("a@LATEST", "registered last"),
        ("../a@b", "not allowed"),
        ("..@b", "not allowed"),
        ("a:b@c", "not allowed"),
        ('a"b@c', "not allowed"),
        ("a\nb@c", "not allowed"),
        ("a\x1b[31m@c", "not allowed"),
        ("x" * 256 + "@c", "more than 255"),
        ("ﬁlter@c", "NFKC"),
        ("de\u0301tail@c", "NFKC"),
        ("d\u0435fect@c", "mixes alphabets"),
    ],
)
def test_what_floats_or_reads_like_another_name_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        Reference.parse(text)
