"""A project of small stages, and what starts them warm."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdtasks.orchestrate.warm.stages import WarmStages

ROOT = Path(__file__).parents[3]
SHOW = """
import os, sys, threading
print(sys.argv[1:], __name__, os.getcwd(), sys.path[0], os.environ["MARK"])
print("tensorflow is there:", "tensorflow" in sys.modules, "stages" in __package__)
print("kdtasks is there:", "kdtasks.learn.training.loop" in sys.modules)
print("to standard error", file=sys.stderr)
"""
TIDY = """
import atexit, ctypes, threading, time
atexit.register(print, "atexit")
ctypes.CDLL(None).printf(b"from C\\n")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
"""
FAMILY = """
import os, subprocess, sys, time
from pathlib import Path
child = subprocess.Popen(["sleep", "600"])
Path("pids").write_text(f"{os.getpid()} {child.pid}")
print("ready", flush=True)
time.sleep(600)
"""
MODULES = {
    "show": SHOW,
    "tidy": TIDY,
    "fail": "raise RuntimeError('no good')",
    "leave": "import sys; sys.exit(sys.argv[1])",
    "status": "import sys; sys.exit(7)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "family": FAMILY,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "stages").mkdir()
    for name, code in MODULES.items():
        (folder / f"stages/{name}.py").write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmStages]:
    warm = WarmStages(project)
    yield warm
    warm.close()
