"""What a variant does to the student, one pass a file: train it smaller, or rewrite its file."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Count, Section

# For types alone: params are read in their modules, and extensions with them, which import this.
if TYPE_CHECKING:
    from kdtasks.compress.fine_tuning import FineTuning
    from kdtasks.learn.networks.multi_exit import MultiExitModel


@dataclass(frozen=True)
class PassContext:
    """What a pass may use besides the model.

    Attributes:
        fine_tuning: trains a model on the teacher's targets.
        convert: makes the variant's file of a model, as it is shipped at most; an ExportError says
            why it cannot.
    """

    fine_tuning: "FineTuning"
    convert: "Callable[[MultiExitModel], bytes]"


class Pass(Section):
    """One step of a variant. Fields are settings, under the pass's name in `compress.passes`.

    Attributes:
        name: as it stands in a variant's name.
        order: passes of a variant run from the lowest to the highest; those that rewrite the file
            come after those that train, whatever their number.
        number_formats: those that a variant with this pass may end in; none: any.
        note: how to read the metrics of such variants, as "Variants with … " goes on in the report.
    """

    name: ClassVar[str]
    order: ClassVar[int]
    number_formats: ClassVar[tuple[str, ...]] = ()
    note: ClassVar[str] = ""


class TrainingPass(Pass):
    """Changes the network and trains it on. What earlier passes made of the weights must stay.

    Attributes:
        rebuilds: whether it leaves a network of another shape. It must then try itself whether
            `context.convert` takes that; else this is tried on the student before any training.
        reestimates_batch_norm: whether running statistics are measured anew afterwards.
    """

    rebuilds: ClassVar[bool] = False
    reestimates_batch_norm: ClassVar[bool] = True

    epochs: Count = Field(default=4, description="epochs that it trains")

    @abstractmethod
    def apply(self, model: "MultiExitModel", context: PassContext) -> "MultiExitModel":
        """Return the model that comes of it; the one given is used up.

        Raises:
            CompressionError: the pass cannot serve this model.
            ExportError: what it makes of the model cannot be converted.
        """

    def check(self, model: "MultiExitModel") -> None:
        """Make sure that the passes after this one kept what it did.

        Raises:
            CompressionError: they did not.
        """


class RewritingPass(Pass):
    """Changes how the converted file computes, and no weight of the network."""

    @abstractmethod
    def rewrite(self, content: bytes) -> bytes:
        """Return the file that comes of a `.tflite`.

        Raises:
            ExportError: the pass cannot serve this file.
        """


passes = Registry("pass", __name__, Pass)
