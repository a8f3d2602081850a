"""What every stage script does around its own work: validate params, report errors in one line."""

import signal
import sys
from collections.abc import Callable

from kdtasks.core.errors import KdTasksError
from kdtasks.core.events import MessageEvent, emit
from kdtasks.core.reproducibility import pin_process
from kdtasks.params import load_params


def run_stage(main: Callable[..., None]) -> None:
    """Call `main(params, *words)` with the validated `params.yaml` and the command line's words.

    A failure is told as an event.
    An error that the user can mend is one line on standard error and exit status 1; an
    interruption is exit status 130. Anything else is a bug and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        params = load_params()
        pin_process(params.runtime.threads, precision=params.runtime.precision)
        main(params, *sys.argv[1:])
    except KdTasksError as error:
        emit(MessageEvent("failed", str(error)))
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; run it again to go on from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        emit(MessageEvent("failed", f"{type(error).__name__}: {error}"))
        raise
