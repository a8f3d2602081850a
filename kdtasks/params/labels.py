"""What cannot be had without labels, to learn from or to judge models by."""

from collections.abc import Iterator
from typing import Any

_NO_LABELS = "and the {} split has no labels, only a teacher's answers"


def label_problems(params: Any) -> Iterator[str]:
    """Say what needs labels that are not there, and what to set in its place.

    Args:
        params: the whole, a `Params`, which calls this while it is validated.
    """
    if not params.labels_seen:
        yield from _without_training_labels(params)
    answered = params.data.source.teacher_labelled
    if answered:
        yield from _of_teacher_labels(params)
    if "validation" in answered and params.select.max_accuracy_drop is not None:
        yield _instead(
            f"select.max_accuracy_drop is {params.select.max_accuracy_drop}", "validation"
        )
    if "validation" not in answered and params.select.max_agreement_drop is not None:
        yield _otherwise(f"select.max_agreement_drop is {params.select.max_agreement_drop}")
    gate = params.gate
    for key in ("max_accuracy_drop", "min_accuracy"):
        value = getattr(gate, key)
        if "test" in answered and value is not None:
            yield _instead(f"gate.{key} is {value}", "test")
    if "test" in answered and params.evaluate.slices.folders:
        yield (
            f"evaluate.slices.folders names labelled images, {_NO_LABELS.format('test')}; label "
            "some test images (data.source.test), or take the folders out"
        )
    if "test" not in answered and gate.max_agreement_drop is not None:
        yield _otherwise(f"gate.max_agreement_drop is {gate.max_agreement_drop}")


def _without_training_labels(params: Any) -> Iterator[str]:
    has_none = "train" in params.data.source.teacher_labelled
    distill, balance = params.distill, params.train.class_balance
    arms = distill.arms
    for wants, setting, advice in (
        ("soft_labelled" in arms, "distill.arms holds soft_labelled", "take the arm out"),
        (
            "all_labels" in arms and has_none,
            "distill.arms holds all_labels",
            "take the arm out",
        ),
        (
            "hard" in arms and balance == "weights",
            "distill.arms holds hard and train.class_balance is weights",
            "set it to none, or give each class a weight of its own",
        ),
        (
            "gap" in (getattr(distill.alpha, "name", ""), getattr(distill.temperature, "name", "")),
            "distill has a schedule named gap",
            "take another one",
        ),
        (
            params.compress.passes.filters.rank == "taylor",
            "compress.passes.filters.rank is taylor",
            "rank by l1 or batch_norm_scale",
        ),
        (
            bool(params.data.train_labels) and has_none,
            f"data.train_labels is {params.data.train_labels}",
            "set it to null",
        ),
    ):
        if wants:
            shown = "" if has_none else ", or show them labels (data.train_labels)"
            yield f"{setting}, and students see no label of the training split; {advice}{shown}"


def _of_teacher_labels(params: Any) -> Iterator[str]:
    source, teacher, exits = params.data.source.name, params.teacher, params.exits
    if teacher.source == "train":
        yield (
            f"teacher.source is train, and data.source {source} has no labels to train one with; "
            "import a teacher, or take logits from a file"
        )
    if not params.student.exits:
        return
    advice = (
        "set exits.mode to guarantee and exits.risk to consistency, whose exits.epsilon bounds the "
        "answers that are not the last exit's, or exits.mode to cost"
    )
    without = _NO_LABELS.format("calibration")
    if exits.mode == "drop":
        yield f"exits.mode is drop, which limits the accuracy that is lost, {without}; {advice}"
    if exits.mode == "guarantee" and exits.risk == "accuracy_gap":
        yield f"exits.risk is accuracy_gap, {without}; {advice}"


def _instead(setting: str, split: str) -> str:
    section = setting.partition(".")[0]
    return (
        f"{setting}, {_NO_LABELS.format(split)}; set it to null and {section}.max_agreement_drop "
        "to what may be lost of the agreement with the teacher"
    )


def _otherwise(setting: str) -> str:
    section = setting.partition(".")[0]
    return (
        f"{setting}, and there are labels to know the accuracy by; set it to null and "
        f"{section}.max_accuracy_drop to what may be lost of that"
    )
