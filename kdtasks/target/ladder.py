"""The variants that a search tries, from the cheapest to make to the dearest."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from kdtasks.compression.variants import check_variant
from kdtasks.params.compression import CompressParams, TargetParams

# Shares of the filters where only a size after gzip is asked for: that one is not searched for.
GROWING_RATIOS = (0.25, 0.5, 0.75)
# Timings differ from one to the next: the search leaves a twentieth of the limit to spare.
LATENCY_MARGIN = 0.95


class Rung(NamedTuple):
    """One variant and its settings.

    Attributes:
        like: the rung whose file has the same size, speed and compute, but for the limits named
            in `may_change`; where that one breaks a limit, so will this one.
        only_if_over: the rung that has to break a limit other than the accuracy's for this one
            to make sense: its filters are removed.
        only_if_faster: two rungs of which the first has to be faster than the second.
    """

    label: str
    variant: str
    settings: dict[str, Any]
    epochs: int  # of training
    like: str | None = None
    may_change: frozenset[str] = frozenset()
    only_if_over: str | None = None
    only_if_faster: tuple[str, str] | None = None


def make_ladder(limits: TargetParams, compress: CompressParams) -> list[Rung]:
    """List what to try: conversions, then short trainings, then filters removed as well.

    How many filters go is searched for by `compress.filters.target`: just as many as the limits
    on size, compute and latency ask for.
    """
    gzipped = limits.max_gzip_kb is not None

    def rung(variant: str, *, note: str = "", settings: Any = None, **fields: Any) -> Rung:
        trainings = check_variant(variant).trainings
        epochs = sum(getattr(compress, name).epochs for name in trainings)
        return Rung(f"{variant}{note}", variant, settings or {}, epochs, **fields)

    on_blocks = "space_to_depth+int8"
    faster, timed = (on_blocks, "int8"), limits.max_latency_ms is not None
    sizes = frozenset({"max_size_kb", "max_gzip_kb", "max_latency_ms"})
    ladder = [
        rung("float32"),
        rung("float16", like="float32", may_change=sizes),
        rung("dynamic_int8", like="float32", may_change=sizes),
        rung("int8", like="float32", may_change=sizes),
        *([rung(on_blocks, like="int8", may_change=sizes)] if timed else []),
        rung("int16x8", like="int8", may_change=frozenset({"max_latency_ms"})),
        rung("qat+int8", like="int8"),
        *([rung(f"qat+{on_blocks}", like=on_blocks, only_if_faster=faster)] if timed else []),
    ]
    squeezed = frozenset({"max_gzip_kb"})
    if gzipped:
        ladder += [
            rung(f"{passes}+int8", like="int8", may_change=squeezed)
            for passes in ("cluster", "magnitude", "cluster+qat")
        ]
    shares = list(_shares(limits))

    def with_filters(variant: str, *, like: str | None = None, **fields: Any) -> list[Rung]:
        return [
            rung(variant, note=note, settings=settings, like=like and f"{like}{note}", **fields)
            for note, settings in shares
        ]

    ladder += with_filters("filters+int8", only_if_over="int8")
    if timed:
        ladder += with_filters("filters+float16", only_if_over="float16")
        ladder += with_filters(
            f"filters+{on_blocks}", only_if_over=on_blocks, only_if_faster=faster
        )
    if gzipped:
        ladder += with_filters(
            "filters+cluster+int8", like="filters+int8", may_change=squeezed, only_if_over="int8"
        )
    ladder += with_filters("filters+qat+int8", like="filters+int8", only_if_over="int8")
    if timed:
        ladder += with_filters(
            f"filters+qat+{on_blocks}",
            like=f"filters+{on_blocks}",
            only_if_over=on_blocks,
            only_if_faster=faster,
        )
    return ladder


def _shares(limits: TargetParams) -> Iterator[tuple[str, dict[str, Any]]]:
    """How many filters go: as many as the limits ask for, or growing shares for gzip."""
    latency = limits.max_latency_ms
    goals = {
        "size_kb": limits.max_size_kb,
        "macs": limits.max_macs,
        "latency_ms": None if latency is None else latency * LATENCY_MARGIN,
    }
    stated = {name: goal for name, goal in goals.items() if goal is not None}
    if stated:
        yield "", {"compress.filters.target": stated}
    if limits.max_gzip_kb is not None:
        for ratio in GROWING_RATIOS:
            settings = {"compress.filters.ratio": ratio, "compress.filters.target": None}
            yield f", ratio {ratio}", settings
