"""All stages on masks, from photos to the report, in one small run."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.segmenter import Segmenter
from kdtasks.evaluate.jackknife import FEWEST_IMAGES
from kdtasks.params import Params, load_params
from stages import (
    benchmark,
    calibrate,
    compare,
    compress,
    distill,
    evaluate,
    export,
    labels,
    prepare,
    preview,
    prospect,
    report,
    sensitivity,
    student,
    targets,
    teacher,
)
from stages import slice as slice_stage
from tests.tools.aerial_photos import CLASSES, mask_params, write_photos

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
VARIANTS = ("float32", "int8")
SLICES = {"corruptions": ["contrast"], "severities": [5], "folders": {"elsewhere": "elsewhere"}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which every stage has run on ten photos; also the working directory."""
    folder = tmp_path_factory.mktemp("masks")
    write_photos(folder / "photos")
    for watched in ("models/start", "data/raw-unlabelled"):
        (folder / watched).mkdir(parents=True)
    content = mask_params(load_params(RECIPE).model_dump(), Path("photos"))
    write_photos(folder / "elsewhere", count=FEWEST_IMAGES, seed=5)
    content["evaluate"]["slices"] = SLICES
    params = Params.model_validate(content)
    before = Path.cwd()
    os.chdir(folder)
    for stage in (prepare, labels, preview, teacher, targets, prospect):
        stage.main(params, PATHS)
    for seed in params.seeds:
        student.main(params, PATHS, str(seed))
        distill.main(params, PATHS, str(seed))
    slice_stage.main(params, PATHS, "elsewhere")
    for variant in VARIANTS:
        for stage in (compress, calibrate, export, evaluate, benchmark):
            stage.main(params, PATHS, variant)
    for stage in (compare, sensitivity, report):
        stage.main(params, PATHS)
    yield folder
    os.chdir(before)


def test_patches_know_their_images(project: Path) -> None:
    dataset = open_prepared(Path("data/prepared"))
    assert (dataset.task, dataset.ignore_label) == ("segmentation", 255)
    sources = {split: dataset.groups(split) for split in ("train", "validation", "test")}
    for split, numbers in sources.items():
        assert len(numbers) == dataset.counts[split].total
        assert sorted(set(numbers.tolist())) == list(range(numbers.max() + 1))
        # Photos of 32×32 and 32×48 give 4 and 6 patches.
        assert set(np.bincount(numbers).tolist()) <= {4, 6}


def test_curves_have_the_mean_iou_of_every_epoch(project: Path) -> None:
    for name in ("teacher", "student/0", "distill/1"):
        header, *rows = Path(f"plots/{name}.csv").read_text().splitlines()
        columns = header.split(",")
        assert columns[:6] == [
            "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy",
            "validation_mean_iou",
        ]  # fmt: skip
        assert len(rows) == 6
        metrics = read_json(Path(f"metrics/{name}.json"))["validation"]
        reached = float(rows[-1].split(",")[5])
        assert metrics["mean_iou"][-1] == pytest.approx(reached, abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_masks_pass_through_the_calibration_into_a_bundle(project: Path, variant: str) -> None:
    manifest = read_manifest(Path("bundles") / variant)
    assert manifest.task == "segmentation"
    assert (manifest.segments, manifest.temperatures, manifest.thresholds) == (1, (1.0,), ())
    assert manifest.calibration == {"mode": "none"}
    calibration = read_json(Path(f"exits/{variant}/calibration.json"))
    compressed = read_json(Path(f"metrics/compress/{variant}.json"))
    assert calibration["validation"]["mean_iou"] == compressed["validation"]["mean_iou"][-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_figures_of_evaluate_are_the_bundle_s(project: Path, variant: str) -> None:
    metrics = read_json(Path(f"metrics/evaluate/{variant}.json"))
    dataset = open_prepared(Path("data/prepared"))
    labels = np.asarray(dataset.labels("test"))
    predicted = Segmenter.load(Path("bundles") / variant).classes(dataset.images("test"))
    with np.load(f"predictions/{variant}.npz") as arrays:
        np.testing.assert_array_equal(arrays["predicted"], predicted)
    counts = labels != 255
    assert metrics["pixels"] == counts.sum() == np.sum(metrics["confusion"])
    assert metrics["accuracy"] == pytest.approx((predicted == labels)[counts].mean())
    for place, name in enumerate(CLASSES):
        both = ((predicted == place) & (labels == place)).sum()
        either = ((predicted == place) | (labels == place))[counts].sum()
        assert metrics["classes"][name]["iou"] == pytest.approx(both / either)
    assert metrics["images"] < FEWEST_IMAGES
    assert metrics["interval"] is None
    timed = read_json(Path(f"metrics/benchmark/{variant}.json"))
    assert timed["latency_ms"]["worst"] > 0
    assert timed["targets"]["nnapi"]["segments"]["segment_0"]["accelerated"] > 0


def test_the_comparison_is_on_the_mean_iou(project: Path) -> None:
    found = read_json(Path("metrics/compare.json"))
    for kind in ("student", "distill"):
        by_seed = found[kind]["by_seed"]
        assert set(by_seed) == {"0", "1"}
        assert found[kind]["mean"] == pytest.approx(np.mean(list(by_seed.values())))
        classes = found[kind]["classes"]
        # The mean over seeds of the mean over classes, the other way round.
        assert found[kind]["mean"] == pytest.approx(
            np.mean([row["iou"] for row in classes.values()])
        )
    gain = found["gain"]
    assert gain["mean"] == pytest.approx(found["distill"]["mean"] - found["student"]["mean"])
    # Too few source images for an interval of either.
    assert (gain["bootstrap_interval"], found["teacher"]["interval"]) == (None, None)
    assert (found["teacher_lead"], found["teacher_worse_than_student"]) == (None, False)


def test_the_page_shows_masks(project: Path) -> None:
    page = Path("report/index.html").read_text(encoding="utf-8")
    assert "Mean IoU: teacher" in page
    for name, colour in CLASSES.items():
        assert f'style="background: {colour}"></span>{name}' in page
    patches = min(10, open_prepared(Path("data/prepared")).counts["test"].total)
    assert page.count('alt="its mask"') == page.count('alt="mask of the teacher"') == patches
    for name in ("precision-recall", "precision-recall-classes", "curve-mean-IoU", "curve-loss"):
        assert f'id="{name}-' in page
    assert "Early exits" not in page
    summary = read_json(Path("report/summary.json"))
    assert summary["teacher_mean_iou"] == pytest.approx(
        read_json(Path("metrics/compare.json"))["teacher"]["mean_iou"], abs=1e-6
    )
    selection = read_json(Path("report/selection.json"))
    distilled = max(
        read_json(Path(f"metrics/distill/{seed}.json"))["validation"]["mean_iou"][-1]
        for seed in (0, 1)
    )
    candidate = selection["candidates"]["float32"]
    drop = distilled - candidate["accuracy"]
    assert candidate["accuracy_drop"] == pytest.approx(drop)


def test_masks_are_scored_on_slices(project: Path) -> None:
    compared = read_json(Path("metrics/compare.json"))
    statistics = read_json(Path("report/statistics.json"))["slices"]
    names = {"plain", "contrast 5", "elsewhere"}
    assert set(statistics) == set(compared["slices"]) == names
    for kind in ("student", "distill"):
        found = statistics["plain"][kind]["score"]
        assert found == pytest.approx(compared[kind]["mean"], abs=1e-5)
    assert statistics["contrast 5"]["teacher"]["score"] < statistics["plain"]["teacher"]["score"]
    for variant in VARIANTS:
        metrics = read_json(Path(f"metrics/evaluate/{variant}.json"))
        plain = metrics["slices"]["plain"]["score"]
        assert plain == pytest.approx(metrics["mean_iou"], abs=1e-5)
        row = statistics["contrast 5"]["variants"][variant]
        assert row["score"] == metrics["slices"]["contrast 5"]["score"]
        # So few source images tell nothing for certain.
        assert {"p_value", "hurts"}.isdisjoint(row)
        # Eight photos elsewhere have an interval, but there is no test against two plain ones.
        away = statistics["elsewhere"]["variants"][variant]
        assert away["interval"][0] < away["score"] < away["interval"][1]
        assert away["excess"] == pytest.approx(
            away["change"] - statistics["plain"]["variants"][variant]["change"]
        )
        assert "p_value" not in away
    assert open_prepared(PATHS.slice_folder("elsewhere") / "prepared").counts["test"].total == 40
    changes = [statistics[name]["variants"]["float32"]["change"] for name in statistics]
    assert changes == pytest.approx([0, 0, 0], abs=0.01)  # the same network in another file


def test_the_same_files_give_the_same_page(project: Path) -> None:
    files = [Path("report") / name for name in ("index.html", "statistics.json", "summary.json")]
    before = [file.read_bytes() for file in files]
    params = mask_params(load_params(RECIPE).model_dump(), Path("photos"))
    params["evaluate"]["slices"] = SLICES
    report.main(Params.model_validate(params), PATHS)
    assert [file.read_bytes() for file in files] == before
