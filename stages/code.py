"""List the code of every stage, so that a change of it reruns the stages that it concerns.

It is the first stage, so it also says which path that DVC is about to look at is not there.
"""

from kdtasks.core.code import listing
from kdtasks.core.files import atomic_folder, write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.folders import refuse_broken_links
from kdtasks.params import Params, load_project_params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write a list of files and their SHA-256 for each stage."""
    load_project_params(paths.root)
    watched = [params.data.path, params.data.unlabelled, *params.evaluate.slices.folders.values()]
    refuse_broken_links(paths.root / it for it in watched)
    with atomic_folder(paths.code) as partial:
        for script in sorted((paths.root / "stages").glob("*.py")):
            write_text(partial / f"{script.stem}.txt", listing(script, paths.root))


if __name__ == "__main__":
    run_stage(main)
