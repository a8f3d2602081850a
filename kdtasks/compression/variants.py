"""Variant names: passes joined by `+`, ending in the number format of the exported file."""

from typing import NamedTuple

from kdtasks.errors import did_you_mean

# In the order in which they may be chained: each keeps what those before it made of the network,
# and none could keep its own from those after it.
TRAININGS = ("filters", "magnitude", "cluster", "qat")
# Those that change how the file computes, and no weight.
REWRITINGS = ("space_to_depth",)
PASSES = TRAININGS + REWRITINGS
FORMATS = ("float32", "float16", "dynamic_int8", "int8", "int16x8")


class Variant(NamedTuple):
    """A variant taken apart."""

    passes: tuple[str, ...]
    number_format: str

    @property
    def trainings(self) -> tuple[str, ...]:
        """The passes that train the network, in their order."""
        return tuple(name for name in self.passes if name in TRAININGS)


def check_variant(name: str) -> Variant:
    """Take a variant's name apart.

    Raises:
        ValueError: a part is unknown or stands in the wrong place; the message lists the choices.
    """
    *passes, number_format = name.split("+")
    for part in passes:
        if part not in PASSES:
            raise ValueError(
                f"compress.variants: {name!r} has {part!r} where a pass is expected; "
                f"passes: {', '.join(PASSES)}{did_you_mean(part, PASSES)}"
            )
    if number_format not in FORMATS:
        raise ValueError(
            f"compress.variants: {name!r} ends in {number_format!r}; "
            f"it must end in one of: {', '.join(FORMATS)}{did_you_mean(number_format, FORMATS)}"
        )
    if len(set(passes)) != len(passes):
        raise ValueError(f"compress.variants: {name!r} names a pass twice")
    if sorted(passes, key=PASSES.index) != passes:
        raise ValueError(
            f"compress.variants: {name!r} has its passes in the wrong order; give them in the "
            f"order {', '.join(PASSES)}"
        )
    if "qat" in passes and number_format != "int8":
        raise ValueError(
            f"compress.variants: {name!r} trains for int8 and ends in {number_format}; "
            "a variant with qat must end in int8"
        )
    if "space_to_depth" in passes and number_format not in ("int8", "dynamic_int8"):
        raise ValueError(
            f"compress.variants: {name!r} fills up kernels of int8 and ends in {number_format}; "
            "a variant with space_to_depth must end in int8 or dynamic_int8"
        )
    return Variant(tuple(passes), number_format)
