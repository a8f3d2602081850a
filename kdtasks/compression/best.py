"""Which of the distilled students is compressed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdtasks.atomic import read_json
from kdtasks.errors import ModelError


def best_seed(metrics_folder: Path, seeds: Sequence[int]) -> int:
    """Return the seed whose distilled student is best on the validation split.

    The last exit decides, by its mean IoU where it tells masks, else by its accuracy; of equals
    the first seed.

    Raises:
        ModelError: the metrics of a seed are missing.
    """
    figures = []
    for seed in seeds:
        path = metrics_folder / f"{seed}.json"
        if not path.is_file():
            raise ModelError(f"{path} is not there; run `dvc repro distill@{seed}`")
        validation = read_json(path)["validation"]
        figures.append(validation.get("mean_iou", validation["accuracy"])[-1])
    return seeds[int(np.argmax(figures))]
