"""Where the files of a project are: what `dvc.yaml` declares, and what runs keep for themselves."""

from dataclasses import dataclass
from pathlib import Path

PARAMS = "params.yaml"
PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of a project; docs/files.md says what each file holds.

    Attributes:
        root: the project's folder.
    """

    root: Path = Path()

    @property
    def params(self) -> Path:
        """All settings."""
        return self.root / PARAMS

    @property
    def pipeline(self) -> Path:
        """The stages, their dependencies and outputs."""
        return self.root / PIPELINE

    @property
    def lock(self) -> Path:
        """Hashes of what ran last."""
        return self.root / LOCK

    @property
    def prepared(self) -> Path:
        """Folder of the prepared dataset."""
        return self.root / "data/prepared"

    @property
    def dataset(self) -> Path:
        """Description of the prepared dataset."""
        return self.prepared / "dataset.json"

    @property
    def targets(self) -> Path:
        """Folder of what students are taught."""
        return self.root / "data/targets"

    @property
    def teacher(self) -> Path:
        """Folder of the teacher."""
        return self.model("teacher")

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

    def calibration(self, variant: str) -> Path:
        """Temperatures and thresholds of the exits."""
        return self.root / "exits" / variant / "calibration.json"

    def tradeoff(self, variant: str) -> Path:
        """The best operating points of the exits."""
        return self.root / "exits" / variant / "tradeoff.csv"

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

    @property
    def compared(self) -> Path:
        """Answers of teacher and students to the images that the page shows."""
        return self._keyed("plots", "compare", None, ".npz")

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.root / "report"

    @property
    def page(self) -> Path:
        """The report to look at."""
        return self.report / "index.html"

    @property
    def selection(self) -> Path:
        """The variant to ship, and why."""
        return self.report / "selection.json"

    @property
    def statistics(self) -> Path:
        """The numbers behind the page."""
        return self.report / "statistics.json"

    @property
    def summary(self) -> Path:
        """The numbers that experiments are compared by."""
        return self.report / "summary.json"

    @property
    def trial(self) -> Path:
        """What `kdtasks search` measured in this experiment."""
        return self.report / "search.json"

    @property
    def state(self) -> Path:
        """Folder of what is neither an input nor an output: git and DVC ignore it."""
        return self.root / ".kdtasks"

    @property
    def logs(self) -> Path:
        """Folder of what stages print."""
        return self.state / "logs"

    @property
    def sweep(self) -> Path:
        """Folder of a sweep's clones, logs and results."""
        return self.state / "sweep"

    def checkpoint(self, training: str) -> Path:
        """State of a training that is not done, say of `distill/0`."""
        return self.state / "checkpoints" / f"{training.replace('/', '-')}.npz"

    def events(self, run: str) -> Path:
        """What a stage, or a run of all of them (`run`), tells while it runs."""
        return self.state / "events" / f"{run}.jsonl"

    def _keyed(self, folder: str, stage: str, key: int | str | None, ending: str = "") -> Path:
        name = stage if key is None else f"{stage}/{key}"
        return self.root / folder / f"{name}{ending}"
