"""Alarms of drift: how often without any, and how often where a tenth of the images are odd."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.deploy.drift import DriftParams, detect_drift
from kdtasks.edge.telemetry import Histograms, Telemetry

# Shares of confidences, in ten ranges: of a network of 64 hidden units on MNIST's digits, on the
# same digits turned by a right angle and with their pixels shuffled; and of one that is surer.
_USUAL = (0, 0, 0, 0.005, 0.012, 0.022, 0.022, 0.032, 0.052, 0.855)
_SURE = (0, 0, 0, 0, 0, 0.004, 0.004, 0.006, 0.012, 0.974)
_ODD = {
    "turned": (0, 0, 0.004, 0.034, 0.078, 0.116, 0.11, 0.102, 0.138, 0.418),
    "shuffled": (0, 0, 0.02, 0.078, 0.134, 0.144, 0.138, 0.128, 0.131, 0.227),
}
_LIMITS = DriftParams()


def alarms(
    shares: tuple[float, ...], changed: np.ndarray, *, images: int, answers: int, trials: int
) -> int:
    """Count checks that tell drift; an answer of the surest range leaves early.

    Args:
        shares: of the reference's confidences [10], of so many `images`.
        changed: of the devices' confidences [10], of so many `answers`.
    """
    generator = np.random.default_rng(answers + images)
    found = 0
    for _ in range(trials):
        reference, observed = (
            tuple(generator.multinomial(count, drawn).tolist())
            for count, drawn in ((images, shares), (answers, changed))
        )
        exits = (observed[-1], answers - observed[-1])
        summary = Telemetry(
            model="", sha256="", begun="", ended="", exits=exits, confidences=observed
        )
        usual = Histograms((reference[-1], images - reference[-1]), reference)
        found += int(detect_drift([summary], usual, sha256="", limits=_LIMITS).is_drift)
    return found


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for kind, shares in (("usual", _USUAL), ("sure", _SURE)):
        for images in (50, 360, 1000, 10_000):
            for answers in (500, 2000):
                count = alarms(
                    shares, np.array(shares), images=images, answers=answers, trials=trials
                )
                case = f"no drift, {kind} answers, {images} test images: alarm in {answers} answers"
                rates.append(Rate(case, count, trials, at_most=_LIMITS.false_alarm_rate))
    promised = {(1000, 2000): 0.5, (10_000, 1000): 0.6, (10_000, 2000): 0.9}
    for kind, odd in _ODD.items():
        mixed = 0.9 * np.array(_USUAL) + 0.1 * np.array(odd)
        for images in (1000, 10_000):
            for answers in (500, 1000, 2000):
                count = alarms(_USUAL, mixed, images=images, answers=answers, trials=trials)
                case = f"a tenth {kind}, {images} test images: alarm in {answers} answers"
                rates.append(Rate(case, count, trials, at_least=promised.get((images, answers))))
    return rates


DRIFT = Promise(
    name="drift",
    sentence="At most `drift.false_alarm_rate` of all checks, 1 % by default, are false alarms. A "
    "tenth of odd images is found in most checks of 1,000 answers if the test split has "
    "10,000 images.",
    simulate=_simulate,
    few=200,
    many=10_000,
)
