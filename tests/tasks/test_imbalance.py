"""What is said of classes that have uneven numbers of images."""

import pytest

from kdtasks.tasks.imbalance import is_uneven, uneven_sentence


@pytest.mark.parametrize(
    ("counts", "uneven"),
    [
        ({"a": 4, "b": 1}, False),  # just four times as many
        ({"a": 5, "b": 1}, True),
        ({"a": 5, "b": 5, "c": 0}, False),  # a class without images is none
        ({}, False),
    ],
)
def test_more_than_four_times_as_many_is_uneven(counts: dict[str, int], uneven: bool):
    assert is_uneven(counts) is uneven
    assert (uneven_sentence(counts) is not None) is uneven


def test_the_sentence_says_what_the_commonest_class_alone_would_reach():
    assert uneven_sentence({"scratched": 8, "good": 600}) == (
        "600 of 608 images are of the class good, 8 of scratched: always answering good would be "
        "right in 98.7 %, so accuracy says little here"
    )
