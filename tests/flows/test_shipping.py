"""Nights of a project with a store and a remote: good ones, bad ones, and the night after."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.refresh import refresh
from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.records import read_alias
from kdtasks.deploy.store.signing import load_public_keys, write_new_keys
from kdtasks.orchestrate.project.project import one_run_at_a_time
from tests.flows.shop import BETTER, MAKE, ROOT, Shop, copy_shop, open_shop
from tests.flows.test_pipeline import artifacts_of
from tests.tools.records import write_selection

pytestmark = pytest.mark.usefixtures("warm_commands")


@pytest.fixture(scope="module")
def closed_shop(
    tmp_path_factory: pytest.TempPathFactory, pixel_models: tuple[bytes, bytes]
) -> Shop:
    """Version 1 in production; the pipeline has run and its better model waits for the gate."""
    shop = open_shop(tmp_path_factory.mktemp("shop") / "project", pixel_models)
    shop.put_in_production(1)
    shop.dvc("repro")
    return shop


@pytest.fixture
def shop(closed_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The project of this test's own; also the current folder."""
    for name in [name for name in os.environ if name.startswith("KDTASKS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    copied = copy_shop(closed_shop, tmp_path / "project")
    monkeypatch.chdir(copied.project)
    return copied


def night(**options: Any) -> Any:
    return refresh(return_state=True, **options)


@pytest.mark.slow
def test_nights(shop: Shop, prefect_server: str, task_states: Callable[..., Any], tmp_path: Path):
    remote = tmp_path / "remote"
    shop.dvc("remote", "add", "--default", "here", str(remote))

    accepted = night()
    assert accepted.is_completed(), accepted.message
    run = accepted.state_details.flow_run_id
    states = {name: state.name for name, state in task_states(run, 5).items()}
    assert states == {
        "make": "Cached",
        "gate": "Accepted",
        "push": "Completed",
        "publish": "Completed",
        "promote": "Completed",
    }
    assert accepted.message.startswith("1 stages: 1 cached; accuracy differs by +6.7")
    assert "\u00a0" not in accepted.message
    assert "; published pixels version 2 (3 files" in accepted.message
    assert accepted.message.endswith("pixels@production is moved from version 1 to 2")
    shown = artifacts_of(run)["project-gate"].data
    assert shown.startswith(
        "## pixels@production, version 1: the new model may be promoted\n\n|  | new: variant"
    )
    assert (shop.production(), shop.versions()) == (2, [1, 2])
    assert list(remote.glob("files/md5/*/*"))
    assert list(remote.glob("runs/*/*/*"))

    unchanged = night()
    assert unchanged.message == (
        "1 stages: 1 cached; the new model is version 2, which is in production, byte for byte"
    )
    assert artifacts_of(unchanged.state_details.flow_run_id)["project-gate"].data == (
        "## pixels@production, version 2: nothing to do\n\n- holds: the new model is version 2, "
        "which is in production, byte for byte"
    )
    before = shop.record()
    shop.bring(((280, True, True), (20, True, False)), model=1)
    pushed = len(list(remote.glob("files/md5/*/*")))
    rejected = night()
    assert rejected.is_completed()
    assert "accuracy differs by −6.7" in rejected.message
    states = task_states(rejected.state_details.flow_run_id, 3)
    assert {name: state.name for name, state in states.items()} == {
        "make": "Completed",
        "gate": "Rejected",
        "push": "Completed",
    }
    assert (
        "| test accuracy | 93.3"
        in artifacts_of(rejected.state_details.flow_run_id)["project-gate"].data
    )
    assert (shop.record(), shop.versions()) == (before, [1, 2])
    # what was rejected is kept where results are kept
    assert len(list(remote.glob("files/md5/*/*"))) > pushed


def test_the_first_night_of_all(shop: Shop, prefect_server: str):
    shutil.rmtree(shop.project / "store")
    first = night(push=False)
    assert "there is no model in production yet, so only absolute limits count" in first.message
    assert first.message.endswith("pixels@production is set to version 1")
    assert shop.production() == 1


def test_no_variant_within_the_limits_keeps_production(shop: Shop, prefect_server: str):
    write_selection(shop.project / "workshop", None, "All are too large.")
    before = shop.record()
    kept = night()
    assert kept.message == "1 stages: 1 completed; All are too large."
    assert (shop.record(), shop.versions()) == (before, [1])


def test_who_moved_production_meanwhile_keeps_it(
    shop: Shop, prefect_server: str, monkeypatch: pytest.MonkeyPatch
):
    from flows.shipping import Shipment

    publish = Shipment.publish

    def publish_while_somebody_moves(self: Shipment) -> Any:
        state = publish(self)
        AliasMover(shop.objects, "pixels", "production").promote(2)
        AliasMover(shop.objects, "pixels", "production").promote(1)
        return state

    monkeypatch.setattr(Shipment, "publish", publish_while_somebody_moves)
    kept = night()
    assert kept.is_completed()
    assert kept.message.endswith(
        "pixels@production was moved to version 1 by somebody else meanwhile and stays there; "
        "`kdtasks promote pixels 2 --alias production` moves it to version 2 if you still want to"
    )
    assert shop.production() == 1


def test_signed_production_needs_the_key(
    shop: Shop, prefect_server: str, monkeypatch: pytest.MonkeyPatch
):
    write_new_keys(shop.project / "key.pem")
    monkeypatch.setenv("KDTASKS_SIGNING_KEY", str(shop.project / "key.pem"))
    assert night().message.endswith("moved from version 1 to 2")
    public = load_public_keys(str(shop.project / "key.pub.pem"))
    assert read_alias(shop.objects, "pixels", "production", trusted=public).alias.version == 2

    monkeypatch.delenv("KDTASKS_SIGNING_KEY")
    before = shop.record()
    shop.bring(BETTER, model=1)
    refused = night()
    assert refused.is_failed()
    assert refused.message.startswith("pixels@production is signed, and devices may refuse it")
    assert (shop.record(), shop.versions()) == (before, [1, 2])


def test_keys_that_do_not_belong_together_keep_production(
    shop: Shop, prefect_server: str, monkeypatch: pytest.MonkeyPatch
):
    """Devices that trust the same public key could not pull what would be promoted."""
    for name in ("old", "new"):
        write_new_keys(shop.project / f"{name}.pem")
    monkeypatch.setenv("KDTASKS_SIGNING_KEY", str(shop.project / "old.pem"))
    assert night().is_completed()
    monkeypatch.setenv("KDTASKS_PUBLIC_KEY", str(shop.project / "old.pub.pem"))
    monkeypatch.setenv("KDTASKS_SIGNING_KEY", str(shop.project / "new.pem"))
    before = shop.record()
    shop.bring(BETTER, model=1)
    for key, words in (("new.pem", "would be signed with the key "), ("", "would be unsigned, ")):
        monkeypatch.setenv("KDTASKS_SIGNING_KEY", str(shop.project / key) if key else "")
        refused = night()
        assert refused.is_failed()
        assert words in refused.message
        assert "set KDTASKS_SIGNING_KEY to the private key of one of them" in refused.message
    assert (shop.record(), shop.versions()) == (before, [1, 2])


def test_nothing_else_may_run_meanwhile(shop: Shop, prefect_server: str):
    before = shop.record()
    with one_run_at_a_time(shop.project):
        refused = night()
    assert refused.is_failed()
    assert "is running in" in refused.message
    assert shop.record() == before


# ends a refresh as `kill -9` does, at the call of a function
KILLED = """
import importlib, os, signal, sys
module, _, name = sys.argv.pop(1).rpartition('.')
def kill(*words, **options): os.kill(os.getpid(), signal.SIGKILL)
setattr(importlib.import_module(module), name, kill)
from flows.refresh import refresh
from flows.supervision import command_line
from tests.tools.records import write_selection
command_line(refresh)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "published", "promoted"),
    [
        ("flows.refresh.find_remote", False, False),
        ("kdtasks.deploy.store.publish.create_version", False, False),
        ("kdtasks.deploy.store.promotion.write_alias", True, False),
        ("flows.shipping.moved_line", True, True),
    ],
)
def test_a_night_that_is_killed_leaves_production_and_the_next_one_works(
    shop: Shop,
    prefect_server: str,
    newest_run: Callable[[], Any],
    eventually: Callable[..., Any],
    function: str,
    published: bool,
    promoted: bool,
):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = shop.record()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, function], cwd=shop.project, env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert shop.versions() == ([1, 2] if published else [1])
    assert shop.production() == (2 if promoted else 1)
    assert (shop.record() == before) is not promoted
    crashed = eventually(lambda: (run := newest_run()).state.is_final() and run)
    assert (crashed.state.name, crashed.state.message) == ("Crashed", "its process was killed")

    good = night()
    assert good.is_completed(), good.message
    assert (shop.production(), shop.versions()) == (2, [1, 2])
    assert not list((shop.project / "store").rglob("*.partial*"))


def spoil_pipeline(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    (shop.project / "make.py").write_text("raise SystemExit('out of paper')", encoding="utf-8")
    return "stage make ended with status 1; its last lines:\nout of paper"


def spoil_gate(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    for path in (shop.project / "store" / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    return " is damaged"


def spoil_store(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("KDTASKS_STORE", str(shop.project / "not-mounted" / "store"))
    return "to create the store store in; mount it or create it first"


def spoil_push(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    (shop.project / "file").touch()
    shop.dvc("remote", "add", "--default", "--force", "here", str(shop.project / "file" / "below"))
    patch.setattr("flows.shipping.publish", None)  # it must not come to that
    return "dvc push ended with status "


def spoil_publish(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk of the store is full")

    patch.setattr("kdtasks.deploy.store.publish.create_version", fail)
    return "the disk of the store is full"


def spoil_promote(shop: Shop, patch: pytest.MonkeyPatch) -> str:
    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk of the store is full")

    patch.setattr("kdtasks.deploy.store.promotion.write_alias", fail)
    return "the disk of the store is full"


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil", [spoil_pipeline, spoil_gate, spoil_store, spoil_push, spoil_publish, spoil_promote]
)
def test_a_bad_night_leaves_production_and_the_next_one_works(
    shop: Shop,
    prefect_server: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    spoil: Callable[[Shop, pytest.MonkeyPatch], str],
):
    before = shop.record()
    blobs = shop.project / "store" / "blobs"
    shutil.copytree(blobs, tmp_path / "blobs")
    with monkeypatch.context() as patch:
        words = spoil(shop, patch)
        bad = night()
        assert bad.is_failed(), bad.message
        assert words in bad.message
    assert shop.record() == before

    # what was wrong is mended
    (shop.project / "make.py").write_text(MAKE, encoding="utf-8")
    (shop.project / "file").unlink(missing_ok=True)
    shutil.copytree(tmp_path / "blobs", blobs, dirs_exist_ok=True)
    good = night()
    assert good.is_completed(), good.message
    assert good.message.endswith("pixels@production is moved from version 1 to 2")
    assert (shop.production(), shop.versions()) == (2, [1, 2])
