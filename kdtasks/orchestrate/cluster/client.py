"""The way to a Dask scheduler, and what its workers must have in common with this machine."""

import logging
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.errors import SweepError, shortened
from kdtasks.core.installed import package_line
from kdtasks.core.processor import read_processor
from kdtasks.orchestrate.processes import usable_cores
from kdtasks.orchestrate.sweep.plan import sweep_folder

if TYPE_CHECKING:
    from distributed import Client

SYNTAX = "expected local:3 for three workers on this machine, or a scheduler's tcp://host:8786"
DEATHS = 10  # of workers at one point, before it is the point's fault; only where we may say so
PATIENCE_SECONDS = 10
_RESULTS_DEPEND_ON = ("numpy", "tensorflow", "tf-keras")


class WorkerFacts(NamedTuple):
    """What a worker says of itself."""

    versions: str
    processor: str
    host: str
    cores: int  # of the host

    def share(self, neighbours: Mapping[str, int]) -> int:
        """Cores that the worker has to itself, where hosts have so many workers."""
        return max(1, self.cores // neighbours.get(self.host, 1))


def worker_facts() -> WorkerFacts:
    """What this machine has of what results depend on."""
    versions = [package_line().strip()]
    for name in _RESULTS_DEPEND_ON:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    return WorkerFacts(
        ", ".join(versions), read_processor().kind, socket.gethostname(), usable_cores()
    )


@contextmanager
def cluster_client(project: Path, address: str) -> Iterator["Client"]:
    """Connect to a scheduler, or start one with workers on this machine until the block ends.

    Args:
        address: as of `--cluster`.

    Raises:
        SweepError: it is no address, Dask is not installed, or the scheduler does not answer.
    """
    kind, _, rest = address.partition(":")
    number = int(rest) if kind == "local" and rest.isdecimal() else 0
    if not number and not address.startswith(("tcp://", "tls://")):
        raise SweepError(f"--cluster {address}: {SYNTAX}")
    try:
        import dask
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise SweepError(
            f"--cluster needs Dask, and module {error.name} is missing: "
            "pip install 'kdtasks[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if number:
        with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}), _deaf_children():
            cluster = LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                silence_logs=logging.ERROR,
                memory_limit=0,  # it counts the worker's own process, not what that starts
                dashboard_address="127.0.0.1:0",  # None takes 8787, and complains of another
                local_directory=str(sweep_folder(project) / "workers"),
            )
        with cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(address, timeout=PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"no scheduler answers at {address} within {PATIENCE_SECONDS} s "
            f"({shortened(str(error))}); start one with `dask scheduler`, or correct the address"
        ) from None
    with client:
        yield client


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that begin in the block ignore Ctrl-C, which terminals send to all of them."""
    if threading.current_thread() is not threading.main_thread():  # only there handlers can be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_workers(client: "Client") -> dict[str, WorkerFacts]:
    """What every worker says of itself, by address.

    Raises:
        SweepError: there is none, or one has other versions than this machine.
    """
    workers = client.run(worker_facts, on_error="return")
    if not workers:
        scheduler = client.scheduler_info()["address"]
        raise SweepError(
            f"the scheduler at {scheduler} has no workers; start some with "
            f"`dask worker {scheduler} --nthreads 1` in kdtasks' environment"
        )
    for address, facts in workers.items():
        if not isinstance(facts, WorkerFacts):
            raise SweepError(
                f"worker {address} cannot run kdtasks ({shortened(str(facts))}); install "
                f"{worker_facts().versions} there"
            )
        check_versions(address, facts.versions, worker_facts().versions)
    return workers


def check_versions(address: str, there: str, here: str) -> None:
    """Raise SweepError unless a worker has what the machine has that began it all."""
    if there != here:
        raise SweepError(
            f"worker {address} has {there}, and this was begun with {here}; results depend on "
            "them, so install the same there"
        )
