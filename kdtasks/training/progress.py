"""Progress of a training run, a line an epoch and one in between where an epoch takes long."""

import re
import time
from collections.abc import Mapping

# Seconds without a line after which a long epoch reports from its middle.
_QUIET = 10.0
# What `_print` below writes of the speed.
_SPEED = re.compile(r"(\d[\d,]*) pictures/s\b")


def speed_of(line: str) -> float | None:
    """Pictures a second that a line of progress tells; None if it tells of none."""
    found = _SPEED.search(line)
    return float(found[1].replace(",", "")) if found else None


class EpochReporter:
    """Prints epoch, loss, accuracy, pictures a second and time left."""

    def __init__(self, *, first_epoch: int, epochs: int, pictures: int) -> None:
        """Arguments: first_epoch is the epochs done before; pictures are those of an epoch."""
        self._epochs = epochs
        self._pictures = pictures
        self._first_epoch = first_epoch
        self._epoch = first_epoch
        self._begin = self._epoch_begin = self._last_line = time.monotonic()

    def start_epoch(self, epoch: int) -> None:
        """Start the clock of an epoch."""
        self._epoch = epoch
        self._epoch_begin = time.monotonic()

    def show_block(self, pictures: int, *, loss: float) -> None:
        """Print a line if the last one is long ago."""
        now = time.monotonic()
        if now - self._last_line < _QUIET or pictures >= self._pictures:
            return
        share = pictures / self._pictures
        self._print(f"{share:4.0%}  loss {loss:.4f}", pictures / (now - self._epoch_begin), share)

    def end_epoch(self, record: Mapping[str, float]) -> None:
        """Print the line of a whole epoch."""
        speed = self._pictures / max(time.monotonic() - self._epoch_begin, 1e-9)
        iou = record.get("validation_mean_iou")
        self._print(
            f"loss {record['loss']:.4f}  accuracy {record['accuracy']:.4f}  "
            f"validation {record['validation_accuracy']:.4f}"
            + ("" if iou is None else f", mean IoU {iou:.4f}"),
            speed,
            1.0,
        )

    def _print(self, middle: str, speed: float, share: float) -> None:
        self._last_line = now = time.monotonic()
        done = self._epoch - 1 + share - self._first_epoch
        left = (now - self._begin) / done * (self._epochs - self._first_epoch - done)
        width = len(str(self._epochs))
        print(
            f"epoch {self._epoch:{width}}/{self._epochs}  {middle}  "
            f"{speed:,.0f} pictures/s  {int(left) // 60}:{int(left) % 60:02} left",
            flush=True,
        )
