"""DVC's bookkeeping around a stage, taken apart so that the command runs outside DVC's lock.

`dvc repro` does for each stage: look whether it changed, remove its outputs, restore them from the
run-cache or run the command, hash and cache what came out, write dvc.lock. All but the command
happens here, in the same order, so dvc.lock and the cache end up the same; tests compare both. It
uses DVC's internals, those of 3.67, as do `dvc_files`, `lock_files` and `remote`, which serve it.
"""

import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _pull_missing_deps
from dvc.stage.serialize import to_lockfile
from dvc_data.hashfile.hash_info import HashInfo

from kdtasks.core.errors import StageError
from kdtasks.orchestrate.project.torn_lock import repair_lock
from kdtasks.orchestrate.runner.dvc_files import (
    Command,
    command_of,
    digest,
    files_of,
    find_stages,
    is_cacheable,
    readable_errors,
    stage_node,
    watched_by,
)
from kdtasks.orchestrate.runner.graph import IsCancelled, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.lock_files import MEMORY, LockFiles
from kdtasks.orchestrate.runner.reasons import reasons
from kdtasks.orchestrate.runner.remote import Remote
from kdtasks.orchestrate.runner.unchanged import UnchangedRun, settled_snapshot

if TYPE_CHECKING:
    from dvc.stage import Stage


class Repository:
    """A DVC repository in this process's current folder, for one run.

    Safe to use from several threads; one of them at a time is inside DVC.
    """

    def __init__(
        self, root: Path, *, force: bool = False, pull: bool = False, push: bool = False
    ) -> None:
        """Open the repository of the current folder.

        Args:
            force: run every command, whatever is cached.
            pull: bring what is missing, and what the run-cache there knows, from the remote.
            push: `push` will be called.
        """
        logging.getLogger("dvc").setLevel(logging.WARNING)  # the run has a reporter of its own
        self._repo = Repo(str(root))
        self._hardlink = self._repo.config["core"].get("hardlink_lock", False)
        self._force, self._pull = force, pull
        self._remote_for = "--pull" if pull else "--push" if push else ""
        self._is_cancelled: IsCancelled = lambda: False
        self._one_thread = threading.RLock()
        self._stages: dict[str, Stage] = {}
        self._needs: dict[str, list[Stage]] = {}
        self._unchanged: set[str] = set()
        self._hashes_before: dict[str, dict[str, Any]] = {}
        self._held = ExitStack()
        self._lock_files: LockFiles | None = None

    def plan(self, targets: Sequence[str] = ()) -> StageGraph:
        """The stages that `targets` (as of `dvc repro`; none for all) need, in DVC's order.

        Raises:
            ProjectError: a target does not exist, or dvc.yaml or a .dvc file is not valid.
        """
        with self._inside():
            repair_lock(Path(self._repo.tmp_dir), hardlink=self._hardlink)
            if self._remote_for:
                self._remote = Remote(self._repo, self._remote_for)
            graph = get_active_graph(self._repo.index.graph)
            targeted = find_stages(self._repo, targets or ["dvc.yaml"])
            self._stages = {stage.addressing: stage for stage in plan_repro(graph, targeted)}
            self._needs = {
                name: [self._stages[needed.addressing] for needed in graph.successors(stage)]
                for name, stage in self._stages.items()
            }
            # a frozen stage ignores what it depends on, but hashes it: it keeps DVC's place
            whole = self._repo.index.graph
            nodes: dict[str, StageNode] = {}
            for name, stage in self._stages.items():
                needs = (needed.addressing for needed in whole.successors(stage))
                nodes[name] = stage_node(stage, tuple(need for need in needs if need in nodes))
            return StageGraph(nodes)

    def start(self) -> frozenset[str]:
        """Find the stages that are unchanged, and keep others from the files of the rest.

        What those stages read and write nobody else of DVC changes until `close`.

        Raises:
            ProjectError: another process of DVC works on one of the files.
        """
        with self._inside():
            unchanged = self.survey()
            rest = [stage for name, stage in self._stages.items() if name not in unchanged]
            if rest:
                self._hold(rest)
                self.open_lock_files()
            else:  # all that a killed run began is done by now
                (Path(self._repo.tmp_dir) / MEMORY).unlink(missing_ok=True)
        return unchanged

    def survey(self) -> frozenset[str]:
        """Find the stages that need not run, with all that they depend on, under one lock."""
        with self._inside():
            for name, stage in self._stages.items() if not self._force else ():
                needs = (needed.addressing for needed in self._needs[name])
                if self._unchanged.issuperset(needs) and not stage.changed():
                    self._unchanged.add(name)
        return frozenset(self._unchanged)

    def reasons(self) -> dict[str, tuple[str, ...]]:
        """Say of every stage why it would run, after `survey`; nothing of those that would not."""
        with self._inside():
            return reasons(self._stages, self._needs, self._unchanged, force=self._force)

    def forget_hashes(self, files: Iterable[str]) -> None:
        """Have DVC read files again of which it believes to know the hash."""
        for file in files:
            self._repo.state.hashes.pop(file)

    def confirmed(self) -> UnchangedRun | None:
        """What `plan` has found, if all of it is up to date and can be remembered as that."""
        with self._inside():
            stages = self._stages.values()
            watched = watched_by(self._repo, stages)
            if watched is None:
                return None
            # before DVC looks, so that a change meanwhile is seen
            snapshot = settled_snapshot(watched)
            if len(self.survey()) < len(stages):
                return None
            nodes = [stage_node(stage, ()) for stage in stages]
            digests = {stage.addressing: digest(stage) for stage in stages}
            return UnchangedRun(watched, snapshot, tuple(nodes), digests)

    def begin(self, name: str, is_cancelled: IsCancelled = lambda: False) -> Outcome | Command:
        """Do all that comes before a stage's command.

        Returns: the command to run, `finish` to be called after it; or how the stage ended
            without one.

        Raises:
            StageError: an input is missing, or DVC cannot do its part.
        """
        stage, force = self._stages[name], self._force
        self._is_cancelled = is_cancelled
        if name in self._unchanged:
            return Outcome(StageState.CACHED, digest(stage))
        with self._inside(name), self._repo.scm_context(quiet=True):
            if is_cancelled():  # it may have waited long for its turn
                return Outcome(StageState.CANCELLED, message=f"stage {name} was stopped")
            if not stage.cmd or stage.frozen or stage.is_import:
                return self._reproduce(stage)
            if not force:
                if not stage.changed():
                    return Outcome(StageState.CACHED, digest(stage))
                if self._pull and self._remote.fetch_outputs(stage, self._needs[name]):
                    return Outcome(StageState.PULLED, digest(stage))
            # with linked caches, a command that writes through an old output would damage the cache
            stage.remove_outs(ignore_remove=False, force=False)
            if not force and (state := self._restore(stage)):
                self._record(stage)
                return Outcome(state, digest(stage))
            stage.save_deps()
            self._hashes_before[name] = {str(dep): dep.hash_info for dep in stage.deps}
            return command_of(stage)

    def finish(self, name: str, *, is_elsewhere: bool = False) -> Outcome:
        """Do all that comes after a stage's command: hash, cache and write down what it wrote.

        Args: with `is_elsewhere` another machine has run the command, and pushed what it wrote.

        Raises:
            StageError: an output is missing, or an input changed while the command ran.
        """
        stage = self._stages[name]
        with self._inside(name), self._repo.scm_context(quiet=True):
            stage.save_deps()
            before = self._hashes_before.pop(name)
            changed = sorted(str(dep) for dep in stage.deps if before[str(dep)] != dep.hash_info)
            if changed:
                raise StageError(
                    f"stage {name}: {', '.join(changed)} changed while it ran, so what it wrote "
                    "belongs to neither version and is not recorded; run it again"
                )
            state = self._restore(stage) if is_elsewhere else StageState.COMPLETED
            if state is None:
                raise StageError(f"stage {name}: a worker ran it, and the DVC remote has nothing")
            self._record(stage)
            return Outcome(state, digest(stage))

    def push(self, name: str) -> None:
        """Take what a stage that is up to date wrote to the remote; raises if that is away."""
        if self._stages[name].cmd:
            with self._one_thread, readable_errors(name):
                self._remote.push(self._stages[name], self._is_cancelled)

    def recorded_digest(self, name: str) -> str:
        """What dvc.lock says by now of a stage that another process has brought up to date."""
        stage = self._stages[name]
        with self._inside(name):
            name_in_file = getattr(stage, "name", None)  # a .dvc file has one stage, without
            return digest(self._repo.stage.load_one(stage.path_in_repo, name_in_file))

    def close(self) -> None:
        """Let others in again, with the entries of dvc.lock in the order of `dvc repro`.

        Raises:
            ProjectError: somebody has written something else into dvc.lock.
        """
        try:
            with self._held:  # given back whatever happens
                if self._lock_files:
                    with self._inside():
                        self._lock_files.close()
        finally:
            self._repo.close()

    def open_lock_files(self) -> LockFiles:
        """Remember the order of dvc.lock, for all that is written from here on."""
        stages = [
            (stage.dvcfile._lockfile.path, stage.name)
            for stage in self._stages.values()
            if isinstance(stage, PipelineStage)
        ]
        self._lock_files = LockFiles(Path(self._repo.tmp_dir), stages)
        return self._lock_files

    def _hold(self, stages: "list[Stage]") -> None:
        reads, writes = files_of(stages)
        # DVC lets a process pass that holds the lock under the same name
        own = self._repo.tmp_dir, self._repo.fs, " ".join(sys.argv)
        self._held.enter_context(rwlock(*own, reads, writes, self._hardlink))

    @contextmanager
    def _inside(self, name: str = "") -> Iterator[None]:
        """Hold DVC's lock; wait for another process that has it until the run is stopped.

        Errors are raised as `readable_errors` does, of a stage or of the whole project.
        """
        with self._one_thread, ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock_repo(self._repo))
                    break
                except LockError:
                    if self._is_cancelled():
                        raise StageError("stopped while another DVC was running") from None
            with readable_errors(name):
                yield

    def _reproduce(self, stage: "Stage") -> Outcome:
        """A stage without a command: data under DVC's care, an import, a frozen stage."""
        was_changed = stage.changed()
        needs = self._needs[stage.addressing]
        if stage.reproduce(upstream=needs, force=self._force, pull=self._pull):
            self._write(stage)
            return Outcome(StageState.COMPLETED, digest(stage))
        return Outcome(StageState.PULLED if was_changed else StageState.CACHED, digest(stage))

    def _restore(self, stage: "Stage") -> StageState | None:
        if self._pull:
            _pull_missing_deps(stage)
        for state in (StageState.RESTORED, StageState.PULLED)[: 1 + self._pull]:
            with suppress(RunCacheNotFoundError):
                if state is StageState.PULLED:
                    self._remote.fetch(stage, self._is_cancelled)
                    for out in stage.outs:  # the inputs are those of now, and DVC would take
                        out.hash_info = HashInfo()  # the outputs that dvc.lock has for theirs
                self._repo.stage_cache.restore(stage)
                return state
        return None

    def _record(self, stage: "Stage") -> None:
        stage.save(run_cache=is_cacheable(stage))
        stage.commit()
        self._write(stage)

    def _write(self, stage: "Stage") -> None:
        if not isinstance(stage, PipelineStage):
            stage.dump(update_pipeline=False)
            return
        file = stage.dvcfile._lockfile
        if (self._lock_files or self.open_lock_files()).write(file.path, to_lockfile(stage)):
            self._repo.scm_context.track_file(file.relpath)
