"""Sixty images of one class and six of the other, from `prepare` to the evaluation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import TrainingError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import Dataset, GroupCounts, SplitCounts
from kdtasks.data.prepare import split_counts, uneven_message
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.params import Params, load_params
from stages import prepare, teacher

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()


def params_of(**train: object) -> Params:
    content = load_params(RECIPE).model_dump()
    content["data"] |= {
        "source": {"name": "image_folder"},
        "path": "photos",
        "image_size": [8, 8],
        "channels": 1,
        "near_copies": False,
        "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
    }
    content["augmentation"] = {"views": 1, "transforms": []}
    content["train"] |= {"batch_size": 8, "guard_epochs": 8, **train}
    content["teacher"]["model"] = {"name": "cnn", "filters": [4], "top": "global_average"}
    content["teacher"] |= {"epochs": 40, "learning_rate": 0.03}
    content["evaluate"]["metric"] = "balanced_accuracy"
    return Params.model_validate(content)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bright and dark noise; one step from class to class is as large as the noise."""
    monkeypatch.chdir(tmp_path)
    Path("data/raw-unlabelled").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name, count, level in (("good", 60, 110), ("scratched", 6, 150)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = np.clip(level + draw.normal(0, 25, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")


def test_prepare_says_what_accuracy_hides(photos: None, capsys: pytest.CaptureFixture[str]):
    prepare.main(params_of(), PATHS)
    told = capsys.readouterr()
    assert (
        "60 of 66 images are of the class good, 6 of scratched: always answering good would be "
        "right in 90.9 %, so accuracy says little here; evaluate.metric: balanced_accuracy "
        "compares models by the mean recall of the classes, and train.class_balance: weights "
        "makes up for rare ones. The recall of scratched will rest on 1 test image"
    ) in told.out + told.err


def test_only_labels_are_counted_as_uneven():
    labels = np.array([-1] * 20 + [0] * 9 + [1])
    dataset = RawDataset(
        task="classification",
        images=np.zeros((30, 1, 1, 1), np.uint8),
        labels=labels,
        class_names=("good", "scratched", "never seen"),
        origins=tuple(map(str, range(30))),
    )
    rows = [range(12), range(12, 16), range(16, 20), range(20, 30)]
    split = {name: np.array(some) for name, some in zip(SPLITS, rows, strict=True)}

    def record(answered: tuple[str, ...]) -> Dataset:
        return Dataset(
            name="parts",
            task="classification",
            class_names=dataset.class_names,
            image_shape=(1, 1, 1),
            ignore_label=None,
            counts=split_counts(dataset, split)
            | {name: SplitCounts(total=9, by_class={"never seen": 9}) for name in answered},
            sha256={},
            duplicates=(),
            contradictions=(),
            excluded=(),
            groups=GroupCounts(total=30, shared=0, largest=1),
            split_by="class",
            teacher_labelled=answered,
        )

    assert uneven_message(record(SPLITS)) is None
    message = uneven_message(record(SPLITS[:3]))
    assert message is not None
    assert message.startswith("9 of 10 images are of the class good, 1 of scratched: ")
    assert message.endswith(
        "compares models by the mean recall of the classes. The recall of scratched will rest on "
        "1 test image"
    )


def test_the_rare_class_is_answered_once_it_is_made_up_for(photos: None):
    prepare.main(params_of(), PATHS)
    teacher.main(params_of(class_balance="sampling"), PATHS)
    validation = read_json(Path("metrics/teacher.json"))["validation"]
    assert validation["balanced_accuracy"][-1] > 0.5  # no more than that by a constant answer
    dataset = open_prepared(PATHS.prepared)
    evaluator = evaluator_of(dataset, params_of().evaluate)
    always = evaluator.answer(lambda images: np.tile([1.0, 0.0], (len(images), 1)))
    assert (always.metric.key, always.value) == ("balanced_accuracy", 0.5)
    assert always.scores().accuracy == pytest.approx(12 / 13, abs=0.08)


def test_a_training_that_answers_the_common_class_alone_is_stopped_by_its_name(photos: None):
    params = params_of()
    prepare.main(params, PATHS)
    content = params.model_dump()
    content["teacher"]["learning_rate"] = 1e-7
    content["train"] |= {"guard_epochs": 1, "batch_size": 1}
    # after a hundred steps of next to no size, whatever it began with
    with pytest.raises(TrainingError, match=r"predicted class (good|scratched) for every valid"):
        teacher.main(Params.model_validate(content), PATHS)
