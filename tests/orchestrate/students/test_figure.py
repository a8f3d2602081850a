"""The images of the front: every score and limit is there, and can be read out."""

import re
from typing import Any

from kdtasks.orchestrate.students.figure import front_figures
from kdtasks.orchestrate.students.footprint import Footprint
from kdtasks.orchestrate.students.record import FrontPoint, StudentSearchSummary, TriedStudent
from kdtasks.params.search import SearchParams

TRIALS = {"slim": (0.5, 0.80), "wide": (1.0, 0.88), "huge": (2.0, 0.87), "weak": (0.7, 0.4)}


def student(label: str, ended: str, score: float | None) -> TriedStudent:
    cost = TRIALS.get(label, TRIALS["slim"])[0]
    return TriedStudent(
        label=label,
        settings={},
        experiment=label,
        third="small",
        ended=ended,
        epochs=1,
        score=score,
        footprint=Footprint(macs=10**6, bytes=round(1000 * cost), latency_ms=cost / 10),
    )


def summary(
    *, mean: bool = True, front: tuple[str, ...] = ("slim", "wide"), **values: Any
) -> StudentSearchSummary:
    """Two students on the front, one that costs more than it gives, and one stopped early."""
    trials = [
        student(label, "pruned" if label == "weak" else "complete", score)
        for label, (_, score) in TRIALS.items()
    ]
    found: dict[str, Any] = {
        "recipe": "digits",
        "metric": "accuracy",
        "limits": SearchParams(space="student", max_size_kb=3.0),
        "winner": "wide",
        "sentence": "",
        "adopt": (),
        "seed": 3,
        "fresh_seeds": (4, 5),
        "trials": (*trials, student("broken", "failed", None)),
        "left_out": {},
        "front": tuple(
            FrontPoint(
                label=label,
                cost=TRIALS[label][0],
                by_seed={},
                mean=TRIALS[label][1] if mean else None,
                interval=(0.7, 0.9) if mean else None,
                stays=True,
            )
            for label in front
        ),
    }
    return StudentSearchSummary(**found | values)


def test_an_image_of_every_cost_with_its_limit():
    found = front_figures(summary())
    assert [*found] == ["front-bytes", "front-latency_ms", "front-macs"]
    size, time = found["front-bytes"], found["front-latency_ms"]
    for image in (size, time):
        for text in ("slim", "wide", "one seed", "stopped early", "fresh seeds, their mean"):
            assert re.search(rf">{text}", image)
        assert "var(--chosen)" in image
    assert (">limit<" in size, ">limit<" in time) == (True, False)
    assert "On the front: slim, 0.5, 80.0\u00a0%; wide, 1, 88.0\u00a0%. The dotted line is" in size


def test_a_search_that_is_not_over_has_its_images():
    image = front_figures(summary(mean=False, winner=None))["front-bytes"]
    assert "On the front: slim, 0.5, –" in image
    assert front_figures(summary(front=(), trials=())) == {}
