"""Names of variants, taken apart."""

import itertools

import pytest

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.passes.space_to_depth import SpaceToDepth
from kdtasks.compress.variants import (
    CompressParams,
    PassesParams,
    Variant,
    check_variant,
    pass_names,
)


@pytest.mark.parametrize(
    ("name", "passes", "number_format"),
    [
        ("float32", (), "float32"),
        ("magnitude+int8", ("magnitude",), "int8"),
        ("filters+space_to_depth+int8", ("filters", "space_to_depth"), "int8"),
        ("filters+magnitude+float16", ("filters", "magnitude"), "float16"),
    ],
)
def test_known_names(name: str, passes: tuple[str, ...], number_format: str):
    assert check_variant(name) == Variant(passes, number_format)


def test_every_choice_of_passes_with_every_format_is_taken_apart_and_joined_again():
    names = pass_names()
    choices = [c for n in range(len(names) + 1) for c in itertools.combinations(names, n)]
    for passes, number_format in itertools.product(choices, number_formats.names()):
        if "qat" in passes and number_format != "int8":
            continue
        if "space_to_depth" in passes and number_format not in ("int8", "dynamic_int8"):
            continue
        variant = check_variant("+".join([*passes, number_format]))
        assert variant == Variant(passes, number_format)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int9", r"ends in 'int9'; it must end in one of: float32, .*did you mean 'int8'\?"),
        ("magnitude", "ends in 'magnitude'; it must end in one of"),
        ("", "ends in ''; it must end in one of"),
        ("filter+int8", r"'filter' where a pass is expected; .*did you mean 'filters'\?"),
        ("int8+float32", "'int8' where a pass is expected"),
        ("+int8", "'' where a pass is expected"),
        ("filters+filters+int8", "names a pass twice"),
        ("qat+float16", "ends in float16; a variant with qat must end in int8"),
        (
            "space_to_depth+float32",
            "ends in float32; a variant with space_to_depth must end in int8 or dynamic_int8",
        ),
        ("space_to_depth+qat+int8", "wrong order; give them in the order .*qat, space_to_depth"),
        ("magnitude+filters+int8", "wrong order; give them in the order filters, magnitude"),
    ],
)
def test_wrong_names_list_the_choices(name: str, message: str):
    with pytest.raises(ValueError, match=message):
        check_variant(name)


def test_what_trains_is_told_from_what_rewrites():
    settings = PassesParams()
    trainings, rewritings = settings.of(check_variant("filters+qat+space_to_depth+int8"))
    assert trainings == [settings.filters, settings.qat]
    assert rewritings == [settings.space_to_depth]


def test_passes_say_how_to_read_the_metrics_of_their_variants():
    variants = ("int8", "filters+space_to_depth+int8", "space_to_depth+int8")
    notes = CompressParams(variants=variants).notes
    assert notes == {"space_to_depth": SpaceToDepth.note}
    assert CompressParams(variants=("filters+int8",)).notes == {}
