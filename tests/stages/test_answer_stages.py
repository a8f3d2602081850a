"""From a file of answers to the comparison, on a small folder of images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import Refused, TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.unlabelled import open_unlabelled
from kdtasks.params import Params, load_params
from stages import arm, compare, distill, labels, prepare, prospect, student, targets, teacher

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
CLASSES = ("bright", "dark")


@pytest.fixture(scope="module")
def params() -> Params:
    content = load_params(RECIPE).model_dump()
    content["seeds"] = [0]
    content["data"] |= {
        "source": "image_folder",
        "path": "photos",
        "unlabelled": "drawer",
        "image_size": [8, 8],
        "channels": 1,
        "train_labels": 8,
        "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
    }
    content["augmentation"] = {"views": 2, "transforms": ["shift", "horizontal_flip"]}
    content["teacher"] |= {"source": "logits", "path": "answers.npz", "stop_epoch": None}
    content["targets"]["min_confidence"] = 0.8
    content["student"] |= {"model": {"name": "cnn", "filters": [4]}, "exits": [], "start": "start"}
    content["distill"] |= {"epochs": 1, "hints": [], "arms": ["soft_labelled", "hard"]}
    content["train"] |= {"batch_size": 8, "guard_epochs": 50}
    content["evaluate"]["bootstrap_samples"] = 20
    content["evaluate"]["slices"] = {"corruptions": ["jpeg"], "severities": [3]}
    return Params.model_validate(content)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """A folder after `prepare` and `labels`: 60 bright and dark images, and six of no class."""
    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    generator = np.random.default_rng(0)
    for number in range(66):
        low = 0 if number % 2 else 160
        pixels = generator.integers(low, low + 90, (8, 8)).astype(np.uint8)
        name = f"photos/{CLASSES[number % 2]}/{number}.png"
        path = Path(name if number < 60 else f"drawer/summer/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    prepare.main(params, PATHS)
    labels.main(params, PATHS)
    return tmp_path


def all_names() -> list[str]:
    """As `prepare` wrote them down."""
    kept = read_json(Path("data/prepared/names.json"))
    kept |= read_json(Path("data/unlabelled/names.json"))
    return [name for names in kept.values() for name in names]


def answers_to(names: list[str]) -> np.ndarray:
    """Logits that tell the image by its number: of class names right, of image 65 unsure."""
    numbers = np.array([int(Path(name).stem) for name in names])
    is_dark = numbers % 2 == 1
    logits = np.stack([4.0 - is_dark * 8, numbers / 32], axis=-1)
    logits[numbers == 65] = 0.0
    return logits.astype(np.float32)


def write(names: list[str], **rest: Any) -> None:
    np.savez("answers.npz", names=np.array(names), logits=answers_to(names), **rest)


def test_names_of_every_row_are_kept(project: Path):
    dataset = open_prepared(PATHS.prepared)
    for split in SPLITS:
        for name, image in zip(dataset.names(split), dataset.images(split), strict=True):
            np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(f"photos/{name}")))
    names = read_json(Path("data/unlabelled/names.json"))["unlabelled"]
    for name, image in zip(names, open_unlabelled(PATHS.unlabelled), strict=True):
        path = f"drawer/{name.removeprefix('unlabelled/')}"
        np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(path)))


def test_every_view_gets_the_answer_to_its_image(
    project: Path, params: Params, capsys: pytest.CaptureFixture[str]
):
    names = all_names()
    write(names[::-1], classes=np.array(CLASSES))
    teacher.main(params, PATHS)
    out = capsys.readouterr().out
    assert "teacher output: logits, for 66 images, 6 of them without a label" in out
    assert read_json(PATHS.metrics("teacher")) == {
        "validation": {"accuracy": [1.0], "balanced_accuracy": [1.0], "macro_f1": [1.0]},
        "parameters": None,
        "macs": None,
        "epochs": 0,
        "seed": None,
    }

    targets.main(params, PATHS)
    unlabelled = read_json(Path("data/unlabelled/names.json"))["unlabelled"]
    taught = [*open_prepared(PATHS.prepared).names("train"), *unlabelled]
    taught.remove("unlabelled/summer/65.png")  # less sure than `targets.min_confidence`
    expected = answers_to(taught)
    expected -= expected.max(axis=-1, keepdims=True)
    stored = np.load("data/targets/logits.npy")
    assert stored.shape == (2, len(taught), 2)
    for view in stored:
        np.testing.assert_array_equal(view, expected.astype(np.float16))
    views = np.load("data/targets/views.npy")
    assert (views[0] != views[1]).any()
    record = read_json(Path("data/targets/targets.json"))["unlabelled"]
    assert (record["images"], record["excluded"]) == (6, 1)


def test_labelled_images_get_their_own_soft_answers(project: Path, params: Params):
    from kdtasks.learn.arms import ArmPlanner
    from kdtasks.learn.training.examples import TrainingExamples

    write(all_names())
    teacher.main(params, PATHS)
    setup = params.training()
    planner = ArmPlanner(PATHS, params.augmentation, setup.train, params.distill, False, 0)
    examples = planner.plan("soft_labelled").examples
    assert isinstance(examples, TrainingExamples)
    dataset, rows = open_prepared(PATHS.prepared), np.load(PATHS.labelled)
    names = [dataset.names("train")[row] for row in rows]
    expected = answers_to(names)
    expected -= expected.max(axis=-1, keepdims=True)
    found = examples.teacher_logits.reshape(-1, 2)
    assert len(names) == 8
    np.testing.assert_array_equal(found, np.resize(expected.astype(np.float16), found.shape))
    flat = examples.images.reshape(-1, 8, 8, 1)
    np.testing.assert_array_equal(flat[:8], dataset.images("train")[rows])


@pytest.mark.slow
def test_students_learn_from_it_and_are_compared(project: Path, params: Params):
    names = all_names()
    write(names)
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    student.main(params, PATHS, "0")
    distill.main(params, PATHS, "0")
    for name in ("soft_labelled", "hard"):
        arm.main(params, PATHS, name, "0")
    compare.main(params, PATHS)
    found = read_json(PATHS.metrics("compare"))
    assert found["teacher"]["accuracy"] == 1.0
    assert found["arms"].keys() == {"soft_labelled", "hard"}
    assert found["slices"]["jpeg 3"]["teacher"] is None  # it has no answer to damaged images
    assert found["slices"]["jpeg 3"]["student"]["score"] > 0

    tested = set(open_prepared(PATHS.prepared).names("test"))
    write([name for name in names if name not in tested])
    teacher.main(params, PATHS)
    compare.main(params, PATHS)
    without = read_json(PATHS.metrics("compare"))
    assert (without["teacher"], without["teacher_lead"]) == (None, None)
    assert without["teacher_worse_than_student"] is False
    same = without.keys() - {"teacher", "teacher_lead", "teacher_worse_than_student"}
    assert {key: without[key] for key in same} == {key: found[key] for key in same}


@pytest.mark.slow
def test_without_any_label_there_is_no_student_alone(
    project: Path, params: Params, capsys: pytest.CaptureFixture[str]
):
    content = params.model_dump()
    content["data"]["train_labels"] = 0
    content["distill"]["arms"] = ["hard", "all_labels"]
    unseen = Params.model_validate(content)
    labels.main(unseen, PATHS)
    assert read_json(PATHS.metrics("labels"))["train"] == 0
    write(all_names())
    teacher.main(unseen, PATHS)
    targets.main(unseen, PATHS)
    student.main(unseen, PATHS, "0")
    prospect.main(unseen, PATHS)
    for path in (PATHS.metrics("student", 0), PATHS.metrics("prospect")):
        assert read_json(path) == {"refused": NO_LABELS}
    assert PATHS.plot("student", 0).read_text() == "epoch,validation_accuracy\n"
    distill.main(unseen, PATHS, "0")
    for name in ("hard", "all_labels"):
        arm.main(unseen, PATHS, name, "0")
    with pytest.raises(Refused, match="none of them can be taught by labels alone"):
        arm.main(unseen, PATHS, "soft_labelled", "0")
    compare.main(unseen, PATHS)
    assert f"student none, distilled 1.0000; distillation: {NO_LABELS}" in capsys.readouterr().out
    found = read_json(PATHS.metrics("compare"))
    assert found["student"] is None
    assert found["gain"] == {"refused": NO_LABELS}
    assert found["arms"]["all_labels"]["gain"] is None


def test_an_image_without_a_label_needs_an_answer(project: Path, params: Params):
    write([name for name in all_names() if not name.endswith("64.png")])
    teacher.main(params, PATHS)
    with pytest.raises(TeacherError, match=r"lacks 1 \(unlabelled/summer/64\.png\) of 6 images"):
        targets.main(params, PATHS)
