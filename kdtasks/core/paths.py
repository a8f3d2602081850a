"""Where the files of a project are: what `dvc.yaml` declares, and what runs keep for themselves."""

from dataclasses import dataclass
from pathlib import Path

PARAMS = "params.yaml"
PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"


class _Path:
    """A path below a project's root."""

    def __init__(self, path: str) -> None:
        """Name the path, with forward slashes."""
        self._path = path

    def __get__(self, paths: "ProjectPaths", owner: type) -> Path:
        return paths.root / self._path


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of a project; docs/files.md says what each file holds.

    Attributes:
        root: the project's folder.
    """

    root: Path = Path()

    params = _Path(PARAMS)  # all settings
    pipeline = _Path(PIPELINE)  # the stages, their dependencies and outputs
    lock = _Path(LOCK)  # hashes of what ran last
    extensions = _Path("extensions")  # folder of a project's own losses, networks and the like
    code = _Path("data/code")  # folder of the lists of code that each stage runs
    prepared = _Path("data/prepared")  # folder of the prepared dataset
    dataset = _Path("data/prepared/dataset.json")  # description of the prepared dataset
    findings = _Path("data/findings")  # folder of what all images that were read look like
    slices = _Path("data/slices.json")  # which slice each test image belongs to, if any
    unlabelled = _Path("data/unlabelled")  # folder of images that bear no label
    teacher_images = _Path("data/teacher-images")  # images in the teacher's own size, if any
    labelled = _Path("data/labelled.npy")  # rows of the training split whose labels students see
    targets = _Path("data/targets")  # folder of what students are taught
    unsure = _Path("plots/unsure.npz")  # images without a label that the teacher is least sure of
    teacher = _Path("models/teacher")  # folder of the teacher
    published = _Path("models/published")  # the bundle that the report compares with, if any
    compared = _Path("plots/compare.npz")  # answers of teacher and students that the page shows
    label_errors = _Path("metrics/label_errors.json")  # labels that are probably wrong
    suspected = _Path("plots/label_errors.npz")  # the images that bear them
    report = _Path("report")  # folder of the report
    page = _Path("report/index.html")  # the report to look at
    card = _Path("report/card.md")  # the model card, which goes with a bundle
    selection = _Path("report/selection.json")  # the variant to ship, and why
    statistics = _Path("report/statistics.json")  # the numbers behind the page
    summary = _Path("report/summary.json")  # the numbers that experiments are compared by
    data_page = _Path("report/data.html")  # the page of the data, from before anyone trains
    contact_sheet = _Path("report/augmentation.png")  # training images and augmented views
    trial = _Path("report/search.json")  # what `kdtasks search` measured in this experiment
    tuned = _Path("report/tune.json")  # what a trial of `kdtasks tune` reached in this experiment
    state = _Path(".kdtasks")  # neither inputs nor outputs: git and DVC ignore it
    logs = _Path(".kdtasks/logs")  # folder of what stages print
    decoded = _Path(".kdtasks/decoded")  # images that `prepare` has decoded once
    sweep = _Path(".kdtasks/sweep")  # folder of a sweep's clones, logs and results
    students = _Path(".kdtasks/students")  # folder of the trials of `kdtasks search` for a student
    tune = _Path(".kdtasks/tune")  # folder of the trials of `kdtasks tune`, and of what they found

    def model(self, stage: str, key: int | str | None = None) -> Path:
        """Folder of the network that a stage wrote.

        Args:
            stage: its name in `dvc.yaml`.
            key: the seed or variant, where a stage has any.
        """
        return self._keyed("models", stage, key)

    def metrics(self, stage: str, key: int | str | None = None) -> Path:
        """Metrics that a stage wrote; arguments as for `model`."""
        return self._keyed("metrics", stage, key, ".json")

    def plot(self, stage: str, key: int | str | None = None) -> Path:
        """Learning curve that a stage wrote; arguments as for `model`."""
        return self._keyed("plots", stage, key, ".csv")

    def slice_folder(self, name: str) -> Path:
        """Folder of the images of a further test folder."""
        return self.root / "data" / "slices" / name

    def calibration(self, variant: str) -> Path:
        """Temperatures and thresholds of the exits."""
        return self.root / "exits" / variant / "calibration.json"

    def tradeoff(self, variant: str) -> Path:
        """The best operating points of the exits."""
        return self.root / "exits" / variant / "tradeoff.csv"

    def leaving(self, variant: str) -> Path:
        """Calibration images that the page shows, and where each leaves at every such point."""
        return self.root / "exits" / variant / "leaving.npz"

    def bundle(self, variant: str) -> Path:
        """Folder that a device gets."""
        return self.root / "bundles" / variant

    def predictions(self, variant: str) -> Path:
        """What a bundle answers on the test split."""
        return self.root / "predictions" / f"{variant}.npz"

    def reliability(self, variant: str) -> Path:
        """Accuracy by confidence, exit by exit."""
        return self.plot("reliability", variant)

    def examples(self, variant: str) -> Path:
        """Test images that the page shows, with a bundle's answers."""
        return self._keyed("plots", "examples", variant, ".npz")

    def checkpoint(self, training: str) -> Path:
        """State of a training that is not done, say of `distill/0`."""
        return self.state / "checkpoints" / f"{training.replace('/', '-')}.npz"

    def events(self, run: str) -> Path:
        """What a stage, or a run of all of them (`run`), tells while it runs."""
        return self.state / "events" / f"{run}.jsonl"

    def _keyed(self, folder: str, stage: str, key: int | str | None, ending: str = "") -> Path:
        name = stage if key is None else f"{stage}/{key}"
        return self.root / folder / f"{name}{ending}"
