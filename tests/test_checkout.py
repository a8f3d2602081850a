"""A clone has the same bytes wherever it is made."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("dvc.yaml", "params.yaml", ".dvcignore", "stages/prepare.py", "kdtasks/data/split.py")


@pytest.mark.parametrize("attributes", [True, False])
def test_a_clone_with_line_endings_of_windows_has_the_files_as_they_are(
    tmp_path: Path, attributes: bool
) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    for name in (*FILES, *[".gitattributes"] * attributes):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=origin, check=True)
    windows = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    subprocess.run(["git", "clone", "-q", *windows, str(origin), str(clone)], check=True)
    same = [(clone / name).read_bytes() == (origin / name).read_bytes() for name in FILES]
    assert all(same) if attributes else not any(same)
