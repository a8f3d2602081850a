"""Where the files of a project lie."""

from pathlib import Path

PREPARED = Path("data") / "prepared"
PARAMS_FILE = "params.yaml"
DESCRIPTION = "teacher.json"

# Outside every stage's outputs, which DVC removes before it runs a stage.
CHECKPOINTS = Path(".kdtasks/checkpoints")
