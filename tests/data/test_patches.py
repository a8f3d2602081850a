import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.data.patches import patch_spans


def starts(length: int, patch_size: int, overlap: float) -> list[int]:
    return [span.start for span in patch_spans(length, patch_size, overlap)]


def test_the_last_patch_is_aligned_to_the_border() -> None:
    assert starts(10, 4, 0.0) == [0, 4, 6]
    assert starts(8, 4, 0.0) == [0, 4]
    assert starts(4, 4, 0.0) == [0]


def test_overlap_shortens_the_step() -> None:
    assert starts(10, 4, 0.5) == [0, 2, 4, 6]
    assert starts(9, 4, 0.5) == [0, 2, 4, 5]


def test_what_two_patches_share_is_halved() -> None:
    # 0 … 3, 4 … 7 and 6 … 9: the last two share 6 and 7
    assert patch_spans(10, 4, 0.0) == [(0, slice(0, 4)), (4, slice(0, 3)), (6, slice(1, 4))]


@given(
    patch_size=st.integers(1, 40),
    extra=st.integers(0, 100),
    overlap=st.floats(0, 1, exclude_max=True),
)
def test_every_pixel_is_one_patchs_own_and_patches_stay_inside(
    patch_size: int, extra: int, overlap: float
) -> None:
    length = patch_size + extra
    spans = patch_spans(length, patch_size, overlap)
    owners = np.zeros(length, int)
    for start, own in spans:
        assert 0 <= own.start < own.stop <= patch_size
        owners[start + own.start : start + own.stop] += 1
    assert owners.tolist() == [1] * length
    found = [span.start for span in spans]
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] == length - patch_size
