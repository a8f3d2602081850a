"""How many pixels a server holds at once, whatever the number of threads and requests."""

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from kdtasks.deploy.serve import service as module
from kdtasks.deploy.serve.service import RequestError, Service, decode_image, load_release


def png(height: int, width: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(("sides", "expected"), [((30, 40), 1), ((20, 25), 4)])
def test_large_images_wait_for_each_other(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, sides: tuple[int, int], expected: int
) -> None:
    """Of 2,000 pixels: one image of 1,200 or four of 500, though there are six threads."""
    lock, at_once, most = threading.Lock(), 0, 0

    def counted(*arguments: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        # until all that may come have come, or a while longer than any would take
        end = time.monotonic() + (0.02 if expected == 1 else 10)
        while most < expected and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(0.005)
        try:
            return decode_image(*arguments)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(module, "decode_image", counted)
    service = Service(load_release(bundle, threads=6), threads=6, max_pixels=2_000)
    answers = [service.submit(png(*sides)) for _ in range(24)]
    assert len({answer.result(60).prediction.to_json()["label"] for answer in answers}) == 1
    service.close()
    assert most == expected


def test_refusals_hold_nothing(bundle: Path) -> None:
    service = Service(load_release(bundle, threads=2), threads=2, max_pixels=2_000)
    for data, status in ((png(50, 50), 413), (png(30, 40)[:-30], 422), (b"", 400), (b"text", 415)):
        for _ in range(3):
            with pytest.raises(RequestError) as refused:
                service.submit(data).result(60)
            assert refused.value.status == status
    assert service.submit(png(40, 50)).result(60).milliseconds >= 0
    service.close()
