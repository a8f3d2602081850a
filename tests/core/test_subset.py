"""A few of many, from the first to the last."""

from kdtasks.core.subset import evenly_spaced


def test_few_of_many_begin_with_the_first_and_end_with_the_last() -> None:
    assert evenly_spaced(range(10), 4) == [0, 3, 6, 9]
    assert evenly_spaced("abc", 5) == ["a", "b", "c"]
    assert evenly_spaced([], 5) == []
