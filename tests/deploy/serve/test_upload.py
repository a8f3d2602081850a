"""The image in a form, and bodies that are too large."""

import asyncio

import pytest
from starlette.datastructures import Headers

from kdtasks.deploy.serve.application import first_file
from kdtasks.deploy.serve.service import RequestError

FORM = (
    b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nno image\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="a"; filename="b.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--xy\n\x00\xff\r\n\r\n--xyz--\r\n"
)


def take(body: bytes, content_type: str) -> bytes:
    return asyncio.run(first_file(body, Headers({"content-type": content_type})))


@pytest.mark.parametrize("boundary", ["xyz", '"xyz"'])
def test_the_first_file_is_taken_byte_by_byte(boundary: str):
    content_type = f"multipart/form-data; boundary={boundary}"
    assert take(FORM, content_type) == b"\x89PNG\r\n\r\n--xy\n\x00\xff\r\n"


def test_large_images_and_fields_are_taken():
    size = 3_000_000
    form = FORM.replace(b"no image", b"n" * size).replace(b"\x89PNG", b"\x89" * size)
    found = take(form, "multipart/form-data; boundary=xyz")
    assert found == b"\x89" * size + b"\r\n\r\n--xy\n\x00\xff\r\n"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (FORM, "multipart/form-data", r"is broken \(Missing boundary in multipart\); send it as"),
        (FORM, "multipart/form-data; boundary=other", r"is broken \(Invalid multipart data\)"),
        (b"", "multipart/", "is broken .Missing boundary"),
        (FORM, "multipart/form-data; boundary=\xff; charset=none", "is broken .Invalid"),
        (b"", "multipart/form-data; boundary=xyz", "holds no file"),
        (FORM.replace(b"filename", b"filled"), "multipart/form-data; boundary=xyz", "no file; add"),
        (FORM.replace(b" name=", b" nam="), "multipart/form-data; boundary=xyz", '"name" must be'),
    ],
)
def test_forms_without_a_file(body: bytes, content_type: str, message: str):
    with pytest.raises(RequestError, match=message) as refused:
        take(body, content_type)
    assert refused.value.status == 400
    assert "\n" not in str(refused.value)
