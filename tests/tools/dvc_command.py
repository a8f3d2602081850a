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
                # pytest has put files of its own in the place of both
                for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
                    for place in (1 if file is output else 2, stream.fileno()):
                        os.dup2(file.fileno(), place)
                # and a run in this process has hushed DVC
                logging.getLogger("dvc").setLevel(logging.INFO)
                status = main([*words])
            except BaseException:
                traceback.print_exc()
                status = 99
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(number, 0)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    assert os.waitstatus_to_exitcode(status) == 0, "".join(texts)
    return texts[0]
