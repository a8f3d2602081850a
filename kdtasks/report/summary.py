"""The headline figures alone, one number a key: what experiments are compared by."""

from typing import Any

from kdtasks.report.measures import MEASURES


def summarise(statistics: dict[str, Any], selection: dict[str, Any]) -> dict[str, Any]:
    """Pick the test figures and the shipped variant's size; a figure that is missing is left out.

    Arguments:
        statistics: as of `gather_statistics`.
        selection: as of `select`.

    Returns:
        the content of `summary.json`; shares are 0 … 1, sizes kB (1,000 bytes), no timings.
    """
    shipped = statistics["variants"].get(selection["chosen"], {})
    test = shipped.get("test", {})
    low, high = statistics["gain"].get("interval") or (None, None)
    key = MEASURES[statistics["task"]].key
    figures = {
        f"teacher_{key}": statistics["teacher"].get(key),
        f"student_{key}": statistics["student"].get("mean"),
        f"distilled_{key}": statistics["distill"].get("mean"),
        "gain": statistics["gain"].get("mean"),
        "gain_low": low,
        "gain_high": high,
        f"shipped_{key}": test.get(key),
        "shipped_precision": test.get("precision"),
        "shipped_recall": test.get("recall"),
        "shipped_compute": test.get("cost"),
        "shipped_kb": shipped["bytes"] / 1000 if shipped.get("bytes") else None,
    }
    return {key: round(value, 6) for key, value in figures.items() if value is not None}
