"""The two sources of a teacher: training it here, and importing it."""

from pathlib import Path

from kdtasks.atomic import write_json
from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.params.data import AugmentationParams
from kdtasks.params.training import TeacherParams, TrainingSetup
from kdtasks.teachers.imported import import_teacher
from kdtasks.teachers.teacher import open_teacher
from kdtasks.teachers.trained import train_teacher
from kdtasks.training.accuracy import accuracy
from kdtasks.training.history import write_history

FOLDER = Path("models/teacher")


def make_teacher(
    settings: TeacherParams,
    dataset: PreparedDataset,
    *,
    augmentation: AugmentationParams,
    setup: TrainingSetup,
) -> None:
    """Write the teacher, its metrics and its history, from the source that settings name."""
    if settings.source == "import":
        _import(settings, dataset)
    else:
        train_teacher(settings, dataset, augmentation=augmentation, setup=setup)


def _import(settings: TeacherParams, dataset: PreparedDataset) -> None:
    images, labels = dataset.images("validation"), dataset.labels("validation")
    import_teacher(
        FOLDER,
        settings,
        images=images,
        labels=labels,
        num_classes=dataset.num_classes,
        ignore_label=dataset.ignore_label,
    )
    teacher = open_teacher(FOLDER)
    reached = accuracy(teacher.logits(images).argmax(axis=-1), labels, dataset.ignore_label)
    print(f"imported teacher: validation accuracy {reached:.2%}")
    write_history(Path("plots/teacher.csv"), [])
    write_json(
        Path("metrics/teacher.json"),
        {
            "validation": {"accuracy": [reached]},
            "parameters": teacher.parameters,
            "macs": None,
            "epochs": 0,
            "seed": None,
        },
    )
