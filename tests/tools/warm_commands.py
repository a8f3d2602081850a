"""`dvc` and `kdtasks` as processes of their own that fork from one that has imported them.

Of what a tiny project costs, most is the imports of these two. The server is that of warm stages
(kdtasks/orchestrate/warm), with other imports; without it every command starts cold. Runs that such
commands begin share the warm stages of all tests, if their params pin them alike.
"""

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdtasks.orchestrate.project import project
from kdtasks.orchestrate.warm import program
from kdtasks.orchestrate.warm.folder import socket_folder
from kdtasks.orchestrate.warm.stages import WarmStages

ROOT = Path(__file__).parents[2]
SERVER = """
import sys
from kdtasks.orchestrate.warm import program
number, sys.executable, *modules = sys.argv[1:]
program.serve(number, "{}", "", "", *modules)
"""
PRELOADED = (
    *("dvc.cli.parser", "dvc.repo.experiments.show", "dvc.repo.experiments.save", "dvc.data_cloud"),
    *("dvc.repo.experiments.queue.celery", "dvc_task.app", "dvc.repo.graph", "dvc.render.match"),
    *("kdtasks.cli.main", "kdtasks.cli.run", "kdtasks.cli.sweep", "kdtasks.cli.search"),
    *("kdtasks.orchestrate.runner.engine", "kdtasks.params", "networkx", "psutil", "pygit2"),
    *("dulwich.porcelain", "ruamel.yaml", "pyparsing"),
)


@pytest.fixture(scope="session")
def command_folder(
    tmp_path_factory: pytest.TempPathFactory, warm_stages: WarmStages
) -> Iterator[Path]:
    """A folder with `dvc`, `kdtasks` and `warm-python`: a Python whose `-m` of them is warm."""
    folder = tmp_path_factory.mktemp("commands")
    with socket_folder() as private:
        address = str(private / "warm")
        ask = shlex.join([sys.executable, "-I", "-S", program.__file__, "ask", address])
        shared = "".join(
            f'[ "${name}" ] || export {name}={shlex.quote(value)}\n'
            for name, value in warm_stages.for_runs().items()
        )
        scripts = {name: f'exec {ask} {name} "$@"\n' for name in ("dvc", "kdtasks")}
        scripts["warm-python"] = (
            f'case "$1 $2" in "-m dvc" | "-m kdtasks") shift; exec {ask} "$@" ;; esac\n'
            f'exec {shlex.quote(sys.executable)} "$@"\n'
        )
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{shared}{text}", encoding="utf-8")
            (folder / name).chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            server = subprocess.Popen(
                [sys.executable, "-P", "-c", SERVER, str(listener.fileno()),
                 str(folder / "warm-python"), *PRELOADED],
                cwd=ROOT, env={**project.child_environment(), "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE, pass_fds=[listener.fileno()], start_new_session=True,
            )  # fmt: skip
        with server:
            yield folder
            server.kill()


@pytest.fixture(scope="module")
def warm_commands(command_folder: Path) -> Iterator[None]:
    """Whatever this process starts as `dvc`, or as `python -m` of `dvc` or `kdtasks`, is warm."""
    warm = str(command_folder / "warm-python")
    with pytest.MonkeyPatch.context() as patch:
        for module in list(sys.modules.values()):
            if vars(module).get("DVC") == project.DVC:
                patch.setattr(module, "DVC", (warm, "-m", "dvc"))
        patch.setattr(sys, "executable", warm)
        patch.setenv("PATH", str(command_folder), prepend=":")
        yield
