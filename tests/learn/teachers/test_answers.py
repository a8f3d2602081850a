"""Files of answers against a dataset: matched by name, or refused with the names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from kdtasks.core.errors import DatasetError, TeacherError
from kdtasks.core.files import read_json, write_json
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.learn.teachers.answers import import_answers, open_answers
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.teachers.teacher import TableTeacher, open_teacher

CLASSES = ("ant", "bee", "cow")
COUNT = 36
NAMES = tuple(f"{CLASSES[row % 3]}/{row}.png" for row in range(COUNT))
# Right for every image, and different for each.
LOGITS = (4.0 * np.eye(3)[np.arange(COUNT) % 3] + np.arange(COUNT)[:, None] / 100).astype("f")

Import = Callable[..., Any]


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    """36 images: 12 train, 12 validate, 6 calibrate, 6 test."""
    raw = RawDataset(
        task="classification",
        images=np.arange(COUNT, dtype=np.uint8)[:, None, None, None],
        labels=(np.arange(COUNT) % 3).astype(np.int32),
        class_names=CLASSES,
        origins=NAMES,
    )
    split = dict(
        zip(
            ("train", "validation", "calibration", "test"),
            np.split(np.arange(COUNT), [12, 24, 30]),
            strict=True,
        )
    )
    params = DataParams.model_validate(
        {
            "source": "digits",
            "split": {"train": 0.4, "validation": 0.3, "calibration": 0.1, "test": 0.2},
        }
    )
    write_prepared(tmp_path / "prepared", raw, split, params)
    return open_prepared(tmp_path / "prepared")


@pytest.fixture
def take(tmp_path: Path, dataset: PreparedDataset) -> Import:
    """Import an `.npz`, and open the teacher: by default right answers to every image."""

    def run(output: str = "auto", **changed: Any) -> TableTeacher:
        arrays = {"names": NAMES, "logits": LOGITS, **changed}
        given = {key: np.array(value) for key, value in arrays.items() if value is not None}
        np.savez(tmp_path / "answers.npz", **given)  # type: ignore[arg-type]
        path = str(tmp_path / "answers.npz")
        params = TeacherParams.model_validate({"source": "logits", "path": path, "output": output})
        import_answers(tmp_path / "teacher", params, dataset)
        teacher = open_teacher(tmp_path / "teacher")
        assert isinstance(teacher, TableTeacher)
        return teacher

    return run


def test_rows_are_found_by_name_in_any_order(take: Import, dataset: PreparedDataset):
    order = np.random.default_rng(0).permutation(COUNT)
    teacher = take(names=np.array(NAMES)[order], logits=LOGITS[order])
    for split, rows in (("train", slice(0, 12)), ("test", slice(30, 36))):
        told = teacher.for_images(dataset.names(split))
        images = dataset.images(split)
        np.testing.assert_array_equal(told.predict(images, slice(None))[0], LOGITS[rows])
        np.testing.assert_array_equal(
            told.predict(images, np.array([3, 3, 0]))[0], LOGITS[rows][[3, 3, 0]]
        )


def test_named_columns_are_put_into_the_order_of_the_dataset(take: Import, tmp_path: Path):
    columns = [2, 0, 1]
    take(logits=LOGITS[:, columns], classes=np.array(CLASSES)[columns])
    np.testing.assert_array_equal(open_answers(tmp_path / "teacher").logits, LOGITS)


def test_columns_in_a_wrong_order_are_noticed_where_they_are_not_named(take: Import):
    message = r'look permuted: 0\.0% .*, 100\.0% if .*: \["cow", "ant", "bee"\]\. If that is th'
    with pytest.raises(TeacherError, match=message):
        take(logits=LOGITS[:, [2, 0, 1]])
    with pytest.raises(TeacherError, match=r"gets 33\.3% .* common class 33\.3%; its columns are"):
        take(logits=np.tile([0.0, 0.0, 1.0], (COUNT, 1)))


def test_sigmoids_are_taken_where_that_is_said(take: Import, tmp_path: Path):
    sigmoids = 1 / (1 + np.exp(-LOGITS))
    with pytest.raises(TeacherError, match=r"set teacher\.output to sigmoids if each is a probabi"):
        take(logits=None, probabilities=sigmoids)
    take(logits=None, probabilities=sigmoids, output="sigmoids")
    stored = open_answers(tmp_path / "teacher").logits
    expected = sigmoids / sigmoids.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(softmax(stored, axis=-1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("ant", "bee", "dog"),
            r"\(of no class: 1 \(dog\); missing: 1 \(cow\)\); they must be named",
        ),
        (("ant", "bee"), r"classes \(missing: 1 \(cow\)\)"),
        (("ant", "bee", "cow", "cow"), r"classes \(there twice: 1 \(cow\)\)"),
    ],
)
def test_columns_must_be_the_classes(take: Import, classes: tuple[str, ...], message: str):
    with pytest.raises(TeacherError, match=message):
        take(classes=classes)


def test_columns_must_be_as_many_as_the_classes(take: Import):
    with pytest.raises(TeacherError, match="has 2 columns of numbers, the dataset 3 classes"):
        take(logits=LOGITS[:, :2])


def test_images_without_an_answer_are_named_beside_rows_of_none(take: Import):
    names = [name if row % 3 else f"./{name}" for row, name in enumerate(NAMES)]
    message = (
        r"lacks 8 \(ant/0\.png, ant/3\.png, ant/6\.png, ant/9\.png, ant/12\.png and 3 more\) of 24 "
        r"images; 12 \(\./ant/0\.png, .* and 7 more\) of the file are of no image that is used"
    )
    with pytest.raises(TeacherError, match=message):
        take(names=names)


def test_answers_that_are_labels_are_needed_of_every_split(
    tmp_path: Path, dataset: PreparedDataset
):
    description = tmp_path / "prepared/dataset.json"
    teacher_labelled = ["train", "validation", "calibration", "test"]
    write_json(description, {**read_json(description), "teacher_labelled": teacher_labelled})
    names = NAMES[:30] + NAMES[31:]  # but the first test image
    message = (
        r"lacks 1 \(ant/30\.png\) of 36 images\. It needs a row for every image below data\.path "
        r"that has no label of its own, by its path there"
    )
    np.savez(tmp_path / "few.npz", names=names, logits=np.delete(LOGITS, 30, axis=0))
    params = TeacherParams.model_validate({"source": "logits", "path": str(tmp_path / "few.npz")})
    with pytest.raises(TeacherError, match=message):
        import_answers(tmp_path / "labels", params, open_prepared(tmp_path / "prepared"))


def test_further_rows_are_told_and_passed_over(
    take: Import, dataset: PreparedDataset, capsys: pytest.CaptureFixture[str]
):
    more = ("old/a.png", "unlabelled/a.png")
    teacher = take(names=(*NAMES, *more), logits=np.concatenate([LOGITS, LOGITS[:2]]))
    out = capsys.readouterr().out
    assert "teacher output: logits, for 38 images, 1 of them without a label" in out
    assert "1 (old/a.png) of them match no image of the dataset" in out
    found = teacher.for_images(["unlabelled/a.png"]).predict(None, slice(None))[0]
    np.testing.assert_array_equal(found, LOGITS[1:2])
    with pytest.raises(TeacherError, match=r"lacks 1 \(unlabelled/b\.png\) of 2 images\. It needs"):
        teacher.for_images(["unlabelled/a.png", "unlabelled/b.png"])
    message = r"of 1 image; 1 \(unlabelled/a\.png\) of the file are of no image"
    with pytest.raises(TeacherError, match=message):
        teacher.for_images(["unlabelled/b.png"])


def test_test_images_may_lack_answers(
    take: Import, dataset: PreparedDataset, capsys: pytest.CaptureFixture[str]
):
    teacher = take(names=NAMES[:32], logits=LOGITS[:32])
    assert "lacks 4 of 6 test images: the teacher is not tested" in capsys.readouterr().out
    assert teacher.covers(dataset.names("train"))
    assert not teacher.covers(dataset.names("test"))


def test_a_name_is_there_once(take: Import):
    with pytest.raises(TeacherError, match=r"names 1 \(ant/0\.png\) more than once"):
        take(names=(*NAMES, NAMES[0]), logits=np.concatenate([LOGITS, LOGITS[:1]]))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_are_finite(take: Import, value: float):
    logits = LOGITS.astype(np.float64)
    logits[[4, 5], 1] = value
    with pytest.raises(TeacherError, match=r"not finite, for 2 \(bee/4\.png, cow/5\.png\)"):
        take(logits=logits)


@pytest.mark.parametrize("key", ["logits", "probabilities"])
def test_probabilities_become_their_logarithms(take: Import, tmp_path: Path, key: str):
    """By the name of their array; or, in one that says logits, by `teacher.output` alone."""
    probabilities = softmax(LOGITS, axis=-1)
    take(**{"logits": None, key: probabilities})
    stored, kind = open_answers(tmp_path / "teacher").logits, description(tmp_path)["output"]
    assert kind == key
    expected = probabilities if key == "logits" else log_softmax(LOGITS, axis=-1)
    np.testing.assert_allclose(stored, expected, atol=1e-6)


def description(folder: Path) -> Any:
    return read_json(folder / "teacher" / "teacher.json")


def csv_of(path: Path, values: np.ndarray) -> TeacherParams:
    rows = zip(NAMES, values.tolist(), strict=True)
    lines = [("image", *CLASSES), *((name, *map(str, row)) for name, row in rows)]
    path.write_text("\n".join(map(",".join, lines)))
    return TeacherParams(source="logits", path=str(path))


def test_a_file_that_does_not_say_is_looked_at(tmp_path: Path, dataset: PreparedDataset):
    """Probability 0 becomes the logarithm of the smallest float32, 2⁻¹²⁶."""
    one_hot = np.eye(3)[np.arange(COUNT) % 3]
    import_answers(tmp_path / "teacher", csv_of(tmp_path / "a.csv", one_hot), dataset)
    assert description(tmp_path) == {"answers": "logits.npy", "output": "probabilities"}
    floor = -126 * np.log(2)
    expected = np.where(one_hot, 0.0, floor)
    np.testing.assert_allclose(open_answers(tmp_path / "teacher").logits, expected, rtol=1e-6)

    import_answers(tmp_path / "teacher", csv_of(tmp_path / "a.csv", LOGITS), dataset)
    assert description(tmp_path)["output"] == "logits"
    np.testing.assert_array_equal(open_answers(tmp_path / "teacher").logits, LOGITS)


def test_what_looks_like_probabilities_must_add_up(tmp_path: Path, dataset: PreparedDataset):
    cosines = 0.2 + 0.1 * np.eye(3)[np.arange(COUNT) % 3]
    cosines[7] += 0.05
    params = csv_of(tmp_path / "a.csv", cosines)
    message = r"look like probabilities, but those of ant/0\.png add up to 0\.7, not to 1.*cosines"
    with pytest.raises(TeacherError, match=message):
        import_answers(tmp_path / "teacher", params, dataset)
    params = params.model_copy(update={"output": "logits"})
    import_answers(tmp_path / "teacher", params, dataset)
    np.testing.assert_allclose(open_answers(tmp_path / "teacher").logits, cosines, rtol=1e-6)


def test_the_name_of_an_array_and_teacher_output_agree(take: Import):
    with pytest.raises(TeacherError, match=r"output is probabilities, the array .* called logits"):
        take(output="probabilities")
    with pytest.raises(TeacherError, match=r"are probabilities, but those of .* add up to"):
        take(logits=None, probabilities=LOGITS)


def test_a_folder_of_the_dataset_may_not_look_like_images_without_a_label(
    take: Import, dataset: PreparedDataset
):
    path = dataset.folder / "names.json"
    path.write_text(path.read_text().replace("ant/0.png", "unlabelled/0.png"))
    with pytest.raises(TeacherError, match=r"1 \(unlabelled/0\.png\) of data\.path begin with"):
        take()


def test_a_table_runs_on_no_images(take: Import, tmp_path: Path):
    with pytest.raises(TeacherError, match="has no network that runs on others"):
        take().logits(np.zeros((1, 1, 1, 1), np.uint8))
    with pytest.raises(TeacherError, match="has no network"):
        open_teacher(tmp_path / "teacher", layers=["block_1"])


def test_names_that_are_missing_or_too_few_are_told(dataset: PreparedDataset):
    path = dataset.folder / "names.json"
    path.write_text(path.read_text().replace('"ant/0.png",', ""))
    with pytest.raises(DatasetError, match=r"names 11 images of train, not 12; run `dvc repro pre"):
        dataset.names("train")
    path.unlink()
    with pytest.raises(DatasetError, match=r"names\.json cannot be read .* run `dvc repro prepare"):
        dataset.names("train")
