"""Variant names: passes joined by `+`, ending in the number format of the exported file."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field, create_model

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.passes import Pass, RewritingPass, TrainingPass, passes
from kdtasks.core.errors import did_you_mean
from kdtasks.core.settings import Count, Names, Positive, Section
from kdtasks.evaluate.parity import ParityParams


class Variant(NamedTuple):
    """A variant taken apart: names of its passes, in their order, and of its number format."""

    passes: tuple[str, ...]
    number_format: str


def pass_names() -> tuple[str, ...]:
    """Names of all passes, in the order in which they may be chained."""
    ordered = sorted(passes, key=lambda item: (issubclass(item, RewritingPass), item.order))
    return tuple(item.name for item in ordered)


def check_variant(name: str) -> Variant:
    """Take a variant's name apart.

    Raises:
        ValueError: a part is unknown or stands in the wrong place; the message lists the choices.
    """
    *parts, number_format = name.split("+")
    for problem in _problems(parts, number_format):
        raise ValueError(f"compress.variants: {name!r} {problem}")
    return Variant(tuple(parts), number_format)


def _problems(parts: list[str], number_format: str) -> Iterator[str]:
    """What is wrong with a variant; callers read only the first."""
    known, formats = pass_names(), number_formats.names()
    for part in parts:
        if part not in known:
            yield (
                f"has {part!r} where a pass is expected; passes: {', '.join(known)}"
                f"{did_you_mean(part, known)}"
            )
    if number_format not in formats:
        yield (
            f"ends in {number_format!r}; it must end in one of: {', '.join(formats)}"
            f"{did_you_mean(number_format, formats)}"
        )
    if len(set(parts)) != len(parts):
        yield "names a pass twice"
    if sorted(parts, key=known.index) != parts:
        yield f"has its passes in the wrong order; give them in the order {', '.join(known)}"
    for part in parts:
        allowed = passes[part].number_formats
        if allowed and number_format not in allowed:
            yield (
                f"ends in {number_format}; a variant with {part} must end in {' or '.join(allowed)}"
            )


def _settings_of(item: type[Pass]) -> tuple[type[Pass], Any]:
    """The field that holds the settings of a pass, told by the first line of its docstring."""
    summary, *_ = (item.__doc__ or "").splitlines() or [""]
    return item, Field(default=item(), description=summary)


_fields: dict[str, Any] = {name: _settings_of(passes[name]) for name in pass_names()}
_Passes: Any = create_model("_Passes", __base__=Section, **_fields)


class PassesParams(_Passes):
    """The settings of every pass, those of `extensions/` as well."""

    def of(self, variant: Variant) -> tuple[list[TrainingPass], list[RewritingPass]]:
        """The passes of a variant as they are set up: those that train, those that rewrite."""
        chosen: list[Pass] = [getattr(self, name) for name in variant.passes]
        return (
            [item for item in chosen if isinstance(item, TrainingPass)],
            [item for item in chosen if isinstance(item, RewritingPass)],
        )


class CompressParams(Section):
    """The variants of the student that are built, and the settings of each pass."""

    variants: Names = Field(
        min_length=1,
        description="each a chain of passes ("
        + ", ".join(f"`{name}`" for name in pass_names())
        + ", in this order) and a number format ("
        + ", ".join(f"`{name}`" for name in number_formats.names())
        + "), joined by `+`: `filters+int8`",
    )
    passes: PassesParams = Field(default=PassesParams(), description="settings of the passes")
    learning_rate: Positive = Field(
        default=5e-4, description="highest learning rate of every fine-tuning"
    )
    representative_images: Count = Field(
        default=200,
        description="calibration images that set the ranges of number formats in whole numbers",
    )
    parity: ParityParams = Field(
        default=ParityParams(),
        description="how far a file may be from the float network that it was converted from",
    )
    int8: Int8 = Field(
        default=Int8(), description="how the number format `int8` chooses ranges, and what it keeps"
    )
    input: Literal["native", "uint8"] = Field(
        default="native",
        description="type of the file's input: `native`: what it computes in; `uint8`: raw "
        "pixels, for devices that cannot convert them",
    )

    @property
    def notes(self) -> dict[str, str]:
        """How to read the metrics of these variants, by pass; of those that have a note."""
        names = {name for variant in self.variants for name in check_variant(variant).passes}
        return {name: passes[name].note for name in sorted(names) if passes[name].note}
