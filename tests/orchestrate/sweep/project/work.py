"""What a stage of the project does: `work.py STAGE [SEED]`.

It notes in the file that TRACE names that it runs, and for the how many-eth time in this folder.
`distill` fails where distill.alpha is 0.9 and the file that BREAK names is there, and waits where
it is 0.5 for as long as the file that HOLD names is there; so does `compress` for a variant with
`qat`.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from kdtasks.core.events import MessageEvent, emit

stage, *words = sys.argv[1:]
params = yaml.load(Path("params.yaml").read_bytes(), yaml.CSafeLoader)
alpha, temperature = params["distill"]["alpha"], params["distill"]["temperature"]
seed = words[0] if words else ""
ALL_LABELS = 2700
SIZES = {"float32": 80000, "float16": 40000, "dynamic_int8": 30000, "int8": 25000, "int16x8": 1}


def write(name: str, content: Any) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    Path(name).write_text(text, encoding="utf-8")


def accuracies(kind: str) -> dict[str, float]:
    return {str(s): float(Path(f"models/{kind}/{s}").read_text()) for s in params["seeds"]}


TRAINED = {"parameters": 9, "macs": [500, 1000], "epochs": 2, "seed": 0}
attempts = Path(".kdtasks", f"attempts-{stage}-{seed}")
attempts.parent.mkdir(exist_ok=True)
with attempts.open("a", encoding="utf-8") as file:
    file.write("x")
with open(os.environ["TRACE"], "a", encoding="utf-8") as trace:
    about = f"alpha={alpha} temperature={temperature} attempt={attempts.stat().st_size}"
    print(" ".join([stage, *words, about]), file=trace)

if stage == "prepare":
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path("data/raw").glob("*.txt"))]
    write("data/prepared", "".join(texts))
elif stage == "labels":
    labels = params["data"]["train_labels"] or ALL_LABELS
    write("data/labelled.npy", str(labels))
    counts = {"train": labels, "hidden": ALL_LABELS - labels, "unlabelled": 0}
    write("metrics/labels.json", {**counts, "by_class": {}, "validation": 9, "calibration": 9})
elif stage == "teacher":
    write("models/teacher", "teacher")
elif stage == "student":
    write(f"models/student/{seed}", str(0.9 + 0.001 * int(seed)))
    write(f"metrics/student/{seed}.json", {**TRAINED, "validation": {"accuracy": [0.5, 0.9]}})
elif stage == "distill":
    while alpha == 0.5 and Path(os.environ["HOLD"]).exists():
        time.sleep(0.05)
    if alpha == 0.9 and Path(os.environ["BREAK"]).exists():
        emit(MessageEvent("failed", "the loss is not a number"))
        sys.exit(1)
    gain = 0.05 * (0.5 - alpha) + 0.0002 * (int(seed) % 2)
    write(f"models/distill/{seed}", str(0.9 + 0.001 * int(seed) + gain))
    validation = {"accuracy": [0.5, 0.9 + 0.01 * alpha + 0.0001 * temperature]}
    write(f"metrics/distill/{seed}.json", {**TRAINED, "validation": validation})
elif stage == "compress":
    while "qat" in seed and Path(os.environ["HOLD"]).exists():
        time.sleep(0.05)
    size, accuracy = SIZES[seed.split("+")[-1]], 0.9
    macs = [500, 1000]
    if "filters" in seed:
        goal = (params["compress"]["passes"]["filters"]["target"] or {"size_kb": 12})["size_kb"]
        size, accuracy, macs = int(1000 * goal), 0.87, [250, 500]
    if "qat" in seed:
        accuracy += 0.02 if "filters" in seed else 0.001
    write(f"models/compress/{seed}/model.tflite", "x" * size)
    figures = {
        "base_seed": 1, "bytes": size, "gzip_bytes": size // 2, "macs": macs,
        "validation": {"accuracy": [0.5, accuracy]}, "variant": seed, "parameters": 9,
        "nonzero_parameters": 9, "tensors": {}, "sparsity": 0.0, "distinct_weights": 5,
        "parity": {
            "rows": 300,
            "tolerance": 0.25,
            "exits": [{"error": 0.0, "changed": 0.0, "interval": [0.0, 0.0127]}],
        },
    }  # fmt: skip
    is_refused = seed == "int16x8"
    refusal = {"refused": "no kernels"}
    write(f"metrics/compress/{seed}.json", refusal if is_refused else figures)
elif stage == "calibrate":
    compressed = json.loads(Path(f"metrics/compress/{seed}.json").read_text(encoding="utf-8"))
    calibration = {
        "mode": "drop", "score": "max_probability", "temperatures": [1.0, 1.0],
        "thresholds": [0.5], "macs": compressed.get("macs"),
        "validation": {
            "accuracy": compressed.get("validation", {}).get("accuracy", [0.0])[-1], "cost": 0.7
        },
    }  # fmt: skip
    refused = "refused" in compressed
    write(f"exits/{seed}/calibration.json", compressed if refused else calibration)
elif stage == "export":
    write(f"bundles/{seed}/manifest.json", "{}")
elif stage == "compare":
    known = {"mean": 0.9, "interval": None}
    tables = {kind: {"by_seed": accuracies(kind), **known} for kind in ("student", "distill")}
    gain = {
        **known, "by_seed": {}, "bootstrap_interval": [-0.01, 0.03], "verdict": "inconclusive",
        "seeds_needed": None, "judged": 3,
    }  # fmt: skip
    teacher = {"accuracy": 0.97, "interval": None}
    others = {"rows": 360, "teacher": teacher, "gain": gain, "teacher_lead": None}
    write("metrics/compare.json", {**tables, **others, "teacher_worse_than_student": False})
elif stage == "benchmark":
    write("timings", "1")
