"""What a device keeps, its cache and its state: damaged bytes, other values, other than files."""

from pathlib import Path

import numpy as np

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.kills import AgentKills, start_device
from benchmarks.hostile.mutation import ODD, damaged, make_odd, with_another
from kdtasks.core.errors import ServingError


class Devices(Attack):
    """An agent begins with it; where the store answers something serves, come what may."""

    name, trials = "devices", 1000

    def prepare(self, seeds: Path) -> None:
        AgentKills().prepare(seeds)

    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        AgentKills().set_up(seeds, place)
        is_cut_off = False
        if trial >= 0:
            draw = np.random.default_rng([3, trial])
            folders = (place / "cache", place / "state")
            files = sorted(file for folder in folders for file in folder.rglob("*"))
            file = next(files[at] for at in draw.permutation(len(files)) if files[at].is_file())
            _damage(file, str(draw.choice(["bytes", "value", "odd"])), draw)
            is_cut_off = trial % 4 == 0
        with start_device(place, store=place / ("no-store" if is_cut_off else "store")) as device:
            release, problem = device.service.release, device.agent.store_problem
            assert is_cut_off or release is not None, "nothing serves"
            if release is None or release.number != 2:
                assert problem, "an old version serves, and nothing is said"
                raise ServingError(problem)


def _damage(file: Path, kind: str, draw: np.random.Generator) -> None:
    content = file.read_bytes()
    file.chmod(0o644)
    file.unlink()
    if kind == "odd":
        make_odd(file, str(draw.choice(ODD)))
    elif kind == "value" and file.suffix == ".json":
        file.write_text(with_another(content.decode(), draw))
    else:
        file.write_bytes(damaged(content, draw))
