"""Which operators XNNPACK takes, asked of the LiteRT at hand instead of a list of its version.

LiteRT appends a node `DELEGATE` for every run of operators that its default delegate took. What
lies between that node's inputs and outputs runs there; all else is left to LiteRT's own kernels.
"""

from kdtasks.export.graph import read_graphs
from kdtasks.export.split import split_signatures


def delegated_operators(content: bytes) -> dict[str, list[bool]]:
    """Tell of every signature which of its operators the default delegate takes.

    Returns: name of the signature to one answer for each operator, in the order of `read_graphs`.

    Raises:
        BundleError: as `split_signatures`.
    """
    # LiteRT tells of a file's first graph alone, so each signature gets a file.
    return {name: _delegated(part) for name, part in split_signatures(content).items()}


def _delegated(content: bytes) -> list[bool]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (graph,) = read_graphs(content)
    made_by = {
        output: place
        for place, operator in enumerate(graph.operators)
        for output in operator.outputs
    }
    taken = [False] * len(graph.operators)
    for node in interpreter._get_ops_details():
        if node["op_name"] != "DELEGATE":
            continue
        begins = {int(number) for number in node["inputs"]}
        open_tensors = [int(number) for number in node["outputs"]]
        while open_tensors:
            number = open_tensors.pop()
            place = made_by.get(number)
            if number in begins or place is None or taken[place]:
                continue
            taken[place] = True
            open_tensors += graph.operators[place].inputs
    return taken
