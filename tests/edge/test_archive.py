import zipfile

import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import BundleFiles
from kdtasks.orchestrate.project.pack import write_archive

FILES = {"model.tflite": b"model" * 100, "manifest.json": b"{}"}


@pytest.fixture
def kdz(tmp_path):
    path = tmp_path / "digits.kdz"
    write_archive(path, FILES)
    return path


def test_files_are_read_back(kdz):
    with BundleFiles(kdz) as archive:
        assert archive.names == ("manifest.json", "model.tflite")
        assert {name: archive.read(name) for name in archive.names} == FILES
        with pytest.raises(BundleError, match=r"labels\.txt in .*digits\.kdz was not found; give"):
            archive.read("labels.txt")


def test_the_same_files_give_the_same_bytes(kdz, tmp_path):
    write_archive(tmp_path / "again.kdz", dict(reversed(FILES.items())))
    assert (tmp_path / "again.kdz").read_bytes() == kdz.read_bytes()
    with zipfile.ZipFile(kdz) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize("kept", [0, 1, 30, 200, -30, -1])
def test_a_cut_file_is_refused(kdz, kept):
    kdz.write_bytes(kdz.read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"digits\.kdz is no whole \.kdz file"):
        BundleFiles(kdz)


def test_a_damaged_file_is_named(kdz):
    content = bytearray(kdz.read_bytes())
    content[content.index(b"modelmodel") + 3] ^= 1
    kdz.write_bytes(content)
    with (
        BundleFiles(kdz) as archive,
        pytest.raises(BundleError, match=r"model\.tflite in .* cannot be read"),
    ):
        archive.read("model.tflite")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "folder/model.tflite", "..", "a\\b", "C:evil", ".hidden"]
)
def test_paths_that_lead_elsewhere_are_refused(kdz, name):
    write_archive(kdz, {**FILES, name: b"x"})
    with pytest.raises(BundleError, match="a bundle's files lie side by side"):
        BundleFiles(kdz)


def test_a_bomb_is_refused_unopened(kdz):
    with zipfile.ZipFile(kdz, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", bytes(10_000_000))
    with pytest.raises(BundleError, match=r"claims 10,000,000 bytes of files in 9,\d+ of its own"):
        BundleFiles(kdz)
    with zipfile.ZipFile(kdz, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", b"0123456789" * 2)
    with pytest.raises(BundleError, match=r"holds 'model\.tflite' compressed, a bundle's files"):
        BundleFiles(kdz)


def test_files_that_overlap_are_refused(kdz):
    """Two entries of the directory for the same bytes, as bombs without compression have them."""
    content = kdz.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[start : content.index(b"PK\x01\x02", start + 4)]
    more = b"".join(entry.replace(b"manifest.json", b"m%011d" % k + b"x") for k in range(50))
    tail = bytearray(content[end:])
    count, size = 52, end - start + len(more)
    tail[8:16] = count.to_bytes(2, "little") * 2 + size.to_bytes(4, "little")
    kdz.write_bytes(content[:end] + more + bytes(tail))
    with (
        BundleFiles(kdz) as archive,
        pytest.raises(BundleError, match=r"m00000000001x in .* cannot be read"),
    ):
        archive.read("m00000000001x")


def test_two_files_of_one_name_and_too_many_are_refused(kdz):
    with zipfile.ZipFile(kdz, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    with pytest.raises(BundleError, match="holds 'a' twice"):
        BundleFiles(kdz)
    write_archive(kdz, {f"file-{k}": b"" for k in range(101)})
    with pytest.raises(BundleError, match="holds 101 files, a bundle has a few"):
        BundleFiles(kdz)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is no whole"):
        BundleFiles(tmp_path / "none.kdz")
