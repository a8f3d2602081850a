"""Sizes of files, before what a shipped one has inside is known."""

import gzip
from dataclasses import replace
from hashlib import sha256

import pytest

from kdtasks.compress.tflite.metadata import embed_manifest, sizes, with_longest_manifest
from kdtasks.core.records.compress import Exported
from kdtasks.edge.manifest import Manifest

MANIFEST = Manifest(
    name="digits",
    variant="int8",
    task="classification",
    class_names=tuple("0123456789"),
    input={"shape": [8, 8, 1], "dtype": "uint8", "range": [0, 255]},
    segments=2,
    score="max_probability",
    temperatures=(1.31, 0.97),
    thresholds=(0.9312,),
    calibration={},
    macs=(4_608, 30_912),
    bytes=0,
    sha256="",
    dataset_sha256=sha256(b"digits").hexdigest(),
    parameters={},
    libraries={},
)


def test_sizes_are_those_of_the_file_and_of_what_gzip_makes_of_it():
    content = b"weights" * 500
    assert sizes(content) == Exported(
        bytes=3_500, gzip_bytes=len(gzip.compress(content, 9, mtime=0))
    )


LONGEST = "filters+magnitude+cluster+qat+space_to_depth+dynamic_int8"
NAME = "quarry-photos_7f3kq0zx.1b9wmd5v8h2c6tjy4ganeup-r0s2-2026.11.27a"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"name": NAME, "variant": LONGEST},
        {"thresholds": (-1e300,)},
        {"temperatures": (0.12345678901234567, 1.0234567890123456)},
        {"name": "a-model-of-some-name", "variant": "filters+magnitude+qat+space_to_depth+int8"},
        {"score": "entropy"},
        {"input": {**MANIFEST.input, "deep_range": [0, 4095]}},
    ],
)
def test_a_shipped_file_is_a_little_smaller_than_the_room_that_is_left_for_it(
    changed, int8_content
):
    described = replace(MANIFEST, **changed)
    found = sizes(embed_manifest(int8_content, described))
    room = sizes(with_longest_manifest(int8_content, described.class_names))
    assert 0 <= room.bytes - found.bytes < 350
    assert 0 <= room.gzip_bytes - found.gzip_bytes < 350


def test_one_exit_has_room_too(network, draw_images):
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    several = network("cnn").network
    model = MultiExitModel(keras.Model(several.inputs, several.outputs[-1]))
    content = convert(model, number_format="int8", representative=draw_images(model, 4))
    described = replace(
        MANIFEST, name=NAME, variant=LONGEST, segments=1, temperatures=(1.0234567890123456,),
        thresholds=(), macs=(4_608_123,),
    )  # fmt: skip
    found = sizes(embed_manifest(content, described))
    room = sizes(with_longest_manifest(content, described.class_names))
    assert room.bytes >= found.bytes
    assert room.gzip_bytes >= found.gzip_bytes
