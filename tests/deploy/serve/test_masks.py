"""A server of masks: what each class has, and the mask itself where it is asked for."""

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest

from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Service, load_release
from tests.tools.segmentation_bundles import write_colour_bundle

COLOURS = {"red": "#FF0000", "green": "#00AA00", "blue": "#0000FF"}


@pytest.fixture
def start(tmp_path: Path, colour_models: tuple[bytes, bytes]) -> Iterator[Callable[..., str]]:
    """Give a function that serves masks, with changes to the params of training."""
    ends: list[Callable[[], None]] = []

    def start(**data: object) -> str:
        parameters = {"data": {"source": {"classes": COLOURS}, **data}}
        bundle = write_colour_bundle(tmp_path / "bundle", colour_models[0], parameters=parameters)
        service = Service(load_release(bundle, threads=2), threads=2)
        server = Server(make_application(service, max_bytes=100_000), host="127.0.0.1", port=0)
        ends.extend([service.close, server.stop])
        server.start()
        return f"http://127.0.0.1:{server.port}"

    yield start
    for end in reversed(ends):
        end()


@pytest.fixture
def photo() -> bytes:
    """Half red, a quarter green, a quarter blue, 30×20 pixels: more than a tile."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :, 0], pixels[10:, :15, 1], pixels[10:, 15:, 2] = 200, 100, 50
    return encoded(pixels)


def encoded(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def expected() -> np.ndarray:
    classes = np.zeros((20, 30), np.uint8)
    classes[10:, :15], classes[10:, 15:] = 1, 2
    return classes


def get(url: str) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
        return client.get(url)


def ask(url: str, content: bytes, **query: str) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
        return client.post(f"{url}/predict", content=content, params=query)


def test_an_answer_says_what_each_class_has(start, photo: bytes):
    url = start()
    answer = ask(url, photo).json()
    assert answer.pop("milliseconds") > 0
    assert answer.pop("confidence") > 0.99
    assert answer.pop("model")["name"] == "colours"
    assert answer == {
        "size": [20, 30],
        "classes": {
            "red": {"pixels": 300, "fraction": 0.5},
            "green": {"pixels": 150, "fraction": 0.25},
            "blue": {"pixels": 150, "fraction": 0.25},
        },
        "exit_index": 0,
        "exits": 1,
    }
    assert get(f"{url}/health").json()["per_pixel"] is True
    assert 'kdtasks_exits_total{exit="1"} 1.0' in get(f"{url}/metrics").text


def test_the_mask_is_a_png_of_indices_in_the_classes_colours(start, photo: bytes):
    url = start()
    answer = ask(url, photo, mask="png")
    assert answer.headers["content-type"] == "image/png"
    mask = PIL.Image.open(io.BytesIO(answer.content))
    assert mask.mode == "P"
    np.testing.assert_array_equal(np.asarray(mask), expected())
    colours = np.array([[255, 0, 0], [0, 170, 0], [0, 0, 255]])
    np.testing.assert_array_equal(np.asarray(mask.convert("RGB")), colours[expected()])
    beside = ask(url, photo, mask="base64").json()
    assert base64.b64decode(beside["mask"]) == answer.content
    assert beside["classes"]["red"]["pixels"] == 300
    assert 'kdtasks_requests_total{status="200"} 2.0' in get(f"{url}/metrics").text


def test_a_mask_has_the_size_of_its_image_where_training_images_were_resized(start, photo: bytes):
    answer = ask(start(image_size=[40, 60]), photo, mask="png")
    np.testing.assert_array_equal(
        np.asarray(PIL.Image.open(io.BytesIO(answer.content))), expected()
    )


def test_images_of_any_size_and_mode_are_answered(start):
    url = start()
    for pixels in (np.full((1, 1), 9, np.uint8), np.zeros((3, 90, 4), np.uint8)):
        assert ask(url, encoded(pixels)).json()["size"] == list(pixels.shape[:2])


def test_another_kind_of_mask_is_refused(start, photo: bytes):
    answer = ask(start(), photo, mask="jpeg")
    assert answer.status_code == 400
    assert answer.json() == {"error": "mask is 'jpeg'; png or base64 was expected"}


def test_a_classifier_gives_no_mask(serve, photo: bytes):
    answer = ask(serve().url, photo, mask="png")
    assert answer.status_code == 400
    assert answer.json() == {"error": "the model tells the class of whole images; leave mask out"}
