"""Same params, same bits: thread counts, instruction set, seeds."""

import os
import platform
import zlib

import numpy as np

from kdtasks.core.processor import read_processor

_THREADS, DEVICE = "KDTASKS_THREADS", "KDTASKS_DEVICE"

# The widest instructions oneDNN may use: the same on every processor of a kind, and no wider than
# the precision of training has need of.
_INSTRUCTIONS = {"float32": "AVX512_CORE", "bfloat16": "AVX512_CORE_AMX"}


def pins(threads: int, *, precision: str = "float32", device: str = "auto") -> dict[str, str]:
    """Give the variables that TensorFlow's results depend on, as it has to find them.

    oneDNN sums in an order that depends on the number of threads and on the instruction set, so
    both are pinned.

    Args:
        threads: threads of every operation.
        precision: `float32` or `bfloat16`, of training steps and the teacher's pass.
        device: `auto`, `cpu` or `gpu`, where TensorFlow computes.
    """
    counts = (_THREADS, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    chosen = {"TF_CPP_MIN_LOG_LEVEL": "3"}  # where nothing else has been set
    if "avx512f" in cpu_features():
        chosen["ONEDNN_MAX_CPU_ISA"] = _INSTRUCTIONS[precision]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "cpu" else {}
    return {
        **dict.fromkeys(counts, str(threads)),
        DEVICE: device,
        **hidden,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # stages side by side share its memory
        **{name: os.environ.get(name, value) for name, value in chosen.items()},
        "TF_DETERMINISTIC_OPS": "1",
        # Without it `import tensorflow` imports Keras 3 as well, which takes half as long again
        # and is needed for imported teachers only.
        "TF_USE_LEGACY_KERAS": "1",
    }


def pin_process(
    threads: int | None = None, *, precision: str = "float32", device: str | None = None
) -> None:
    """Set the variables of `pins`; to be called before TensorFlow is imported.

    Args:
        threads: as of `pins`; None keeps what an earlier call set, else 2.
        precision: as of `pins`.
        device: as of `pins`; None keeps what an earlier call set, else `auto`.
    """
    threads = threads or int(os.environ.get(_THREADS, "2"))
    device = device or os.environ.get(DEVICE, "auto")
    os.environ.update(pins(threads, precision=precision, device=device))


def pinned_threads() -> int:
    """The threads that `pin_process` has set; 1 where nobody has called it."""
    return int(os.environ.get(_THREADS, "1"))


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """Return a NumPy generator of its own for one purpose.

    Draws of different purposes, seeds or epochs never share a stream, so adding one draw leaves
    all the others as they were.
    """
    # NumPy drops zeros at the end, so the count tells `epoch 0` from no epoch.
    return np.random.default_rng([zlib.crc32(purpose.encode()), len(numbers), *numbers])


def cpu_features() -> frozenset[str]:
    """The features of this processor that results depend on; empty where the system lists none."""
    return frozenset(read_processor().features)


def environment() -> dict[str, str]:
    """What bits depend on besides params: versions, threads, instruction set."""
    from importlib.metadata import version

    return {
        "cpu": platform.machine(),
        "instructions": os.environ.get("ONEDNN_MAX_CPU_ISA", "default"),
        "threads": os.environ.get(_THREADS, ""),
        "device": os.environ.get(DEVICE, ""),
        "tensorflow": version("tensorflow"),
        "tf_keras": version("tf-keras"),
        "numpy": version("numpy"),
    }
