"""Start commands of kdtasks in clones of a project, in forks of a process that has it and DVC."""

import sys
from importlib.util import find_spec
from pathlib import Path

from kdtasks.orchestrate.project.project import start_cold
from kdtasks.orchestrate.warm.server import WarmServer

# Of what the commands import, all that takes time.
_MODULES = (
    "kdtasks.cli.main",
    "kdtasks.cli.run",
    "kdtasks.params",
    "kdtasks.orchestrate.runner.engine",
    "configobj",
    "dulwich.porcelain",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.graph",
    "dvc.repo.index",
    "dvc.repo.metrics",
    "dvc.repo.plots",
    "dvc.repo.stage",
    "dvc.scm",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.db.index",
    "dvc_data.hashfile.db.local",
    "fsspec.implementations.memory",
    "networkx",
    "platformdirs",
    "pyparsing",
    "ruamel.yaml",
    "scmrepo.git",
)
_OF_REMOTES = ("dvc_s3", "s3fs")  # where they are installed


class WarmCommands(WarmServer):
    """A server for the commands in clones of one state of a project."""

    def __init__(self, project: Path) -> None:
        """Args: `project`, as it is in the clones: its code and extensions are imported."""
        found = [name for name in _OF_REMOTES if find_spec(name)]
        super().__init__([*_MODULES, *found], project)

    def words(self, module: str, *arguments: str) -> list[str]:
        """What to start for `python -m MODULE ARGUMENT…` in a clone."""
        # forking what has imported but not begun is safe there, and where it is not is not known
        warm = self.command(module, *arguments) if sys.platform == "linux" else None
        return warm or start_cold(module, *arguments)
