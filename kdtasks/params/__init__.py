"""`params.yaml`, validated once: frozen sections, one line for whatever is wrong."""

from kdtasks.params.load import AFTER_EXPORT, Params, load_params, load_project_params, parse_params

__all__ = ["AFTER_EXPORT", "Params", "load_params", "load_project_params", "parse_params"]
