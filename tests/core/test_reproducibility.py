"""Same seeds, same bits."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core import reproducibility
from kdtasks.core.reproducibility import cpu_features, environment, generator, pin_process

PINNED = (
    "KDTASKS_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_USE_LEGACY_KERAS",
    "KDTASKS_DEVICE",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "CUDA_VISIBLE_DEVICES",
)
# Purpose and numbers of a generator to its first draw.
GOLDEN: dict[tuple[str, int, int], int] = {
    ("order", 0, 1): 279_306_078,
    ("views", 0, 1): 2_742_873_476,
    ("layers", 3, 2): 422_589_861,
}
# Two processes that have imported the same and have computed nothing yet, as stages have.
TRAIN_AND_SAVE = """
import os, sys
from pathlib import Path
import numpy as np
from kdtasks.core.backend import seed_everything, tf
from kdtasks.core.reproducibility import pin_process
pin_process(2)
from kdtasks.learn.objectives.distillation import DistillationObjective
from kdtasks.learn.objectives.distillation import DistillParams
from kdtasks.learn.networks.saved import save_model
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule, train
from kdtasks.learn.training.settings import TrainParams

tf.Module  # imports it
child = os.fork()
draw = np.random.default_rng(0)
labels = draw.integers(0, 4, (2, 96)).astype(np.int32)
images = draw.integers(0, 128, (2, 96, 16, 16, 3), dtype=np.uint8)
for label in range(4):
    images[labels == label, 4 * label : 4 * label + 4] += 100
logits = (np.eye(4)[labels] * 6).astype(np.float16)
network = CNN(filters=(16, 24), dropout=0.2, dense=(16,), top="flatten",
                    activation="leaky_relu")
seed_everything(7)
model = build(network, input_shape=(16, 16, 3), num_classes=4, exits=["block_1"])
train(
    model,
    TrainingExamples(images, labels, logits),
    validation=(images[0], labels[0]),
    objective=DistillationObjective(DistillParams(alpha=0.3, temperature=4.0)),
    schedule=TrainingSchedule(
        TrainParams(batch_size=16, guard_epochs=9), epochs=6, learning_rate=0.01, seed=7
    ),
)
save_model(Path(sys.argv[1 if child else 2]), model)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every pin out of the environment, and put it back afterwards."""
    for name in PINNED:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_a_generators_first_draws_stay_what_they_are():
    # Changing these numbers changes every split, view and trained network.
    draws = [int(generator(*words).integers(2**32)) for words in GOLDEN]
    assert draws == list(GOLDEN.values())


def test_generators_of_other_purposes_or_numbers_are_independent():
    others: list[tuple[str, tuple[int, ...]]] = [
        ("order", (0, 1)),
        ("order", (1, 0)),
        ("order", (0, 2)),
        ("order", ()),
        ("order", (0,)),
        ("order", (0, 1, 0)),
        ("layers", (0, 1)),
        ("views", (0, 1)),
    ]
    draws = [generator(purpose, *numbers).random(2_000) for purpose, numbers in others]
    correlations = np.corrcoef(draws) - np.eye(len(others))
    assert np.abs(correlations).max() < 0.1  # 4.5 standard deviations


def test_drawing_from_one_generator_leaves_the_others_alone():
    alone = generator("views", 0, 1).random(5)
    generator("order", 0, 1).random(100)
    np.random.default_rng(0).random(3)
    np.testing.assert_array_equal(generator("views", 0, 1).random(5), alone)


@pytest.mark.usefixtures("unpinned")
def test_pinning_sets_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reproducibility, "cpu_features", lambda: frozenset({"avx2", "avx512f"}))
    pin_process(3)
    assert {name: os.environ[name] for name in PINNED if name in os.environ} == {
        "KDTASKS_THREADS": "3",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "OMP_NUM_THREADS": "3",
        "TF_NUM_INTRAOP_THREADS": "3",
        "TF_NUM_INTEROP_THREADS": "3",
        "TF_DETERMINISTIC_OPS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_USE_LEGACY_KERAS": "1",
        "KDTASKS_DEVICE": "auto",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    assert environment()["threads"] == "3"
    assert environment()["instructions"] == "AVX512_CORE"


@pytest.mark.usefixtures("unpinned")
def test_a_gpu_is_hidden_where_the_processor_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # as a cluster's scheduler does
    pin_process(1, device="auto")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    pin_process(1, device="cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    pin_process()
    assert environment()["device"] == "cpu"


@pytest.mark.usefixtures("unpinned")
def test_bfloat16_is_given_the_instructions_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reproducibility, "cpu_features", lambda: frozenset({"avx512f"}))
    pin_process(1, precision="bfloat16")
    assert os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX512_CORE_AMX"


@pytest.mark.usefixtures("unpinned")
def test_pinning_again_without_a_number_keeps_the_number():
    pin_process(5)
    pin_process()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "5"
    pin_process(1)
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.usefixtures("unpinned")
def test_two_threads_where_nobody_says_otherwise():
    pin_process()
    assert os.environ["KDTASKS_THREADS"] == "2"


@pytest.mark.usefixtures("unpinned")
def test_an_older_cpu_keeps_its_own_instructions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reproducibility, "cpu_features", lambda: frozenset({"avx2"}))
    pin_process(2)
    assert "ONEDNN_MAX_CPU_ISA" not in os.environ
    assert environment()["instructions"] == "default"


@pytest.mark.usefixtures("unpinned")
def test_a_users_choice_of_instructions_stands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    pin_process(2)
    assert os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX2"


def test_cpu_features_are_words():
    assert all(feature == feature.strip() and feature for feature in cpu_features())


def test_two_processes_train_to_the_same_bytes(tmp_path: Path):
    folders = [tmp_path / name for name in ("first", "second")]
    command = [sys.executable, "-c", TRAIN_AND_SAVE, *map(str, folders)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=500)
    first, second = (
        hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest() for folder in folders
    )
    assert first == second
    assert (folders[0] / "model.json").read_bytes() == (folders[1] / "model.json").read_bytes()
