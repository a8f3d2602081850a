"""Write the code that each stage depends on into `dvc.yaml`.

`python -m kdtasks.orchestrate.project.dependencies --write` fills the block between two comments in
the `deps` of every stage; without `--write` it says what is out of date.
"""

import re
import sys
from pathlib import Path

from kdtasks.core.code import closure, collapse
from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.paths import ProjectPaths

BEGIN, END = "# code, written by kdtasks.orchestrate.project.dependencies", "# end of code"
_STAGE = re.compile(r"^  (\w+):$", re.MULTILINE)
_BLOCK = re.compile(
    rf"^( *){re.escape(BEGIN)}\n(.*?)^ *{re.escape(END)}\n", re.MULTILINE | re.DOTALL
)


def code_of(stage: str, root: Path) -> list[str]:
    """Files and folders of code that a stage's outputs depend on, as they stand in `deps`."""
    return collapse(closure(root / "stages" / f"{stage}.py", root), root)


def with_dependencies(pipeline: str, root: Path) -> str:
    """Return the text of `dvc.yaml` with every block of code as the imports have it now.

    Args:
        pipeline: the text as it is.
        root: folder of the project.

    Raises:
        ProjectError: a stage that has a script has no block, or two.
    """
    body = pipeline.index("\nstages:\n")
    starts = [*_STAGE.finditer(pipeline, body)]
    ends = [*(match.start() for match in starts[1:]), len(pipeline)]
    parts = [pipeline[: starts[0].start()]]
    for match, end in zip(starts, ends, strict=True):
        stage, text = match[1], pipeline[match.start() : end]
        if (root / "stages" / f"{stage}.py").is_file():
            text = _filled(stage, text, root)
        parts.append(text)
    return "".join(parts)


def _filled(stage: str, text: str, root: Path) -> str:
    def block(match: re.Match[str]) -> str:
        indent = match[1]
        lines = [BEGIN, *(f"- {name}" for name in code_of(stage, root)), END]
        return "".join(f"{indent}{line}\n" for line in lines)

    filled, count = _BLOCK.subn(block, text)
    if count != 1:
        raise ProjectError(
            f"dvc.yaml: stage {stage} has {count} blocks of code in its deps; give it one, which "
            f"begins with the line `{BEGIN}` and ends with `{END}`"
        )
    return filled


def main(root: Path = Path()) -> None:
    """Write `dvc.yaml`, or say what of it is out of date."""
    path = ProjectPaths(root).pipeline
    before = path.read_text(encoding="utf-8")
    after = with_dependencies(before, root)
    if "--write" in sys.argv[1:]:
        write_text(path, after)
    elif after != before:
        raise SystemExit(f"{path} is out of date; run python -m {__spec__.name} --write")


if __name__ == "__main__":
    main()
