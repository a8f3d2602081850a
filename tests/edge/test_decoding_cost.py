"""A JPEG is read as often as it has scans."""

import io

from PIL import Image

from kdtasks.edge.decoding_cost import count_scans


def test_scans_of_one_channel_each_are_counted() -> None:
    """As `jpegtran -scans` writes them: not progressive, and all coefficients are kept."""
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "JPEG")
    head, data = file.getvalue().split(b"\xff\xda")
    one = b"\xff\xda\x00\x08\x01" + data[3:5] + b"\x00\x3f\x00"
    for content, scans in ((head + b"\xff\xda" + data, 1), (head + one, 2), (head + 3 * one, 3)):
        with Image.open(io.BytesIO(content)) as image:
            assert count_scans(image) == scans
