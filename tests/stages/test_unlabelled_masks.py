"""From photos without masks to the page: with masks to test by, and with none at all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.params import Params, load_params
from kdtasks.tasks.confusion import confusion_matrix, mean_iou
from stages import (
    benchmark,
    calibrate,
    compare,
    compress,
    distill,
    evaluate,
    export,
    labels,
    prepare,
    prospect,
    report,
    sensitivity,
    student,
    targets,
    teacher,
)
from tests.tools.aerial_photos import CLASSES, UNLABELLED, mask_params, write_photos
from tests.tools.report_pages import text_of

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
# From red, green and blue of 0…1 to ground, square and stripe: what is bright, and what is red.
KERNEL = np.array([[-5, 0, 5], [0, 5, -5], [0, 0, 0]], np.float32)
BIAS = np.array([2.5, -2.5, -1.5], np.float32)


def write_teacher(kernel: np.ndarray = KERNEL) -> None:
    from kdtasks.core.backend import keras

    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(3, 1)])
    network.set_weights([kernel[None, None], BIAS])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("teacher.h5")


def answers(images: np.ndarray) -> np.ndarray:
    return (images / np.float32(255) @ KERNEL + BIAS).argmax(axis=-1)


def params_of(*, test: str | None = None) -> Params:
    content = mask_params(load_params(RECIPE).model_dump(), Path("photos"))
    content["seeds"] = [0]
    content["data"]["source"] = {
        "name": "unlabelled_segmentation_folder",
        "classes": CLASSES,
        "ignore": [UNLABELLED],
        "patch_size": 16,
        "overlap": 0.25,
        "test": test,
    }
    content["data"] |= {"unlabelled": "drawer", "near_copies": False}
    content["teacher"] = {"source": "import", "path": "teacher.h5"}
    content["teacher"] |= {"input": "unit", "output": "logits"}
    content["student"] |= {"start": "start", "exits": []}
    content["distill"]["epochs"] = 4
    content["compress"]["variants"] = ["float32"]
    content["select"] = {"max_accuracy_drop": None, "max_agreement_drop": 1.0}
    if test is None:
        content["gate"] = {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    return Params.model_validate(content)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve photos without masks in two folders, and eight with masks in a third."""
    monkeypatch.chdir(tmp_path)
    for name in ("start", "drawer", "photos/2023", "photos/2024"):
        Path(name).mkdir(parents=True)
    write_photos(Path("photos/known"), count=8)
    write_photos(Path("others"), count=12, seed=1)
    for number, path in enumerate(sorted(Path("others/images").iterdir())):
        path.rename(Path("photos") / str(2023 + number % 2) / path.name)
    write_teacher()
    return tmp_path


def test_the_teachers_masks_stand_in_the_place_of_labels(folder: Path) -> None:
    prepare.main(params_of(test="known"), PATHS)
    dataset = open_prepared(PATHS.prepared)
    assert dataset.teacher_labelled == ("train", "validation", "calibration")
    names = {split: {name.split("[")[0] for name in dataset.names(split)} for split in SPLITS}
    assert names["test"] == {f"known/images/{number:02}.png" for number in range(8)}
    assert len(names["train"] | names["validation"] | names["calibration"]) == 12
    for split in dataset.teacher_labelled:
        found, said = np.asarray(dataset.labels(split)), answers(dataset.images(split))
        labelled = found != 255
        np.testing.assert_array_equal(found[labelled], said[labelled])
        # what two patches share is labelled in one: photos of 32 rows and 32 or 48 columns
        pixels = sum(32 * (32 + 16 * (int(Path(name).stem) % 2)) for name in names[split])
        assert labelled.sum() == pixels
        counts = dataset.counts[split].by_class
        assert sum(counts.values()) == pixels
        assert counts["stripe"] == (found == 2).sum()
    truth = np.asarray(dataset.labels("test"))
    assert set(np.unique(truth)) == {0, 1, 2, 255}
    assert (truth == 255).sum() > 8 * 32  # the first row of each photo has no label
    labels.main(params_of(test="known"), PATHS)
    found = read_json(PATHS.metrics("labels"))
    assert [found[key] for key in ("train", "hidden", "validation", "calibration")] == [0] * 4
    assert found["unlabelled"] == len(names["train"])


def test_without_any_mask_all_splits_are_answered(folder: Path) -> None:
    prepare.main(params_of(), PATHS)
    dataset = open_prepared(PATHS.prepared)
    assert dataset.teacher_labelled == SPLITS
    # masks of `known` are files like others there, and their colours are images
    assert read_json(PATHS.dataset)["split_by"].startswith("chance; ")


def test_a_photo_of_the_test_split_is_not_learnt_from(folder: Path) -> None:
    Path("photos/2023/twin.png").write_bytes(Path("photos/known/images/00.png").read_bytes())
    prepare.main(params_of(test="known"), PATHS)
    excluded = {entry["path"].split("[")[0] for entry in read_json(PATHS.dataset)["excluded"]}
    assert excluded == {"2023/twin.png"}


def test_a_teacher_that_answers_one_class_is_refused(folder: Path) -> None:
    from kdtasks.core.errors import TeacherError

    write_teacher(KERNEL * 0)
    with pytest.raises(TeacherError, match=r"answers ground to every image.*check teacher\.input"):
        prepare.main(params_of(test="known"), PATHS)


@pytest.mark.parametrize(("section", "split"), [("select", "validation"), ("gate", "test")])
def test_limits_on_accuracy_are_refused(section: str, split: str) -> None:
    content = params_of().model_dump()
    content[section] |= {"max_accuracy_drop": 0.01, "max_agreement_drop": None}
    with pytest.raises(ValidationError, match=f"the {split} split has no labels, only a teacher's"):
        Params.model_validate(content)


def run(params: Params) -> None:
    for stage in (prepare, labels, teacher, targets):
        stage.main(params, PATHS)
    student.main(params, PATHS, "0")
    distill.main(params, PATHS, "0")
    prospect.main(params, PATHS)
    for step in (compress, calibrate, export, evaluate, benchmark):
        step.main(params, PATHS, "float32")
    for last in (sensitivity, compare, report):
        last.main(params, PATHS)


@pytest.mark.slow
def test_without_any_mask_every_figure_is_agreement(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(Path("photos/known/masks").iterdir()):
        path.unlink()
    run(params_of())
    out = capsys.readouterr().out
    assert "imported teacher: its own answers stand in the place of labels" in out
    assert "the teacher agrees with 100.00% of its answers to them as they are" in out
    assert "float32: mean IoU by the teacher's answers " in out
    assert "test mean IoU by the teacher's answers: teacher not tested, student none, " in out
    assert "accuracy" not in out.lower()
    records: dict[str, Any] = {
        name: read_json(Path(f"{name}.json"))
        for name in ("metrics/evaluate/float32", "metrics/compare", "exits/float32/calibration")
    }
    assert all(record["labels_from"] == "teacher" for record in records.values())
    for name in ("teacher", "distill/0", "compress/float32"):
        assert read_json(Path(f"metrics/{name}.json"))["validation"]["labels_from"] == "teacher"
    manifest = read_json(Path("bundles/float32/manifest.json"))
    assert manifest["metrics"]["validation"]["labels_from"] == "teacher"
    assert read_json(PATHS.metrics("student", 0)) == {"refused": NO_LABELS}
    dataset = open_prepared(PATHS.prepared)
    with np.load(PATHS.predictions("float32")) as arrays:
        confusion = confusion_matrix(arrays["predicted"], dataset.labels("test"), 3, 255)
    assert records["metrics/evaluate/float32"]["mean_iou"] == pytest.approx(
        mean_iou(confusion), abs=1e-6
    )
    headline = read_json(PATHS.selection)["headline"]
    assert headline.startswith("Mean IoU by the teacher's answers: distilled ")
    assert "Accuracy is unknown: no image has a label" in headline
    words = text_of(PATHS.page.parent).partition("params.yaml, with every default filled in")[0]
    rest = words.replace("Accuracy is unknown", "").replace("max_accuracy_drop", "")
    assert "accurac" not in rest.lower()


@pytest.mark.slow
def test_with_masks_to_test_by_the_mean_iou_is_known(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(params_of(test="known"))
    assert "test mean IoU: teacher " in capsys.readouterr().out
    dataset = open_prepared(PATHS.prepared)
    confusion = confusion_matrix(answers(dataset.images("test")), dataset.labels("test"), 3, 255)
    found = read_json(PATHS.metrics("compare"))
    assert found["teacher"]["mean_iou"] == pytest.approx(mean_iou(confusion), abs=1e-6)
    assert "labels_from" not in found
    assert "labels_from" not in read_json(PATHS.metrics("evaluate", "float32"))
    assert read_json(PATHS.calibration("float32"))["labels_from"] == "teacher"
    words = text_of(PATHS.page.parent)
    assert "Labels are known of the test split alone: figures of other images are agree" in words
    assert "Accuracy is unknown" not in words
