"""Known vulnerabilities of the packages in constraints.txt, by `pip-audit`.

    python -m benchmarks.audit

Its status is 0 where every package was looked up and has none, 1 where one has, or was not looked
up, and 2 where none was: then nothing is audited. `pip-audit` itself takes a package that it could
not look up for one without.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kdtasks.core.errors import shortened

PINNED = Path(__file__).parents[1] / "constraints.txt"


def audit(pinned: Path = PINNED) -> tuple[int, list[str]]:
    """Look up pinned packages; gives the status, and lines that say why."""
    words = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
    try:
        done = subprocess.run(
            ["pip-audit", f"--requirement={pinned}", *words], capture_output=True, text=True
        )
        report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except FileNotFoundError:
        return 2, ["not audited: pip-audit was not found; `pip install pip-audit`"]
    except (KeyError, ValueError):
        return 2, [f"not audited: pip-audit gave no report ({shortened(done.stderr)})"]
    names = _names(pinned)
    found = {canonicalize_name(one["name"]): one for one in report if "skip_reason" not in one}
    if not found:
        return 2, [f"not audited: pip-audit could look up none of {len(names)} packages"]
    lines = [f"{name}: could not be looked up" for name in names if name not in found]
    for name, one in found.items():
        lines += [f"{name} {one['version']}: {fault['id']}" for fault in one["vulns"]]
    return (1, lines) if lines else (0, [f"{len(names)} packages: no vulnerability is known"])


def _names(pinned: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in pinned.read_text().splitlines())
    requirements = (Requirement(line) for line in lines if line)
    return [
        canonicalize_name(one.name)
        for one in requirements
        if not one.marker or one.marker.evaluate()
    ]


if __name__ == "__main__":
    status, lines = audit()
    print(*lines, sep="\n")
    sys.exit(status)
