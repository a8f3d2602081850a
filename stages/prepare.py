"""Read the source, check it, split it."""

from functools import partial
from pathlib import Path

from kdtasks.core.events import warn
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import Dataset
from kdtasks.core.reproducibility import pin_process
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.findings import overview_of, write_overview
from kdtasks.data.groups import count_groups
from kdtasks.data.links import refuse_unlisted_links
from kdtasks.data.prepare import keep_usable, read_grouped_dataset, uneven_message, write_prepared
from kdtasks.data.slices import read_parts, slice_rows
from kdtasks.data.split import split_dataset
from kdtasks.data.spool import chosen
from kdtasks.data.teacher_images import TeacherImageFormat, write_teacher_images
from kdtasks.data.unlabelled import read_unlabelled, write_unlabelled
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage
from kdtasks.tasks.registry import task_of


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the four splits and print how many images each has."""
    data = params.data
    refuse_unlisted_links(paths.pipeline, [data.path, data.unlabelled])
    decoded = DecodedImages(paths.decoded)
    marked = read_grouped_dataset(data, decoded)
    dataset = keep_usable(marked, data)
    write_overview(paths.findings, overview_of(marked))
    split = split_dataset(dataset, data.split, seed=data.seed)
    unlabelled = read_unlabelled(data, dataset, split, decoded)
    write_unlabelled(paths.unlabelled, unlabelled)
    seen = write_teacher_images(
        paths.teacher_images,
        data,
        dataset,
        split,
        unlabelled.names,
        TeacherImageFormat(params.teacher.input.size, params.teacher.input.channels),
        decoded,
    )
    answer = None
    if data.source.teacher_labelled:
        pin_process(1)  # so that labels do not depend on `runtime.threads`, which nobody watches
        from kdtasks.learn.teachers.labelling import label_by_teacher

        answer = partial(label_by_teacher, params.teacher, paths.teacher_images)
    write_prepared(paths.prepared, dataset, split, data, answer)
    tested = chosen(dataset.origins, split["test"])
    slice_rows(tested, data.source.slices(Path(data.path)), dataset.task).write(paths.slices)
    height, width, channels = dataset.images.shape[1:]
    print(
        f"{data.source.name}: {len(dataset)} images of {height}×{width}×{channels}, "
        f"{len(dataset.class_names)} classes"
    )
    for warning in dataset.warnings:
        warn(warning)
    if seen.shape:
        print(f"  the teacher sees them at {'×'.join(map(str, seen.shape))}")
    described = Dataset.read(paths.dataset)
    for name, counts in described.counts.items():
        by_class = counts.by_class.values()
        print(f"  {name}: {counts.total} (by class {min(by_class)} to {max(by_class)})")
    if message := uneven_message(described):
        warn(message)
    if dataset.groups is not None and (groups := count_groups(dataset.groups)).shared:
        print(
            f"  {groups.total} groups, which count once each: {groups.shared} "
            f"{'patches' if task_of(dataset.task).per_pixel else 'images'} are in groups of two or "
            f"more, the largest of {groups.largest}"
        )
    for note in dataset.notes:
        print(f"  {note}")
    for name, part in read_parts(paths.slices).items():
        print(f"  slice {name}: {part.sum()} test images")
    record = unlabelled.record
    if record.images or record.excluded:
        print(
            f"  unlabelled: {record.images} images, besides {record.repeated} copies and "
            f"{len(record.excluded)} excluded (see {paths.unlabelled})"
        )
    # what is unusual; `dataset.json` lists each
    contradictions = sum(duplicate.contradicts for duplicate in dataset.duplicates)
    findings = {
        "groups of equal images": len(dataset.duplicates),
        "of them under more than one label": contradictions,
        "excluded for a problem": len(dataset.problems),
        "excluded for another reason": len(dataset.excluded),
    }
    for what, number in findings.items():
        if number:
            print(f"  {what}: {number} (see {paths.dataset})")


if __name__ == "__main__":
    run_stage(main)
