"""DVC's list of who works on which file: a kill while it is written cuts it, and DVC then refuses.

DVC writes `rwlock` in place, under a lock of its own, and takes what it cannot read for a fault.
"""

import json
import logging
import re
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.project import is_gone

TORN = Path(".dvc", "tmp", "rwlock")
_log = logging.getLogger(__name__)


def is_torn(folder: Path) -> bool:
    """Whether the list in DVC's folder for temporary files is cut short."""
    try:
        json.loads((folder / TORN.name).read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


def repair_lock(folder: Path, *, hardlink: bool = False) -> None:
    """Remove a list that is cut short; whoever was writing it has ended.

    Args:
        folder: DVC's for temporary files.
        hardlink: DVC's setting `core.hardlink_lock`.

    Raises:
        ProjectError: a process that it still names is running.
    """
    if not is_torn(folder):
        return
    from dvc.lock import LockError, make_lock

    path = folder / TORN.name
    try:
        with make_lock(f"{path}.lock", tmp_dir=str(folder), hardlink_lock=hardlink):
            if not is_torn(folder):  # it was just being written
                return
            named = re.findall(r'"pid": (\d+)', path.read_text(encoding="utf-8", errors="replace"))
            if alive := [number for number in named if not is_gone(number)]:
                raise ProjectError(
                    f"{path} is cut short, and process {alive[0]}, which it names, is running; "
                    "remove the file when that has ended"
                )
            path.unlink()
    except LockError as error:
        raise ProjectError(f"{path} is cut short, and another process has it: {error}") from None
    _log.warning("%s, which a kill had cut short, was removed", path)
