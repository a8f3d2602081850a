"""The page: same bytes, self-contained, honest, and never brought down by a missing file."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.files import read_json, write_json
from tests.tools.report_pages import outline, text_of

HEADINGS = [
    "What to try next",
    "Size against accuracy",
    "Models",
    "Does distillation help?",
    "Training",
    "Class by class: int8",
    "Where teacher and student differ",
    "Early exits of int8",
    "How close each file is to its network",
    "What the filters of each layer are worth",
    "What was found in the data",
    "Labels that look wrong",
    "Parameters and versions",
    "Do it again",
]


def test_page_is_one_well_formed_file(build: Callable[..., Path]) -> None:
    page = (build() / "index.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 5_000_000
    parsed = outline(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids)) > 0
    inside = ("#", "data:image/png;base64,")
    assert all(address.startswith(inside) for address in parsed.addresses)
    # Chromium is asked what leaves the page with script (test_live_charts.py)
    scriptless = re.sub(r'<script type="module">.*?</script>', "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|<script src|<link|@import|url\((?!#)", scriptless)
    assert page.count("window.vegaEmbed") == 1
    assert re.findall(r"<h2>(.*?)</h2>", scriptless) == HEADINGS
    assert scriptless.count("<svg ") == 9 + 3  # one reliability diagram an exit
    assert "blank &lt;image&gt;" in page  # what comes from the data is escaped


def test_same_files_same_bytes_in_another_process(build: Callable[..., Path]) -> None:
    report = build()
    files = sorted(report.iterdir())
    assert [file.name for file in files] == [
        "card.md",
        "index.html",
        "selection.json",
        "statistics.json",
        "summary.json",
    ]
    before = [file.read_bytes() for file in files]
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from kdtasks.core.paths import ProjectPaths\n"
        "from kdtasks.params import Params\n"
        "from kdtasks.report.page import write_report\n"
        "from stages.report import settings_of\n"
        "params = Params.model_validate_json(Path(sys.argv[2]).read_text())\n"
        "write_report(ProjectPaths(Path(sys.argv[1])), settings_of(params))"
    )
    params = report.parent / "params.json"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(report.parent), str(params)]
    subprocess.run(command, check=True, env=environment)
    assert [file.read_bytes() for file in files] == before


def test_page_tells_the_main_result(build: Callable[..., Path]) -> None:
    report = build(gain=0.02, seeds=[0, 1, 2, 3, 4])
    compare = read_json(report.parent / "metrics/compare.json")
    words = text_of(report)
    assert compare["gain"]["verdict"] == "helps"
    assert f"Teacher {compare['teacher']['accuracy'] * 100:.1f} %; student alone" in words
    reason = "the smallest of 3 variants within the limits"
    assert f"); shipped int8 model ({reason}): 20.3 kB, mean 0.053 ms an image" in words
    assert f"int8 is shipped: {reason}." in words
    assert read_json(report / "selection.json")["chosen"] == "int8"


def test_page_shows_five_latencies_and_marks_the_one_that_is_judged(
    build: Callable[..., Path],
) -> None:
    """Of int8 0.048 ms, 1.1 times that on average, 1.4 and 2.2 times the percentiles, 2.3 worst."""
    heads = "Mean ✓ judged Median 90th-percentile 99th-percentile Whole-network"
    row = "int8 0.053 ms 0.048 ms 0.067 ms 0.11 ms 0.11 ms"
    mean = text_of(build())
    assert heads in mean
    assert row in mean
    assert "Of 300 validation images one at a time, each by the median of 5 rounds;" in mean
    worst = text_of(build(folder="worst", select={"latency_statistic": "worst"}))
    assert "Mean Median 90th-percentile 99th-percentile Whole-network ✓ judged" in worst
    assert row in worst
    assert "20.3 kB, whole-network 0.11 ms an image" in worst


def test_page_says_when_it_cannot_tell(build: Callable[..., Path]) -> None:
    words = text_of(build(gain=0.0))
    assert " points), inconclusive" in words
    assert "holds 0: the seeds differ too much to say" in words
    two = text_of(build(folder="two", seeds=[4, 5]))
    assert "with fewer than three seeds nothing is known of how much luck is in it" in two


def test_page_says_what_a_distillation_that_hurts_means(build: Callable[..., Path]) -> None:
    words = text_of(build(gain=-0.05))
    assert " points), hurts" in words
    assert "All variants still come from the distilled student" in words
    assert "All variants still come" not in text_of(build(folder="helping"))


def test_page_says_that_a_teacher_without_weight_taught_nothing(build: Callable[..., Path]) -> None:
    def label_all(root: Path) -> None:
        labels = root / "metrics/labels.json"
        content = json.loads(labels.read_text()) | {"hidden": 0, "unlabelled": 0}
        labels.write_text(json.dumps(content))

    words = text_of(build(distill={"alpha": 1.0}, change=label_all))
    assert "the teacher has no weight: labels alone taught both students" in words
    assert "Nothing was distilled" in words
    # it teaches what bears no label all the same
    assert "no weight" not in text_of(build(distill={"alpha": 1.0}, folder="hidden"))


def test_page_says_what_each_student_saw_and_knew(build: Callable[..., Path]) -> None:
    words = text_of(build())
    assert (
        "Alone: 300 labels. Distilled: the same, and a teacher’s answers to 3,035 images" in words
    )
    assert "2,735 of which bear no label that it sees. Both start from the same weights" in words
    assert "The teacher was trained here, on 2,997 labels, those that students do not see" in words
    assert "500 labels choose among settings and 500 calibrate" in words
    assert "Taught with" not in words  # two students need no table


def test_page_says_what_was_forecast_and_that_it_is_no_result(build: Callable[..., Path]) -> None:
    words = text_of(build())
    forecast, result = words.index("Forecast, before any student"), words.index("Over 3 seeds the")
    assert forecast < result
    assert (
        "likely to help: the teacher’s lead is +8.8 points. On 500 validation images the teacher’s "
        "accuracy is 98.8 %, that of a student of 5 epochs on labels alone 90.0 % (paired 95 % "
        "interval of the lead: +5.6 to +13.1 points); they agree on 91.0 % of the images. The "
        "teacher is 98.4 % sure on average, with a calibration error of 1.9 %, and at temperature "
        "2 its answers hold 0.78 bits. Of the images without a label, it is at least 90 % sure of "
        "71 %. A forecast is no result"
    ) in words


def test_page_says_why_nothing_was_forecast(build: Callable[..., Path]) -> None:
    def refuse(root: Path) -> None:
        reason = "a student of 2 epochs did not learn"
        write_json(root / "metrics/prospect.json", {"refused": reason})

    words = text_of(build(change=refuse))
    assert "Forecast, before any student was trained: none. a student of 2 epochs did not" in words


def test_page_compares_the_arms_that_were_asked_for(build: Callable[..., Path]) -> None:
    split = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
    data = {"source": "mnist-5k", "split": split, "train_labels": 300}
    report = build(gain=0.02, data=data, distill={"arms": ["hard", "all_labels"]})
    arms = read_json(report.parent / "metrics/compare.json")["arms"]
    words = text_of(report)
    assert "Soft answers, labelled images" not in words
    rows = [words.index(name) for name in ("Labels alone 300 ", "Hard answers", "All labels")]
    assert rows == sorted(rows)
    hard = f"{100 * arms['hard']['gain']['mean']:+.1f} points"
    assert hard in words[rows[1] : rows[2]]
    assert "All labels 2,997 labels, no teacher" in words


def test_page_shows_images_that_the_teacher_is_unsure_of(build: Callable[..., Path]) -> None:
    words = text_of(build())
    assert (
        "Of 42 images without a label the teacher is less than half sure of 3; 2 were left" in words
    )
    assert "3 30 %" in words


def test_page_says_where_students_started(build: Callable[..., Path]) -> None:
    def start(root: Path) -> None:
        for path in sorted((root / "metrics/distill").iterdir()):
            write_json(path, {**read_json(path), "start": f"models/start/{path.stem}"})

    words = text_of(build(change=start))
    assert "went on from trained networks, the first from models/start/0 ;" in words
    assert "went on from" not in text_of(build(folder="random"))


def trends(**rises: float) -> Callable[[Path], None]:
    """Let trainings of a folder of metrics, or the teacher, rise by so much."""

    def write(root: Path) -> None:
        for name, rise in rises.items():
            for path in [root / f"metrics/{name}.json", *(root / "metrics" / name).glob("*.json")]:
                if path.is_file():
                    trend = {"rise": rise, "standard_error": 0.001, "scatter_before": 0.0}
                    write_json(path, {**read_json(path), "trend": trend})

    return write


def test_page_says_which_models_were_still_improving(build: Callable[..., Path]) -> None:
    report = build(change=trends(student=0.004, distill=0.02))
    words = text_of(report)
    assert "was still improving" not in words
    assert "with more distill.epochs the verdict may be another one" in words
    assert "rose, of the distilled student by 2.0 points. More epochs" in words
    assert read_json(report / "statistics.json")["distill"]["rise"] == pytest.approx(0.02)
    taught = text_of(build(folder="teacher", change=trends(teacher=0.02, student=-0.01)))
    assert "with more teacher.epochs it may teach better" in taught
    assert "rose, of the teacher by 2.0 points. More epochs" in taught
    assert "till improving" not in text_of(build(folder="done"))


def epochs(count: int) -> Callable[[Path], None]:
    """Let the students alone have been trained for so many epochs."""

    def write(root: Path) -> None:
        for path in (root / "metrics" / "student").glob("*.json"):
            write_json(path, {**read_json(path), "epochs": count})

    return write


def test_page_says_how_both_students_were_tuned(build: Callable[..., Path]) -> None:
    words = text_of(build())
    assert "start from the same weights and take as many steps;" in words
    assert "for as many epochs" in words
    assert "tuned" not in words
    tuned = text_of(build(folder="tuned", change=epochs(90), tune={"trials": 20, "seeds": [7]}))
    assert "start from the same weights; the one alone is trained for 90 epochs, the dist" in tuned
    assert "as many steps" not in tuned
    assert "for as many epochs" not in tuned
    assert "Both were tuned on the validation split with 20 trials each:" in tuned


def test_poor_teacher_is_named(build: Callable[..., Path]) -> None:
    def swap(root: Path) -> None:
        content = read_json(root / "metrics/compare.json")
        write_json(root / "metrics/compare.json", {**content, "teacher_worse_than_student": True})

    words = text_of(build(change=swap))
    # in the headline, as a notice under it, and as what to try next
    assert words.count("% on average). ") == 3
    assert "A teacher that knows less than its student can teach it little" in words
    assert "less accurate than the student" not in text_of(build(folder="good"))


def test_importing_is_instant() -> None:
    code = (
        "import sys, kdtasks.report.page\n"
        "heavy = 'matplotlib', 'scipy', 'jinja2', 'tensorflow', 'vl_convert'\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


def test_images_that_teacher_and_student_answer_differently_are_shown(
    build: Callable[..., Path],
) -> None:
    report = build()
    with np.load(report.parent / "plots/compare.npz") as arrays:
        counts, labels, taught, learnt = (
            arrays[name] for name in ("counts", "labels", "teacher", "distill")
        )
    page = (report / "index.html").read_text(encoding="utf-8")
    section = page.split("Where teacher and student differ</h2>")[1].split("<h2>")[0]
    assert f"They answer {counts.sum()} of 1,000 test images differently" in section
    figures = re.findall(r"<figcaption>(\d)<small>teacher (\d)<br>student (\d)</small>", section)
    assert [tuple(map(int, figure)) for figure in figures] == list(
        zip(labels.tolist(), taught.tolist(), learnt.tolist(), strict=True)
    )
    assert f"<strong>The teacher is right</strong> {counts[0]} images" in section

    def student_only(root: Path) -> None:
        path = root / "plots/compare.npz"
        with np.load(path) as arrays:
            kept = arrays["distill"] == arrays["labels"]
            shown = {name: values[kept] for name, values in arrays.items() if name != "counts"}
        np.savez(path, **shown, counts=np.array([0, kept.sum(), 0]))

    page = (build(change=student_only, folder="one kind") / "index.html").read_text("utf-8")
    found = re.findall(r"<strong>(The \w+ is right|Neither is right)</strong> (\d+) image", page)
    assert found == [("The student is right", str((learnt == labels).sum()))]

    def agree(root: Path) -> None:
        path = root / "plots/compare.npz"
        with np.load(path) as arrays:
            none = {name: array[:0] for name, array in arrays.items()}
        np.savez(path, **none | {"counts": np.zeros(3, int)})

    page = (build(change=agree) / "index.html").read_text(encoding="utf-8")
    assert "Nowhere: they answer all 1,000 test images alike." in page
