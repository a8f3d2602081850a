"""What is taken for what, and the images behind it."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdtasks.core.files import read_json


def test_every_linked_number_leads_to_its_images(build: Callable[..., Path]) -> None:
    report = build()
    page = (report / "index.html").read_text(encoding="utf-8")
    confusion = np.array(read_json(report.parent / "metrics/evaluate/int8.json")["confusion"])
    assert confusion.sum() == 1000
    linked = re.findall(
        r'<a href="#mistake-(\d)-(\d)" aria-label="(\d+) images? of \d answered \d">(\d+)</a>', page
    )
    assert len(linked) == np.count_nonzero(confusion) - 10  # all but the diagonal
    for label, answer, told, number in linked:
        assert told == number == str(confusion[int(label), int(answer)])
        assert page.count(f'id="mistake-{label}-{answer}"') == 1
        assert label != answer
    with np.load(report.parent / "plots/examples/int8.npz") as arrays:
        shown = len(arrays["mistakes"])
    assert page.split("The worst mistakes")[1].split("<h2>")[0].count("<img ") == shown


def test_without_images_the_numbers_stand_alone(build: Callable[..., Path]) -> None:
    report = build(change=lambda root: (root / "plots/examples/int8.npz").unlink())
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "What is taken for what" in page
    assert 'href="#mistake' not in page
    assert "The worst mistakes" not in page
