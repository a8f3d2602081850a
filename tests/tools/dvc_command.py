"""DVC's command line as often as tests want it, in forks of a process that has imported it."""

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path


def init_dvc(folder: Path, config: str = "") -> None:
    """Write what `dvc init` writes, with such a `config`."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text(config, encoding="utf-8")
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    (folder / ".dvcignore").touch()


def dvc(folder: Path, *words: str) -> str:
    """Run `dvc WORD…` in a folder, and give what it prints; it must succeed."""
    from dvc.cli import main

    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        before = (sys.stdout, sys.stderr)
        for stream in before:
            stream.flush()
        number = os.fork()
        if number == 0:
            try:
                os.chdir(folder)
                # pytest has put files of its own in the place of both, to which some hold on
                for place, stream, file in zip((1, 2), before, (output, errors), strict=True):
                    os.dup2(file.fileno(), place)
                    with contextlib.suppress(OSError):
                        os.dup2(file.fileno(), stream.fileno())
                sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8") for n in (1, 2))
                logging.getLogger("dvc").setLevel(logging.INFO)  # a run in this process hushes it
                status = main([*words])
            except BaseException:
                traceback.print_exc()
                status = 99
            finally:
                for stream in (*before, sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(status)
        _, status = os.waitpid(number, 0)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    assert os.waitstatus_to_exitcode(status) == 0, "".join(texts)
    return texts[0]
