"""Let convolutions over few channels work on blocks of 2×2 pixels: the same sums, fuller kernels.

int8 kernels for matrix units (AMX) take 64 channels in and 64 filters out at a time and fill up
what is missing with zeros, so a first convolution over the three channels of an image takes as
long as one over 64. With the four pixels of a block as channels it has a quarter of the positions,
at the price of zeros in its weights. TensorFlow's compiler does so for TPUs with a first
convolution of stride 2 (tensorflow/compiler/mlir/tensorflow/g3doc/space_to_depth.md).
"""

from typing import ClassVar

from pydantic import Field

from kdtasks.compress.passes import RewritingPass, passes
from kdtasks.core.settings import Count


@passes.register
class SpaceToDepth(RewritingPass):
    """Convolutions over few channels work on blocks of 2×2 pixels, so that int8 kernels are full.

    What the file computes stays. It is faster where a processor has matrix units (AMX), and larger.
    """

    name: ClassVar[str] = "space_to_depth"
    order: ClassVar[int] = 50
    number_formats: ClassVar[tuple[str, ...]] = ("int8", "dynamic_int8")
    note: ClassVar[str] = (
        "compute the same numbers as those without; their first convolutions work on blocks of "
        "pixels, and the MACs are the network's."
    )

    max_channels: Count = Field(
        default=4,
        description="convolutions over more channels stay as they are; 4: the first one only. A "
        "rewritten one has about 2 to 16 times the weights, most of them zero",
    )

    def rewrite(self, content: bytes) -> bytes:
        """Rewrite the convolutions of a `.tflite` that gain by it; what it computes stays.

        Raises:
            ExportError: none can be rewritten or gains by it; the message says why of the first.
        """
        # Loads LiteRT, which reading params need not.
        from kdtasks.compress.tflite.space_to_depth import apply_space_to_depth

        return apply_space_to_depth(content, max_channels=self.max_channels)
