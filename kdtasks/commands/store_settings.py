"""Where the store's address and the number of versions kept come from, if no option names them."""

from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.commands.project import find_project
from kdtasks.errors import ProjectError, StoreError
from kdtasks.store.address import Address, parse_address

if TYPE_CHECKING:
    from kdtasks.params.shipping import StoreParams

KEEP = 10


def find_address(given: str | None) -> Address:
    """The store that a command is to use.

    Arguments:
        given: `--store` or `KDTASKS_STORE`; null takes `store.address` of the project's params.

    Raises:
        StoreError: none is named, or its address is none.
        ParamsError: the params are not valid.
    """
    if given:
        return parse_address(given)
    project, params = _project_params()
    if project is None or params is None or params.address is None:
        raise StoreError(
            "no store is named; give --store, set KDTASKS_STORE, or set store.address in "
            "params.yaml, to s3://bucket/prefix, file:///folder or the path of a folder"
        )
    if "://" in params.address:
        return parse_address(params.address)
    return parse_address(str(project / Path(params.address).expanduser()))


def versions_kept(given: int | None) -> int:
    """How many of the newest versions gc keeps.

    Arguments:
        given: `--keep`; null takes `store.keep` of the project's params, or 10 without a project.
    """
    if given is not None:
        return given
    _, params = _project_params()
    return params.keep if params else KEEP


def _project_params() -> "tuple[Path | None, StoreParams | None]":
    """The project's folder and the section of its params; nulls where there are none."""
    try:
        project = find_project()
    except ProjectError:
        return None, None
    if not (project / "params.yaml").is_file():
        return None, None
    try:
        from kdtasks.params import load_params
    except ModuleNotFoundError:  # a device, which has a clone for some reason
        return None, None
    return project, load_params(project / "params.yaml").store
