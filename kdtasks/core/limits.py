"""Hold a metric against its limit, the same in every place that does."""

# 0.96 − 0.94 is 0.020000000000000018: what equals its limit is within it.
ROUNDING = 1e-9


def is_within(value: float, limit: float | None) -> bool:
    """Whether a metric keeps its limit; None limits nothing."""
    return limit is None or value <= limit + ROUNDING
