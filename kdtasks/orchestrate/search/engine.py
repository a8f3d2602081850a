"""The sweep's engine, with a decision before every trial: try it, or leave it out and say why."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import SweepError
from kdtasks.core.events import StageEvent, tail
from kdtasks.core.files import write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import duration
from kdtasks.orchestrate.project.git import last_commit
from kdtasks.orchestrate.project.project import check_workspace
from kdtasks.orchestrate.runner.events import run_events
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, State
from kdtasks.orchestrate.search.trial import (
    Budget,
    Rung,
    TrialResult,
    broken_limits,
    expected_seconds,
    figures,
    make_ladder,
    make_trial,
)
from kdtasks.orchestrate.sweep.engine import SweepEngine
from kdtasks.orchestrate.sweep.grid import Grid
from kdtasks.orchestrate.sweep.jobs import Job
from kdtasks.orchestrate.sweep.plan import SweepPlan, plan_points
from kdtasks.params import load_project_params
from kdtasks.params.load import parse_params
from kdtasks.params.search import SearchParams
from kdtasks.report.selection import Violation

METRICS = ProjectPaths().trial  # of a trial, for `dvc exp show`
ACCURACY = "max_accuracy_drop"
STAGE = "compress"  # writes what limits are held against
COSTS = ("max_size_kb", "max_gzip_kb", "max_latency_ms", "max_macs")


class SearchEngine(SweepEngine[TrialResult]):
    """Runs trials one after another, in the order of the ladder, until one is within all limits."""

    files = (METRICS,)

    def __init__(
        self,
        plan: SweepPlan[TrialResult],
        ladder: Mapping[str, Rung],
        limits: SearchParams,
        budget: Budget,
    ) -> None:
        super().__init__(plan)
        self._ladder, self._limits, self._budget = ladder, limits, budget
        self._experiments = {point.label: point.experiment for point in plan.points}
        self._begun = 0.0
        self.winner: str | None = None

    def survey(self) -> frozenset[str]:
        """None: what is done takes its turn as well, since it may end the search."""
        super().survey()
        return frozenset()

    def result(self, label: str) -> TrialResult | None:
        """The figures of a trial; None where it has not run."""
        return self.results.get(self._experiments[label])

    def broken(self, label: str) -> list[Violation] | None:
        """The limits that a trial breaks; None where it has not run."""
        result = self.result(label)
        return None if result is None else broken_limits(result, self._limits)

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        """Run a trial, or what all share, unless there is a reason not to."""
        if name not in self._ladder:
            if self._is_over_already():
                return Outcome(State.CACHED)
            return super().bring_up_to_date(name, on_line, is_cancelled)
        is_done = self.result(name) is not None
        reason = self._reason_against(self._ladder[name], is_done=is_done)
        if reason:
            return Outcome(State.SKIPPED, message=reason)
        self._budget.begin()
        self._begun = time.monotonic()
        outcome = super().bring_up_to_date(
            name, on_line, lambda: is_cancelled() or (not is_done and self._budget.left <= 0)
        )
        if outcome.state is State.CANCELLED and not is_cancelled():
            return Outcome(
                State.SKIPPED, message="stopped, the time is spent; the next call goes on with it"
            )
        if self.broken(name) == []:
            self.winner = name
        return outcome

    def _is_over_already(self) -> bool:
        """Whether trials of earlier calls answer everything."""
        for label, rung in self._ladder.items():
            broken = self.broken(label)
            if broken == []:
                return True
            if broken is None and not self._cannot_help(rung):
                return False
        return True

    def _reason_against(self, rung: Rung, *, is_done: bool) -> str | None:
        if self.winner:
            return f"{self.winner} is within all limits"
        return self._cannot_help(rung) or (None if is_done else self._takes_too_long(rung))

    def _cannot_help(self, rung: Rung) -> str | None:
        """Why a rung cannot be within the limits, from what others have shown."""
        if rung.like:
            for violation in self._violations_of(rung.like):
                if violation.limit != ACCURACY and violation.limit not in rung.may_change:
                    return f"it would be like {rung.like}: {violation.reason}"
        if rung.only_if_over:
            over = self.broken(rung.only_if_over)
            if over is not None and all(violation.limit == ACCURACY for violation in over):
                return f"{rung.only_if_over} needs no fewer filters for these limits"
        if rung.only_if_faster and not self._is_faster(*rung.only_if_faster):
            return "{} is no faster than {} here".format(*rung.only_if_faster)
        return None

    def _is_faster(self, label: str, other: str) -> bool:
        """Whether one rung takes less time than another; so where one was not timed."""
        results = self.result(label), self.result(other)
        mine, its = (result.latency_ms if result else None for result in results)
        return mine is None or its is None or mine < its

    def _violations_of(self, label: str) -> list[Violation]:
        """Of a rung, or where it was left out for good, of the one that it is like."""
        broken = self.broken(label)
        if broken is None:
            like = self._ladder[label].like
            return [
                violation
                for violation in (self._violations_of(like) if like else [])
                if violation.limit not in self._ladder[label].may_change
            ]
        return broken

    def _takes_too_long(self, rung: Rung) -> str | None:
        left = self._budget.left
        if left <= 0:
            return "the time is spent"
        expected = expected_seconds(
            rung.epochs,
            [
                (other.epochs, result.seconds)
                for label, other in self._ladder.items()
                if (result := self.result(label))
                and result.seconds is not None
                # what a conversion takes is mostly the start of processes, cached or not
                and (other.epochs == 0 or not result.cached)
            ],
        )
        if expected is None or expected <= left:
            return None
        return f"it would take about {duration(expected)}, {duration(left)} are left"

    def _read(self, job: Job, place: Path) -> TrialResult:
        result = super()._read(job, place)
        seconds = round(time.monotonic() - self._begun, 1)
        result = result._replace(seconds=seconds, cached=not _has_compressed(place))
        write_json(place / METRICS, figures(result))
        return result


def _has_compressed(place: Path) -> bool:
    """Whether the command of the stage ran there; its outputs may come out of a cache as well."""
    events, _ = tail(run_events(place))
    return any(
        isinstance(event, StageEvent)
        and event.name.partition("@")[0] == STAGE
        and event.state == State.COMPLETED
        for event in events
    )


class SearchPlan(NamedTuple):
    """All that is known before anything runs."""

    limits: SearchParams
    ladder: dict[str, Rung]  # by label
    sweep: SweepPlan[TrialResult]
    recipe: str


def make_plan(project: Path, given: dict[str, float]) -> SearchPlan:
    """Validate the limits and every trial, and find out what there is to do. Nothing runs.

    Args:
        given: limits that go before those of `search`.

    Raises:
        ParamsError: params.yaml or a limit is not valid.
        SweepError: there is no limit to reach.
        ProjectError: git or DVC cannot do their part.
    """
    params = load_project_params(project)
    content = params.model_dump(mode="json")
    content["search"].update(given)
    limits = parse_params(content, source="kdtasks search").search
    if all(getattr(limits, name) is None for name in COSTS):
        raise SweepError(
            "search has no limit that the float32 student does not keep: got "
            f"max_accuracy_drop alone; give one of {', '.join(COSTS)} there, or on the command "
            "line as --max-size-kb 20"
        )
    check_workspace(project)
    last_commit(project)
    text = ProjectPaths(project).params.read_text(encoding="utf-8")
    ladder = make_ladder(limits, params.compress)
    trials = [make_trial(text, rung) for rung in ladder]
    sweep = plan_points(project, Grid(()), trials, (STAGE,), kind=TrialResult, workers=1)
    return SearchPlan(limits, {rung.label: rung for rung in ladder}, sweep, params.recipe)
