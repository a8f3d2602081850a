"""A project's own `extensions/` adds a source, and `prepare` runs it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from kdtasks.data.prepared import open_prepared

ROOT = Path(__file__).parents[3]

SOURCE = '''
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.data.sources import Item, Source, sources


@sources.register
class Diary(Source):
    """Images that a diary names, with the class, the split and the burst of each."""

    task: ClassVar = "classification"

    name: Literal["diary"] = "diary"
    file: str = Field(default="labels.csv", description="the diary, below `data.path`")

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return ("day", "night")

    def items(self, folder: Path) -> Iterator[Item]:
        with (folder / self.file).open() as file:
            for row in csv.DictReader(file):
                label = self.class_names(folder).index(row["class"])
                split, group = row["split"] or None, row["burst"] or None
                yield Item(row["path"], folder / row["path"], label, split, group)
'''


def test_a_source_of_a_projects_own_is_prepared(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (tmp_path / "data/raw-unlabelled").mkdir(parents=True)
    lines = ["path,class,split,burst"]
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
        split, burst = ("test", "") if number < 12 else ("", f"burst {number // 3}")
        lines.append(f"{number}.png,{('day', 'night')[number % 2]},{split},{burst}")
    (photos / "own.csv").write_text("\n".join(lines))
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "diary.py").write_text(SOURCE)
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"source": {"name": "diary", "file": "own.csv"}, "path": "photos"}
    with (tmp_path / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy\n"
    code += "runpy.run_module('stages.prepare', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "diary: 60 images of 8×8×3, 2 classes" in done.stdout
    dataset = open_prepared(tmp_path / "data" / "prepared")
    assert (dataset.name, dataset.class_names) == ("diary", ("day", "night"))
    assert dataset.counts["test"].total == 12
    assert all(part.total % 3 == 0 for part in dataset.counts.values())  # whole bursts
