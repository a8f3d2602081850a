"""Prefect flows: wiring only, the work is DVC's and kdtasks's."""
