"""`params.yaml`, validated once: frozen sections, one line for whatever is wrong."""

from kdtasks.params.load import Params, load_params, load_project_params, parse_params

__all__ = ["Params", "load_params", "load_project_params", "parse_params"]
