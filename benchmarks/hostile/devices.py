"""What a device keeps, its cache and its state: damaged bytes, other values, other than files."""

from pathlib import Path

from hypothesis import strategies as st

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.kills import AgentKills, start_device
from benchmarks.hostile.mutation import DAMAGES, ODD, OTHER_VALUES, Damage, make_odd
from kdtasks.core.errors import ServingError

Case = tuple[str, Damage | str, bool]


class Devices(Attack):
    """An agent begins with it; where the store answers something serves, come what may."""

    name, trials = "devices", 1000

    def prepare(self, seeds: Path) -> None:
        AgentKills().prepare(seeds)

    def drawn(self, seeds: Path) -> st.SearchStrategy[Case]:
        """Give a file, its damage or what takes its place, and whether the store is away."""
        kept = seeds / "device"
        found = (file for folder in ("cache", "state") for file in (kept / folder).rglob("*"))
        files = sorted(file.relative_to(kept).as_posix() for file in found if file.is_file())
        texts = [file for file in files if file.endswith(".json")]
        is_cut_off = st.sampled_from([False, False, False, True])
        return st.one_of(
            st.tuples(st.sampled_from(files), DAMAGES, is_cut_off),
            st.tuples(st.sampled_from(texts), OTHER_VALUES, is_cut_off),
            st.tuples(st.sampled_from(files), st.sampled_from(ODD), is_cut_off),
        )

    def attempt(self, case: Case | None, seeds: Path, place: Path) -> None:
        AgentKills().set_up(seeds, place)
        is_cut_off = False
        if case:
            name, damage, is_cut_off = case
            _damage(place / name, damage)
        with start_device(place, store=place / ("no-store" if is_cut_off else "store")) as device:
            release, problem = device.service.release, device.agent.store_problem
            assert is_cut_off or release is not None, "nothing serves"
            if release is None or release.number != 2:
                assert problem, "an old version serves, and nothing is said"
                raise ServingError(problem)


def _damage(file: Path, damage: Damage | str) -> None:
    content = file.read_bytes()
    file.chmod(0o644)
    file.unlink()
    if isinstance(damage, str):
        make_odd(file, damage)
    else:
        file.write_bytes(damage(content))
