import pytest

from kdtasks.core.errors import DeviceError
from kdtasks.evaluate.devices.wheels import Platform, download

PI = Platform("3.11", "aarch64", 36, 64)


def test_tags_are_those_that_the_device_s_glibc_runs():
    tags = PI._replace(glibc=19).tags()
    assert tags == [
        "manylinux_2_19_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    ]
    assert "manylinux_2_27_aarch64" in PI.tags()


@pytest.mark.parametrize(("change", "words"), [({"glibc": None}, "no glibc"), ({"bits": 32}, "32")])
def test_what_litert_has_no_wheels_for(change, words, tmp_path):
    with pytest.raises(DeviceError, match=rf"LiteRT has wheels for 64-bit .*{words}"):
        download(PI._replace(**change), tmp_path)


def test_wheels_that_are_not_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        DeviceError, match=r"Python 3\.11 on aarch64 \(ERROR: No matching .*by hand"
    ):
        download(PI, tmp_path)
