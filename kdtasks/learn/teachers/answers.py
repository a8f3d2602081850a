"""A teacher that is a file of answers: checked, put into order, and looked up by image."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import atomic_folder, read_json, write_json
from kdtasks.core.text import quantity
from kdtasks.data.prepared import NAMES, SPLITS, UNLABELLED, PreparedDataset
from kdtasks.learn.teachers.answer_files import AnswerFile, read_answer_file
from kdtasks.learn.teachers.formats import DESCRIPTION
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.outputs import are_fractions, are_probabilities, to_logits
from kdtasks.learn.teachers.settings import TeacherParams

# The logits of the table, in the folder of the teacher.
LOGITS = "logits.npy"

_SHOWN = 5

_NEEDED = (
    "every image of the training and validation splits and for each without a label, by the names "
    f"in data/prepared/{NAMES} and data/unlabelled/{NAMES}"
)
_NEEDED_AS_LABELS = (
    "every image below data.path that has no label of its own, by its path there: the answers are "
    "the labels"
)


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """The answers to images, by name.

    Attributes:
        names: of the images, each once, [N].
        logits: float32 [N, classes], in the order of the dataset's classes.
    """

    names: Sequence[str]
    logits: np.ndarray

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def covers(self, names: Iterable[str]) -> bool:
        """Whether there is an answer to every one of some images."""
        return all(name in self._rows for name in names)

    def find(
        self, names: Collection[str], among: Collection[str] = (), *, needed: str = _NEEDED
    ) -> np.ndarray:
        """Look up the answers to images: float32 [len(names), classes].

        Args:
            among: all images of their kind that there are, for the message; empty is `names`.
            needed: which images the file has to answer, for the message.

        Raises:
            TeacherError: some images have no answer; rows that name none are told with them.
        """
        if missing := [name for name in names if name not in self._rows]:
            known = set(among or names)
            prefixed = missing[0].startswith(UNLABELLED)
            surplus = [name for name in self.names if name not in known]
            surplus = [name for name in surplus if name.startswith(UNLABELLED) == prefixed]
            note = f"; {_some(surplus)} of the file are of no image that is used" if surplus else ""
            raise TeacherError(
                f"teacher.path: the file of answers lacks {_some(missing)} of "
                f"{quantity(len(names), 'image')}{note}. It needs a row for {needed}"
            )
        return self.logits[[self._rows[name] for name in names]]


def open_answers(folder: Path) -> AnswerTable:
    """Open what `import_answers` wrote, the logits memory-mapped."""
    return AnswerTable(read_json(folder / NAMES), np.load(folder / LOGITS, mmap_mode="r"))


def import_answers(folder: Path, params: TeacherParams, dataset: PreparedDataset) -> None:
    """Check a file of answers against the dataset and write it as logits into `folder`.

    Images without a label are looked up when the targets are made: no teacher depends on them.

    Raises:
        TeacherError: its classes do not fit, a name is there twice, a number is not finite, rows
            look like probabilities and are none, an image of the training or validation split, or
            of one whose labels the answers are, has no row, or the answers are no better than
            guessing and their columns not named.
    """
    source = Path(params.path)
    answers = _in_order(read_answer_file(source), dataset.class_names, source)
    kind = _kind(answers, params, source)
    logits = answers.values if kind == "logits" else to_logits(answers.values)
    table = AnswerTable(answers.names, logits)
    names = {split: dataset.names(split) for split in SPLITS}
    known = {name for split in SPLITS for name in names[split]}
    if ambiguous := [name for name in known if name.startswith(UNLABELLED)]:
        raise TeacherError(
            f"{_some(ambiguous)} of data.path begin with {UNLABELLED!r}, which names images of "
            "data.unlabelled in files of answers; rename that folder of data.path"
        )
    needed_splits = dict.fromkeys(("train", "validation", *dataset.teacher_labelled))
    table.find(
        [name for split in needed_splits for name in names[split]],
        among=known,
        needed=_NEEDED_AS_LABELS if dataset.teacher_labelled else _NEEDED,
    )
    if answers.classes is None and "validation" in dataset.teacher_labelled:
        raise TeacherError(
            f"teacher.path: the columns of {source} are not named, and no image has a label that "
            "could tell their order; name them (the array `classes` of an .npz, the header of a "
            ".csv)"
        )
    if answers.classes is None:
        _check_order(table, dataset, source)
    _print_coverage(table, known, names["test"], kind)
    with atomic_folder(folder) as partial:
        np.save(partial / LOGITS, logits)
        write_json(partial / NAMES, answers.names)
        write_json(partial / DESCRIPTION, {"answers": LOGITS, "output": kind})


def _in_order(answers: AnswerFile, class_names: Sequence[str], source: Path) -> AnswerFile:
    """Refuse what cannot be right, and put the columns into the order of the dataset's classes."""
    columns = list(answers.classes or class_names)
    if sorted(columns) != sorted(class_names):
        wrong = {
            "of no class": [name for name in columns if name not in class_names],
            "missing": [name for name in class_names if name not in columns],
            "there twice": sorted({name for name in columns if columns.count(name) > 1}),
        }
        note = "; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names)
        raise TeacherError(
            f"teacher.path: the columns of {source} are not the classes ({note}); they must be "
            "named as class_names in data/prepared/dataset.json, in any order"
        )
    if answers.values.shape[1] != len(columns):
        raise TeacherError(
            f"teacher.path: {source} has {answers.values.shape[1]} columns of numbers, the dataset "
            f"{len(columns)} classes; give a column for each, in the order of class_names in "
            "data/prepared/dataset.json"
        )
    names = np.array(answers.names)
    unique, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise TeacherError(
            f"teacher.path: {source} names {_some(unique[counts > 1].tolist())} more than once; "
            "leave one row for each image"
        )
    infinite = ~np.isfinite(answers.values).all(axis=1)
    if infinite.any():
        raise TeacherError(
            f"teacher.path: {source} holds numbers that are not finite, for "
            f"{_some(names[infinite].tolist())}; answer those images again, or leave them out"
        )
    order = [columns.index(name) for name in class_names]
    return answers._replace(values=np.ascontiguousarray(answers.values[:, order]))


def _kind(answers: AnswerFile, params: TeacherParams, source: Path) -> str:
    """Find out whether the rows are logits or probabilities."""
    kind = answers.kind or params.output
    if params.output == "sigmoids" and kind == "probabilities":
        kind = "sigmoids"
    if params.output not in ("auto", kind):
        raise TeacherError(
            f"teacher.output is {params.output}, the array of {source} is called {kind}; set "
            "teacher.output to auto, or call the array by what it is"
        )
    if kind == "logits":
        return kind
    if kind == "sigmoids":
        if not are_fractions(answers.values):
            raise TeacherError(
                f"teacher.output is sigmoids, but the numbers of {source} reach from "
                f"{answers.values.min():.4g} to {answers.values.max():.4g}, and probabilities are "
                "of 0…1; set teacher.output to auto"
            )
        return kind
    if are_probabilities(answers.values):
        return "probabilities"
    if kind == "probabilities" or are_fractions(answers.values):
        sums = answers.values.sum(axis=1)
        row = int(np.abs(sums - 1).argmax())
        raise TeacherError(
            f"teacher.path: the numbers of {source} {'are' if answers.kind else 'look like'} "
            f"probabilities, but those of {answers.names[row]} add up to {sums[row]:.4g}, not to "
            "1; give all classes of each image, or set teacher.output to sigmoids if each is a "
            "probability by itself, to logits if they are logits (cosines are: multiply them by "
            "the scale that their model was trained with)"
        )
    return "logits"


def _check_order(table: AnswerTable, dataset: PreparedDataset, source: Path) -> None:
    judge = Judge.of(dataset, len(dataset.labels("validation")))
    logits = table.find(dataset.names("validation"))[judge.rows]
    reached, columns = judge.accuracy(logits), range(dataset.num_classes)
    naming = "(the array `classes` of an .npz, the header of a .csv)"
    if found := judge.better_order(logits, columns):
        order = [dataset.class_names[found[0].index(column)] for column in columns]
        raise TeacherError(
            f"the columns of {source} look permuted: {reached:.1%} of the validation split is "
            f"right in the order of the dataset's classes, {found[1]:.1%} if each class has the "
            f"column that answers its images: {json.dumps(order, ensure_ascii=False)}. If that is "
            f"their order, name them {naming}"
        )
    if not judge.beats_majority(reached):
        raise TeacherError(
            f"the teacher {source} gets {reached:.1%} of the validation split right, and "
            f"always predicting the most common class {judge.majority_accuracy():.1%}; its columns "
            "are not named, check that they are in the order of class_names in "
            f"data/prepared/dataset.json, or name them {naming}"
        )


def _print_coverage(
    table: AnswerTable, known: Collection[str], test: Collection[str], kind: str
) -> None:
    """Print what the file holds, and what it does not."""
    others = [name for name in table.names if name not in known]
    surplus = [name for name in others if not name.startswith(UNLABELLED)]
    unlabelled = f"{len(others) - len(surplus):,} of them without a label"
    print(f"teacher output: {kind}, for {quantity(len(table.names), 'image')}, {unlabelled}")
    if surplus:
        print(f"{_some(surplus)} of them match no image of the dataset, and are ignored")
    if not table.covers(test):
        lacking = sum(not table.covers([name]) for name in test)
        print(f"the file lacks {lacking:,} of {len(test):,} test images: the teacher is not tested")


def _some(names: Sequence[str]) -> str:
    """Count names and show the first: `7 (a, b, c, d, e and 2 more)`."""
    shown = ", ".join(islice(names, _SHOWN))
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{len(names):,} ({shown}{more})"
