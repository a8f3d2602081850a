"""A teacher of colour photos in a size of its own, and a student of small grey ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import ParamsError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import open_prepared
from kdtasks.data.teacher_images import teacher_images
from kdtasks.learn.arms import ArmPlanner
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.resized_views import view_in_batches
from kdtasks.params import Params, load_params
from kdtasks.params.load import parse_params
from stages import arm, compare, distill, labels, prepare, prospect, student, targets, teacher
from stages import slice as slice_stage
from tests.tools.aerial_photos import mask_params, write_photos

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
CLASSES = ("blue", "red")


def content() -> dict:
    given = load_params(RECIPE).model_dump()
    given["seeds"] = [0]
    given["data"] |= {
        "source": "image_folder",
        "path": "photos",
        "unlabelled": "drawer",
        "image_size": [8, 8],
        "channels": 1,
        "train_labels": None,
        "near_copies": False,
        "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
    }
    given["augmentation"] = {"views": 2, "transforms": ["shift", "horizontal_flip"]}
    given["teacher"] |= {"source": "import", "path": "colours.h5", "stop_epoch": None}
    given["student"] |= {"model": {"name": "cnn", "filters": [4]}, "exits": [], "start": "start"}
    given["distill"] |= {"epochs": 24, "hints": [], "arms": []}
    given["student"]["learning_rate"] = 0.02
    given["train"] |= {"batch_size": 4, "guard_epochs": 50}
    given["evaluate"]["bootstrap_samples"] = 20
    folders = {"night": "night"}
    noise = {"corruptions": ["gaussian_noise"], "severities": [5], "folders": folders}
    given["evaluate"]["slices"] = noise
    return given


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos that are blue, or red and brighter; a teacher that tells these colours apart."""
    from kdtasks.core.backend import keras

    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    draw = np.random.default_rng(0)
    for number in range(90):
        pixels = draw.integers(60, 160, (16, 24, 3))
        pixels[..., 0] += 40 * (number % 2)
        pixels[..., 1] += 80 * (number % 2)
        pixels[..., 2] += 40 * (1 - number % 2)
        name = f"photos/{CLASSES[number % 2]}/{number}.png"
        path = Path(name if number < 80 else f"drawer/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    network = keras.Sequential(
        [
            keras.Input((16, 24, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    network.set_weights([np.array([[0, 60], [0, 0], [60, 0]]), np.zeros(2)])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("colours.h5")
    return tmp_path


def test_what_the_teacher_takes_is_told_with_the_line_to_paste_and_works(project: Path, capsys):
    given = content()
    prepare.main(Params.model_validate(given), PATHS)
    assert read_json(Path("data/teacher-images/images.json")) == {"shape": None}
    with pytest.raises(TeacherError, match="takes images of 16×24×3, and gets 8×8×1") as caught:
        teacher.main(Params.model_validate(given), PATHS)
    [line] = re.findall(r"paste `input: \{size: \[16, 24\], channels: 3, .*?\}`", str(caught.value))
    assert line.endswith("scaling: auto, layout: auto}`")

    given["teacher"]["input"] = {"size": [16, 24], "channels": 3, "scaling": "unit"}
    params = Params.model_validate(given)
    prepare.main(params, PATHS)
    assert "the teacher sees them at 16×24×3" in capsys.readouterr().out
    teacher.main(params, PATHS)
    assert read_json(Path("models/teacher/teacher.json"))["image_shape"] == [16, 24, 3]
    assert read_json(PATHS.metrics("teacher"))["validation"] == {
        "accuracy": [1.0],
        "balanced_accuracy": [1.0],
        "macro_f1": [1.0],
    }
    labels.main(params, PATHS)
    targets.main(params, PATHS)
    assert read_json(PATHS.targets / "targets.json")["agreement"] == [1.0, 1.0]
    views, logits = (np.load(PATHS.targets / f"{name}.npy") for name in ("views", "logits"))
    dataset, taught = open_prepared(PATHS.prepared), np.load(PATHS.targets / "unlabelled.npy")
    assert views.shape == (2, len(dataset.images("train")) + len(taught), 8, 8, 1)
    assert len(taught) == 10
    # Each answer is to the view of the teacher's own image, moved as the student's is.
    parts = [teacher_images(PATHS.teacher_images, part) for part in ("train", "unlabelled")]
    own = np.concatenate(parts)
    drawn = view_in_batches(
        own, np.arange(len(own)), view=1, augmentation=params.augmentation, size=(8, 8)
    )
    for rows, images in drawn:
        means = images.mean(axis=(1, 2)) / 255
        expected = 60 * (means[:, 0] - means[:, 2])  # of red over blue
        found = logits[1, rows, 1].astype(float) - logits[1, rows, 0]
        np.testing.assert_allclose(found, expected, atol=0.05)
    for stage in (student, distill):
        stage.main(params, PATHS, "0")
    prospect.main(params, PATHS)
    assert read_json(PATHS.metrics("prospect"))["teacher"] == 1.0
    for name, colour in {"red": [0, 66, 200], "blue": [200, 0, 0]}.items():  # each is the other
        path = Path(f"night/{name}/0.png")
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((16, 24, 3), colour, np.uint8)).save(path)
    slice_stage.main(params, PATHS, "night")
    assert "slice night: 2 images, besides 0 excluded and 0 with" in capsys.readouterr().out
    compare.main(params, PATHS)
    compared = read_json(PATHS.metrics("compare"))
    assert compared["teacher"]["accuracy"] == 1.0
    # It sees its own images, as noisy as the small ones, and tells their means apart all the same.
    assert compared["slices"]["gaussian_noise 5"]["teacher"]["score"] > 0.9
    # Grey, both photos are alike to a student; the teacher sees their colours, at their own size.
    assert compared["slices"]["night"]["teacher"]["score"] == 0
    assert compared["slices"]["night"]["distill"]["score"] == 0.5
    assert compared["slices"]["plain"]["distill"]["score"] == compared["distill"]["mean"]


def run_up_to_targets(given: dict) -> Params:
    given["teacher"]["input"] = {"size": [16, 24], "channels": 3, "scaling": "unit"}
    params = Params.model_validate(given)
    for stage in (prepare, labels, teacher, targets):
        stage.main(params, PATHS)
    return params


def planner_of(params: Params) -> ArmPlanner:
    online = params.targets.mode == "online"
    return ArmPlanner(PATHS, params.augmentation, params.train, params.distill, online, 0)


def test_the_arm_of_labelled_images_alone_has_the_answers_that_targets_have(project: Path):
    for path in Path("drawer").iterdir():
        path.unlink()  # so that both show as many images
    given = content()
    given["distill"]["arms"] = ["soft_labelled"]
    params = run_up_to_targets(given)
    examples = planner_of(params).plan("soft_labelled").examples
    assert isinstance(examples, TrainingExamples)
    np.testing.assert_array_equal(examples.images, np.load(PATHS.targets / "views.npy"))
    np.testing.assert_array_equal(examples.teacher_logits, np.load(PATHS.targets / "logits.npy"))


def test_with_few_labels_its_views_are_more_and_each_has_its_answer(project: Path):
    given = content()
    given["distill"]["arms"] = ["soft_labelled"]
    given["data"]["train_labels"] = 6
    params = run_up_to_targets(given)
    examples = planner_of(params).plan("soft_labelled").examples
    assert isinstance(examples, TrainingExamples)
    flat = examples.images.reshape(-1, 8, 8), examples.teacher_logits.reshape(-1, 2)
    assert len(np.unique(flat[0], axis=0)) > 16 * 3
    # red photos are brighter, and stay so however they are moved
    np.testing.assert_array_equal(flat[0].mean(axis=(1, 2)) > 133, flat[1].argmax(axis=-1) == 1)
    arm.main(params, PATHS, "soft_labelled", "0")


def test_an_online_teacher_sees_each_new_view_in_its_own_size(project: Path):
    given = content()
    given["targets"] = {"mode": "online"}
    given["distill"]["arms"] = ["soft_labelled"]
    params = run_up_to_targets(given)
    for name in ("soft", "soft_labelled"):
        examples = planner_of(params).plan(name).examples
        count = examples.num_examples
        [block] = examples.blocks(
            epoch=1, order=np.arange(count), batch_size=count, steps_per_block=1
        )
        is_red = block.images[0].mean(axis=(1, 2, 3)) > 133
        np.testing.assert_array_equal(is_red, block.logits[0].argmax(axis=-1) == 1)
    distill.main(params, PATHS, "0")
    prospect.main(params, PATHS)


def test_a_file_of_answers_sees_no_images():
    given = content()
    given["teacher"] |= {"source": "logits", "input": {"size": [16, 24]}}
    with pytest.raises(ParamsError, match=r"input\.size and input\.channels are for"):
        parse_params(given)


@pytest.mark.parametrize(("mode", "train_labels"), [("cached", None), ("online", 0)])
def test_masks_of_a_teacher_of_its_own_size_are_brought_to_the_student_s(
    mode: str, train_labels: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Patches of 8 pixels of halved photos; the teacher sees 16 of the photos as they are."""
    from tests.stages.test_unlabelled_masks import answers, write_teacher

    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    Path("drawer").mkdir()
    write_photos(Path("photos"), count=12)
    write_photos(Path("more"), count=4, seed=3)
    for path in Path("more/images").iterdir():
        path.rename(Path("drawer") / path.name)
    write_teacher()
    given = mask_params(load_params(RECIPE).model_dump(), Path("photos"))
    given["seeds"] = [0]
    given["data"]["source"] |= {"patch_size": 8, "overlap": 0.25}
    given["data"] |= {"image_size": [16, 24], "unlabelled": "drawer", "near_copies": False}
    given["teacher"] = {"source": "import", "path": "teacher.h5", "input": "unit"}
    given["teacher"] |= {"output": "logits"}
    given["targets"] = {"mode": mode}
    given["data"]["train_labels"] = train_labels
    given["augmentation"]["transforms"] = ["horizontal_flip", "cutmix"]
    given["student"] |= {"start": "start", "exits": []}
    given["distill"]["epochs"] = 2
    params = Params.model_validate(given)
    prepare.main(params, PATHS)
    with pytest.raises(TeacherError, match=r"16×16×3, and gets 8×8×3; .*{size: \[16, 16\]"):
        teacher.main(params, PATHS)
    given["teacher"]["input"] = {"size": [16, 16], "scaling": "unit"}
    params = Params.model_validate(given)
    for stage in (prepare, labels, teacher, targets):
        stage.main(params, PATHS)
    dataset = open_prepared(PATHS.prepared)
    own = teacher_images(PATHS.teacher_images, "test")
    checked = 0
    for name, image in zip(dataset.names("test"), own, strict=True):
        photo_name, _, place = name.partition("[")
        rows, columns = (
            slice(*(2 * int(end) for end in part.split(":"))) for part in place[:-1].split(", ")
        )
        with Image.open(Path("photos") / photo_name) as photo:
            if photo.size == (48, 32):  # the others were stretched
                np.testing.assert_array_equal(image, np.asarray(photo)[rows, columns])
                checked += 1
    assert checked
    if mode == "cached":
        logits = np.load(PATHS.targets / "logits.npy")
        train = teacher_images(PATHS.teacher_images, "train")
        assert logits.shape[2:] == (8, 8, 3)
        # where a block of four pixels is of one class, so is the pixel that stands for it
        blocks = answers(train).reshape(-1, 8, 2, 8, 2)
        alike = (blocks == blocks[:, :, :1, :, :1]).all(axis=(2, 4))
        said = logits[0, : len(train)].argmax(axis=-1)
        assert (said == blocks[:, :, 0, :, 0])[alike].mean() > 0.95
    distill.main(params, PATHS, "0")
    student.main(params, PATHS, "0")
    prospect.main(params, PATHS)
    compare.main(params, PATHS)
    assert read_json(PATHS.metrics("compare"))["teacher"]["mean_iou"] > 0.7
