"""The graph that DVC knows, in an order in which stages can run."""

from pathlib import Path

import pytest
from dvc.exceptions import DvcException

from flows.dag import StageGraph, read_graph


def test_stages_and_edges(project: Path):
    assert read_graph(project) == StageGraph(
        stages=("prepare", "distill@0", "distill@1", "report"),
        dependencies={
            "prepare": (),
            "distill@0": ("prepare",),
            "distill@1": ("prepare",),
            "report": ("distill@0", "distill@1"),
        },
    )


def test_the_order_is_not_that_of_the_file(project: Path):
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    head, prepare, rest = text.partition("  prepare:\n")
    body, distill, tail = rest.partition("  distill:\n")
    (project / "dvc.yaml").write_text(head + distill + tail + prepare + body, encoding="utf-8")
    assert read_graph(project).stages == ("prepare", "distill@0", "distill@1", "report")


def test_a_dvc_file_is_a_stage_too(project: Path):
    (project / "source").rename(project / "raw")
    (project / "raw.dvc").write_text("outs:\n- path: raw\n  hash: md5\n", encoding="utf-8")
    text = (project / "dvc.yaml").read_text(encoding="utf-8").replace("source", "raw")
    (project / "dvc.yaml").write_text(text, encoding="utf-8")
    graph = read_graph(project)
    assert graph.stages[:2] == ("raw.dvc", "prepare")
    assert graph.dependencies["prepare"] == ("raw.dvc",)


def test_a_circle_is_refused(project: Path):
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    (project / "dvc.yaml").write_text(text.replace("deps: [source]", "deps: [page]"))
    with pytest.raises(DvcException, match="both a dependency and an output"):
        read_graph(project)
