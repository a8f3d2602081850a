"""Read a further folder of labelled test images, which models are scored on besides."""

from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import quantity
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import open_prepared
from kdtasks.data.slice_folders import all_test, read_slice_folder, settings_of
from kdtasks.data.slices import PREPARED, TEACHER_IMAGES
from kdtasks.data.teacher_images import TeacherImageFormat, write_teacher_images
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths, name: str) -> None:
    """Write the images as a dataset of a test split alone, and as the teacher sees them."""
    dataset, decoded = open_prepared(paths.prepared), DecodedImages(paths.decoded)
    settings = settings_of(Path(params.evaluate.slices.folders[name]), params.data, dataset)
    raw = read_slice_folder(settings, dataset, paths.unlabelled, decoded)
    folder, split = paths.slice_folder(name), all_test(raw)
    folder.mkdir(parents=True, exist_ok=True)
    write_prepared(folder / PREPARED, raw, split, settings)
    form = params.teacher.input
    own = TeacherImageFormat(form.size, form.channels)
    write_teacher_images(folder / TEACHER_IMAGES, settings, raw, split, (), own, decoded)
    print(
        f"slice {name}: {quantity(len(raw), 'image')}, besides {len(raw.excluded)} excluded "
        f"and {len(raw.problems)} with a problem (see {folder / PREPARED})"
    )


if __name__ == "__main__":
    run_stage(main)
