"""Loops that are known to end, and others."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.loops import MOST_CALLS, Function, Node, check_loops


def constant(value: float, dtype: type = np.int32) -> Node:
    return Node("const", values=np.array(value, dtype))


def node(kind: str, *names: str) -> Node:
    return Node(kind, tuple((name, 0) for name in names))


def function(arguments: str, results: str, **nodes: Node) -> Function:
    values = tuple((name, 0) for name in results.split())
    return Function(tuple(arguments.split()), values, nodes)


def loop(bound: Node, start: Node | None = None, **changes: Function) -> dict[str, Function]:
    """A function `main` with a loop over `turn` and `image`, until `turn` is at `bound`."""
    functions = {
        "main": Function(
            ("image",),
            (("loop", 1),),
            {
                "start": start or constant(0),
                "bound": bound,
                "loop": Node(
                    "while", (("start", 0), ("image", 0), ("bound", 0)), ("condition", "body")
                ),
            },
        ),
        "condition": function(
            "turn image bound",
            "both",
            passed=node("identity", "turn"),
            less=node("less", "passed", "bound"),
            other=node("toobool", "image"),
            both=node("logicaland", "other", "less"),
        ),
        "body": function(
            "turn image bound",
            "next image kept",
            one=constant(1),
            next=node("addv2", "one", "turn"),
            kept=node("identity", "bound"),
        ),
    }
    return functions | changes


STEPS = {
    "nothing": {"next": node("identity", "turn")},
    "zero": {"one": constant(0), "next": node("addv2", "one", "turn")},
    "back": {"one": constant(1), "next": node("sub", "turn", "one")},
    "float": {"one": constant(1.0, np.float32), "next": node("addv2", "one", "turn")},
    "image": {"next": node("addv2", "image", "turn")},
}


@pytest.mark.parametrize(
    "bound", [constant(100), constant(2**20), node("shape", "image"), node("gather", "start")]
)
def test_a_loop_over_so_many_turns_ends(bound: Node) -> None:
    check_loops(loop(bound), ["main", "missing"], "it")


def test_a_loop_may_count_down() -> None:
    down = {
        "condition": function("turn image bound", "more", more=node("greater", "turn", "bound")),
        "body": function("turn image bound", "next image bound", **STEPS["back"]),
    }
    check_loops(loop(constant(0), constant(9), **down), ["main"], "it")
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(loop(constant(0), node("max", "image"), **down), ["main"], "it")


@pytest.mark.parametrize(
    "bound", [constant(2**20 + 1), node("cast", "image"), constant(np.nan, np.float32)]
)
def test_a_bound_that_is_far_or_unknown_is_none(bound: Node) -> None:
    with pytest.raises(TeacherError, match=r"teacher\.path: it holds a loop that may never end;"):
        check_loops(loop(bound), ["main"], "it")


@pytest.mark.parametrize("step", STEPS)
def test_a_turn_that_does_not_come_nearer_is_none(step: str) -> None:
    body = function("turn image bound", "next image bound", **STEPS[step])
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(loop(constant(9), body=body), ["main"], "it")


def test_a_bound_that_moves_is_none() -> None:
    body = function(
        "turn image bound", "next image next", one=constant(1), next=node("addv2", "one", "turn")
    )
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(loop(constant(9), body=body), ["main"], "it")


def test_one_of_two_conditions_is_not_enough() -> None:
    functions = loop(constant(9))
    nodes = functions["condition"].nodes | {"both": node("logicalor", "other", "less")}
    functions["condition"] = functions["condition"]._replace(nodes=nodes)
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(functions, ["main"], "it")


def test_loops_inside_a_loop_may_end_at_its_turn() -> None:
    inner = loop(constant(9))
    body = inner["body"].nodes | {
        "start": constant(0),
        "loop": Node("while", (("start", 0), ("image", 0), ("turn", 0)), ("condition", "inner")),
    }
    functions = inner | {"inner": inner["body"], "body": inner["body"]._replace(nodes=body)}
    check_loops(functions, ["main"], "it")
    body |= {
        "loop": Node("while", (("start", 0), ("turn", 0), ("image", 0)), ("condition", "inner"))
    }
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(functions, ["main"], "it")


def test_what_a_call_returns_is_known() -> None:
    functions = loop(Node("partitionedcall", (("start", 0),), ("double",)), constant(7))
    functions["double"] = function("number", "twice", twice=node("addv2", "number", "number"))
    check_loops(functions, ["main"], "it")
    functions["double"] = function("number", "twice", twice=node("exp", "number"))
    with pytest.raises(TeacherError, match="may never end"):
        check_loops(functions, ["main"], "it")


def test_calls_have_an_end() -> None:
    circle = {
        "main": function("image", "image", call=Node("if", (("image", 0),), ("other",))),
        "other": function("", "", call=Node("partitionedcall", (), ("main",))),
    }
    with pytest.raises(TeacherError, match="holds a function that calls itself"):
        check_loops(circle, ["main"], "it")
    twice = [Node("partitionedcall", (), (f"f{level + 1}",)) for level in range(40)]
    doubling = {
        f"f{level}": function("", "", one=call, other=call) for level, call in enumerate(twice)
    }
    check_loops(doubling, ["f25"], "it")
    assert 2**15 < MOST_CALLS < 2**40
    with pytest.raises(TeacherError, match="holds calls without end"):
        check_loops(doubling, ["f0"], "it")
