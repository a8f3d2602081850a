"""The picture in a form, and bodies that are too large."""

import pytest

from kdtasks.deploy.serve.application import first_file
from kdtasks.deploy.serve.service import Refusal

FORM = (
    b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nno picture\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="a"; filename="b.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--xy\n\x00\xff\r\n\r\n--xyz--\r\n"
)


def test_the_first_file_is_taken_byte_by_byte():
    content_type = "multipart/form-data; boundary=xyz"
    assert first_file(FORM, content_type) == b"\x89PNG\r\n\r\n--xy\n\x00\xff\r\n"
    assert first_file(b"preamble\r\n" + FORM, content_type.replace("xyz", '"xyz"')) == first_file(
        FORM, content_type
    )


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (FORM, "multipart/form-data", "names no boundary"),
        (FORM, "multipart/form-data; boundary=other", "holds no file"),
        (b"", "multipart/form-data; boundary=xyz", "holds no file"),
        (FORM.replace(b"filename", b"filled"), "multipart/form-data; boundary=xyz", "no file; add"),
    ],
)
def test_forms_without_a_file(body: bytes, content_type: str, message: str):
    with pytest.raises(Refusal, match=message) as refused:
        first_file(body, content_type)
    assert refused.value.status == 400
