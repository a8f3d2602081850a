"""Kills: what is killed anywhere leaves nothing broken, and run again ends as if it never was.

Publishers, pulls and agents die as by `kill -9` at an operation on files, as the store's own tests
let them.
"""

import hashlib
import random
import shutil
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from benchmarks.hostile.attack import Attack
from kdtasks.core.errors import KdTasksError
from kdtasks.deploy.agent.device import Device
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.store.address import BLOBS, Reference
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.records import list_numbers
from tests.deploy.store.kills.conftest import UNLIMITED, run_forked
from tests.deploy.store.kills.test_killed import FILE, Contents, bundle, contents, open_anew, pull

_DRAWS = 20  # of a moment, until one comes before the end


class NotKilledError(KdTasksError):
    """It had ended before it was to be killed."""


class RemovedLockError(KdTasksError):
    """It ended as if it had never been killed, after a file was removed as its message said."""


def digest(*paths: Path) -> str:
    """The hash of all files below paths, with their names."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()


def fork(action: Callable[[], object], left: int = UNLIMITED) -> int:
    """Run an action in a process of its own; how many operations on files it made.

    Raises:
        NotKilledError: it ended before it had made as many as it was left.
    """
    is_killed, spent = run_forked(action, FILE, left)
    if left != UNLIMITED and not is_killed:
        raise NotKilledError(f"it ended after {spent} operations")
    return spent


class Kills(Attack):
    """Each trial is a kill: where it had ended before, another moment is drawn."""

    def listed(self, seeds: Path) -> Sequence[int]:
        """Seeds of the moments."""
        return range(self.trials)

    def attempt(self, case: int | None, seeds: Path, place: Path) -> None:
        draw = None if case is None else random.Random(case)
        for number in range(_DRAWS):
            mine = place / str(number)
            mine.mkdir()
            try:
                return self.kill(draw, seeds, mine)
            except NotKilledError:
                continue
            except RemovedLockError:
                raise
            except KdTasksError as error:
                raise AssertionError(str(error)) from error
        raise AssertionError(f"it had ended before it was killed, {_DRAWS} times")

    @abstractmethod
    def kill(self, draw: random.Random | None, seeds: Path, place: Path) -> None:
        """Kill, check what is left, run again, and check how it ended; None kills nobody.

        Raises:
            NotKilledError: it had ended before.
            RemovedLockError: it ran again only after a file was removed.
        """


class ForkedKills(Kills):
    """One action on a store, killed at an operation on files that is drawn at random."""

    start: Literal["spawn", "fork"] = "fork"

    def __init__(self) -> None:
        """Measure nothing yet."""
        self._operations = 0

    def kill(self, draw: random.Random | None, seeds: Path, place: Path) -> None:
        self.set_up(seeds, place)
        if draw is None:
            self._operations = fork(lambda: self.act(place))
        else:
            fork(lambda: self.act(place), draw.randrange(self._operations))
            self.check_killed(place)
            fork(lambda: self.act(place))
        self.check_ended(place)

    @abstractmethod
    def set_up(self, seeds: Path, place: Path) -> None:
        """Make all that is there before."""

    @abstractmethod
    def act(self, place: Path) -> None:
        """Do what is killed."""

    @abstractmethod
    def check_killed(self, place: Path) -> None:
        """Check what a kill has left."""

    @abstractmethod
    def check_ended(self, place: Path) -> None:
        """Check that all is as if nobody had been killed."""


class PublisherKills(ForkedKills):
    """A version is published and an alias moved to it."""

    name, trials = "kills-publish", 75

    def prepare(self, seeds: Path) -> None:
        for number in (0, 1):
            _write(seeds / f"bundle-{number}", bundle(number))
        _publish(seeds / "store", seeds / "bundle-0")

    def set_up(self, seeds: Path, place: Path) -> None:
        shutil.copytree(seeds / "store", place / "store")
        shutil.copytree(seeds / "bundle-1", place / "bundle")

    def act(self, place: Path) -> None:
        _publish(place / "store", place / "bundle")

    def check_killed(self, place: Path) -> None:
        objects = open_anew(str(place / "store"))
        for number in list_numbers(objects, "digits"):
            found = pull(objects, f"digits@{number}", place / "cache")
            assert found == bundle(number - 1), f"version {number} is another"
        assert pull(objects, "digits@staging", place / "cache") in (bundle(0), bundle(1))

    def check_ended(self, place: Path) -> None:
        objects = open_anew(str(place / "store"))
        assert list_numbers(objects, "digits") == [1, 2]
        assert pull(objects, "digits@staging", place / "cache-1") == bundle(1)
        named = {content for number in (0, 1) for content in bundle(number).values()}
        expected = {f"{BLOBS}{hashlib.sha256(content).hexdigest()}" for content in named}
        assert {entry.key for entry in objects.list(BLOBS)} == expected


class PullKills(ForkedKills):
    """A folder with one version is replaced by the next."""

    name, trials = "kills-pull", 75

    def prepare(self, seeds: Path) -> None:
        for number in (0, 1):
            _write(seeds / f"bundle-{number}", bundle(number))
            _publish(seeds / "store", seeds / f"bundle-{number}")
        pull(open_anew(str(seeds / "store")), "digits@1", seeds / "cache", seeds / "target")

    def set_up(self, seeds: Path, place: Path) -> None:
        for name in ("cache", "target", "store"):
            shutil.copytree(seeds / name, place / name)

    def act(self, place: Path) -> None:
        pull(open_anew(str(place / "store")), "digits@2", place / "cache", place / "target")

    def check_killed(self, place: Path) -> None:
        assert contents(place / "target") in (bundle(0), bundle(1))

    def check_ended(self, place: Path) -> None:
        assert contents(place / "target") == bundle(1)
        assert sorted(path.name for path in place.iterdir()) == ["cache", "store", "target"]
        assert not list((place / "cache" / "blobs").glob("*.partial"))


class AgentKills(ForkedKills):
    """A device takes the version that its alias was moved to."""

    name, trials = "kills-agent", 75
    start = "spawn"
    _expected = ""

    def prepare(self, seeds: Path) -> None:
        fork(lambda: self._prepare(seeds))  # a process that has run LiteRT is better not forked

    def _prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_bundles

        write_bundles(seeds, (8, 8, 3))
        _publish(seeds / "store", seeds / "bundle")
        shutil.copytree(seeds / "store", seeds / "device" / "store")
        self.act(seeds / "device")
        with (seeds / "bundle" / "labels.txt").open("a") as labels:
            labels.write("another\n")
        _publish(seeds / "store", seeds / "bundle")

    def set_up(self, seeds: Path, place: Path) -> None:
        for name in ("cache", "state"):
            shutil.copytree(seeds / "device" / name, place / name)
        shutil.copytree(seeds / "store", place / "store")

    def act(self, place: Path, *, is_cut_off: bool = False) -> None:
        store = place / ("no-store" if is_cut_off else "store")
        cache = place / ("no-cache" if is_cut_off else "cache")
        with start_device(place, store=store, cache=cache) as device:
            assert device.service.release is not None, "nothing serves"

    def check_killed(self, place: Path) -> None:
        shutil.copytree(place / "state", place / "out" / "state")
        fork(lambda: self.act(place / "out", is_cut_off=True))

    def check_ended(self, place: Path) -> None:
        kept = [place / "state" / name for name in ("state.json", "releases")]
        found = digest(*kept, place / "cache" / "bundles")
        self._expected = self._expected or found
        assert found == self._expected, "the device keeps something else"


def start_device(place: Path, *, store: Path, cache: Path | None = None) -> Device:
    """Make a device that follows an alias; its state and, by default, its cache are in a folder."""
    settings = DeviceSettings(
        reference=Reference("digits", "staging"),
        state=place / "state",
        cache=cache or place / "cache",
        device="d",
        port=0,
        interval=3600.0,
        telemetry_interval=3600.0,
    )
    return Device(open_anew(str(store)), settings)


def _publish(store: Path, folder: Path) -> None:
    objects = open_anew(str(store))
    found = publish(objects, folder, name="digits").found
    AliasMover(objects, "digits", "staging").advance(found)


def _write(folder: Path, files: Contents) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
