"""The page of the data: what stands on it, how large it gets, and that it can be read aloud."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from kdtasks.core.records.data import Problem
from kdtasks.core.records.findings import FileSize, Findings
from kdtasks.data.checks import mark_groups
from kdtasks.data.findings import overview_of
from kdtasks.data.prepare import describe
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.edge.decoder import Header
from kdtasks.report.data_page import DataPage, render_data_page, sizes_sentence

PARAMS = DataParams.model_validate(
    {"source": "digits", "split": dict(zip(SPLITS, (0.4, 0.2, 0.2, 0.2), strict=True))}
)


def dataset(count: int = 40, classes: int = 2, side: int = 16, **keys: Any) -> RawDataset:
    """Noise, in classes in turn."""
    generator = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "task": "classification",
        "images": generator.integers(0, 256, (count, side, side, 3), np.uint8),
        "labels": (np.arange(count) % classes).astype(np.int32),
        "class_names": tuple(f"class {label}" for label in range(classes)),
        "origins": tuple(f"folder/{row}.png" for row in range(count)),
    }
    return RawDataset(**fields | keys)


def rendered(raw: RawDataset, **keys: Any) -> str:
    rows = dict(zip(SPLITS, np.array_split(np.arange(len(raw)), 4), strict=True))
    record = describe(raw, rows, PARAMS).model_copy(update=keys.pop("record", {}))
    split_of = {raw.origins[row]: name for name, some in rows.items() for row in some}
    return render_data_page(DataPage("birds", record, split_of, overview_of(raw), {}, **keys))


class Page(HTMLParser):
    """Collects headings, images without a text, and whether elements are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.bare: list[Any] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "img" and not dict(attrs).get("alt"):
            self.bare.append(attrs)
        if tag == "svg" and not dict(attrs).get("aria-label"):
            self.bare.append(attrs)
        if tag not in ("img", "meta", "br", "link"):
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_tells_splits_in_their_order_and_where_images_went():
    record = {"excluded": (Problem("folder/x.jpg", "an empty file"),)}
    page = rendered(dataset(), record=record)
    assert "40 images of 2 classes: 10 train, 10 validation, 10 calibration and 10 test" in page
    assert "<strong>folder/x.jpg</strong>: an empty file" in page
    assert "The data: birds" in page
    assert page == rendered(dataset(), record=record)


def test_it_can_be_read_aloud():
    raw = mark_groups(dataset(origins=tuple(f"<b>{row}.png" for row in range(40))), near=True)
    page = Page(rendered(raw))
    assert page.bare == page.open == []
    assert page.headings[:2] == ["h1", "h2"]
    deeper = zip(page.headings, page.headings[1:], strict=False)
    assert all(int(after[1]) <= int(before[1]) + 1 for before, after in deeper)
    assert "<b>1.png" not in rendered(raw)


def test_copies_under_two_labels_are_warned_of_and_stand_side_by_side():
    raw = dataset()
    raw.images[1] = raw.images[0]
    page = rendered(mark_groups(raw, near=False))
    assert "1 pair of copies bears two labels" in page
    assert 'class="pair wrong"' in page
    assert "equal, two labels" in page
    assert "bears two labels" not in rendered(dataset())


def test_advice_is_given_with_the_line_to_paste():
    page = rendered(
        dataset(labels=np.array([0] * 36 + [1] * 4, np.int32)),
        record={"warnings": ("names look like bursts:\n  group_by: 1",)},
    )
    assert '<p class="notice">names look like bursts:</p>' in page
    assert "<pre><code>group_by: 1</code></pre>" in page
    assert "36 of 40 images are of the class class 0" in page
    assert "evaluate.metric: balanced_accuracy" in page


def test_what_cannot_be_prepared_is_told_with_all_that_was_found():
    page = rendered(dataset(), refused="a class has too few independent images")
    assert "It cannot be prepared as it is." in page
    assert "<pre>a class has too few independent images</pre>" in page


@pytest.mark.parametrize(("classes", "side"), [(13, 200), (90, 120)])
def test_the_largest_page_is_below_three_megabytes(classes: int, side: int):
    # noise is what no codec makes small
    raw = dataset(4 * classes + 80, classes, side)
    pairs = np.arange(80).reshape(-1, 2)
    raw.images[:10] = 3
    raw.images[10:20] = 255 - raw.images[10:20] // 16
    headers = [(name, Header((9, 9), 1, False, False, "PNG")) for name in raw.origins]
    page = rendered(RawDataset(**{**vars(raw), "copies": pairs, "headers": headers}))
    assert page.count("data:image/jpeg") > 180
    assert len(page) < 3e6


def test_masks_are_told_by_pixels_and_drawn_over_their_images():
    masks = np.zeros((8, 16, 16), np.uint8)
    masks[:4, :, 8:], masks[7] = 1, 255
    raw = dataset(
        8, task="segmentation", labels=masks, class_names=("land", "water"), ignore_label=255,
        origins=tuple(f"{row}.png[0:16, 0:16]" for row in range(8)),
    )  # fmt: skip
    page = rendered(raw)
    assert "8 patches of 2 classes" in page
    assert "8 images; 12.5\u00a0% of the pixels" in page
    assert "water is in 4 images only" in page
    assert "What the masks hold" in page


def test_sizes_are_told_in_words():
    sizes = (FileSize(height=20, width=3000, files=3), FileSize(height=40, width=7, files=1))
    assert sizes_sentence(sizes) == (
        "widths from 7 to 3,000 and heights from 20 to 40 pixels; the commonest size is "
        "3,000 × 20, of 3 files"
    )
    assert sizes_sentence(sizes[:1]) == "all are 3,000 × 20 pixels"
    assert sizes_sentence(()) == ""


def test_the_record_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="colour"):
        Findings.model_validate({"colour": 1})
