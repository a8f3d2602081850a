"""What sections of params contradict one another, and what to set instead."""

from collections.abc import Iterator
from typing import Any

from kdtasks.compress.variants import check_variant
from kdtasks.learn.augmentations.mixing import Mixing
from kdtasks.learn.networks import architectures
from kdtasks.params.labels import label_problems
from kdtasks.params.tune import fresh_seeds
from kdtasks.tasks.registry import task_of


def contradictions(params: Any) -> Iterator[str]:
    """Say which settings do not go together, each with what to set instead.

    Args:
        params: the whole, a `Params`, which calls this while it is validated.

    Raises:
        ValueError: a variant, exit or block is none that there is.
    """
    for variant in params.compress.variants:
        check_variant(variant)
    hints = [(hint.student, hint.teacher) for hint in params.distill.hints]
    for key, values in (
        ("seeds", params.seeds),
        ("compress.variants", params.compress.variants),
        ("distill.hints", hints),
        ("distill.arms", params.distill.arms),
        ("benchmark.devices", params.benchmark.devices),
    ):
        if len(set(values)) != len(values):
            yield f"{key} lists a value twice: {list(values)}"
    if used := set(params.seeds) & set(params.tune.seeds):
        yield (
            f"seeds holds {sorted(used)}, with which settings were tuned (tune.seeds); a "
            f"verdict needs others: {list(fresh_seeds(params.seeds, params.tune.seeds))}"
        )
    if params.select.device not in (None, *params.benchmark.devices):
        yield (
            f"select.device is {params.select.device}, benchmark.devices is "
            f"{list(params.benchmark.devices)}; add it there, or set it to null"
        )
    yield from _of_the_task(params)
    yield from _of_networks(params)
    yield from _of_the_distillation(params)
    yield from label_problems(params)
    if params.teacher.source == "logits":
        yield from _of_given_answers(params)


def _of_the_task(params: Any) -> Iterator[str]:
    task = task_of(params.data.task)
    if params.evaluate.metric not in (None, *(metric.key for metric in task.metrics)):
        yield (
            f"evaluate.metric is {params.evaluate.metric}, data.source {params.data.source.name}; "
            f"for {params.data.task} choose one of "
            f"{', '.join(metric.key for metric in task.metrics)}"
        )
    if task.per_pixel and params.train.class_balance == "sampling":
        yield (
            f"train.class_balance is sampling, data.source {params.data.source.name}; a mask "
            "holds several classes, so images cannot be drawn by class: use weights"
        )
    for mixing in params.augmentation.of_kind(Mixing):
        if task.per_pixel and not mixing.mixes_masks:
            yield (
                f"augmentation.transforms holds {mixing.name}, data.source is "
                f"{params.data.source.name}; it blends images, and the pixels of a mask have one "
                "label each: take it out, cutmix moves masks with their pixels"
            )
        hides = params.data.train_labels is not None
        if task.per_pixel and hides and params.targets.mode == "cached":
            yield (
                f"augmentation.transforms holds {mixing.name} and data.train_labels is "
                f"{params.data.train_labels}; cached masks that are mixed would show pixels of "
                "hidden ones: set targets.mode to online, or data.train_labels to null"
            )


def _of_networks(params: Any) -> Iterator[str]:
    task = task_of(params.data.task)
    for section, network in (
        ("student", params.student.model),
        ("teacher", params.teacher.model if params.teacher.source == "train" else None),
    ):
        if network and network.per_pixel not in (None, task.per_pixel):
            kinds = {key: architectures[key].per_pixel for key in architectures.names()}
            fitting = [key for key, kind in kinds.items() if kind in (None, task.per_pixel)]
            yield (
                f"{section}.model is {network.name}, data.source {params.data.source.name}; "
                f"for {params.data.task} choose one of {', '.join(fitting)}"
            )
    params.student.model.check_exits(params.student.exits)
    if params.student.exits and not task.early_exits:
        yield (
            f"student.exits is {list(params.student.exits)}; masks are answered by the whole "
            "network, set it to []"
        )
    for name in params.student.heads:
        if name not in params.student.exits:
            yield (
                f"student.heads describes an exit after {name!r}, student.exits is "
                f"{list(params.student.exits)}; add it there or take it out of heads"
            )


def _of_the_distillation(params: Any) -> Iterator[str]:
    hides = params.data.train_labels is not None or "train" in params.data.source.teacher_labelled
    if "all_labels" in params.distill.arms and not hides:
        yield (
            "distill.arms holds all_labels, and data.train_labels is null: the student alone "
            "sees all labels then; give a number there, or take the arm out"
        )
    loss = params.distill.loss
    if loss.per_pixel and not task_of(params.data.task).per_pixel:
        yield (
            f"distill.loss is {loss.name}, data.source {params.data.source.name}; it compares "
            "places of a mask: use it for segmentation, another loss for classification"
        )
    for hint in params.distill.hints:
        params.student.model.check_block(hint.student, key="distill.hints")
        if hint.teacher not in params.targets.features:
            yield (
                f"distill.hints look at {hint.teacher!r} of the teacher, targets.features is "
                f"{list(params.targets.features)}; add it there, so that `targets` gives it"
            )
    if params.targets.features and params.teacher.ensemble > 1:
        yield (
            f"teacher.ensemble is {params.teacher.ensemble}; targets.features need a single "
            "teacher, since hidden features of several cannot be averaged"
        )


def _of_given_answers(params: Any) -> Iterator[str]:
    """Refuse what a file of answers to images as they are cannot give."""
    if task_of(params.data.task).per_pixel:
        yield (
            f"teacher.source is logits, data.source {params.data.source.name}; files hold one "
            "row an image, not one a pixel: for masks train or import a teacher"
        )
    if params.targets.mode == "online" or params.targets.features:
        yield (
            "teacher.source is logits, a file of answers without a network; it needs "
            f"targets.mode cached and targets.features [], got {params.targets.mode} and "
            f"{list(params.targets.features)}"
        )
    transforms = params.augmentation.transforms
    if changing := [item.name for item in transforms if not item.keeps_answer]:
        yield (
            "teacher.source is logits, whose answers are to images as they are; "
            f"augmentation.transforms holds {', '.join(changing)}, after which they do "
            "not hold: take it out, or train or import a teacher, which sees every view"
        )
