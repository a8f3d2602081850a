"""List the code of every stage, so that a change of it reruns the stages that it concerns.

It is the first stage, so it also says which path that DVC is about to look at is not there.
"""

from kdtasks.core.files import atomic_folder, write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.folders import refuse_broken_links
from kdtasks.params import Params, load_project_params
from kdtasks.params.listings import listings
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write a list of files and their SHA-256 for each stage."""
    load_project_params(paths.root)
    watched = [params.data.path, params.data.unlabelled, *params.evaluate.slices.folders.values()]
    refuse_broken_links(paths.root / path for path in watched)
    with atomic_folder(paths.code) as partial:
        for name, text in listings(paths.root, params.model_dump()).items():
            write_text(partial / f"{name}.txt", text)


if __name__ == "__main__":
    run_stage(main)
