"""How times, hashes and outcomes of a run are put into words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import duration, quantity
from kdtasks.orchestrate.runner.files import log_path
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph, StageState

HASH_SHOWN = 8  # characters; dvc.lock has them all


def summary(project: Path) -> list[str]:
    """The report's headline and where its page is, as far as they are there."""
    paths = ProjectPaths(project)
    headline = read_json(paths.selection).get("headline") if paths.selection.is_file() else None
    lines = [str(headline)] if headline else []
    return [*lines, f"report: {paths.page}"] if paths.page.is_file() else lines


def short_hash(digest: str) -> str:
    """DVC's hash, shortened; without the ending that marks a folder."""
    return digest.partition(".")[0][:HASH_SHOWN]


def time_taken(outcome: Outcome) -> str:
    """How long a stage's command ran; empty for a stage without one."""
    has_run = outcome.state in (StageState.COMPLETED, StageState.FAILED)
    return duration(outcome.seconds) if has_run and outcome.seconds else ""


def in_short(outcome: Outcome) -> str:
    """A few words on how a stage ended: the hash of what it made, or what went wrong, if any."""
    if outcome.is_up_to_date:
        return short_hash(outcome.digest)
    if outcome.state is StageState.CANCELLED:
        return ""
    lines = [line for line in outcome.text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def counts(states: Iterable[StageState]) -> str:
    """Write how many stages are in each state: 3 cached, 1 failed."""
    found = Counter(states)
    return ", ".join(f"{found[state]} {state}" for state in StageState if found[state])


def failures(outcomes: Mapping[str, Outcome], logs: Path) -> list[str]:
    """Why every failed stage failed, with its last lines and where all of them are."""
    texts = []
    for name, outcome in outcomes.items():
        if outcome.state is StageState.FAILED:
            log = log_path(logs, name)
            where = f"\n  log: {log}" if log.is_file() else ""
            texts.append("\n  ".join(outcome.text.splitlines()) + where)
    return texts


def closing(outcomes: Iterable[Outcome], seconds: float, noun: str = "stage") -> str:
    """The last line of a run: 31 stages in 2:37: 20 cached, 11 completed."""
    states = [outcome.state for outcome in outcomes]
    done = counts(states) or "nothing to do"
    return f"{quantity(len(states), noun)} in {duration(seconds)}: {done}"


def capacity(workers: int | None, cores: int) -> str:
    """Say with what a run works: 4 workers on 16 cores."""
    return f"{quantity(workers or cores, 'worker')} on {quantity(cores, 'core')}"


def narrowness(graph: StageGraph, workers: int | None, cores: int) -> str | None:
    """Say that more workers were asked for than the cores have room for; None if they have."""
    threads = max((node.threads for node in graph.nodes.values()), default=1)
    fit = max(1, cores // threads)
    if workers is None or min(workers, len(graph.nodes)) <= fit:
        return None
    return (
        f"--workers {workers}: {quantity(cores, 'core')} can hold {quantity(fit, 'stage')} of "
        f"{quantity(threads, 'thread')} (runtime.threads, on which results depend to the bit)"
    )
