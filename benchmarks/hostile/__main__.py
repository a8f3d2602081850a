"""Damaged and hostile input, by the thousand: it is refused in one sentence, or answered.

    python -m benchmarks.hostile [bundles] [teachers] [images] [params] [requests] [devices] [kills]
        [--trials N] [--minutes M] [--write]

Counted are tracebacks, ends of the process, what computes for more than ten seconds, and files that
are left outside their place. `kills` are five kinds, of processes instead of input. `--write` puts
the counts into results/hostile.json and docs/reliability.md. So many trials have the same cases
each time, so `--only N` repeats one.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

from benchmarks.hostile.attack import Attack, Count, run
from benchmarks.hostile.bundles import Bundles
from benchmarks.hostile.devices import Devices
from benchmarks.hostile.images import Images
from benchmarks.hostile.kills import AgentKills, PublisherKills, PullKills
from benchmarks.hostile.params import ParamsFiles
from benchmarks.hostile.process_kills import ReproKills, RunKills
from benchmarks.hostile.requests import Requests
from benchmarks.hostile.teachers import Teachers
from kdtasks.core.files import write_text

KILLS: tuple[type[Attack], ...] = (PublisherKills, PullKills, AgentKills, RunKills, ReproKills)
INPUT: tuple[type[Attack], ...] = (Bundles, Teachers, Images, ParamsFiles, Requests, Devices)
ATTACKS = {each.name: each for each in INPUT + KILLS}
RESULTS = Path("results/hostile.json")
PAGE = Path("docs/reliability.md")
BEGIN = "<!-- written by python -m benchmarks.hostile --write -->"
END = "<!-- end -->"


def main() -> None:
    """Print a line a kind and a line a broken promise; write the page if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ATTACKS)}; all by default")
    parser.add_argument("--trials", type=int, help="instead of as many as are promised")
    parser.add_argument("--minutes", type=float, default=math.inf, help="of each kind, at most")
    parser.add_argument("--only", type=int, help="the number of one trial")
    parser.add_argument("--write", action="store_true", help="write results and page")
    options = parser.parse_args()
    names = [
        name
        for given in options.names or ATTACKS
        for name in ([each.name for each in KILLS] if given == "kills" else [given])
    ]
    if unknown := set(names) - set(ATTACKS):
        parser.error(f"got {', '.join(sorted(unknown))}; choose from {', '.join(ATTACKS)}")
    results, page = RESULTS.absolute(), PAGE.absolute()
    for name in names:
        attack = ATTACKS[name]()
        trials = options.trials or attack.trials
        with tempfile.TemporaryDirectory() as work:
            count, broken = run(attack, trials, Path(work), options.minutes, options.only)
        print(f"{name}: {count}", *broken, sep="\n", flush=True)
        if options.write:
            known = json.loads(results.read_text()) if results.exists() else {}
            known[name] = count._asdict()
            write_text(results, json.dumps(known, indent=1, sort_keys=True) + "\n")
    if options.write:
        before, rest = page.read_text().split(BEGIN)
        after = rest.split(END)[1]
        write_text(page, f"{before}{BEGIN}\n{render(json.loads(results.read_text()))}{END}{after}")


def render(results: dict[str, dict[str, float]]) -> str:
    """Write the page's tables: of input, and of kills."""
    kills = [each.name for each in KILLS]
    lines = [
        "| input | tried | refused in a sentence | answered all the same | tracebacks "
        "| ends of the process | over 10 s of computing | files outside | slowest | memory more |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in (name for name in ATTACKS if name in results and name not in kills):
        one = Count(**results[name])  # type: ignore[arg-type]
        lines.append(
            f"| {name} | {one.trials:,} | {one.refused:,} | {one.answered:,} | {one.tracebacks} "
            f"| {one.died} | {one.slow} | {one.outside} | {one.slowest:.1f} s "
            f"| {one.grown_mb:,.0f} MB |"
        )
    lines += [
        "",
        "| killed | kills | run again: as if never killed | the same, after DVC's lock was removed "
        "| otherwise | slowest, both together |",
        "|---|---|---|---|---|---|",
    ]
    for name in (name for name in kills if name in results):
        one = Count(**results[name])  # type: ignore[arg-type]
        lines.append(
            f"| {name.removeprefix('kills-')} | {one.trials:,} | {one.answered:,} | {one.refused} "
            f"| {one.trials - one.answered - one.refused} | {one.slowest:.1f} s |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
