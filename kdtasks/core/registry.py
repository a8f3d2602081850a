"""Registries: a folder of modules is the list of a setting's choices, and `extensions/` adds to it.

A registered item is a frozen pydantic model: its fields are settings, its docstring their
documentation, its methods the work. The package of a registry holds the registry in `__init__.py`
and an item or more in each module; nothing else has to name them.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema

from kdtasks.core.errors import KdTasksError, ParamsError, did_you_mean
from kdtasks.core.paths import ProjectPaths

T = TypeVar("T", bound=BaseModel)

# A project's own items are imported under this name.
_EXTENSION_PACKAGE = "kdtasks_extensions"


class Registry(Generic[T]):
    """The items of one kind by name: the package's first, by module, then a project's own.

    As metadata of an annotation, `loss: Annotated[DistillationLoss, distillation_losses]`, it is
    the choice of an item in params.
    """

    def __init__(self, kind: str, package: str, base: type[T]) -> None:
        """Name the registry; nothing is imported before its items are asked for.

        Args:
            kind: what an item is, for errors, such as `distillation loss`.
            package: dotted name of the package whose modules register items.
            base: class that every item extends.
        """
        self.kind = kind
        self._package = package
        self._base = base
        self._items: dict[str, type[T]] = {}
        self._is_importing = False
        self._is_complete = False

    def register(self, item: type[T]) -> type[T]:
        """Add a class under its `name`; to be used as a decorator.

        The name, or names, are the values of a field where params choose an item by it, else a
        class variable.

        Raises:
            TypeError: the class extends another base, or has no name.
            ParamsError: another class has the name, or the list is in use already.
        """
        if not issubclass(item, self._base):
            raise TypeError(f"{_path(item)} is no {self.kind}; extend {_path(self._base)}")
        field = item.model_fields.get("name")
        given = (field.default if field else getattr(item, "name", None),)
        names = (get_args(field.annotation) if field else ()) or given
        if not all(isinstance(name, str) for name in names):
            raise TypeError(
                f'{_path(item)} has no name; give it a field such as `name: Literal["kd"] = "kd"`, '
                'or a class variable such as `name: ClassVar[str] = "int8"`'
            )
        for name in names:
            self._add(name, item)
        return item

    def _add(self, name: str, item: type[T]) -> None:
        known = self._items.get(name)
        if known is None and self._is_complete:
            raise ParamsError(
                f"{self.kind} {name!r} of {_path(item)} comes after the list is in use; register "
                "it before anything that reads params is imported"
            )
        if known is not None and _path(known) != _path(item):
            raise ParamsError(
                f"{self.kind} {name!r} is defined by {_path(known)} and by {_path(item)}; "
                "rename one of them"
            )
        self._items[name] = item

    def names(self) -> tuple[str, ...]:
        """Names of all items.

        Raises:
            ParamsError: an extension cannot be imported.
        """
        self._import_items()
        return tuple(self._items)

    def __iter__(self) -> Iterator[type[T]]:
        self._import_items()
        return iter(dict.fromkeys(self._items.values()))

    def __getitem__(self, name: str) -> type[T]:
        names = self.names()
        if name not in names:
            hint = did_you_mean(name, names)
            raise ParamsError(f"{self.kind}: got {name!r}; allowed: {', '.join(names)}{hint}")
        return self._items[name]

    def union(self) -> Any:
        """The annotation of a choice: a mapping chosen by `name`, or the name alone."""
        items = tuple(self)
        # pydantic tells members apart only where there are two.
        choice = Annotated[Union[items], Discriminator("name")] if len(items) > 1 else items[0]  # noqa: UP007
        return Annotated[choice, BeforeValidator(_mapping_of)]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The schema of the union, whatever class the annotation names."""
        return handler.generate_schema(self.union())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The union's JSON schema, with the kind of the items under `registry`."""
        return {**handler(schema), "registry": self.kind}

    def _import_items(self) -> None:
        if self._is_complete:
            return
        if self._is_importing:
            raise RuntimeError(
                f"the list of each {self.kind} is asked for while {self._package} is imported; "
                "no module that it imports may do so"
            )
        self._is_importing = True
        try:
            for name in modules_of(self._package):
                importlib.import_module(name)
            load_extensions(ProjectPaths(Path.cwd()).extensions)
        finally:
            self._is_importing = False
        # Modules that were imported earlier, by others, stand where they belong all the same.
        self._items = dict(sorted(self._items.items(), key=lambda entry: self._sort_key(entry[1])))
        self._is_complete = True

    def _sort_key(self, item: type[T]) -> tuple[bool, str]:
        is_own = f"{item.__module__}.".startswith(f"{self._package}.")
        return not is_own, item.__module__


def modules_of(package: str) -> list[str]:
    """Dotted names of a package's modules, sorted, without those of its subpackages."""
    path = importlib.import_module(package).__path__
    return sorted(
        f"{package}.{found.name}" for found in pkgutil.iter_modules(path) if not found.ispkg
    )


def load_extensions(folder: Path) -> None:
    """Import every module of a project's folder of extensions, once a process.

    They are modules of the package `kdtasks_extensions` and may import each other.

    Raises:
        ParamsError: a module cannot be imported.
    """
    if not folder.is_dir():
        return
    package = sys.modules.setdefault(_EXTENSION_PACKAGE, ModuleType(_EXTENSION_PACKAGE))
    package.__path__ = [str(folder)]
    importlib.invalidate_caches()
    for name in modules_of(_EXTENSION_PACKAGE):
        try:
            importlib.import_module(name)
        except Exception as error:
            file = f"{folder.name}/{name.rpartition('.')[2]}.py"
            kind = "" if isinstance(error, KdTasksError) else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())
            raise ParamsError(f"{file} cannot be imported, fix or remove it: {reason}") from error


def _path(item: type) -> str:
    return f"{item.__module__}.{item.__qualname__}"


def _mapping_of(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value
