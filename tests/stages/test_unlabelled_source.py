"""From images without labels to the page: with labels to test by, and with none at all."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.labels import open_labelled
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.learn.teachers import labelling
from kdtasks.params import Params
from stages import (
    labels,
    prepare,
)
from tests.tools.unlabelled_photos import (
    CLASSES,
    TEACHERS_LIMIT,
    level_of,
    params_of,
    write_answers,
    write_network,
)

PATHS = ProjectPaths()


def test_the_teachers_answers_stand_in_the_place_of_labels(folder: Path):
    params = params_of()
    write_answers()
    prepare.main(params, PATHS)
    dataset = open_prepared(PATHS.prepared)
    assert dataset.teacher_labelled == SPLITS
    assert dataset.class_names == CLASSES
    for split in SPLITS:
        levels = np.array([level_of(name) for name in dataset.names(split)])
        np.testing.assert_array_equal(dataset.labels(split), levels >= TEACHERS_LIMIT)
        by_class = dataset.counts[split].by_class
        assert by_class["bright"] == np.count_nonzero(dataset.labels(split))
        assert sum(by_class.values()) == len(levels)
    assert read_json(PATHS.dataset)["split_by"].startswith("chance; ")
    labels.main(params, PATHS)
    assert not len(open_labelled(PATHS.labelled))
    found = read_json(PATHS.metrics("labels"))
    counts = [found[key] for key in ("train", "hidden", "validation", "calibration")]
    assert counts == [0, 0, 0, 0]
    assert found["unlabelled"] == dataset.counts["train"].total


def test_another_teacher_moves_no_image_to_another_split(folder: Path):
    write_answers()
    prepare.main(params_of(), PATHS)
    before = {split: open_prepared(PATHS.prepared).names(split) for split in SPLITS}
    answers = dict(np.load("answers.npz"))
    np.savez("answers.npz", **(answers | {"logits": answers["logits"] + [0.0, 3.0]}))
    prepare.main(params_of(), PATHS)
    assert {split: open_prepared(PATHS.prepared).names(split) for split in SPLITS} == before


def test_a_teacher_answers_with_one_thread_whatever_runtime_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nobody watches `runtime.threads` for `prepare`, so its labels must not depend on them."""
    names = ("KDTASKS_THREADS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
    for name in (*names, "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "3")
    pinned: list[list[str]] = []
    answer = labelling.label_by_teacher

    def counted(*arguments: Any) -> dict[str, np.ndarray]:
        pinned.append([os.environ[name] for name in names])
        return answer(*arguments)

    monkeypatch.setattr(labelling, "label_by_teacher", counted)
    write_answers()
    prepare.main(params_of(runtime={"threads": 3}), PATHS)
    assert pinned == [["1", "1", "1"]]


def test_labelled_photos_are_the_test_split_and_none_of_them_is_learnt_from(folder: Path):
    twin = Path("photos/trip 1/100-0.png")
    known = sorted(Path("photos/known").glob("*/*.png"))
    twin.write_bytes(known[0].read_bytes())
    write_answers()
    prepare.main(params_of(test="known"), PATHS)
    dataset = open_prepared(PATHS.prepared)
    assert dataset.teacher_labelled == ("train", "validation", "calibration")
    assert len(dataset.names("test")) == 40
    levels = np.array([level_of(name) for name in dataset.names("test")])
    np.testing.assert_array_equal(dataset.labels("test"), levels >= 128)
    record = read_json(PATHS.dataset)
    assert [entry["path"] for entry in record["excluded"]] == ["trip 1/100-0.png"]
    assert record["contradictions"] == []


def test_the_validation_split_may_have_labels_too(folder: Path, capsys: pytest.CaptureFixture[str]):
    for path in sorted(Path("photos/known").glob("*/*.png"))[::2]:
        moved = Path("photos/chosen") / path.parent.name / path.name
        moved.parent.mkdir(parents=True, exist_ok=True)
        path.rename(moved)
    content = params_of(test="known").model_dump()
    content["data"]["source"]["validation"] = "chosen"
    content["select"] |= {"max_accuracy_drop": 0.5, "max_agreement_drop": None}
    write_network()
    content["teacher"] |= {"source": "import", "path": "teacher.h5", "input": "auto"}
    params = Params.model_validate(content)
    prepare.main(params, PATHS)
    assert (
        "teacher input: unit; validation cross-entropy by preprocessing: "
        in capsys.readouterr().out
    )
    dataset = open_prepared(PATHS.prepared)
    assert dataset.teacher_labelled == ("train", "calibration")
    levels = np.array([level_of(name) for name in dataset.names("validation")])
    np.testing.assert_array_equal(dataset.labels("validation"), levels >= 128)
    labels.main(params, PATHS)
    found = read_json(PATHS.metrics("labels"))
    assert (found["train"], found["validation"], found["calibration"]) == (0, 20, 0)


def test_a_teacher_may_see_images_of_its_own(folder: Path):
    write_network(size=4)
    given = {"scaling": "unit", "size": [4, 4]}
    changes = {"source": "import", "path": "teacher.h5", "input": given, "output": "logits"}
    prepare.main(params_of(teacher=changes), PATHS)
    dataset = open_prepared(PATHS.prepared)
    for split in SPLITS:
        levels = np.array([level_of(name) for name in dataset.names(split)])
        is_clear = abs(levels - TEACHERS_LIMIT) > 5  # of the pixels' noise
        bright = dataset.labels(split)[is_clear]
        np.testing.assert_array_equal(bright, levels[is_clear] >= TEACHERS_LIMIT)


def test_how_the_teacher_takes_its_pixels_has_to_be_said(folder: Path):
    write_network()
    changes = {"source": "import", "path": "teacher.h5"}
    with pytest.raises(TeacherError, match="no validation image has a label, which would tell"):
        prepare.main(params_of(teacher=changes), PATHS)


def test_unnamed_columns_are_refused(folder: Path):
    write_answers()
    answers = dict(np.load("answers.npz"))
    del answers["classes"]
    np.savez("answers.npz", **answers)
    with pytest.raises(TeacherError, match="are not named, and no image has a label that could"):
        prepare.main(params_of(), PATHS)
    assert not PATHS.prepared.exists()


def test_a_teacher_that_always_says_the_same_is_refused(folder: Path):
    write_answers()
    answers = dict(np.load("answers.npz"))
    np.savez("answers.npz", **(answers | {"logits": np.tile([0.0, 1.0], (200, 1))}))
    with pytest.raises(TeacherError, match=r"answers bright to every image.*check teacher\.input"):
        prepare.main(params_of(), PATHS)


def test_every_image_needs_an_answer(folder: Path):
    write_answers()
    Image.fromarray(np.full((8, 8), 99, np.uint8)).save("photos/trip 0/99-999.png")
    with pytest.raises(TeacherError, match=r"lacks 1 \(trip 0/99-999\.png\)"):
        prepare.main(params_of(), PATHS)


def test_what_is_no_class_in_the_labelled_folder_is_a_problem(folder: Path):
    write_answers()
    Path("photos/known/grey").mkdir()
    with pytest.raises(DatasetError, match="known/grey: no folder of a class; these are dark, bri"):
        prepare.main(params_of(test="known"), PATHS)
    with pytest.raises(DatasetError, match=r"lacking not found, .* correct data\.source\.test"):
        prepare.main(params_of(test="lacking"), PATHS)
