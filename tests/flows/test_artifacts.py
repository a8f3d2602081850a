"""Metrics as tables and plots as images, by themselves; test_pipeline.py has the server."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.artifacts import artifact_key, describe, is_published, metric_rows, plot_markdown
from kdtasks.orchestrate.runner.graph import Outcome, StageNode, StageState


@given(st.lists(st.text(), min_size=1))
def test_keys_are_what_prefect_takes(words: list[str]):
    key = artifact_key("project", *words)
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not key.startswith("-")
    assert not key.endswith("-")


def test_a_stage_of_a_matrix_has_a_key_of_its_own():
    assert artifact_key("My Project", "compress@filters+int8", "metrics") == (
        "my-project-compress-filters-int8-metrics"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.json", '{"test": {"accuracy": [0.5, 0.75], "rows": 8}, "loss": null}'),
        ("m.yaml", "test: {accuracy: [0.5, 0.75], rows: 8}\nloss: null\n"),
    ],
)
def test_metrics_become_a_row_a_number(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert metric_rows(tmp_path / name, name) == [
        {"file": name, "metric": "test.accuracy.0", "value": 0.5},
        {"file": name, "metric": "test.accuracy.1", "value": 0.75},
        {"file": name, "metric": "test.rows", "value": 8},
        {"file": name, "metric": "loss", "value": None},
    ]


def test_a_metrics_file_of_another_kind_or_none_has_no_rows(tmp_path: Path):
    (tmp_path / "m.toml").write_text("a = 1", encoding="utf-8")
    assert metric_rows(tmp_path / "m.toml", "m.toml") == []
    assert metric_rows(tmp_path / "m.json", "m.json") == []


def test_a_csv_plot_is_a_link_and_a_image(tmp_path: Path):
    path = tmp_path / "loss.csv"
    path.write_text("epoch,loss,accuracy,note\n1,0.5,0.5,x\n2,,0.75,y\n", encoding="utf-8")
    markdown = plot_markdown(path, "plots/loss.csv")
    link, _, image = markdown.partition("\n\n")
    assert link == f"[plots/loss.csv]({path.as_uri()})"
    start = "![plots/loss.csv](data:image/png;base64,"
    assert image.startswith(start)
    assert base64.b64decode(image[len(start) : -1]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("columns", "panels"),
    [
        ("loss,validation_loss", 1),
        ("loss,accuracy", 2),
        ("accuracy,alpha", 1),
        ("loss,accuracy,temperature", 3),
    ],
)
def test_losses_shares_and_larger_numbers_have_axes_of_their_own(
    columns: str, panels: int, tmp_path: Path
):
    numbers = {"loss": 3.0, "validation_loss": 2.0, "accuracy": 0.5, "alpha": 1.0, "temperature": 4}
    row = ",".join(str(numbers[name]) for name in columns.split(","))
    path = tmp_path / "run.csv"
    path.write_text(f"epoch,{columns}\n1,{row}\n2,{row}\n", encoding="utf-8")
    image = plot_markdown(path, "run.csv").partition("base64,")[2].removesuffix(")")
    width = int.from_bytes(base64.b64decode(image)[16:20], "big")  # of the PNG's header
    assert width == panels * round(4.2 * 90)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plot.json", "[]"),
        ("empty.csv", ""),
        ("head.csv", "epoch,loss\n"),
        ("one.csv", "epoch\n1\n"),
        ("words.csv", "a,b\nx,y\n"),
    ],
)
def test_what_cannot_be_drawn_is_a_link(tmp_path: Path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert plot_markdown(path, name) == f"[{name}]({path.as_uri()})"


def test_only_the_same_version_counts_as_published():
    node = StageNode("train@0", metrics=("m.json",), plots=("loss.csv",))
    outcome = Outcome(StageState.CACHED, "abc")
    latest = dict.fromkeys(
        ("project-train-0-metrics", "project-train-0-plots"), describe(node, outcome)
    )
    assert is_published(Path("project"), node, outcome, latest)
    assert not is_published(Path("project"), node, outcome, {})
    assert not is_published(Path("project"), node, Outcome(StageState.CACHED, "def"), latest)
    assert not is_published(Path("other"), node, outcome, latest)
    del latest["project-train-0-plots"]
    assert not is_published(Path("project"), node, outcome, latest)
