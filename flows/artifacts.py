"""What the Prefect UI shows of a stage: its training, its metrics as a table, its plots."""

import base64
import csv
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.settings import get_current_settings
from ruamel.yaml import YAML

from kdtasks.core.events import MetricsEvent, ProgressEvent, tail
from kdtasks.orchestrate.prefect_server import is_answering
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph, StageNode

# matplotlib's fonts are not made for several threads
_DRAWING = threading.Lock()
PAGE = 200  # as many as the server hands out at once
PAUSE_SECONDS = 2.0  # between two updates of a training; epochs may take milliseconds


def artifact_key(*words: str) -> str:
    """A key as Prefect wants it: lower case, digits, dashes; the same words give the same key."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def show(publish: Callable[[], object]) -> None:
    """Tell the server something; what it cannot take is a warning in the log, no failure."""
    api = get_current_settings().api.url
    try:
        # Prefect itself would try for a minute, and hold the run up meanwhile
        if api and not is_answering(api):
            raise ConnectionError(f"{api} does not answer")
        publish()
    except Exception as error:
        get_run_logger().warning("not shown on the server: %s: %s", type(error).__name__, error)


def describe(node: StageNode, outcome: Outcome) -> str:
    """Which version of a stage's outputs an artifact shows."""
    return f"stage {node.name}, DVC's hash {outcome.digest}"


def latest_descriptions(project: Path, graph: StageGraph) -> dict[str, str | None]:
    """The newest version that the server has of every stage's artifacts, by key."""
    keys = [key for node in graph.nodes.values() for key in _keys(project, node).values()]
    descriptions: dict[str, str | None] = {}
    with get_client(sync_client=True) as client:
        for start in range(0, len(keys), PAGE):
            key_filter = ArtifactCollectionFilterKey(any_=keys[start : start + PAGE])
            latest = client.read_latest_artifacts(
                artifact_filter=ArtifactCollectionFilter(key=key_filter), limit=PAGE
            )
            descriptions.update({artifact.key: artifact.description for artifact in latest})
    return descriptions


def publish(project: Path, node: StageNode, outcome: Outcome) -> None:
    """Attach a stage's metrics and plots to the task run that calls this."""
    keys, description = _keys(project, node), describe(node, outcome)
    rows = [row for path in node.metrics for row in metric_rows(project / path, path)]
    if rows:
        create_table_artifact(table=rows, key=keys["metrics"], description=description)
    plots = [plot_markdown(project / path, path) for path in node.plots]
    if plots:
        create_markdown_artifact("\n\n".join(plots), key=keys["plots"], description=description)


def is_published(
    project: Path, node: StageNode, outcome: Outcome, latest: Mapping[str, str | None]
) -> bool:
    """Whether the server has these versions already, as `latest_descriptions` found them."""
    keys = _keys(project, node).values()
    return all(latest.get(key) == describe(node, outcome) for key in keys)


def metric_rows(path: Path, name: str) -> list[dict[str, Any]]:
    """A metrics file as a table: a row a number, nested names joined by dots."""
    if path.suffix not in (".json", ".yaml", ".yml") or not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    content = json.loads(text) if path.suffix == ".json" else YAML(typ="safe").load(text)
    return [{"file": name, "metric": key, "value": value} for key, value in _flatten(content)]


def plot_markdown(path: Path, name: str) -> str:
    """A plot as Markdown: a link to its file and, of a CSV file, the image itself."""
    link = f"[{name}]({path.resolve().as_uri()})"
    if path.suffix not in (".csv", ".tsv") or not path.is_file():
        return link
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    columns = {column: _numbers(row[column] for row in rows) for column in (rows or [{}])[0]}
    drawn = {column: numbers for column, numbers in columns.items() if numbers}
    if len(drawn) < 2:
        return link
    image = base64.b64encode(_draw(drawn)).decode("ascii")
    return f"{link}\n\n![{name}](data:image/png;base64,{image})"


class ProgressBar:
    """A progress artifact of the run that first shows it."""

    def __init__(self, key: str) -> None:
        """Show nothing yet; `key` is the artifact's."""
        self._key = key
        self._artifact: UUID | None = None

    def show(self, percent: float, text: str) -> None:
        """Show how far it is, 0…100, and a line of text."""
        if self._artifact:
            update_progress_artifact(self._artifact, percent, text)
        else:
            made = create_progress_artifact(percent, self._key, text)
            assert isinstance(made, UUID)  # not a coroutine: this is no async function
            self._artifact = made


class TrainingProgress:
    """A progress bar of a training and its newest metrics; none for a stage without epochs."""

    def __init__(self, events: Path, key: str) -> None:
        """Show nothing yet.

        Args:
            events: file of what the stage tells.
            key: of the artifact.
        """
        self._events, self._bar, self._offset = events, ProgressBar(key), 0
        self._percent, self._text = 0.0, ""
        self._updated = float("-inf")

    def update(self, *, at_once: bool = False) -> None:
        """Show what the stage has told since, unless the last update was just now."""
        if not at_once and time.monotonic() - self._updated < PAUSE_SECONDS:
            return
        found, self._offset = tail(self._events, self._offset)
        events = [event for event in found if isinstance(event, ProgressEvent | MetricsEvent)]
        for event in events:
            if isinstance(event, ProgressEvent):
                self._percent = 100 * event.done / event.total
            else:
                values = ", ".join(f"{name} {value:.4g}" for name, value in event.values.items())
                self._text = f"epoch {event.epoch}: {values}"
        if events:
            show(lambda: self._bar.show(self._percent, self._text))
            self._updated = time.monotonic()


def _keys(project: Path, node: StageNode) -> dict[str, str]:
    """The keys of a stage's artifacts; projects may share a server."""
    kinds = {"metrics": node.metrics, "plots": node.plots}
    return {kind: artifact_key(project.name, node.name, kind) for kind, of in kinds.items() if of}


def _flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(content, Mapping | list):
        yield prefix, content
        return
    items = content.items() if isinstance(content, Mapping) else enumerate(content)
    for key, value in items:
        yield from _flatten(value, f"{prefix}.{key}" if prefix else str(key))


def _numbers(cells: Iterable[str | None]) -> list[float] | None:
    """A column as numbers, a gap where a cell is empty; None for a column of something else."""
    try:
        return [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return None


def _draw(columns: dict[str, list[float]]) -> bytes:
    """Draw columns over the first: losses, fractions and larger numbers on axes of their own."""
    with _DRAWING:
        from matplotlib.figure import Figure

        (x_name, x), *others = columns.items()
        kinds: dict[str, list[tuple[str, list[float]]]] = {"loss": [], "fraction": [], "larger": []}
        for name, values in others:
            kind = "fraction" if all(not value > 1 for value in values) else "larger"
            kinds["loss" if "loss" in name else kind].append((name, values))
        panels = list(filter(None, kinds.values()))
        figure = Figure(figsize=(4.2 * len(panels), 2.8), dpi=90, layout="constrained")
        for number, panel in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), number)
            for name, values in panel:
                axes.plot(x, values, label=name, marker="." if len(x) < 40 else None)
            axes.set_xlabel(x_name)
            axes.grid(alpha=0.3)
            axes.legend(fontsize="small", frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
