"""The distilled student that is compressed is the best one on validation."""

import pytest

from kdtasks.core.errors import ModelError
from kdtasks.core.files import write_json
from kdtasks.learn.networks.saved import best_seed


def write_accuracies(folder, **by_seed):
    for seed, accuracy in by_seed.items():
        write_json(folder / f"{seed[1:]}.json", {"validation": {"accuracy": accuracy}})


def test_the_last_exit_decides_which_seed_is_best(tmp_path):
    write_accuracies(tmp_path, s3=[0.9, 0.7], s1=[0.2, 0.8], s2=[0.5, 0.6])
    assert best_seed(tmp_path, (3, 1, 2)) == 1


def test_of_equal_seeds_the_first_is_taken(tmp_path):
    write_accuracies(tmp_path, s5=[0.7], s4=[0.8], s9=[0.8])
    assert best_seed(tmp_path, (5, 9, 4)) == 9


def test_mean_iou_decides_where_there_is_one(tmp_path):
    # The first knows the sky alone, which is nearly everywhere.
    for seed, accuracy, mean_iou in ((0, 0.9, [0.45]), (1, 0.8, [0.6])):
        validation = {"accuracy": [accuracy], "mean_iou": mean_iou}
        write_json(tmp_path / f"{seed}.json", {"validation": validation})
    assert best_seed(tmp_path, (0, 1)) == 1


def test_missing_metrics_name_the_stage(tmp_path):
    write_accuracies(tmp_path, s0=[0.7])
    with pytest.raises(ModelError, match=r"1\.json is not there; run `dvc repro distill@1`"):
        best_seed(tmp_path, (0, 1))
