"""What every stage script does around its own work: params, refusals, errors in one line."""

import functools
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.code import check_listing
from kdtasks.core.errors import KdTasksError, Refused
from kdtasks.core.events import MessageEvent, emit, span
from kdtasks.core.files import atomic_folder, disk_problem, write_arrays, write_text
from kdtasks.core.installed import refuse_other_code
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.reproducibility import pin_process
from kdtasks.core.text import printable
from kdtasks.params import Params, load_params

# The file that tells why there is no model, in the folder of one.
REFUSED = "refused.txt"


class CsvTable(NamedTuple):
    """A CSV file: a refusal leaves its header alone."""

    path: Path
    header: str


class Folder(NamedTuple):
    """A folder: a refusal leaves nothing in it but one file, which tells the reason."""

    path: Path
    file: str


Output = Path | CsvTable | Folder
Main = Callable[..., None]  # (params, paths), and the seed or variant where the stage has any


def stage(
    *,
    outputs: Callable[..., Sequence[Output]] = lambda paths, *keys: (),
    refusals: tuple[type[KdTasksError], ...] = (Refused,),
) -> Callable[[Main], Main]:
    """Make a refusal an outcome of a stage: its outputs tell the reason, and it ends well.

    Whatever reads them is then refused for the same reason; other variants continue.

    Args:
        outputs: from paths, and a seed or variant, to all that the stage writes; a stage without
            any passes refusals on as errors.
        refusals: the errors that are one.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def run(params: Params, paths: ProjectPaths, *keys: str) -> None:
            try:
                main(params, paths, *keys)
            except refusals as error:
                declared = outputs(paths, *keys)
                if not declared:
                    raise
                for output in declared:
                    _write_refusal(output, str(error))
                emit(MessageEvent("refused", str(error)))
                print(f"{''.join(f'{key}: ' for key in keys)}skipped: {error}")

        return run

    return decorate


def run_stage(main: Main) -> None:
    """Run a stage on the project in the working directory, with the arguments of the command line.

    A failure is told as an event. Code that changed since the stage `code` listed it is refused. An
    error of the disk, or one that the user can fix, is one line on standard error and exit status
    1; an interruption is exit status 130. Anything else is a bug and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    paths = ProjectPaths()
    listed = paths.code / f"{Path(sys.argv[0]).stem}.txt"
    try:
        refuse_other_code(Path())
        params = load_params()
        if listed.is_file() and listed.stem != paths.code.name:
            check_listing(listed, paths.root)
        runtime = params.runtime
        pin_process(runtime.threads, precision=runtime.precision, device=runtime.device)
        with span("work"):
            main(params, paths, *sys.argv[1:])
    except (KdTasksError, OSError) as error:
        problem = disk_problem(error) if isinstance(error, OSError) else str(error)
        emit(MessageEvent("failed", problem))
        print(f"error: {printable(problem)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; run it again to resume from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        emit(MessageEvent("failed", f"{type(error).__name__}: {error}"))
        raise


def _write_refusal(output: Output, reason: str) -> None:
    match output:
        case CsvTable(path, header):
            write_text(path, f"{header}\n")
        case Folder(path, file):
            with atomic_folder(path) as partial:
                _write_refusal(partial / file, reason)
        case Path(suffix=".json"):
            Refusal(refused=reason).write(output)
        case Path(suffix=".npz"):
            write_arrays(output)
        case _:
            write_text(output, f"{reason}\n")
