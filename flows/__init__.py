"""Prefect flows: wiring only, the work is DVC's and kdtasks's."""

import os

from kdtasks.orchestrate.prefect_server import QUIET

os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
