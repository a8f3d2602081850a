import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import Reference, check_alias, check_name, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("digits", Reference("digits")),
        ("digits@production", Reference("digits", "production")),
        ("digits@3", Reference("digits", 3)),
        ("mnist-5k.v_2@canary-1", Reference("mnist-5k.v_2", "canary-1")),
        ("7", Reference("7")),
    ],
)
def test_references(text: str, reference: Reference):
    assert parse_reference(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "digits@",
        "digits@0",
        "digits@01",
        "digits@-1",
        "digits@3x",
        "digits@a@b",
        "Digits",
        "../up",
        "a/b",
        ".hidden",
        "-x",
        "a b",
        "ä",
        "a" * 101,
        "digits@Production",
        "digits@.new",
    ],
)
def test_what_is_no_reference(text: str):
    with pytest.raises(StoreError, match=r"is no (name of a model|alias); allowed are"):
        parse_reference(text)


def test_an_alias_never_looks_like_a_version():
    with pytest.raises(StoreError, match="no alias looks like a version"):
        check_alias("3")


@given(st.text())
def test_names_stay_in_their_folder(text: str):
    try:
        check_name(text)
    except StoreError:
        return
    assert "/" not in text
    assert "\\" not in text
    assert text.strip(".") != ""
