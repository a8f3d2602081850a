"""Look into a bundle: what it says of itself, its operators, tensors, compute and weights."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from kdtasks.cli.output import print_json, print_table
from kdtasks.cli.targets import print_target
from kdtasks.compress.tflite.accelerators import fit_target
from kdtasks.compress.tflite.arena import (
    Arena,
    delegated_operators,
    feature_offsets,
    measure_arenas,
)
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs
from kdtasks.core import JsonObject
from kdtasks.edge.bundle_files import MODEL, BundleFiles, open_bundle, open_bundle_files

NUMBERS = ("scale", "MACs", "of all", "weights", "flash", "arena", "scratch", "kept")


def inspect_bundle(
    bundle: Path, *, as_json: bool = False, with_arena: bool = False, target: str | None = None
) -> None:
    """Print what there is to know of a bundle, as tables or as one JSON object.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        with_arena: measure as well what a microcontroller needs.
        target: an accelerator of `TargetOption`, to ask what it takes.

    Raises:
        BundleError: it cannot be used.
    """
    open_bundle(bundle)
    with open_bundle_files(bundle) as files:
        manifest = files.manifest()
        content = files.checked(MODEL, manifest.sha256)
        graphs = read_graphs(content)
        delegated = delegated_operators(content)
        arenas = measure_arenas(content) if with_arena else {}
        fit = fit_target(content, target) if target else None
        # what segments share counts once
        shared = {offset: size for graph in graphs for offset, size in graph.weights.items()}
        weight_bytes = sum(shared.values())
        if as_json:
            description = {
                "manifest": manifest.to_json(),
                "files": {name: len(files.read(name)) for name in files.names},
                "signatures": [_as_object(graph, delegated[graph.signature]) for graph in graphs],
                "weight_bytes": weight_bytes,
                "arenas": {name: arena._asdict() for name, arena in arenas.items()} or None,
                "target": fit and {"name": target, **asdict(fit)},
            }
            print_json(description)
            return
        _print_manifest(files, weight_bytes)
    for graph in graphs:
        _print_graph(graph, delegated[graph.signature])
    if arenas:
        _print_arenas(arenas, graphs)
    if target and fit:
        print_target(target, fit)


def _as_object(graph: Graph, delegated: Sequence[bool]) -> JsonObject:
    taken = zip(graph.operators, delegated, strict=True)
    used = {
        number for operator in graph.operators for number in (*operator.inputs, *operator.outputs)
    }
    return {
        "signature": graph.signature,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "macs": graph.macs,
        "weight_bytes": sum(graph.weights.values()),
        "operators": [{**operator._asdict(), "xnnpack": xnnpack} for operator, xnnpack in taken],
        "tensors": {
            number: tensor._asdict()
            for number, tensor in enumerate(graph.tensors)
            if number in used
        },
    }


def _print_manifest(files: BundleFiles, weight_bytes: int) -> None:
    rows = files.manifest().to_json()
    del rows["parameters"]  # pages of them
    rows["calibration"] = rows["calibration"].get("guarantee")
    rows["metrics"] = {split: _judged(scores) for split, scores in (rows["metrics"] or {}).items()}
    rows["weight_bytes"] = weight_bytes
    rows["files"] = {name: len(files.read(name)) for name in files.names}
    shown = [(key.replace("_", " "), _text(value)) for key, value in rows.items()]
    print_table([row for row in shown if row[1]], title=f"bundle {files.path}", width=100)


def _judged(scores: JsonObject) -> JsonObject:
    """Call the accuracy by what it is, where a teacher's answers stood in the place of labels."""
    if "labels_from" not in scores:
        return scores
    what = "agreement with the teacher"
    named = {"accuracy": what, "balanced_accuracy": f"balanced {what}"}
    kept = {key: value for key, value in scores.items() if key != "labels_from"}
    return {named.get(key, key): value for key, value in kept.items()}


def _text(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
        case list() | tuple():
            return ("; " if value and isinstance(value[0], dict) else ", ").join(map(_text, value))
        case float():
            return f"{value:.6g}"
        case int() if not isinstance(value, bool):
            return f"{value:,}"
    return "" if value is None else str(value)


def _print_graph(graph: Graph, delegated: Sequence[bool]) -> None:
    operators = list(zip(graph.operators, delegated, strict=True))
    left = Counter(operator.name for operator, taken in operators if not taken)
    named = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in left.items())
    title = (
        f"{graph.signature}: {graph.macs:,} MACs, "
        f"{sum(graph.weights.values()):,} bytes of weights; "
        f"XNNPACK {'leaves ' + named if left else 'takes all'}"
    )
    rows = [
        (
            operator.name,
            *_describe(graph.tensors[operator.outputs[0]]),
            f"{operator.macs:,}",
            f"{operator.macs / graph.macs:.0%}" if graph.macs else "",
            f"{operator.weight_bytes:,}",
            "XNNPACK" if taken else "LiteRT",
        )
        for operator, taken in operators
    ]
    headings = ("operator", "output", "scale", "MACs", "of all", "weights", "runs in")
    print_table(rows, headings, right=NUMBERS, title=title)
    interface = [
        ("takes" if name in graph.inputs else "gives", name, *_describe(graph.tensors[number]))
        for name, number in {**graph.inputs, **graph.outputs}.items()
    ]
    print_table(interface, ("", "tensor", "type", "scale"), right=NUMBERS)


def _print_arenas(arenas: Mapping[str, Arena], graphs: Sequence[Graph]) -> None:
    rows = [(name, *(f"{size:,}" for size in arena)) for name, arena in arenas.items()]
    headings = ("", "flash", "arena", "scratch", "kept")
    title = "microcontroller, bytes of each segment as a file of its own"
    print_table(rows, headings, right=NUMBERS, title=title)
    totals = [arena.total for arena in arenas.values()]
    typer.echo(
        f"{sum(arena.file for arena in arenas.values()):,} of flash in all; RAM: "
        f"{sum(totals):,} with an arena each, or {max(totals):,} for one after the other in the "
        f"same, and {feature_offsets(graphs)[1]:,} for the features handed on"
    )


def _describe(tensor: Tensor) -> tuple[str, str]:
    """The type of a tensor, and its scale."""
    scale = "" if tensor.scale is None else f"{tensor.scale:.6g}"
    channels = f" ×{tensor.channels}" if scale and tensor.channels > 1 else ""
    return f"{tensor.dtype} {list(tensor.shape)}", scale + channels
