"""Read the source, check it, split it."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepare import load_source, split_counts, write_prepared
from kdtasks.data.source import Source
from kdtasks.data.split import split_source
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the four splits and print how many pictures each has."""
    source = load_source(params.data)
    data = params.data
    split = split_source(source, data.split, seed=data.seed, is_stable=data.stable_split)
    write_prepared(paths.prepared, source, split, data)
    height, width, channels = source.images.shape[1:]
    print(
        f"{data.name}: {len(source)} pictures of {height}×{width}×{channels}, "
        f"{len(source.class_names)} classes"
    )
    for name, counts in split_counts(source, split).items():
        by_class = counts.by_class.values()
        print(f"  {name}: {counts.total} (by class {min(by_class)} to {max(by_class)})")
    print_findings(source, paths)


def print_findings(source: Source, paths: ProjectPaths) -> None:
    """Print what is unusual; `dataset.json` lists each."""
    contradictions = sum(duplicate.contradicts for duplicate in source.duplicates)
    findings = {
        "groups of equal pictures": len(source.duplicates),
        "of them under more than one label": contradictions,
        "left out for a problem": len(source.problems),
        "left out for another reason": len(source.left_out),
    }
    for what, number in findings.items():
        if number:
            print(f"  {what}: {number} (see {paths.dataset})")


if __name__ == "__main__":
    run_stage(main)
