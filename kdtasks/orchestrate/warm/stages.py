"""Start stages warm: in forks of a process that has imported TensorFlow and the project's code."""

import json
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.errors import KdTasksError
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.processes import why_cold
from kdtasks.orchestrate.warm.server import WarmServer

if TYPE_CHECKING:
    from kdtasks.core.settings import RuntimeParams

_MODULES = ("tensorflow", "tf_keras", "pydantic", "yaml", "h5py")
# all that stages import
_LAYERS = (
    *("kdtasks.core", "kdtasks.edge", "kdtasks.tasks", "kdtasks.data", "kdtasks.learn"),
    *("kdtasks.evaluate", "kdtasks.compress", "kdtasks.report", "kdtasks.params", "kdtasks.stage"),
)
_SHARED = "KDTASKS_WARM_STAGES"  # environment variable: a server's address, and its pins


class PinnedStages(WarmServer):
    """A server for stages of any folder; where that has the same code, it is imported already."""

    def __init__(self, project: Path) -> None:
        """Args: `project`, whose code is imported."""
        super().__init__(_MODULES, project, _LAYERS)

    def begin(self) -> None:
        """Have it import now, where stages start warm."""
        with suppress(KdTasksError):  # a stage will say what is wrong with params
            if not why_cold():
                super().begin()

    def for_runs(self) -> dict[str, str]:
        """The variables by which `kdtasks run` knows of it; none where stages start cold."""
        address = None if why_cold() else self.address()
        return {_SHARED: json.dumps([address, self._variables()])} if address else {}

    def words(self, line: str, *, waits: bool = True) -> list[str] | None:
        """What to start for a command line; None unless it is a stage's.

        Args:
            waits: for all imports; if not, None as well as long as there are some to come.
        """
        words = words_of_stage(line)
        return self.command(*words) if words and (waits or self.is_ready()) else None


class WarmStages(PinnedStages):
    """The server of one run: its own, or the one that it shares with others pinned as it is."""

    def __init__(self, project: Path) -> None:
        """Args: `project`, whose params say what stages are pinned to."""
        super().__init__(project)
        self._project = project

    def _find(self) -> str:
        address, pins = json.loads(os.environ.get(_SHARED, '["", {}]'))
        return str(address) if pins == self._variables() else super()._find()

    def _variables(self) -> Mapping[str, str]:
        from kdtasks.params import load_params  # here: a run with nothing to do has no need of it

        return _pins(load_params(ProjectPaths(self._project).params).runtime)


class SharedStages(PinnedStages):
    """A server that runs in several clones share."""

    def __init__(self, of: "tuple[Path, RuntimeParams]") -> None:
        """Args: a folder that is as they are, and `runtime` of the params of all of them."""
        project, self._runtime = of
        super().__init__(project)

    def _variables(self) -> Mapping[str, str]:
        return _pins(self._runtime)


def words_of_stage(line: str) -> list[str]:
    """Module and arguments of a stage's `python -m stages.…`; none of any other command line."""
    try:
        words = shlex.split(line)
    except ValueError:  # fine in a shell, such as an apostrophe in a comment
        return []
    is_plain = shlex.join(words) == line and words[:2] == ["python", "-m"]
    return words[2:] if is_plain and "".join(words[2:3]).startswith("stages.") else []


def _pins(runtime: "RuntimeParams") -> dict[str, str]:
    from kdtasks.core.reproducibility import pins  # here: a run with nothing to do imports no NumPy

    return pins(runtime.threads, precision=runtime.precision, device=runtime.device)
