"""Read and validate `params.yaml`; every mistake is one line that suggests a fix."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from kdtasks.compress.bundle.write import ExportParams
from kdtasks.compress.variants import CompressParams
from kdtasks.core.errors import ParamsError
from kdtasks.core.paths import PARAMS, ProjectPaths
from kdtasks.core.settings import Index, RuntimeParams, Section
from kdtasks.data.folders import broken, is_broken
from kdtasks.data.settings import DataParams
from kdtasks.deploy.drift import DriftParams
from kdtasks.deploy.gate.decision import GateParams
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.settings import BenchmarkParams, EvaluateParams
from kdtasks.learn.networks.saved import initial_weights_of
from kdtasks.learn.objectives.distillation import DistillParams
from kdtasks.learn.targets.settings import TargetsParams
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.training.settings import StudentParams, TrainingSetup, TrainParams
from kdtasks.learn.training.views import AugmentationParams
from kdtasks.params.contradictions import contradictions
from kdtasks.params.explain import explain, schema_of, shown
from kdtasks.params.like_teacher import refuse_like_teacher, with_network
from kdtasks.params.search import SearchParams
from kdtasks.params.store import StoreParams
from kdtasks.params.text import read_yaml
from kdtasks.params.tune import TuneParams
from kdtasks.report.card import CardParams
from kdtasks.report.inputs import SelectParams
from kdtasks.tasks.registry import metric_of, task_of
from kdtasks.tasks.task import Metric

# Sections that only measure, choose, publish or watch what is exported, but for `evaluate.metric`,
# which chooses epochs and seeds as well.
AFTER_EXPORT = frozenset(
    ["search", "tune", "evaluate", "benchmark", "select", "card", "store", "gate", "drift"]
)


class Params(Section):
    """The whole of `params.yaml`."""

    recipe: str = Field(description="name of the recipe, shown in the report")
    seeds: Annotated[tuple[Index, ...], Field(strict=False, min_length=1)] = Field(
        description="a student from scratch and a distilled one are trained for each seed"
    )
    runtime: RuntimeParams = Field(default=RuntimeParams(), description="threads and precision")
    data: DataParams = Field(description="source and splits")
    augmentation: AugmentationParams = Field(
        default=AugmentationParams(), description="views of the training split"
    )
    train: TrainParams = Field(default=TrainParams(), description="the training loop")
    teacher: TeacherParams = Field(description="the teacher")
    targets: TargetsParams = Field(default=TargetsParams(), description="the teacher's targets")
    student: StudentParams = Field(description="the student")
    distill: DistillParams = Field(default=DistillParams(), description="the distillation")
    compress: CompressParams = Field(description="variants and passes")
    search: SearchParams = Field(default=SearchParams(), description="limits of `kdtasks search`")
    tune: TuneParams = Field(default=TuneParams(), description="what `kdtasks tune` chose with")
    exits: ExitsParams = Field(default=ExitsParams(), description="thresholds")
    export: ExportParams = Field(default=ExportParams(), description="bundles")
    evaluate: EvaluateParams = Field(default=EvaluateParams(), description="metric, and intervals")
    benchmark: BenchmarkParams = Field(default=BenchmarkParams(), description="timing")
    select: SelectParams = Field(default=SelectParams(), description="limits and choice")
    card: CardParams = Field(default=CardParams(), description="what the model card adds")
    store: StoreParams = Field(default=StoreParams(), description="where bundles are published")
    gate: GateParams = Field(default=GateParams(), description="what a new model must show")
    drift: DriftParams = Field(default=DriftParams(), description="when devices' data have changed")

    def training(self) -> TrainingSetup:
        """What every training needs of these params besides its own section."""
        identity = self.model_dump(mode="json", exclude=set(AFTER_EXPORT))
        return TrainingSetup(self.train, self.runtime.precision, identity, self.metric.key)

    @property
    def metric(self) -> Metric:
        """What models are compared by."""
        return metric_of(task_of(self.data.task), self.evaluate.metric)

    @property
    def labels_seen(self) -> bool:
        """Whether students see any label of the training split."""
        return self.data.train_labels != 0 and "train" not in self.data.source.teacher_labelled

    @model_validator(mode="after")
    def _fits_together(self) -> "Params":
        for problem in contradictions(self):
            raise ValueError(problem)
        return self


def load_params(path: Path = Path(PARAMS)) -> Params:
    """Read and validate a params file.

    Raises:
        ParamsError: the file is missing, is not YAML, or holds something that is not allowed.
    """
    content = read_yaml(path)
    if path.name != PARAMS:  # a recipe, which may say what DVC could not watch
        content = with_network(content, source=str(path))
    return parse_params(content, source=str(path))


def load_project_params(project: Path) -> Params:
    """Read `params.yaml` of a project and check what DVC needs of it besides.

    DVC reads the file by itself and knows no defaults, so every key has to stand in it, and the
    paths that it watches have to be there.

    Raises:
        ParamsError: as `load_params`; or a key is missing, or a path not found.
    """
    path = ProjectPaths(project).params
    params, missing = load_with_missing_keys(path)
    if missing:
        raise ParamsError(
            f"{path}: DVC needs every key in the file, "
            f"add with their defaults: {'; '.join(missing)}"
        )
    slices = params.evaluate.slices.folders
    for key, value in {
        "data.path": params.data.path,
        "data.unlabelled": params.data.unlabelled,
        "teacher.path": params.teacher.path,
        "student.start": params.student.start,
        **{f"evaluate.slices.folders.{name}": folder for name, folder in slices.items()},
    }.items():
        if not (project / value).exists():
            if is_broken(project / value):
                raise ParamsError(f"{key}: {value} is {broken(project / value)}")
            raise ParamsError(
                f"{key}: {value} not found; correct it, or make the folder: DVC watches it, so it "
                "must exist even where nothing is read from it"
            )
    teacher = project / params.teacher.path
    if params.teacher.source == "import" and teacher.is_dir() and not any(teacher.glob("[!.]*")):
        raise ParamsError(
            f"teacher.path: {params.teacher.path} is empty; put the teacher's file or folder there"
        )
    for seed in params.seeds:
        initial_weights_of(Path(params.student.start), seed, project)
    return params


def load_with_missing_keys(path: Path) -> tuple[Params, list[str]]:
    """Read and validate a params file; with it, as `key: default`, the keys that it lacks.

    Raises:
        ParamsError: as `load_params`.
    """
    content = read_yaml(path)
    params = parse_params(content, source=str(path))
    return params, _missing_keys(content, params.model_dump(mode="json"))


def _missing_keys(given: dict[str, Any], full: dict[str, Any], prefix: str = "") -> list[str]:
    missing = []
    for key, value in full.items():
        if key not in given:
            missing.append(f"{prefix}{key}: {json.dumps(value)}")
        elif prefix and isinstance(value, dict) and "name" in value:
            continue  # what is chosen by its name is watched whole
        elif isinstance(value, dict) and isinstance(given[key], dict):
            missing.extend(_missing_keys(given[key], value, f"{prefix}{key}."))
    return missing


def parse_params(content: Any, source: str = "params") -> Params:
    """Validate the content of a params file; `source` names it in errors."""
    if not isinstance(content, dict):
        allowed = ", ".join(Params.model_fields)
        raise ParamsError(f"{source}: got {shown(content)}; allowed: a mapping with {allowed}")
    refuse_like_teacher(content, source=source)
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{source}: {explain(error.errors(), schema_of(Params))}") from None
