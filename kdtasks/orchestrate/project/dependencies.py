"""Write the code that each stage depends on into `dvc.yaml`, and into `code/` of a project.

A clone's stages depend on its files of code. Those of a project of one's own depend on its stage
scripts, its extensions and a file of hashes of the installed code, `code/STAGE`.

`python -m kdtasks.orchestrate.project.dependencies --write` fills the block between two comments in
the `deps` of every stage; without `--write` it says what is out of date.
"""

import re
import sys
from pathlib import Path

from kdtasks.core.code import Code, home_of
from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.installed import CODE, hash_lines, package_hashes, read_hashes
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
    code = Code(root)
    filled = _STAGE.sub(lambda match: _filled(match[1], match[0], root, code), pipeline[body:])
    return pipeline[:body] + filled


def _filled(stage: str, text: str, root: Path, all_code: Code) -> str:
    script = root / "stages" / f"{stage}.py"
    if not script.is_file():
        return text

    def block(match: re.Match[str]) -> str:
        code, installed = code_of(script, root, all_code)
        watched = [f"{CODE}/{stage}"] * bool(installed) + code
        lines = [BEGIN, *(f"- {name}" for name in watched), END]
        return "".join(f"{match[1]}{line}\n" for line in lines)

    filled, count = _BLOCK.subn(block, text)
    if count != 1:
        raise ProjectError(
            f"dvc.yaml: stage {stage} has {count} blocks of code in its deps; give it one, which "
            f"begins with the line `{BEGIN}` and ends with `{END}`"
        )
    return filled


def code_of(script: Path, root: Path, code: Code) -> tuple[list[str], list[str]]:
    """List the code of a stage: what lies in the project, and what is installed outside of it.

    Args:
        script: of the stage.
        root: folder of the project.
        code: of the project.
    """
    names, is_clone = code.collapse(code.closure(script)), home_of(root) == root
    installed = [name for name in names if f"{name}/".startswith("kdtasks/") and not is_clone]
    return [name for name in names if name not in installed], installed


def write_installed_code(root: Path) -> dict[str, list[str]]:
    """Write the file of hashes of every stage's installed code.

    Returns:
        by stage the files of code that are new, changed or gone since it was last written.
    """
    changed, code = {}, Code(root)
    for script in sorted((root / "stages").glob("*.py")):
        _, names = code_of(script, root, code)
        hashes = {
            file: value
            for file, value in package_hashes().items()
            if any(f"{file}/".startswith(f"{name}/") for name in names)
        }
        path = root / CODE / script.stem
        before = read_hashes(path)
        changed[script.stem] = sorted({name for name, _ in hashes.items() ^ before.items()})
        if changed[script.stem] or not path.is_file():
            write_text(path, "".join(hash_lines(hashes)))
    return changed


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
