"""The sweep's engine, with a decision before every trial: try it, or skip it and say why."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import SweepError
from kdtasks.core.events import StageEvent, tail
from kdtasks.core.files import write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import duration
from kdtasks.orchestrate.project.git import last_commit
from kdtasks.orchestrate.project.project import check_workspace
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.runner.graph import IsCancelled, OnLine, Outcome, StageState
from kdtasks.orchestrate.search.budget import Budget, expected_seconds
from kdtasks.orchestrate.search.candidates import Candidate, search_space
from kdtasks.orchestrate.search.trial import (
    ACCURACY,
    PARITY,
    TrialResult,
    broken_limits,
    make_trial,
    metrics,
)
from kdtasks.orchestrate.sweep.engine import SweepEngine
from kdtasks.orchestrate.sweep.grid import Grid
from kdtasks.orchestrate.sweep.jobs import Job
from kdtasks.orchestrate.sweep.plan import SweepPlan, plan_points
from kdtasks.params import Params, load_project_params
from kdtasks.params.load import parse_params
from kdtasks.params.search import SearchParams
from kdtasks.report.selection import Violation

METRICS = ProjectPaths().trial  # of a trial, for `dvc exp show`
STAGE = "compress"  # takes the time of a trial
LAST_STAGE = "export"  # writes the bundle that is timed
COSTS = ("max_size_kb", "max_gzip_kb", "max_latency_ms", "max_macs")


class SearchEngine(SweepEngine[TrialResult]):
    """Runs trials one after another, in the order given, until one is within all limits."""

    files = (METRICS,)

    def __init__(self, plan: "SearchPlan", budget: Budget) -> None:
        super().__init__(plan.sweep)
        self._candidates, self._limits, self._budget = plan.candidates, plan.limits, budget
        self._metric = plan.metric
        self._experiments = {point.label: point.experiment for point in plan.sweep.points}
        self._begun = 0.0
        self.winner: str | None = None

    def survey(self) -> frozenset[str]:
        """None: what is done takes its turn as well, since it may end the search."""
        super().survey()
        return frozenset()

    def result(self, label: str) -> TrialResult | None:
        """The metrics of a trial; None where it has not run, or is none."""
        return self.results.get(self._experiments.get(label, ""))

    def broken(self, label: str) -> list[Violation] | None:
        """The limits that a trial breaks; None where it has not run."""
        result = self.result(label)
        return None if result is None else broken_limits(result, self._limits, self._metric)

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Run a trial, or what all share, unless there is a reason not to."""
        if name not in self._candidates:
            if self._is_over_already():
                return Outcome(StageState.CACHED)
            return super().bring_up_to_date(name, on_line, is_cancelled)
        is_done = self.result(name) is not None
        reason = self._reason_against(self._candidates[name], is_done=is_done)
        if reason:
            return Outcome(StageState.SKIPPED, message=reason)
        self._budget.begin()
        self._begun = time.monotonic()
        outcome = super().bring_up_to_date(
            name, on_line, lambda: is_cancelled() or (not is_done and self._budget.left <= 0)
        )
        if outcome.state is StageState.CANCELLED and not is_cancelled():
            reason = "stopped, the time is up; the next call resumes"
            return Outcome(StageState.SKIPPED, message=reason)
        if self.broken(name) == []:
            self.winner = name
        return outcome

    def _is_over_already(self) -> bool:
        """Whether trials of earlier calls answer everything."""
        for label, candidate in self._candidates.items():
            broken = self.broken(label)
            if broken == []:
                return True
            if broken is None and not self._cannot_help(candidate):
                return False
        return True

    def _reason_against(self, candidate: Candidate, *, is_done: bool) -> str | None:
        if self.winner:
            return f"{self.winner} is within all limits"
        reason = self._cannot_help(candidate)
        return reason if reason or is_done else self._takes_too_long(candidate)

    def _cannot_help(self, candidate: Candidate) -> str | None:
        """Why a candidate cannot be within the limits, from what others have shown."""
        if candidate.like:
            for violation in self._violations_of(candidate.like):
                if violation.limit not in {ACCURACY, PARITY, *candidate.may_change}:
                    return f"it would be like {candidate.like}: {violation.reason}"
        if candidate.only_if_over:
            over = self.broken(candidate.only_if_over)
            if over is not None and {violation.limit for violation in over} <= {ACCURACY, PARITY}:
                return f"{candidate.only_if_over} needs no fewer filters for these limits"
        if candidate.only_if_faster and not self._is_faster(*candidate.only_if_faster):
            return "{} is no faster than {} here".format(*candidate.only_if_faster)
        return None

    def _is_faster(self, label: str, other: str) -> bool:
        """Whether one candidate takes less time than another; so where one was not timed."""
        results = self.result(label), self.result(other)
        mine, its = (result.latency_ms if result else None for result in results)
        statistic = self._limits.latency_statistic
        return mine is None or its is None or mine.of(statistic) < its.of(statistic)

    def _violations_of(self, label: str) -> list[Violation]:
        """Of a candidate, or where it was skipped for good, of the one that it is like."""
        broken, candidate = self.broken(label), self._candidates[label]
        if broken is not None or candidate.like is None:
            return broken or []
        inherited = self._violations_of(candidate.like)
        return [rejection for rejection in inherited if rejection.limit not in candidate.may_change]

    def _takes_too_long(self, candidate: Candidate) -> str | None:
        left = self._budget.left
        if left <= 0:
            return "the time is up"
        taken = [
            (other.epochs, result.seconds)
            for label, other in self._candidates.items()
            if (result := self.result(label))
            and result.seconds is not None
            # what a conversion takes is mostly the start of processes, cached or not
            and (other.epochs == 0 or not result.cached)
        ]
        expected = expected_seconds(candidate.epochs, taken)
        if expected is None or expected <= left:
            return None
        return f"it would take about {duration(expected)}, {duration(left)} are left"

    def _read(self, job: Job, clone: Path) -> TrialResult:
        result = super()._read(job, clone)
        seconds = round(time.monotonic() - self._begun, 1)
        result = result.model_copy(
            update={"seconds": seconds, "cached": not _has_compressed(clone)}
        )
        write_json(clone / METRICS, metrics(result))
        return result


def _has_compressed(clone: Path) -> bool:
    """Whether the command of the stage ran there; its outputs may come out of a cache as well."""
    events, _ = tail(run_events(clone))
    return any(
        isinstance(event, StageEvent)
        and event.name.partition("@")[0] == STAGE
        and event.state == StageState.COMPLETED
        for event in events
    )


class SearchPlan(NamedTuple):
    """All that is known before anything runs."""

    limits: SearchParams
    candidates: dict[str, Candidate]  # by label
    sweep: SweepPlan[TrialResult]

    @property
    def metric(self) -> str:
        """The name of what trials are compared by."""
        return self.sweep.points[0].params.metric.name


def searched_params(project: Path, given: Mapping[str, float | str | None]) -> Params:
    """The project's params; limits that are given override those of `search`.

    Raises:
        ParamsError: params.yaml or a limit is not valid.
    """
    content = load_project_params(project).model_dump(mode="json")
    content["search"].update(given)
    return parse_params(content, source="kdtasks search")


def plan_search(project: Path, given: Mapping[str, float | str | None]) -> SearchPlan:
    """Validate the limits and every trial, and find out what there is to do. Nothing runs.

    Args:
        given: limits that override those of `search`.

    Raises:
        ParamsError: params.yaml or a limit is not valid.
        SweepError: there is no limit to reach.
        ProjectError: git or DVC cannot do their part.
    """
    params = searched_params(project, given)
    limits = params.search
    if all(getattr(limits, name) is None for name in COSTS):
        raise SweepError(
            "search has no limit that the float32 student does not keep: got "
            f"max_accuracy_drop alone; give one of {', '.join(COSTS)} there, or on the command "
            "line as --max-size-kb 20"
        )
    if "validation" in params.data.source.teacher_labelled:
        raise SweepError(
            f"search.max_accuracy_drop is {limits.max_accuracy_drop}, and no validation image has "
            "a label to know the accuracy by; list variants in compress.variants and choose by "
            "select.max_agreement_drop, which `kdtasks run` does"
        )
    check_workspace(project)
    last_commit(project)
    text = ProjectPaths(project).params.read_text(encoding="utf-8")
    candidates = {
        candidate.label: candidate
        for candidate in search_space(
            limits,
            params.compress,
            early_exits=bool(params.student.exits),
            device=params.select.device,
        )
    }
    trials = [make_trial(text, candidate) for candidate in candidates.values()]
    sweep = plan_points(project, Grid(()), trials, (LAST_STAGE,), kind=TrialResult, workers=1)
    return SearchPlan(limits, candidates, sweep)
