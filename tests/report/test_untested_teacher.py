"""A teacher that is a file of answers, without those to the test images."""

from collections.abc import Callable
from pathlib import Path

from kdtasks.core.files import read_json, write_json
from tests.tools.report_pages import text_of


def test_the_page_says_that_the_teacher_was_not_tested(build: Callable[..., Path]) -> None:
    def leave_out(root: Path) -> None:
        path = root / "metrics/compare.json"
        untested = {"teacher": None, "teacher_lead": None, "teacher_worse_than_student": False}
        write_json(path, {**read_json(path), **untested})

    report = build(change=leave_out)
    words = text_of(report)
    assert "Teacher not tested; student alone 9" in words
    assert "Teacher – not tested: its file lacks answers to test images Student alone" in words
    assert "teacher_accuracy" not in read_json(report / "summary.json")
    assert "teacher_accuracy" in read_json(build(folder="tested") / "summary.json")
