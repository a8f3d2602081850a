"""Start stages warm: in forks of a process that has imported TensorFlow."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.warm.server import WarmServer

_MODULES = ("tensorflow", "tf_keras", "pydantic", "yaml", "h5py")


class WarmStages(WarmServer):
    """A server for the stages of one run."""

    def __init__(self, project: Path) -> None:
        """Args: `project`, whose params say what the server is pinned to."""
        super().__init__(_MODULES)  # and nothing of the project, whose code a stage takes itself
        self._project = project

    def words(self, line: str) -> list[str] | None:
        """What to start for a command line; None unless it is a stage's `python -m stages.…`."""
        words = shlex.split(line)
        is_plain = shlex.join(words) == line and words[:2] == ["python", "-m"]
        if not (is_plain and words[2:] and words[2].startswith("stages.")):
            return None
        return self.command(*words[2:])

    def _variables(self) -> Mapping[str, str]:
        from kdtasks.core.reproducibility import pins  # here: a run with nothing to do waits for
        from kdtasks.params import load_params  # neither NumPy nor pydantic

        runtime = load_params(ProjectPaths(self._project).params).runtime
        return pins(runtime.threads, precision=runtime.precision, device=runtime.device)
