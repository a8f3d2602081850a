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
_STAGE = re.compile(r"^  (\w+):$.*?(?=^  \w+:$|\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    rf"^( *){re.escape(BEGIN)}\n(.*?)^ *{re.escape(END)}\n", re.MULTILINE | re.DOTALL
)


def with_dependencies(pipeline: str, root: Path) -> str:
    """Return the text of `dvc.yaml` with every block of code as the imports have it now.

    Args:
        pipeline: the text as it is.
        root: folder of the project.

    Raises:
        ProjectError: a stage that has a script has no block, or two.
    """
    body = pipeline.index("\nstages:\n")
    filled = _STAGE.sub(lambda match: _filled(match[1], match[0], root), pipeline[body:])
    return pipeline[:body] + filled


def _filled(stage: str, text: str, root: Path) -> str:
    script = root / "stages" / f"{stage}.py"
    if not script.is_file():
        return text

    def block(match: re.Match[str]) -> str:
        code = collapse(closure(script, root), root)
        lines = [BEGIN, *(f"- {name}" for name in code), END]
        return "".join(f"{match[1]}{line}\n" for line in lines)

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
