import itertools

import numpy as np

from kdtasks.core.records.training import ExitScores
from kdtasks.tasks.confusion import ExitConfusions

MASKS = np.array([[[0, 1, 255]], [[2, 255, 255]]], np.uint8)
EXITS = [np.array([[[0, 1, 1]], [[2, 2, 2]]]), np.array([[[1, 1, 1]], [[2, 0, 0]]])]


def test_masks_have_both_figures_of_every_exit_however_they_are_cut():
    # Of three labelled pixels the second exit takes the one of class 0 for class 1.
    expected = ExitScores(accuracy=(1.0, 0.666667), mean_iou=(1.0, 0.5))
    for cuts in ([0, 2], [0, 1, 2]):
        tally = ExitConfusions(3, ignore_label=255)
        for start, end in itertools.pairwise(cuts):
            tally.add([answers[start:end] for answers in EXITS], MASKS[start:end])
        assert tally.scores() == expected


def test_whole_images_have_the_metrics_of_classes():
    # Recalls 1/2, 1 and 1; F1s 2/3, 1 and 2/3.
    tally = ExitConfusions(3)
    tally.add([np.array([0, 1, 2, 2])], np.array([0, 1, 2, 0]))
    assert tally.scores() == ExitScores(
        accuracy=(0.75,), balanced_accuracy=(0.833333,), macro_f1=(0.777778,)
    )
