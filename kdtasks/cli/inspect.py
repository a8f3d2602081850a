"""Look into a bundle: what it says of itself, its operators, tensors, compute and weights."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdtasks.compress.tflite.arena import Arena, delegated_operators, measure_arenas
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs
from kdtasks.edge.bundle_files import MODEL, BundleFiles, open_bundle, open_bundle_files
from kdtasks.edge.manifest import Manifest

NUMBERS = {"scale", "MACs", "weights", "flash", "arena", "scratch", "kept"}


"""Headings of columns that stand on the right."""


def inspect_bundle(bundle: Path, *, as_json: bool = False, with_arena: bool = False) -> None:
    """Print what there is to know of a bundle, as tables or as one JSON object.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        with_arena: measure as well what a microcontroller needs.

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
        if as_json:
            found = {
                "manifest": manifest.to_json(),
                "files": {name: len(files.read(name)) for name in files.names},
                "signatures": [_as_object(graph, delegated[graph.signature]) for graph in graphs],
                "weight_bytes": sum(_all_weights(graphs).values()),
                "arenas": {name: arena._asdict() for name, arena in arenas.items()} or None,
            }
            print(json.dumps(found, indent=2, ensure_ascii=False))
            return
        _print_manifest(files, manifest, graphs)
    for graph in graphs:
        _print_graph(graph, delegated[graph.signature])
    if arenas:
        _print_arenas(arenas, graphs)


def _as_object(graph: Graph, delegated: Sequence[bool]) -> dict[str, Any]:
    used = {number for one in graph.operators for number in (*one.inputs, *one.outputs)}
    return {
        "signature": graph.signature,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "macs": graph.macs,
        "weight_bytes": sum(graph.weights.values()),
        "operators": [
            {**operator._asdict(), "xnnpack": taken}
            for operator, taken in zip(graph.operators, delegated, strict=True)
        ],
        "tensors": {
            number: tensor._asdict()
            for number, tensor in enumerate(graph.tensors)
            if number in used
        },
    }


def _all_weights(graphs: Sequence[Graph]) -> dict[int, int]:
    """Place in the file to bytes; what segments share counts once."""
    return {place: size for graph in graphs for place, size in graph.weights.items()}


def _print_manifest(files: BundleFiles, manifest: Manifest, graphs: Sequence[Graph]) -> None:
    shape = " × ".join(map(str, manifest.input_shape))
    rows = {
        "name": f"{manifest.name}, {manifest.variant}, {manifest.task}",
        "files": ", ".join(f"{name} {len(files.read(name)):,}" for name in files.names),
        "sha256": manifest.sha256,
        "input": f"{manifest.input['dtype']} {shape}, {manifest.input['range']}",
        "classes": f"{len(manifest.class_names)}: {', '.join(manifest.class_names)}",
        "score": manifest.score,
        "temperatures": _numbers(manifest.temperatures),
        "thresholds": _numbers(manifest.thresholds) or "none, there is one exit",
        "MACs": ", ".join(f"{macs:,}" for macs in manifest.macs) + " up to each exit",
        "weights": f"{sum(_all_weights(graphs).values()):,} bytes",
        **{
            f"{split} split": _figures(figures)
            for split, figures in sorted((manifest.metrics or {}).items())
        },
    }
    if guarantee := manifest.calibration.get("guarantee"):
        rows["guarantee"] = guarantee.get("statement", json.dumps(guarantee))
    if manifest.self_test:
        rows["self-test"] = f"{manifest.self_test['images']} images"
    if manifest.provenance:
        rows["origin"] = ", ".join(f"{key} {value}" for key, value in manifest.provenance.items())
    if manifest.libraries:
        rows["made with"] = ", ".join(
            f"{library} {version or 'unknown'}" for library, version in manifest.libraries.items()
        )
    _print_table(f"bundle {files.path}", ("", ""), list(rows.items()))


def _figures(figures: dict[str, Any]) -> str:
    parts = [f"{figures['rows']:,} images"]
    if "accuracy" in figures:
        parts.append(f"accuracy {figures['accuracy']:.2%}")
    if "interval" in figures:
        low, high = figures["interval"]
        parts.append(f"{low:.2%} to {high:.2%} at {figures['confidence']:.0%}")
    if "mean_iou" in figures:
        parts.append(f"mean IoU {figures['mean_iou']:.2%}")
    if "cost" in figures:
        parts.append(f"{figures['cost']:.1%} of the compute")
    return ", ".join(parts)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _print_graph(graph: Graph, delegated: Sequence[bool]) -> None:
    left = Counter(
        operator.name
        for operator, taken in zip(graph.operators, delegated, strict=True)
        if not taken
    )
    named = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in left.items())
    title = (
        f"{graph.signature}: {graph.macs:,} MACs, "
        f"{sum(graph.weights.values()):,} bytes of weights; "
        f"XNNPACK {'leaves ' + named if left else 'takes all'}"
    )
    rows = []
    for operator, taken in zip(graph.operators, delegated, strict=True):
        output = graph.tensors[operator.outputs[0]]
        rows.append(
            (
                operator.name,
                _describe(output),
                _scale(output),
                f"{operator.macs:,}",
                f"{operator.macs / graph.macs:.0%}" if graph.macs else "",
                f"{operator.weight_bytes:,}",
                "XNNPACK" if taken else "LiteRT",
            )
        )
    heads = ("operator", "output", "scale", "MACs", "", "weights", "runs in")
    _print_table(title, heads, rows)
    named_tensors = {**graph.inputs, **graph.outputs}
    interface = [
        (
            "takes" if name in graph.inputs else "gives",
            name,
            _describe(graph.tensors[number]),
            _scale(graph.tensors[number]),
        )
        for name, number in named_tensors.items()
    ]
    _print_table(None, ("", "tensor", "type", "scale"), interface)


def _print_arenas(arenas: Mapping[str, Arena], graphs: Sequence[Graph]) -> None:
    rows = [
        (name, *(f"{size:,}" for size in (arena.file, arena.total, arena.scratch, arena.kept)))
        for name, arena in arenas.items()
    ]
    heads = ("", "flash", "arena", "scratch", "kept")
    _print_table("microcontroller, bytes of each segment as a file of its own", heads, rows)
    features = {
        name: graph.tensors[number].bytes
        for graph in graphs
        for name, number in graph.outputs.items()
        if name != "logits"
    }
    print(
        f"  {sum(arena.file for arena in arenas.values()):,} of flash in all; RAM: "
        f"{sum(arena.total for arena in arenas.values()):,} with an arena each, or "
        f"{max(arena.total for arena in arenas.values()):,} for one after the other in the same, "
        f"and {sum(features.values()):,} for the features handed on"
    )


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _scale(tensor: Tensor) -> str:
    if tensor.scale is None:
        return ""
    return f"{tensor.scale:.6g}" + (f" ×{tensor.channels}" if tensor.channels > 1 else "")


def _print_table(title: str | None, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be; numbers on the right."""
    if title:
        print(f"\n{title}")
    lines = [headings, *rows] if any(headings) else list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    right = [heading in NUMBERS for heading in headings]
    for line in lines:
        cells = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        print(("  " + "  ".join(cells)).rstrip())
