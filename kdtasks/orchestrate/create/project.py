"""Begin a project of one's own: look at what is there, choose, write, put it under git and DVC."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.reproducibility import pin_process
from kdtasks.core.stderr import held_stderr
from kdtasks.core.text import quantity
from kdtasks.data.folders import files_below
from kdtasks.learn.networks.build import build
from kdtasks.learn.teachers.class_order import read_names
from kdtasks.orchestrate.create.images import InspectedImages, inspect_images, write_links
from kdtasks.orchestrate.create.settings import channels_of, choose, image_size_of, name_of
from kdtasks.orchestrate.create.teacher import InspectedTeacher, inspect_teacher
from kdtasks.orchestrate.project.git import git, try_git
from kdtasks.orchestrate.project.links import list_links
from kdtasks.orchestrate.project.template import make_watched, write_project
from kdtasks.params import Params, parse_params
from kdtasks.params.write import Overlay, render_params, render_recipe

_RAW = Path("data") / "raw"


@dataclass(frozen=True)
class ProjectInputs:
    """What a project is begun with.

    Attributes:
        images: a folder, or a table.
        masks: folder of masks, for segmentation.
        task: as of `inspect_images`.
        teacher: file or folder of a network; None has one trained.
        classes: names of the teacher's outputs, a list with commas or a file.
        unlabelled: folder of images without labels.
    """

    images: Path
    masks: Path | None = None
    task: str | None = None
    teacher: Path | None = None
    classes: str | None = None
    unlabelled: Path | None = None


def begin(target: Path, given: ProjectInputs) -> Iterator[str]:
    """Write a project into a folder that is empty or not there yet; all of it or nothing.

    Yields:
        Sentences on what was found, chosen and done, each as soon as it is known.

    Raises:
        ProjectError: the folder is not empty, or git is not there.
        DatasetError, TeacherError: images or teacher cannot be used.
    """
    target = target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ProjectError(f"{target} is there and not empty; give the name of a new folder")
    if given.unlabelled and not given.unlabelled.is_dir():
        raise ProjectError(f"{given.unlabelled} is no folder; give that of images without labels")
    pin_process()  # before TensorFlow is imported
    images = inspect_images(given.images, given.masks, given.task)
    inside = [path for path in (images.path, given.unlabelled) if path and _holds(path, target)]
    if inside:
        raise ProjectError(
            f"{target} would lie in {inside[0].resolve()}, which is watched for its images; name a "
            f"folder outside of it, such as {inside[0].resolve().parent / target.name}"
        )
    if images.unlabelled and not given.unlabelled:
        given = replace(given, unlabelled=images.unlabelled)
    yield from _found(images, given)
    teacher = _inspect_teacher(given, images)
    yield teacher.sentence if teacher else "no teacher was given: a larger network is trained"
    if not given.unlabelled:
        yield (
            "all images are labelled: a teacher pays most where there are images without labels "
            "besides (--unlabelled FOLDER)"
        )
    name = name_of(target.name)
    content = choose(name, images, teacher)
    paths = _OutsidePaths(target)
    content["data"]["path"] = _RAW.as_posix() if images.links else paths.of(images.path)
    if given.unlabelled:
        content["data"]["unlabelled"] = paths.of(given.unlabelled)
    if given.teacher:
        content["teacher"]["path"] = paths.of(given.teacher)
    params = parse_params(content, source="what was chosen")
    with _atomic_project(target) as partial:
        _write(partial, name, images, content, params)
        committed = _commit(partial, target)
    yield from _chosen(params, content, images, teacher)
    yield committed


def _inspect_teacher(given: ProjectInputs, images: InspectedImages) -> InspectedTeacher | None:
    if given.teacher is None:
        return None
    classes = None
    if given.classes:
        file = Path(given.classes)
        named = read_names(file) if file.suffix in (".txt", ".json") else None
        classes = [each[0] for each in named] if named else given.classes.split(",")
    with redirect_stdout(io.StringIO()), held_stderr():  # what TensorFlow says on its way
        return inspect_teacher(
            given.teacher,
            images,
            size=image_size_of(images),
            channels=channels_of(images),
            classes=classes,
        )


@dataclass(frozen=True)
class _OutsidePaths:
    """How a project names what lies outside of it."""

    project: Path

    def of(self, path: Path) -> str:
        """From the project where both lie in one folder, so that they can move together."""
        path = path.resolve()
        near = path.is_relative_to(self.project.parent)
        return Path(os.path.relpath(path, self.project)).as_posix() if near else path.as_posix()


def _holds(folder: Path, target: Path) -> bool:
    return target.is_relative_to(folder.resolve())


@contextmanager
def _atomic_project(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` that becomes it; on any error nothing is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{target.name}.partial", dir=target.parent))
    try:
        partial.chmod(0o755)
        yield partial
        if target.exists():  # it may be where a shell is, so it stays the same folder
            for path in partial.iterdir():
                path.rename(target / path.name)
        else:
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(
    project: Path, name: str, images: InspectedImages, content: Overlay, params: Params
) -> None:
    make_watched(project)
    if images.links:
        write_links(project / _RAW, images)
    write_project(project)
    write_text(ProjectPaths(project).params, render_params(params))
    about = f"Recipe {name}: {images.sentence()}, as `kdtasks init` chose."
    write_text(project / "recipes" / f"{name}.yaml", render_recipe(about, content))
    list_links(project, params.data)


def _commit(project: Path, target: Path) -> str:
    """Commit all there is, in a repository of its own; in somebody's repository, leave it to them.

    DVC's own folder is among the files of every project.
    """
    if try_git(target.parent, "rev-parse", "--git-dir") is not None:
        return "it lies in a git repository: commit it when you like"
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    words = ["commit", "--quiet", "--message", "Project begun with kdtasks init"]
    who = []
    for key, default in (("user.name", "kdtasks"), ("user.email", "kdtasks@localhost")):
        if try_git(project, "config", "--get", key) is None:
            who += ["-c", f"{key}={default}"]
    git(project, *who, "-c", "commit.gpgsign=false", *words)
    return "git and DVC are set up, and all files are committed"


def _found(images: InspectedImages, given: ProjectInputs) -> Iterator[str]:
    yield images.sentence()
    yield from images.notes
    if images.is_uneven:
        yield (
            "classes are uneven, so models are compared by balanced accuracy (evaluate.metric) and "
            "rare classes weigh more (train.class_balance)"
        )
    if images.bad:
        first = images.bad[0]
        yield (
            f"{quantity(len(images.bad), 'entry' if len(images.bad) == 1 else 'entrie')} cannot "
            f"be used and will be left out, such as {first.path}: {first.problem}"
        )
    if given.unlabelled:
        count = sum(1 for _ in files_below(given.unlabelled))
        yield f"{quantity(count, 'file')} without labels, which the teacher will answer"


def _chosen(
    params: Params, content: Overlay, images: InspectedImages, teacher: InspectedTeacher | None
) -> Iterator[str]:
    student, data, epochs = params.student.model, params.data, params.distill.epochs
    size = data.image_size or [content["data"]["source"]["patch_size"]] * 2
    image_form = f"{size[0]}×{size[1]}×{data.channels}"
    yield (
        f"the student: {student.name}, {image_form}, {epochs} epochs, {len(params.seeds)} seeds; "
        "change it in params.yaml"
    )
    if teacher and teacher.parameters:
        shape, classes = (size[0], size[1], data.channels or 3), len(images.class_names)
        with held_stderr():
            own = build(student, input_shape=shape, num_classes=classes).count_parameters()
        if own >= teacher.parameters:
            yield (
                f"the student has {own:,} weights and the teacher {teacher.parameters:,}: to gain "
                "from it choose a smaller student.model, or a larger teacher"
            )
