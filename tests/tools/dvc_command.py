"""DVC's command line as often as tests want it, in forks of a process that has imported it."""

import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path


def dvc(folder: Path, *words: str) -> str:
    """Run `dvc WORD…` in a folder, and give what it prints; it must succeed."""
    from dvc.cli import main

    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        sys.stdout.flush()
        sys.stderr.flush()
        number = os.fork()
        if number == 0:
            try:
                os.chdir(folder)
                for place, file in enumerate((output, errors), start=1):
                    os.dup2(file.fileno(), place)
                # pytest has put others in their place, and a run in this process has hushed DVC
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # noqa: PTH123
                logging.getLogger("dvc").setLevel(logging.INFO)
                status = main([*words])
                sys.stdout.flush()
                os._exit(status)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(99)
        _, status = os.waitpid(number, 0)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    assert os.waitstatus_to_exitcode(status) == 0, "".join(texts)
    return texts[0]
