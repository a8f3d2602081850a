"""From images without labels to the page: with labels to test by, and with none at all."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kdtasks.cli.main import app
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.data.prepared import open_prepared
from kdtasks.params import Params
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
    prospect,
    report,
    sensitivity,
    student,
    targets,
    teacher,
)
from tests.tools.report_pages import text_of
from tests.tools.unlabelled_photos import (
    TEACHERS_LIMIT,
    level_of,
    params_of,
    write_answers,
    write_network,
)

PATHS = ProjectPaths()


def run(params: Params) -> None:
    for stage in (prepare, labels, teacher, targets):
        stage.main(params, PATHS)
    student.main(params, PATHS, "0")
    distill.main(params, PATHS, "0")
    prospect.main(params, PATHS)
    for step in (compress, calibrate, export, evaluate, benchmark):
        step.main(params, PATHS, "float32")
    for last in (sensitivity, compare, report):
        last.main(params, PATHS)


@pytest.mark.slow
def test_without_any_label_every_figure_is_agreement(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    write_answers()
    run(params_of())
    out = capsys.readouterr().out
    assert "imported teacher: its own answers stand in the place of labels" in out
    assert "the teacher agrees with 100.00% of its answers to them as they are" in out
    assert "float32: agreement with the teacher " in out
    assert "test agreement with the teacher: teacher not tested, student none, distilled " in out
    assert "accuracy" not in out.lower()
    for record in ("metrics/evaluate/float32", "metrics/compare", "exits/float32/calibration"):
        assert read_json(Path(f"{record}.json"))["labels_from"] == "teacher"
    for record in ("teacher", "distill/0", "compress/float32"):
        assert read_json(Path(f"metrics/{record}.json"))["validation"]["labels_from"] == "teacher"
    manifest = read_json(Path("bundles/float32/manifest.json"))
    assert manifest["metrics"]["validation"]["labels_from"] == "teacher"
    assert read_json(PATHS.metrics("student", 0)) == {"refused": NO_LABELS}
    inspected = CliRunner().invoke(app, ["inspect", "bundles/float32"]).output
    assert "agreement with the teacher" in " ".join(inspected.split())
    assert "accuracy" not in inspected

    summary = read_json(PATHS.summary)
    assert summary["distilled_agreement"] == read_json(PATHS.metrics("compare"))["distill"]["mean"]
    assert not [key for key in summary if "accuracy" in key]
    headline = read_json(PATHS.selection)["headline"]
    assert headline.startswith("Agreement with the teacher: distilled ")
    assert "Accuracy is unknown: no image has a label, so that every figure is agree" in headline
    words = text_of(PATHS.page.parent)
    page = words.partition("params.yaml, with every default filled in")[0]
    rest = page.replace("Accuracy is unknown", "")
    assert "accurac" not in rest.lower().replace("max_accuracy_drop", "")
    assert "Its test agreement with the teacher" in page
    assert "Teacher – its own answers stand in the place of labels" in page
    assert "No label chooses among settings or calibrates" in page


@pytest.mark.slow
def test_with_a_labelled_test_split_its_accuracy_is_known(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    write_network()
    changes = {"source": "import", "path": "teacher.h5", "input": "unit", "output": "logits"}
    run(params_of(test="known", teacher=changes))
    out = capsys.readouterr().out
    assert "float32: agreement with the teacher " in out  # of the calibration split
    assert "test accuracy: teacher " in out
    levels = np.array([level_of(name) for name in open_prepared(PATHS.prepared).names("test")])
    right = ((levels >= TEACHERS_LIMIT) == (levels >= 128)).mean()
    assert right < 1
    found = read_json(PATHS.metrics("compare"))
    assert found["teacher"]["accuracy"] == pytest.approx(right, abs=0.03)  # noise of the pixels
    assert "labels_from" not in found
    assert "labels_from" not in read_json(PATHS.metrics("evaluate", "float32"))
    assert read_json(PATHS.calibration("float32"))["labels_from"] == "teacher"
    words = text_of(PATHS.page.parent)
    assert "Labels are known of the test split alone: figures of other images are agree" in words
    assert "Size against agreement with the teacher" in words
    assert "Its test accuracy" in words
    assert "Accuracy is unknown" not in words
    assert "distilled_accuracy" in read_json(PATHS.summary)
