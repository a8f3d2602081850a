"""The variants that a search may try, from the cheapest to make to the most expensive."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.orchestrate.sweep.grid import Settings
from kdtasks.params.search import SearchParams

# Fractions of the filters for limits that are not searched for: of a size after gzip, and of a
# latency with early exits.
GROWING_RATIOS = (0.25, 0.5, 0.75)

# Timings differ from one to the next: the search leaves a twentieth of the limit to spare.
LATENCY_MARGIN = 0.95


class Candidate(NamedTuple):
    """One variant and its settings.

    Attributes:
        like: the candidate whose file has the same size, speed and compute, but for the limits
            named in `may_change`; where that one breaks a limit, so will this one.
        only_if_over: the candidate that has to break a limit other than the accuracy's for this one
            to make sense: its filters are removed.
        only_if_faster: two candidates of which the first has to be faster than the second.
    """

    label: str
    variant: str
    settings: Settings
    epochs: int  # of training
    like: str | None = None
    may_change: frozenset[str] = frozenset()
    only_if_over: str | None = None
    only_if_faster: tuple[str, str] | None = None


def search_space(
    limits: SearchParams, compress: CompressParams, *, early_exits: bool, device: str | None = None
) -> list[Candidate]:
    """List what to try: conversions, then short trainings, then filters removed as well.

    How many filters go is searched for by `compress.passes.filters.target`: just as many as the
    limits on size, compute and whole-network latency ask for. Other latencies depend on where
    images leave, or on a device, which is known of the finished file alone: growing fractions are
    tried for these. `device` is where latency is measured, None for this machine.
    """
    gzipped, timed = limits.max_gzip_kb is not None, limits.max_latency_ms is not None
    by_exits = early_exits and limits.latency_statistic != "worst"
    in_the_end = timed and (by_exits or device is not None)
    on_blocks = "space_to_depth+int8"
    faster = (on_blocks, "int8")
    time, gzip = frozenset({"max_latency_ms"}), frozenset({"max_gzip_kb"})
    sizes = time | gzip | {"max_size_kb"}
    fractions = list(_filter_fractions(limits, in_the_end=in_the_end))
    candidates: list[Candidate] = []

    def add(
        variant: str,
        *,
        when: bool = True,
        like: str | None = None,
        may_change: frozenset[str] = frozenset(),
        only_if_over: str | None = None,
        only_if_faster: tuple[str, str] | None = None,
    ) -> None:
        """A variant; one that removes filters is there once for each fraction of them."""
        if not when:
            return
        if in_the_end and like:
            may_change |= time  # other weights, other thresholds
        trainings, _ = compress.passes.of(check_variant(variant))
        epochs = sum(training.epochs for training in trainings)
        for note, settings in fractions if variant.startswith("filters+") else [("", {})]:
            same = like and f"{like}{note if like.startswith('filters+') else ''}"
            candidates.append(
                Candidate(
                    f"{variant}{note}",
                    variant,
                    settings,
                    epochs,
                    like=same,
                    may_change=may_change,
                    only_if_over=only_if_over,
                    only_if_faster=only_if_faster,
                )
            )

    add("float32")
    for item in number_formats:
        if item.name != "float32":
            like = item.same_size_as
            add(item.name, like=like or "float32", may_change=time if like else sizes)
    add(on_blocks, when=timed, like="int8", may_change=sizes)
    add("qat+int8", like="int8")
    add(f"qat+{on_blocks}", when=timed, like=on_blocks, only_if_faster=faster)
    for passes in ("cluster", "magnitude", "cluster+qat"):
        add(f"{passes}+int8", when=gzipped, like="int8", may_change=gzip)
    add("filters+int8", only_if_over="int8")
    add("filters+float16", when=timed, only_if_over="float16")
    fewer = f"filters+{on_blocks}"
    add(fewer, when=timed, only_if_over=on_blocks, only_if_faster=faster)
    small = partial(add, like="filters+int8", only_if_over="int8")
    small("filters+cluster+int8", when=gzipped, may_change=gzip)
    small("filters+qat+int8")
    add(
        f"filters+qat+{on_blocks}",
        when=timed,
        like=fewer,
        only_if_over=on_blocks,
        only_if_faster=faster,
    )
    return candidates


def _filter_fractions(limits: SearchParams, *, in_the_end: bool) -> Iterator[tuple[str, Settings]]:
    """How many filters go: as many as the limits ask for, or growing fractions.

    `in_the_end`: whether the latency that is limited is known of the finished file alone.
    """
    filters, latency = "compress.passes.filters", limits.max_latency_ms
    goals = {
        "size_kb": limits.max_size_kb,
        "macs": limits.max_macs,
        "worst_latency_ms": None if in_the_end else latency and latency * LATENCY_MARGIN,
    }
    stated = {name: goal for name, goal in goals.items() if goal is not None}
    if stated:
        yield "", {f"{filters}.target": stated}
    for ratio in GROWING_RATIOS if in_the_end or limits.max_gzip_kb is not None else ():
        yield f", ratio {ratio}", {f"{filters}.ratio": ratio, f"{filters}.target": None}
