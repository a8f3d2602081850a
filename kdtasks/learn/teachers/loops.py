"""Find loops in a graph that may never end, before it is run.

A loop is known to end where its condition needs a whole number, which each turn moves by a
constant, to be on one side of a bound, and both bound and beginning are known to be small: so loop
recurrent layers, maps over a batch and all with a number of turns. How large a number can be is
followed from constants and the sizes of tensors through sums, products, slices and calls.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import TeacherError

MOST_TURNS = 2**20
MOST_CALLS = 100_000
_LONGEST = 50  # operations that are followed back
_SIDE = 2.0**16  # taken for what nobody knows: the size of a tensor

_KEEP = {
    *("identity", "cast", "reshape", "squeeze", "expanddims", "unsqueeze"),
    *("stridedslice", "slice", "gather", "gatherv2"),
}
_JOIN = {"pack", "concat", "concatv2", "concatenation", "minimum", "maximum"}
_SUM = {"add", "addv2", "sub"}
_SIZES = {"shape", "shapen", "size", "rank"}
_LOOPS = {"while", "statelesswhile"}
_RETURN = {"partitionedcall", "statefulpartitionedcall"}

Value = tuple[str, int]  # a node, and which of its outputs
Call = Callable[["Node", list[float]], list[float]]


class Node(NamedTuple):
    """An operation.

    Attributes:
        kind: in lower case, without underscores.
        inputs: what it takes.
        calls: the functions that it runs; of a loop its condition and its body.
        values: of a small constant.
    """

    kind: str
    inputs: tuple[Value, ...] = ()
    calls: tuple[str, ...] = ()
    values: np.ndarray | None = None


class Function(NamedTuple):
    """A graph with arguments, which its nodes take as values of their names."""

    arguments: tuple[str, ...]
    results: tuple[Value, ...]
    nodes: dict[str, Node]

    def origin(self, value: Value) -> Value:
        """Go back from a value that is only handed on."""
        for _ in range(_LONGEST):
            node = self.nodes.get(value[0])
            if node is None or node.kind != "identity":
                break
            value = node.inputs[0]
        return value

    def argument(self, value: Value) -> int | None:
        """Which argument a value is; null if none."""
        name, _ = self.origin(value)
        return self.arguments.index(name) if name in self.arguments else None


def check_loops(functions: Mapping[str, Function], entrances: Sequence[str], source: str) -> None:
    """Refuse a graph that may run for ever.

    Args:
        functions: by name.
        entrances: those that are run.
        source: the file, for errors.

    Raises:
        TeacherError: a loop is not known to end, functions call each other in a circle, or there
            are more calls than any network has.
    """
    for name in entrances:
        _Check(functions, source).run(name, ())


class _Check:
    """One run of an entrance, in which numbers are known by how large they can be."""

    def __init__(self, functions: Mapping[str, Function], source: str) -> None:
        self._functions, self._source = functions, source
        self._running: list[str] = []
        self._known: dict[tuple[str, tuple[float, ...]], tuple[list[float], int]] = {}
        self._calls = 0  # by the function that runs

    def run(self, name: str, given: Sequence[float]) -> list[float]:
        """Check a function and give the sizes of its results, from those of its arguments."""
        function, key = self._functions.get(name), (name, tuple(given))
        if function is None:
            return []
        if name in self._running:
            refuse_loop("a function that calls itself", self._source)
        if key not in self._known:
            before, self._calls = self._calls, 0
            self._running.append(name)
            sizes = Sizes(function, given, self._call)
            for node in function.nodes:
                sizes.of_call(node)
            results = [sizes.of(value) for value in function.results]
            self._running.pop()
            self._known[key] = results, 1 + self._calls
            self._calls = before
        results, calls = self._known[key]
        self._calls += calls
        if self._calls > MOST_CALLS:
            refuse_loop("calls without end", self._source)
        return results

    def _call(self, node: Node, given: list[float]) -> list[float]:
        if node.kind not in _LOOPS:
            # the first input of a branch only chooses it
            found = [self.run(name, given) for name in node.calls]
            return found[0] if node.kind in _RETURN else []
        condition, body = (self._functions.get(name) for name in node.calls)
        if condition is None or body is None:
            return []
        kept = [
            size if body.argument(result) == index else math.inf
            for index, (size, result) in enumerate(zip(given, body.results, strict=False))
        ]
        known = (_counter(test, condition, body, given, kept) for test in _tests(condition))
        index, most = next(filter(None, known), (0, math.inf))
        if most == math.inf:
            refuse_loop("a loop that may never end", self._source)
        kept[index] = most
        for name in node.calls:
            self.run(name, kept)
        return kept


class Sizes:
    """How large the numbers of a function can be, seen from zero; infinity where nobody knows."""

    def __init__(
        self, function: Function, given: Sequence[float] = (), call: Call | None = None
    ) -> None:
        """Args: `given` are the sizes of the last arguments; `call` gives those of a call."""
        self._nodes, self._call = function.nodes, call
        self._known: dict[Value, float] = {}
        names = function.arguments[-len(given) :] if given else ()
        self._given = dict(zip(names, given[-len(names) :] if names else (), strict=True))
        self._called: dict[str, list[float]] = {}

    def of_call(self, name: str) -> list[float]:
        """Sizes of what a node returns that calls functions."""
        node = self._nodes[name]
        if node.calls and self._call and name not in self._called:
            self._called[name] = self._call(node, [self.of(value) for value in node.inputs])
        return self._called.get(name, [])

    def of(self, value: Value, depth: int = 0) -> float:
        """Size of a value."""
        if value not in self._known:
            self._known[value] = self._find(value, depth)
        return self._known[value]

    def _find(self, value: Value, depth: int) -> float:
        name, index = value
        node = self._nodes.get(name)
        if node is None or depth > _LONGEST:
            return self._given.get(name, math.inf)
        if node.values is not None:
            size = float(np.abs(node.values.astype(np.float64)).max(initial=0.0))
            return size if math.isfinite(size) else math.inf
        if node.calls:
            return dict(enumerate(self.of_call(name))).get(index, math.inf)
        if node.kind in _SIZES:
            return _SIDE
        inputs = node.inputs[:1] if node.kind in _KEEP else node.inputs
        if node.kind not in _KEEP | _JOIN | _SUM | {"mul"} or not inputs:
            return math.inf
        sizes = [self.of(operand, depth + 1) for operand in inputs]
        if node.kind in _SUM:
            return sum(sizes)
        return math.prod(sizes) if node.kind == "mul" else max(sizes)


def refuse_loop(what: str, source: str) -> None:
    """Raise a TeacherError that says what to do without."""
    raise TeacherError(
        f"teacher.path: {source} holds {what}; save the teacher with a number of turns in each "
        f"loop (at most {MOST_TURNS:,}), or let it answer elsewhere (teacher.source: logits)"
    )


def _tests(condition: Function) -> Iterator[Node]:
    """What must all hold for another turn."""
    waiting = list(condition.results[:1])
    for _ in range(_LONGEST):
        if not waiting:
            return
        node = condition.nodes.get(condition.origin(waiting.pop())[0])
        if node and node.kind == "logicaland":
            waiting.extend(node.inputs)
        elif node:
            yield node


def _counter(
    test: Node, condition: Function, body: Function, given: Sequence[float], kept: Sequence[float]
) -> tuple[int, float] | None:
    """Which argument counts turns, where a test ends them, and its largest size; null elsewhere."""
    if test.kind not in ("less", "lessequal", "greater", "greaterequal"):
        return None
    low, high = test.inputs if test.kind.startswith("less") else test.inputs[::-1]
    for counter, bound, direction in ((low, high, 1), (high, low, -1)):
        index = condition.argument(counter)
        if index is None or index >= min(len(given), len(body.results)):
            continue
        step = direction * _step(body, index)
        most = Sizes(condition, kept).of(bound) + given[index]
        if 1 <= step <= MOST_TURNS and most <= MOST_TURNS:
            return index, most + step
    return None


def _step(body: Function, index: int) -> int:
    """By how much a turn moves a whole number; 0 where nobody knows."""
    name, _ = body.origin(body.results[index])
    node = body.nodes.get(name)
    if node is None or node.kind not in _SUM:
        return 0
    pairs = [node.inputs] if node.kind == "sub" else [node.inputs, node.inputs[::-1]]
    for moved, constant in pairs:
        known = body.nodes.get(body.origin(constant)[0])
        values = known.values if known else None
        if values is None or values.size != 1 or values.dtype not in (np.int32, np.int64):
            continue
        if body.argument(moved) == index:
            return int(values.item()) * (-1 if node.kind == "sub" else 1)
    return 0
