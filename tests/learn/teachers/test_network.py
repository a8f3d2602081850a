"""What is no file is refused before anything opens it; teachers of folders are copied by file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.network import network_in, open_network


@pytest.mark.parametrize("inside", ["assets/notes.txt", "variables/variables.index"])
def test_a_private_file_behind_a_link_is_not_taken_along(
    inside: str, teacher_file: Callable, import_file: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "saved_model"
    shutil.copytree(teacher_file("tf_keras_saved_model").path, folder)
    (tmp_path / "id_ed25519").write_bytes(b"secret")
    (folder / inside).parent.mkdir(exist_ok=True)
    (folder / inside).unlink(missing_ok=True)
    (folder / inside).symlink_to(tmp_path / "id_ed25519")
    with pytest.raises(TeacherError, match=rf"holds '{inside}', a link; a teacher has files and"):
        import_file(folder, labels=None)
    assert not (tmp_path / "imported").exists()


def test_a_pipe_in_a_teacher_is_refused_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "saved_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    os.mkfifo(folder / "variables/variables.index")
    with pytest.raises(TeacherError, match=r"holds 'variables/variables\.index', a pipe"):
        open_network(folder)


def test_a_folder_whose_only_network_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.onnx").write_bytes(b"x")
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher/it.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(TeacherError, match=r"it\.onnx is a link; give the path of what it stands"):
        network_in(tmp_path / "teacher")


@pytest.mark.parametrize(
    "text", ["[]", '{"members": 7}', '{"members": ["../../etc"]}', "[" * 99_999, '{"members": [1]}']
)
def test_a_damaged_description_is_of_no_format(text: str, tmp_path: Path) -> None:
    (tmp_path / "teacher.json").write_text(text)
    with pytest.raises(TeacherError, match="is of no known format"):
        open_network(tmp_path)
