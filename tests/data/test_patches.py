from hypothesis import given
from hypothesis import strategies as st

from kdtasks.data.masks import patch_starts


def test_the_last_patch_is_aligned_to_the_border() -> None:
    assert patch_starts(10, 4, 0.0) == [0, 4, 6]
    assert patch_starts(8, 4, 0.0) == [0, 4]
    assert patch_starts(4, 4, 0.0) == [0]


def test_overlap_shortens_the_step() -> None:
    assert patch_starts(10, 4, 0.5) == [0, 2, 4, 6]
    assert patch_starts(9, 4, 0.5) == [0, 2, 4, 5]


@given(
    patch_size=st.integers(1, 40),
    extra=st.integers(0, 100),
    overlap=st.floats(0, 1, exclude_max=True),
)
def test_patches_cover_everything_and_stay_inside(
    patch_size: int, extra: int, overlap: float
) -> None:
    length = patch_size + extra
    starts = patch_starts(length, patch_size, overlap)
    covered = {place for start in starts for place in range(start, start + patch_size)}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))
