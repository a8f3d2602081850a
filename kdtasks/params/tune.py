"""What `kdtasks tune` has chosen with, so that the verdict rests on other seeds."""

from collections.abc import Collection, Sequence
from itertools import chain, count, islice
from typing import Annotated

from pydantic import Field

from kdtasks.core.settings import Count, Index, Section


class TuneParams(Section):
    """How settings were chosen; `kdtasks tune --apply` writes it, the report says it.

    `seeds` of the project must be others than those that chose.
    """

    trials: Count | None = Field(
        default=None,
        description="trials of the student alone, and as many of the distilled one, that chose "
        "their settings; null: none",
    )
    seeds: Annotated[tuple[Index, ...], Field(strict=False)] = Field(
        default=(), description="seeds that the trials trained with"
    )


def fresh_seeds(seeds: Sequence[int], used: Collection[int]) -> tuple[int, ...]:
    """As many seeds, of which none was used: those that were give way to the least free ones."""
    kept = [seed for seed in seeds if seed not in used]
    free = (seed for seed in count() if seed not in used and seed not in kept)
    return tuple(sorted(islice(chain(kept, free), len(seeds))))
