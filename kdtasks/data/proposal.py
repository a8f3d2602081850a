"""What reads a dataset as it lies there, before anyone has written params."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kdtasks.data.sources import Source, sources


@dataclass(frozen=True)
class Proposal:
    """What was found.

    Attributes:
        source: that reads it, with what it has to be told.
        path: for `data.path`; where there are links, the folder that was given.
        links: folders that `data.path` is to hold links to, by their names there.
        notes: sentences on it.
        unlabelled: folder of images that no row of a table names.
    """

    source: Source
    path: Path
    links: Mapping[str, Path] = field(default_factory=dict)
    notes: Sequence[str] = ()
    unlabelled: Path | None = None

    def with_links_resolved(self) -> tuple[Source, Path]:
        """Give a source that reads what links are yet to lead to, and the folder above all."""
        if not self.links:
            return self.source, self.path
        targets = {name: path.resolve() for name, path in self.links.items()}
        folder = Path(os.path.commonpath(targets.values()))
        names = {name: path.relative_to(folder).as_posix() for name, path in targets.items()}
        return self.source.model_copy(update=names), folder


def source_of(**content: Any) -> Source:
    """Make a source of its params."""
    source: Source = TypeAdapter(sources.union()).validate_python(content)
    return source
