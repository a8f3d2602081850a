import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from kdtasks.core.errors import ModelError
from kdtasks.learn.networks.keras_files import read_keras_file
from kdtasks.learn.networks.safe_hdf5 import check_hdf5


@pytest.fixture
def private(tmp_path: Path) -> Path:
    (tmp_path / "id_ed25519").write_bytes(b"0123456789abcdef")
    return tmp_path / "id_ed25519"


def _external_link(file: h5py.File, private: Path) -> None:
    with h5py.File(private.with_name("other.h5"), "w") as other:
        other["values"] = np.ones(3)
    file["layer"]["kernel"] = h5py.ExternalLink(str(private.with_name("other.h5")), "values")


def _external_storage(file: h5py.File, private: Path) -> None:
    file["layer"].create_dataset("kernel", (2,), "f8", external=[(str(private), 0, 16)])


def _virtual(file: h5py.File, private: Path) -> None:
    with h5py.File(private.with_name("other.h5"), "w") as other:
        other["values"] = np.ones(3)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(private.with_name("other.h5")), "values", (3,))
    file["layer"].create_virtual_dataset("kernel", layout)


def _soft_link(file: h5py.File, private: Path) -> None:
    file["layer"]["kernel"] = h5py.SoftLink("/somewhere")


@pytest.mark.parametrize(
    ("reach", "told"),
    [
        (_external_link, r"'kernel' is a link \(ExternalLink\)"),
        (_external_storage, "the values of '/layer/kernel' are in another file"),
        (_virtual, "the values of '/layer/kernel' are in another file"),
        (_soft_link, r"'kernel' is a link \(SoftLink\)"),
    ],
)
def test_what_reads_other_files_is_refused(tmp_path, private, reach, told):
    """Alone, and inside the zip of a `.keras` file."""
    plain, zipped = tmp_path / "it.h5", tmp_path / "it.keras"
    with h5py.File(plain, "w") as file:
        file.create_group("layer")
        file.attrs["model_config"] = "{}"
        reach(file, private)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
        archive.write(plain, "model.weights.h5")
    for path in (plain, zipped):
        with pytest.raises(ModelError, match=f"reads other files than itself: {told}"):
            read_keras_file(path, source="it")


def test_a_circle_of_groups_has_an_end_and_values_without_bytes_do_not_count():
    with h5py.File(io.BytesIO(), "w") as file:
        group = file.create_group("a/b")
        group["again"] = file["a"]
        file["values"] = np.ones(10)
        check_hdf5(file, 1000, source="it")
        file.create_dataset("large", (10**12,), "f4", chunks=(1024,))
        with pytest.raises(ValueError, match="it unpacks to 4,000,000,000,080 bytes and has 1,000"):
            check_hdf5(file, 1000, source="it")


def test_a_bomb_in_a_zip_is_refused_unopened(tmp_path):
    path = tmp_path / "it.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", bytes(100_000_000))
    with pytest.raises(ValueError, match="it unpacks to 100,000,004 bytes and has"):
        read_keras_file(path, source="it")
