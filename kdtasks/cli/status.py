"""The exit statuses of every command, in one place: `kdtasks --help` and the docs list them."""

from enum import IntEnum


class Status(IntEnum):
    """How a command ended, as a shell sees it."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DECLINED = 3
    INTERRUPTED = 130


MEANINGS = {
    Status.DONE: "done, or there was nothing to do",
    Status.FAILED: "it failed, or did not reach its goal; standard error says why",
    Status.USAGE: "an option or argument is not known, missing or not allowed",
    Status.DECLINED: "`gate` does not promote, `drift` has found drift",
    Status.INTERRUPTED: "stopped by Ctrl-C, or by SIGTERM or SIGHUP where a command stops tidily",
}
