"""From images without labels to the page: with labels to test by, and with none at all."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.errors import DatasetError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.data.labels import open_labelled
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.learn.teachers import labelling
from kdtasks.params import Params, load_params
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
from tests.report.test_page import text_of

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
CLASSES = ("dark", "bright")
# Beyond it the teacher calls an image bright; what is bright indeed begins at 128.
TEACHERS_LIMIT = 100


def params_of(*, test: str | None = None, **changes: dict[str, Any]) -> Params:
    content = load_params(RECIPE).model_dump()
    content["seeds"] = [0]
    content["data"] |= {
        "source": {"name": "unlabelled_folder", "classes": CLASSES, "test": test},
        "path": "photos",
        "unlabelled": "drawer",
        "train_labels": None,
        "image_size": [8, 8],
        "channels": 1,
        "near_copies": False,
    }
    content["augmentation"] = {"views": 1, "transforms": []}
    content["teacher"] |= {"source": "logits", "path": "answers.npz"}
    model = {"name": "cnn", "filters": [4, 4]}
    content["student"] |= {"model": model, "exits": ["block_1"], "start": "start"}
    content["distill"] |= {"epochs": 8, "hints": [], "arms": []}
    content["train"] |= {"batch_size": 8, "guard_epochs": 50}
    content["exits"] |= {"mode": "cost", "max_cost": 0.9, "grid": 11}
    content["compress"] |= {"variants": ["float32"], "representative_images": 8}
    content["evaluate"]["bootstrap_samples"] = 20
    content["benchmark"] |= {"images": 4, "rounds": 1, "warmup": 1}
    content["select"] |= {"max_accuracy_drop": None, "max_agreement_drop": 1.0}
    if test is None:
        content["gate"] |= {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    for section, keys in changes.items():
        content[section] |= keys
    return Params.model_validate(content)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """160 photos of one brightness each, in folders that mean nothing, and 40 labelled ones."""
    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    Path("drawer").mkdir()
    generator = np.random.default_rng(0)
    for number in range(200):
        level = int(generator.integers(30, 220))
        pixels = (level + generator.integers(-5, 6, (8, 8))).astype(np.uint8)
        truth = CLASSES[int(level >= 128)]
        name = (
            f"trip {number % 3}/{level}-{number}.png"
            if number < 160
            else f"known/{truth}/{number}-{level}.png"
        )
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


def level_of(name: str) -> int:
    first, second = Path(name).stem.split("-")
    return int(first if name.startswith("trip") else second)


def write_answers() -> None:
    """Answer every photo: by its level, and bright from `TEACHERS_LIMIT`."""
    names = [path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.png")]
    levels = np.array([level_of(name) for name in names])
    lead = (levels - TEACHERS_LIMIT + 0.5) / 20
    rows = np.stack([-lead, lead], axis=-1).astype(np.float32)
    np.savez("answers.npz", names=np.array(names), logits=rows, classes=np.array(CLASSES))


def write_network(size: int = 8) -> None:
    """The same teacher as a network."""
    from kdtasks.core.backend import keras

    network = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    weight = 255 / 20
    bias = TEACHERS_LIMIT / 20
    network.set_weights([np.array([[-weight, weight]]), np.array([bias, -bias])])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("teacher.h5")


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


@pytest.mark.slow
def test_without_any_label_every_figure_is_agreement(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    write_answers()
    run(params_of())
    out = capsys.readouterr().out
    assert "imported teacher: its own answers stand in the place of labels" in out
    assert "the teacher agrees with 100.00% of its answers to them as they are" in out
    assert "float32: agreement with the teacher " in out
    assert "test agreement with the teacher: teacher not tested, student none, distilled " in out
    assert "accuracy" not in out.lower()
    for record in ("metrics/evaluate/float32", "metrics/compare", "exits/float32/calibration"):
        assert read_json(Path(f"{record}.json"))["labels_from"] == "teacher"
    for record in ("teacher", "distill/0", "compress/float32"):
        assert read_json(Path(f"metrics/{record}.json"))["validation"]["labels_from"] == "teacher"
    manifest = read_json(Path("bundles/float32/manifest.json"))
    assert manifest["metrics"]["validation"]["labels_from"] == "teacher"
    assert read_json(PATHS.metrics("student", 0)) == {"refused": NO_LABELS}
    inspected = CliRunner().invoke(app, ["inspect", "bundles/float32"]).output
    assert "agreement with the teacher" in " ".join(inspected.split())
    assert "accuracy" not in inspected

    summary = read_json(PATHS.summary)
    assert summary["distilled_agreement"] == read_json(PATHS.metrics("compare"))["distill"]["mean"]
    assert not [key for key in summary if "accuracy" in key]
    headline = read_json(PATHS.selection)["headline"]
    assert headline.startswith("Agreement with the teacher: distilled ")
    assert "Accuracy is unknown: no image has a label, so that every figure is agree" in headline
    words = text_of(PATHS.page.parent)
    page = words.partition("params.yaml, with every default filled in")[0]
    rest = page.replace("Accuracy is unknown", "")
    assert "accurac" not in rest.lower().replace("max_accuracy_drop", "")
    assert "Its test agreement with the teacher" in page
    assert "Teacher – its own answers stand in the place of labels" in page
    assert "No label chooses among settings or calibrates" in page


@pytest.mark.slow
def test_with_a_labelled_test_split_its_accuracy_is_known(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    write_network()
    changes = {"source": "import", "path": "teacher.h5", "input": "unit", "output": "logits"}
    run(params_of(test="known", teacher=changes))
    out = capsys.readouterr().out
    assert "float32: agreement with the teacher " in out  # of the calibration split
    assert "test accuracy: teacher " in out
    levels = np.array([level_of(name) for name in open_prepared(PATHS.prepared).names("test")])
    right = ((levels >= TEACHERS_LIMIT) == (levels >= 128)).mean()
    assert right < 1
    found = read_json(PATHS.metrics("compare"))
    assert found["teacher"]["accuracy"] == pytest.approx(right, abs=0.03)  # noise of the pixels
    assert "labels_from" not in found
    assert "labels_from" not in read_json(PATHS.metrics("evaluate", "float32"))
    assert read_json(PATHS.calibration("float32"))["labels_from"] == "teacher"
    words = text_of(PATHS.page.parent)
    assert "Labels are known of the test split alone: figures of other images are agree" in words
    assert "Size against agreement with the teacher" in words
    assert "Its test accuracy" in words
    assert "Accuracy is unknown" not in words
    assert "distilled_accuracy" in read_json(PATHS.summary)


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
