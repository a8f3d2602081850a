"""Show what a dataset is before anything is prepared: in the terminal, as JSON, as a page."""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import typer

from kdtasks.cli.output import find_project, print_json, print_table
from kdtasks.core import JsonObject, text
from kdtasks.core.files import write_text
from kdtasks.core.paths import PARAMS
from kdtasks.core.records.findings import CopyPair, Findings
from kdtasks.core.text import plain, quantity
from kdtasks.data.inspection import Inspection, inspect_data, inspection_params
from kdtasks.data.prepare import uneven_message
from kdtasks.data.settings import DataParams
from kdtasks.data.source_proposals import find_source
from kdtasks.params import load_params
from kdtasks.report.data_page import (
    ODDITIES,
    DataPage,
    few_images,
    headline,
    in_order,
    render_data_page,
    sizes_sentence,
)
from kdtasks.tasks.registry import task_of

# Lines of one kind, and names in one line, that are printed.
LISTED, _NAMED = 20, 3


def show_data(
    path: Path | None, masks: Path | None, task: str | None, *, html: Path | None, as_json: bool
) -> int:
    """Print what a dataset is and what to look at.

    Args:
        path: a folder or a table, whose reading is found out; None for what params.yaml says.
        masks: as of `find_source`, or from `path` on.
        task: as of `find_source`.
        html: file for the page.
        as_json: print one JSON object in place of tables.

    Returns:
        0, or 1 where `prepare` would refuse the dataset.

    Raises:
        DatasetError: it cannot be read at all.
    """
    notes: Sequence[str] = ()
    if path is not None:
        below = masks and path / masks
        proposal = find_source(path, below if below and below.is_dir() else masks, task)
        params, title, notes = inspection_params(proposal), path.resolve().name, proposal.notes
    elif masks is not None or task is not None:
        raise typer.BadParameter("--masks and --task say how to read PATH; give it too")
    else:
        project = find_project()
        loaded = load_params(project / PARAMS)
        params = loaded.data.model_copy(update={"path": str(project / loaded.data.path)})
        title = loaded.recipe
    inspection = inspect_data(params)
    record, findings = in_order(inspection.record, inspection.overview.findings)
    record = record.model_copy(update={"notes": (*record.notes, *notes)})
    inspection = inspection._replace(record=record)
    if html is not None:
        page = DataPage(title, record, inspection.split_of, inspection.overview,
                        params.source.mask_values, inspection.refused)  # fmt: skip
        write_text(html, render_data_page(page))
    if as_json:
        print_json(_as_object(inspection, findings, params))
    else:
        _print(inspection, findings, params, title)
        if path is not None:
            typer.echo(f"\nput into params.yaml\n{_yaml(_proposed(params))}", nl=False)
        shown = f"{html} shows the images" if html else "--html data.html shows the images"
        typer.echo(f"\n{shown}")
    return 1 if inspection.refused or _problems(inspection, params) else 0


def _as_object(inspection: Inspection, findings: Findings, params: DataParams) -> JsonObject:
    record = inspection.record.model_dump(mode="json", exclude={"sha256"})
    return {
        **record,
        "refused": inspection.refused,
        "problems": inspection.problems,
        "uneven": uneven_message(inspection.record),
        "params": _proposed(params),
        "findings": findings.model_dump(mode="json"),
    }


def _print(inspection: Inspection, findings: Findings, params: DataParams, title: str) -> None:
    record, per_pixel = inspection.record, task_of(inspection.record.task).per_pixel
    typer.echo(f"{title}: {headline(record)}")
    for note in record.notes:
        typer.echo(f"  {note}")
    if findings.files:
        formats = ", ".join(f"{name} {number:,}" for name, number in findings.formats.items())
        typer.echo(
            f"  {quantity(findings.files, 'file')}: {formats}; {sizes_sentence(findings.sizes)}"
        )
    if findings.deep:
        typer.echo(f"  {quantity(findings.deep, 'file')} with 16 bits a channel")
    _print_counts(inspection, findings, per_pixel=per_pixel)
    stops = _problems(inspection, params)
    warnings = [*record.warnings, uneven_message(record), *few_images(findings), stops]
    for warning in filter(None, warnings):
        typer.echo(f"\nwarning: {warning}")
    copies = findings.copies
    if copies.pairs:
        title = (
            f"{quantity(copies.pairs, 'pair')} of copies, {copies.two_labels:,} under two labels, "
            f"{copies.two_splits:,} in two given splits"
        )
        _print_lines(title, map(_pair, copies.shown), copies.pairs)
    for kind, listed in findings.outliers.items():
        if listed.total:
            names = [f"{shown.name} ({shown.note})" for shown in listed.shown[:_NAMED]]
            more = ", …" if listed.total > _NAMED else ""
            typer.echo(f"\n{ODDITIES[kind][0].lower()}: {listed.total:,}, {', '.join(names)}{more}")
    if record.excluded:
        lines = (f"{problem.path}: {problem.problem}" for problem in record.excluded)
        _print_lines(f"left out: {len(record.excluded):,}", lines, len(record.excluded))
    if inspection.refused:
        typer.echo(f"\nprepare would refuse it: {inspection.refused}")


def _print_counts(inspection: Inspection, findings: Findings, *, per_pixel: bool) -> None:
    counts = inspection.record.counts
    what = "pixels" if per_pixel else "images"
    headings = [what, *counts]
    rows = [
        [name, *(f"{split.by_class.get(name, 0):,}" for split in counts.values())]
        for name in inspection.record.class_names
    ]
    if masks := findings.masks:
        labelled = sum(each.pixels for each in masks.classes.values())
        headings += ["of labelled", "images"]
        rows = [
            [
                *row,
                plain(text.percent(each.pixels / labelled if labelled else None)),
                f"{each.images:,}",
            ]
            for row in rows
            for each in [masks.classes[row[0]]]
        ]
    print_table(rows, headings, right=headings[1:], title="")
    if masks:
        typer.echo(f"not labelled: {plain(text.percent(masks.void))} of the pixels")


def _problems(inspection: Inspection, params: DataParams) -> str | None:
    if not inspection.problems or params.on_bad == "skip":
        return None
    return (
        f"{quantity(inspection.problems, 'problem')} stop prepare, see below; fix them, or set "
        "data.on_bad: skip"
    )


def _pair(pair: CopyPair) -> str:
    pair_text = f"{pair.first.name} {'=' if pair.equal else '≈'} {pair.second.name}"
    labels = pair.first.label, pair.second.label
    return pair_text if labels[0] == labels[1] else f"{pair_text} ({labels[0]}, {labels[1]})"


def _print_lines(title: str, lines: Iterable[str], total: int) -> None:
    typer.echo(f"\n{title}")
    shown = list(lines)[:LISTED]
    for line in shown:
        typer.echo(f"  {line}")
    if total > len(shown):
        typer.echo(f"  and {total - len(shown):,} more")


def _proposed(params: DataParams) -> JsonObject:
    source = params.source.model_dump(mode="json", exclude_defaults=True)
    data = {"source": {"name": params.source.name, **source}, "path": params.path}
    return {"data": data | params.model_dump(include={"unlabelled"}, exclude_defaults=True)}


def _yaml(content: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    buffer, yaml = StringIO(), YAML()
    yaml.width = 10_000  # a long path stays on the line of its key
    yaml.dump(dict(content), buffer)
    return "".join(f"  {line}\n" for line in buffer.getvalue().splitlines())
