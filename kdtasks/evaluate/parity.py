"""How far a file is from the float network that it was converted from, and how far it may be."""

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import ExitParity, Parity
from kdtasks.core.settings import Fraction, Positive, Section
from kdtasks.core.text import SPACE, percent, percent_with_range, quantity
from kdtasks.evaluate.intervals import Interval, accuracy_interval
from kdtasks.evaluate.jackknife import FEWEST_IMAGES, jackknife_interval

CONFIDENCE = 0.95


class ParityParams(Section):
    """How far a file may be from the float network that it was converted from, at any exit.

    A variant that is further off is not calibrated, exported or chosen.
    """

    max_logit_error: Positive | None = Field(
        default=None,
        description="root mean square error of the logits, as a fraction of their standard "
        "deviation; null: 0.0001 in float32, 0.01 in float16, 0.25 with any integers",
    )
    max_changed_answers: Fraction = Field(
        default=0.05,
        description="fraction of answers (of masks: pixels) that may differ from the network's; "
        "the lower end of its 95 % interval counts",
    )


class ParityAccumulator:
    """Compares the logits of a file with those of its network, part by part.

    The error of an exit is the root mean square of the difference over the standard deviation of
    the network's logits: 0 for a file that computes the same, 1 for one that tells no more than
    their mean. It is a fraction rather than a signal-to-noise ratio in dB (20 · log10(1 / error)),
    which has no number for a file without any error, as float32 may be. Each exit is looked at by
    itself, for a broken one hides among others.
    """

    def __init__(self) -> None:
        """Begin with nothing compared."""
        self._count = 0
        self._sums: npt.NDArray[np.float64] | float = 0.0
        self._changed: list[npt.NDArray[np.int64]] = []
        self._answers = 1

    def add(self, actual: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> None:
        """Compare logits of the file with those of the network, both [N, K, …, classes]."""
        rows, exits = expected.shape[:2]
        mine, its = (
            np.moveaxis(logits, 1, 0).reshape(exits, -1).astype(np.float64)
            for logits in (actual, expected)
        )
        self._sums += np.stack([its, its**2, (mine - its) ** 2]).sum(axis=-1)
        self._count += its.shape[1]
        changed = (actual.argmax(axis=-1) != expected.argmax(axis=-1)).reshape(rows, exits, -1)
        self._answers = changed.shape[-1]
        self._changed.append(changed.sum(axis=-1))

    def result(
        self,
        groups: npt.NDArray[np.integer],
        *,
        tolerance: float,
        set_ranges: bool = False,
    ) -> Parity:
        """Sum up.

        Args:
            groups: int [N], the group of each row, such as the patches of one image.
            tolerance, set_ranges: go into the record.

        Raises:
            ExportError: a logit is not finite.
        """
        mean, square, error = np.asarray(self._sums) / self._count
        if not np.isfinite(error).all():
            raise ExportError(
                "the file and its network give logits that are not all finite; use another number "
                "format, or look at the weights of the network"
            )
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        # Where the network always says the same, the error itself.
        relative = np.sqrt(error) / np.where(spread > 0, spread, 1.0)
        changed = np.concatenate(self._changed)
        return Parity(
            rows=len(changed),
            tolerance=tolerance,
            exits=tuple(
                self._exit(float(relative[index]), changed[:, index], groups)
                for index in range(len(relative))
            ),
            set_ranges=set_ranges,
        )

    def _exit(
        self,
        error: float,
        changed: npt.NDArray[np.int64],
        groups: npt.NDArray[np.integer],
    ) -> ExitParity:
        interval: Interval | None
        if self._answers == 1:
            interval = accuracy_interval(changed > 0, groups, CONFIDENCE)
        else:
            _, numbers = np.unique(groups, return_inverse=True)
            by_image = np.bincount(numbers, changed), np.bincount(numbers) * self._answers
            interval = changed_interval(*by_image, CONFIDENCE)
        return ExitParity(
            error=float(f"{error:.4g}"),
            changed=round(float(changed.mean()) / self._answers, 6),
            interval=interval and (round(interval[0], 6), round(interval[1], 6)),
        )


def changed_interval(
    changed: npt.NDArray[np.integer], pixels: npt.NDArray[np.integer], confidence: float
) -> Interval | None:
    """Give `jackknife_interval` of the fraction of pixels that changed.

    Args:
        changed, pixels: int [images], of each source image those that changed, and all.
        confidence: as for `jackknife_interval`.
    """
    if len(pixels) < FEWEST_IMAGES:
        return None
    part, whole = (np.concatenate([[each.sum()], each.sum() - each]) for each in (changed, pixels))
    return jackknife_interval(part / whole, int(pixels.sum()), confidence)


def parity_problem(parity: Parity, limits: ParityParams) -> str | None:
    """Say what keeps a file from being used, with the limit and what to do; None if nothing."""
    most = parity.tolerance if limits.max_logit_error is None else limits.max_logit_error
    problems = []
    worst = max(parity.exits, key=lambda exit_parity: exit_parity.error)
    if worst.error > most:
        problems.append(
            f"the logits of {_name(parity, worst)} are off by {_error(worst.error)} of their "
            f"standard deviation, {_error(most)} are allowed (max_logit_error)"
        )
    worst = max(parity.exits, key=_surely_changed)
    if _surely_changed(worst) > limits.max_changed_answers:
        problems.append(
            f"{percent_with_range(worst.changed, worst.interval)} of the answers of "
            f"{_name(parity, worst)} change, {percent(limits.max_changed_answers)} are allowed "
            "(max_changed_answers)"
        )
    if not problems:
        return None
    return (
        f"the file is too far from the float network that it was converted from: "
        f"{' and '.join(problems)}, on {quantity(parity.rows, 'calibration image')}; give more "
        "compress.representative_images, add qat to the variant, use float16, or raise the limit "
        "in compress.parity"
    )


def _error(fraction: float) -> str:
    """In per cent: in float32 far below one, of a broken file perhaps over a hundred."""
    return f"{100 * fraction:.3g}{SPACE}%"


def _name(parity: Parity, one: ExitParity) -> str:
    return f"exit {parity.exits.index(one) + 1} of {len(parity.exits)}"


def _surely_changed(one: ExitParity) -> float:
    """The lower end of the interval; the fraction itself where there is none."""
    return one.interval[0] if one.interval else one.changed
