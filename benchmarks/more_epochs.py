"""What twice the epochs bring where students are said to have been still improving, and where not.

    python -m benchmarks.more_epochs [--out FILE]

Students of scikit-learn's digits are trained for 16, 32 … epochs, three seeds each: what
`kdtasks.learn.training.trend` says of one length is set beside the validation accuracy that the
next one reached. Minutes on one core.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.reproducibility import pin_process
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.augmentations.zoom import Zoom
from kdtasks.learn.training.step import OptimizerParams
from kdtasks.learn.training.trend import still_rising, trend_of
from kdtasks.learn.training.views import AugmentationParams

_EPOCHS = (16, 32, 64, 128)
_SEEDS = (0, 1, 2)
_MOVED = AugmentationParams(
    transforms=(Rotation(degrees=10.0), Zoom(fraction=0.1), Shift(fraction=0.1))
)
# Name to views, optimiser and learning rate; the last two soon have learnt all they can.
CASES = {
    "augmented, Adam 0.003": (_MOVED, OptimizerParams(), 0.003),
    "augmented, Adam 0.02": (_MOVED, OptimizerParams(), 0.02),
    "as they are, Adam 0.02": (AugmentationParams(), OptimizerParams(), 0.02),
    "as they are, SGD 0.1": (AugmentationParams(), OptimizerParams(name="sgd"), 0.1),
}


def main() -> None:
    """Print a row a case and length, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="file for the rows")
    options = parser.parse_args()
    pin_process(1)
    rows = [row for name in CASES for row in measure(name)]
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


def measure(name: str) -> list[dict[str, Any]]:
    """Train one case at every length; accuracies and rises are in points, means over seeds."""
    runs = {epochs: [train(name, epochs, seed) for seed in _SEEDS] for epochs in _EPOCHS}
    reached = {
        epochs: 100 * float(np.mean([history[-1]["validation_accuracy"] for history in found]))
        for epochs, found in runs.items()
    }
    rows = []
    for epochs in _EPOCHS[:-1]:
        trends = [trend for history in runs[epochs] if (trend := trend_of(history))]
        rows.append(
            {
                "case": name,
                "epochs": epochs,
                "accuracy": round(reached[epochs], 2),
                "rise": round(100 * float(np.mean([trend.rise for trend in trends])), 2),
                "still_improving": still_rising(trends) is not None,
                "single_runs": sum(still_rising([trend]) is not None for trend in trends),
                "twice_the_epochs": round(reached[2 * epochs] - reached[epochs], 2),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def train(name: str, epochs: int, seed: int) -> list[dict[str, float]]:
    """Train one student on half of the digits, without a teacher, and validate on the others."""
    from sklearn.datasets import load_digits

    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.cnn import CNN
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.training import loop
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.settings import TrainParams
    from kdtasks.learn.training.views import draw_views

    views, optimizer, learning_rate = CASES[name]
    values, labels = load_digits(return_X_y=True)
    images = (values * 15.9).astype(np.uint8).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order].astype(np.int32)
    half = len(images) // 2
    seed_everything(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        return loop.train(
            build(CNN(filters=(8, 16)), input_shape=(8, 8, 1), num_classes=10),
            TrainingExamples(*draw_views(images[:half], labels[:half], views)),
            validation=(images[half:], labels[half:]),
            objective=LabelObjective(),
            schedule=loop.TrainingSchedule(
                TrainParams(guard_epochs=epochs, optimizer=optimizer),
                epochs=epochs,
                learning_rate=learning_rate,
                seed=seed,
            ),
        )


if __name__ == "__main__":
    main()
