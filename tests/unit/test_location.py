import pytest

from generator.model.location import Location, mask, parse_allowed


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://Models/vision/13/", Location("s3", "models", "/vision/13")),
        ("mlflow-artifacts:/1/models/m-1", Location("mlflow-artifacts", "", "/1/models/m-1")),
        ("file:///srv/a%20b", Location("file", "", "/srv/a%20b")),
        ("/srv/a b", Location("file", "", "/srv/a%20b")),
        ("abfss://box@account.example/x", Location("abfss", "box@account.example", "/x")),
        ("https://host:8443/x", Location("https", "host:8443", "/x")),
    ],
)
def test_a_location_is_read(text, location):
    assert Location.parse(text) == location


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a URI"),
        ("models", "not a URI"),
        ("../x", "not a URI"),
        ("https://user:secret@host/x", "credentials"),
        ("https://token@host/x", "credentials"),
        ("s3://key:secret@bucket/x", "credentials"),
        ("https://host/x?sig=secret", "query"),
        ("https://host/x#y", "query"),
        ("s3://bucket/a/../b", "climbs"),
        ("file:///srv/%2e%2e/etc", "climbs"),
        ("s3://bucket/a\\..\\b", "climbs"),
        ("/srv/../etc", "climbs"),
        ("s3://bucket/a\nb", "control"),
    ],
)
def test_a_location_with_credentials_or_a_climb_is_refused(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        Location.parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "entries", "allowed"),
    [
        ("s3://models/a", ["s3://models"], True),
        ("s3://models/a", ["s3://MODELS/"], True),
        ("s3://models", ["s3://models/a"], False),
        ("s3://models/ab", ["s3://models/a"], False),
        ("s3://models/a/b", ["s3://models/a"], True),
        ("s3://models2/a", ["s3://models"], False),
        ("s3://models/a", ["s3:"], False),
        ("mlflow-artifacts:/1", ["mlflow-artifacts:"], True),
        ("mlflow-artifacts:/1", ["mlflow-artifacts"], True),
        ("mlflow-artifacts://other/1", ["mlflow-artifacts:"], False),
        ("https://host:1/x", ["https://host"], False),
        ("http://host/x", ["https://host"], False),
        ("/srv/x", ["file:"], True),
        ("/srv/x", ["file:///srv"], True),
        ("/etc/x", ["s3://models", "file:///srv"], False),
        ("/etc/x", [], False),
    ],
)
def test_only_what_an_entry_names_is_allowed(text, entries, allowed):
    assert Location.parse(text).is_allowed(parse_allowed(entries)) is allowed


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("at http://u:p@host/x failed", "at http://***@host/x failed"),
        ("https://u:p@ss@host and s3://t@b", "https://***@host and s3://***@b"),
        ("get https://host/x?sig=abc&t=1 now", "get https://host/x?*** now"),
        ("a@b is no URI?", "a@b is no URI?"),
    ],
)
def test_credentials_in_a_text_are_hidden(text, masked):
    assert mask(text) == masked
