"""What stages wrote, brought from the DVC remote and taken there, one stage at a time.

`dvc pull --run-cache` brings what the remote knows of all stages that ever ran, and takes a remote
that does not answer for one that has nothing. Here a stage's own entries are asked for, and a
remote that cannot be reached is waited for.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from dvc.config import RemoteConfigError
from dvc.exceptions import CheckoutError, DvcException
from dvc.stage.cache import _can_hash, _get_cache_hash, _get_stage_hash
from dvc.stage.serialize import to_single_stage_lockfile
from fsspec.utils import stringify_path

from kdtasks.core.errors import ProjectError, StageError, shortened
from kdtasks.orchestrate.runner.graph import IsCancelled

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

WAITS_SECONDS = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)  # five minutes, between eleven attempts

# Time mends neither, nor missing credentials, which are no OSError.
_LASTING = (FileNotFoundError, PermissionError)

# What clients of stores raise for faults of the connection besides OSError, with all that derives
# from it; by name, since only the client of the remote's own kind need be installed.
_FAULTS = frozenset(
    (
        "aiohttp.client_exceptions.ClientError",
        "asyncssh.misc.ConnectionLost",
        "asyncssh.sftp.SFTPConnectionLost",
        "asyncssh.sftp.SFTPNoConnection",
        "azure.core.exceptions.ServiceRequestError",
        "azure.core.exceptions.ServiceResponseError",
        "botocore.exceptions.ConnectionError",
        "botocore.exceptions.HTTPClientError",
        "botocore.exceptions.IncompleteReadError",
        "gcsfs.retry.HttpError",
        "google.auth.exceptions.TransportError",
        "urllib3.exceptions.HTTPError",
    )
)

T = TypeVar("T")


def retry_while_unreachable(
    attempt: Callable[[], T], is_cancelled: IsCancelled = lambda: False
) -> T:
    """Do what needs the remote, again and again for some minutes while it cannot be reached.

    Raises:
        StageError: that was not long enough, or the run was stopped meanwhile.
        Exception: of `attempt`, where it is none of the network or the store, or time does not
            mend it.
    """
    for wait in (*WAITS_SECONDS, None):
        try:
            return attempt()
        except Exception as error:
            if not _may_pass(error):
                raise
            reason = shortened(f"{type(error).__name__}: {error}")
            if wait is None:
                break
            logging.getLogger(__name__).warning(
                "the DVC remote cannot be reached, next attempt in %d s (%s)", wait, reason
            )
        for _ in range(wait):
            if is_cancelled():
                raise StageError("stopped while the DVC remote could not be reached")
            time.sleep(1)
    raise StageError(
        f"the DVC remote could not be reached for {sum(WAITS_SECONDS) // 60} minutes ({reason}); "
        "what has ended is kept, so run it again once `kdtasks doctor` finds it"
    )


def _may_pass(error: Exception) -> bool:
    """Whether an error is the network's or the store's, and one that time may mend."""
    if isinstance(error, OSError):
        return not isinstance(error, _LASTING)
    return any(f"{kind.__module__}.{kind.__qualname__}" in _FAULTS for kind in type(error).__mro__)


class Remote:
    """The default remote of a repository, with its run-cache; outputs may have another."""

    def __init__(self, repo: "Repo", reason: str) -> None:
        """Find it in the settings; it need not answer.

        Args:
            reason: what needs it, for the message.

        Raises:
            ProjectError: none is configured, or it can hold no run-cache.
        """
        needed = f"{reason} needs a DVC remote that can hold a run-cache"
        try:
            # or DVC would look for a remote, and connect, anew for all that is moved
            known = cache(partial(repo.cloud.get_remote, command=reason))
            vars(repo.cloud)["get_remote"] = lambda name=None, command="": known(name)
            self._odb = repo.cloud.get_remote_odb(None, reason, hash_name="md5-dos2unix")
        except RemoteConfigError as error:
            raise ProjectError(f"{needed}: {error}") from None
        if self._odb.fs.protocol in ("http", "https"):
            raise ProjectError(f"{needed}; got {self._odb.path}, which is read by HTTP")
        self._repo = repo

    def fetch_outputs(self, stage: "Stage", needs: "Sequence[Stage]") -> bool:
        """Bring what dvc.lock says that a stage wrote, where that alone is missing.

        Returns: whether it is there now.
        """
        if stage.changed(True, needs):
            return False
        try:
            if not stage.outs_cached():
                self._repo.pull(stage.addressing)
            stage.checkout()
        except CheckoutError:
            return False
        return not stage.changed_outs()

    def fetch(self, stage: "Stage", is_cancelled: IsCancelled) -> None:
        """Bring to the cache what the run-cache there knows of a stage with these inputs."""
        if not _can_hash(stage):
            return
        cache, key = self._repo.stage_cache, _get_stage_hash(stage)

        def attempt() -> None:
            self._fetch_entries(cache._get_cache_dir(key))
            entry = cache._load(stage)
            if not entry:
                return
            outputs = self._outputs(entry, stage)
            try:
                self._move(self._repo.cloud.pull, outputs)
            except DvcException:  # a folder's listing did not come
                for remote in {out.remote for out in outputs.outs}:
                    contents = self._repo.cloud.get_remote_odb(remote)
                    _listing(contents.fs, contents.path)
            if outputs.outs_cached():
                return
            for out in outputs.outs:
                contents = self._repo.cloud.get_remote_odb(out.remote)
                try:
                    contents.fs.info(contents.oid_to_path(out.hash_info.value))
                except FileNotFoundError:
                    return  # `dvc gc` has removed it there
            raise OSError("not all of the outputs came")

        retry_while_unreachable(attempt, is_cancelled)

    def push(self, stage: "Stage", is_cancelled: IsCancelled) -> None:
        """Take a stage's outputs there, but none with `push: false`, then its run-cache entry."""
        cache = self._repo.stage_cache
        entry, path, outputs = None, "", stage
        if _can_hash(stage):
            value = _get_cache_hash(to_single_stage_lockfile(stage))
            key = _get_stage_hash(stage)
            entry, path = cache._load_cache(key, value), cache._get_cache_path(key, value)
        if entry:  # which names what is not in the cache otherwise, such as metrics in git
            outputs = self._outputs(entry, stage)

        def attempt() -> None:
            self._move(self._repo.cloud.push, outputs, push=True)
            if entry:
                self._odb.fs.put_file(path, self._there(path))

        retry_while_unreachable(attempt, is_cancelled)

    def _outputs(self, entry: dict[str, Any], stage: "Stage") -> "Stage":
        """What an entry of the run-cache names, with `remote` and `push` of each in dvc.yaml."""
        found = self._repo.stage_cache._create_stage(entry, wdir=stage.wdir)
        described = {out.fs_path: out for out in stage.outs}
        for out in found.outs:
            out.remote = described[out.fs_path].remote
            out.can_push = described[out.fs_path].can_push
        return found

    def _fetch_entries(self, folder: str) -> None:
        local = self._repo.cache.legacy
        for there in _listing(self._odb.fs, self._there(folder)):
            here = local.fs.join(folder, self._odb.fs.name(there))
            if not local.fs.exists(here):
                local.makedirs(folder)
                self._odb.fs.get_file(there, f"{here}.partial")
                local.move(f"{here}.partial", here)

    def _there(self, path: str) -> str:
        local = self._repo.cache.legacy
        parts = local.fs.as_posix(local.fs.relpath(path, local.path)).split("/")
        return str(self._odb.fs.join(self._odb.path, *parts))

    def _move(self, move: Callable[..., Any], stage: "Stage", *, push: bool = False) -> None:
        for odb, contents in stage.get_used_objs(push=push).items():
            target = odb or self._odb
            target.fs.fs.invalidate_cache()
            if failed := move(contents, odb=odb).failed:
                _listing(target.fs, target.path)  # raises the reason, where there still is one
                raise OSError(f"{target.path}: {len(failed)} of the outputs did not get through")


def _listing(fs: Any, folder: str) -> Iterable[str]:
    """Names in a folder of a remote; raises if it does not answer, unlike `exists`."""
    fs.fs.invalidate_cache()  # others push as well
    try:
        return [stringify_path(path) for path in fs.ls(folder, detail=False)]
    except FileNotFoundError:
        return []
