"""The folder of the targets: names of its files, and which of them decide what is taught."""

from pathlib import Path

from kdtasks.core.errors import TeacherError

DESCRIPTION = "targets.json"
TEACHER = "teacher"
KEPT = "unlabelled.npy"


def target_files(folder: Path) -> list[Path]:
    """Files whose content, with params and images, decides what a student is taught."""
    drawn = {folder / "views.npy", folder / "labels.npy"}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in drawn)


def existing_file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise TeacherError(f"{folder} holds no {name}; run `dvc repro targets`")
    return folder / name
