"""Run the signatures of one interpreter on LiteRT's own memory, without a copy that nobody needs.

LiteRT's `SignatureRunner` resizes, allocates, copies in and copies out at every call, which takes
as long as a small segment runs; `Interpreter.invoke` knows the first signature alone. So the object
below both is used here, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError, shortened

Tensor = npt.NDArray[Any]


class SignatureChain:
    """Signatures that hand tensors on by name; K of them, each run after those before it.

    Attributes:
        image: what the first one takes, to be written into: [height, width, channels], of several
            rows [rows, height, width, channels]; int8 as the bytes that it lies in memory as.
    """

    def __init__(self, interpreter: Any, keys: Sequence[str], rows: int = 1) -> None:
        """Allocate every signature.

        Args:
            interpreter: of LiteRT, which nothing else may run any more.
            keys: of the signatures, K.
            rows: images a call, in place of the one that the file was made for.

        Raises:
            RuntimeError, ValueError: LiteRT cannot, or not for so many images.
        """
        self._keys, self._interpreter, self._lite = keys, interpreter, interpreter._interpreter
        names = self._lite.GetSignatureDefs()
        self._graphs = [self._lite.GetSubgraphIndexFromSignature(key) for key in keys]
        self._inputs: list[Mapping[str, int]] = [names[key]["inputs"] for key in keys]
        self._outputs: list[Mapping[str, int]] = [names[key]["outputs"] for key in keys]
        # Of each signature its tensors' bytes, (given, taken), its number and its logits.
        self._steps: list[tuple[list[tuple[memoryview, memoryview]], int, Tensor]]
        self._invoke = self._lite.Invoke
        for graph, inputs in zip(self._graphs, self._inputs, strict=True):
            for number in inputs.values() if rows > 1 else ():
                shape = [rows, *self._lite.TensorSize(number, graph)[1:]]
                self._lite.ResizeInputTensor(number, np.array(shape, np.int32), False, graph)
            self._lite.AllocateTensors(graph)
        # Signatures whose tensors may move while they run; which they are shows when they first do.
        self._moving = {index: self._held(index) for index in range(len(keys))}
        self._find_views()

    def run(self, index: int) -> Tensor:
        """Run a signature on what those before it gave.

        Returns: its `logits` [rows, …], of one row […], in memory that its next run overwrites.

        Raises:
            BundleError: LiteRT cannot.
        """
        handed, graph, logits = self._steps[index]
        try:
            for given, taken in handed:
                taken[:] = given
            self._invoke(graph)
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"LiteRT cannot run {self._keys[index]} of the model ({shortened(str(error))}); "
                "fetch or export the bundle again"
            ) from error
        if index in self._moving:
            self._refresh_views(index)
            logits = self._steps[index][-1]
        return logits

    def _refresh_views(self, index: int) -> None:
        """Look again after a run; where it brought no tensor into being, for the last time."""
        if self._held(index) == self._moving[index]:
            del self._moving[index]
        self._find_views()

    def _held(self, index: int) -> set[int]:
        """The tensors of a signature that have memory: but for those of unknown size, all but the
        delegate's own have it before the first run."""
        graph, held = self._graphs[index], set()
        for number in range(self._lite.NumTensors(graph)):
            try:
                self._lite.TensorSize(
                    number, graph
                )  # else `tensor` ends the process where it has none
                self._lite.tensor(self._lite, number, graph)
            except (RuntimeError, ValueError):
                continue
            held.add(number)
        return held

    def _find_views(self) -> None:
        """Find every tensor that is handed on; one that is not yet there is empty so far."""
        image = self._view(self._inputs[0]["image"], self._graphs[0])
        self.image = _rows(image.view(np.uint8) if image.dtype == np.int8 else image)
        given, self._steps = {"image": image}, []
        for graph, inputs, outputs in zip(self._graphs, self._inputs, self._outputs, strict=True):
            taken = inputs.items() if self._steps else ()
            handed = [(_bytes(given[key]), _bytes(self._view(at, graph))) for key, at in taken]
            given |= {key: self._view(number, graph) for key, number in outputs.items()}
            self._steps.append((handed, graph, _rows(given.pop("logits"))))

    def _view(self, number: int, graph: int) -> Tensor:
        try:
            view: Tensor = self._lite.tensor(self._lite, number, graph)
        except ValueError:
            return np.empty(0)
        return view


def _rows(tensor: Tensor) -> Tensor:
    one: Tensor = tensor[0] if len(tensor) == 1 else tensor
    return one


def _bytes(tensor: Tensor) -> memoryview:
    """What a tensor lies in memory as: copied in a third of the time that arrays take."""
    return tensor.reshape(-1).view(np.uint8).data
