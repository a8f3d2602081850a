"""What a search shows, in words."""

import re
from typing import Any

from kdtasks.params.compression import TargetParams
from kdtasks.report.wording import NOTHING, kilobytes, milliseconds, percent, points
from kdtasks.runner.wording import duration
from kdtasks.target.trial import TrialResult

# The key after a reason; target.json has it.
_KEY = re.compile(r" \(max_\w+\)$")
COLUMNS = ("trial", "accuracy", "lost", "file", "gzipped", "latency", "compute", "time", "limits")


def limits_text(limits: TargetParams) -> str:
    """Write the limits: at most 20.0 kB, 1.0 points lost."""
    texts = [
        limits.max_size_kb and kilobytes(1000 * limits.max_size_kb),
        limits.max_gzip_kb and f"{kilobytes(1000 * limits.max_gzip_kb)} gzipped",
        limits.max_latency_ms and milliseconds(limits.max_latency_ms),
        limits.max_macs and f"{percent(limits.max_macs)} of the compute",
        f"{points(limits.max_accuracy_drop, signed=False)} lost",
    ]
    return f"at most {', '.join(text for text in texts if text)}"


def figures_text(result: TrialResult) -> str:
    """Write the figures of a trial in one line; empty where it was refused."""
    if result.refused:
        return ""
    lost = None if result.accuracy_drop is None else -result.accuracy_drop
    return (
        f"{percent(result.accuracy)} ({points(lost)}), {kilobytes(result.bytes)}, "
        f"{kilobytes(result.gzip_bytes)} gzipped, {milliseconds(result.latency_ms)}, "
        f"{percent(result.macs, 0)} of the compute"
    )


def row(trial: dict[str, Any]) -> dict[str, str]:
    """A trial of target.json as a row of texts, by column."""
    if "left_out" in trial or "failed" in trial:
        word = "left out" if "left_out" in trial else "failed"
        words = {"limits": f"{word}: {trial.get('left_out') or trial['failed']}"}
        return {**dict.fromkeys(COLUMNS, ""), "trial": trial["label"], **words}
    seconds = trial["seconds"]
    lost = trial["accuracy_drop"]
    return {
        "trial": trial["label"],
        "accuracy": percent(trial["accuracy"]),
        "lost": NOTHING if lost is None else points(-lost),
        "file": kilobytes(trial["bytes"]),
        "gzipped": kilobytes(trial["gzip_bytes"]),
        "latency": milliseconds(trial["latency_ms"]),
        "compute": percent(trial["macs"], 0),
        "time": "cached" if trial["cached"] else NOTHING if seconds is None else duration(seconds),
        "limits": "; ".join(_KEY.sub("", reason) for reason in trial["broken"]) or "within all",
    }
