"""The distilled student that is compressed is the best one on validation."""

from kdtasks.learn.networks.saved import best_seed
from tests.tools.records import training


def test_the_last_exit_decides_which_seed_is_best():
    assert (
        best_seed({3: training(0.9, 0.7), 1: training(0.2, 0.8), 2: training(0.5, 0.6)}, "accuracy")
        == 1
    )


def test_of_equal_seeds_the_first_is_taken():
    assert best_seed({5: training(0.7), 4: training(0.8), 9: training(0.8)}, "accuracy") == 4


def test_the_metric_decides():
    # The first knows the sky alone, which is nearly everywhere.
    trained = {0: training(0.9, mean_iou=(0.45,)), 1: training(0.8, mean_iou=(0.6,))}
    assert best_seed(trained, "mean_iou") == 1
    assert best_seed(trained, "accuracy") == 0
