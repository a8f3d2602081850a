"""The record of a search for a variant."""

from typing import Any, Literal

from pydantic import field_serializer

from kdtasks.core.records import Record
from kdtasks.orchestrate.search.trial import TrialResult
from kdtasks.orchestrate.sweep.record import SweptPoint
from kdtasks.params.search import SearchParams


class SearchSummary(Record):
    """`search.json`, of variants and of students.

    Attributes:
        metric: the name of what trials are compared by.
        limits: `search` of params.yaml, with what the command line said.
        winner: label of the trial to use; None where there is none.
        nearest: of the one that breaks its limits least, where there is no winner.
        sentence: what came out.
        adopt: ways to bring the winner, or the nearest, into the project.
    """

    recipe: str
    metric: str
    limits: SearchParams
    winner: str | None
    nearest: str | None = None
    sentence: str
    adopt: tuple[str, ...]

    @field_serializer("limits")
    def _with_defaults(self, limits: SearchParams) -> dict[str, Any]:
        return limits.model_dump(mode="json")


class UntriedVariant(SweptPoint):
    """A variant without a result, and why."""

    state: Literal["skipped", "failed"]
    reason: str


class TriedVariant(SweptPoint):
    """A variant that was tried, and the limits that it breaks, in words."""

    result: TrialResult
    broken: tuple[str, ...]


class VariantSearchSummary(SearchSummary):
    """`search.json` of a search for a variant."""

    trials: tuple[TriedVariant | UntriedVariant, ...]
