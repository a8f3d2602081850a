"""Servers that take conditional writes in their own ways, and servers that do not at all."""

import hashlib
import threading
from typing import Any

import pytest

from kdtasks.core.errors import StoreConflictError, StoreError
from kdtasks.deploy.store.bucket_client import find_if_match
from kdtasks.deploy.store.objects import StoredRecord


class Server:
    """Objects, and conditions as this server understands them."""

    def __init__(self, **ways: bool) -> None:
        self.ways = ways
        self.data: dict[str, bytes] = {}
        self.loses_answers = 0
        self.lock = threading.RLock()

    def tag(self, key: str) -> str:
        return hashlib.md5(self.data[key]).hexdigest()

    def put(self, key: str, data: bytes, **condition: str) -> str:
        with self.lock:
            self.check(key, data, **condition)
            self.data[key] = data
            return self.tag(key)

    def check(self, key: str, data: bytes, **condition: str) -> None:
        is_new = key not in self.data
        if not self.ways.get("ignores_none_match") and "IfNoneMatch" in condition and not is_new:
            raise StoreConflictError(key)
        if not self.ways.get("ignores_match") and "IfMatch" in condition:
            tag = self.tag(key)
            expected = tag if self.ways.get("bare") else f'"{tag}"'
            if self.ways.get("both") and condition["IfMatch"].strip('"') == tag:
                expected = condition["IfMatch"]
            if condition["IfMatch"] != expected:
                raise StoreConflictError(key)
            if self.loses_answers:
                self.loses_answers -= 1
                self.data[key] = data + b"%d" % self.loses_answers
                raise StoreConflictError(key)

    def read(self, key: str) -> StoredRecord:
        return StoredRecord(self.data[key], self.tag(key))

    def delete(self, key: str) -> None:
        del self.data[key]

    def ask(self) -> str:
        return find_if_match(put=self.put, read=self.read, delete=self.delete, endpoint="server")


@pytest.mark.parametrize(
    ("ways", "form"),
    [({}, '"{tag}"'), ({"bare": True}, "{tag}"), ({"both": True}, '"{tag}"')],
)
def test_the_form_of_a_tag_is_found(ways: dict[str, bool], form: str):
    server = Server(**ways)
    assert server.ask() == form
    assert server.data == {}


@pytest.mark.parametrize("bare", [False, True])
def test_lost_answers_do_not_confuse(bare: bool):
    """The write was done, and the same request, sent again, is refused."""
    server = Server(bare=bare)
    server.loses_answers = 2
    assert server.ask() == ("{tag}" if bare else '"{tag}"')


def test_a_lost_answer_to_the_first_write_does_not_confuse():
    class Losing(Server):
        def put(self, key: str, data: bytes, **condition: str) -> str:
            if data == b"1":
                super().put(key, data, **condition)
            return super().put(key, data, **condition)

    assert Losing().ask() == '"{tag}"'


@pytest.mark.parametrize("way", ["ignores_none_match", "ignores_match"])
def test_a_server_that_overwrites_is_refused(way: str):
    server = Server(**{way: True})
    with pytest.raises(StoreError, match="server ignores conditional writes, so that two"):
        server.ask()
    assert server.data == {}


def test_a_server_that_refuses_every_tag_is_refused():
    class Strange(Server):
        def put(self, key: str, data: bytes, **condition: Any) -> str:
            if "IfMatch" in condition:
                raise StoreConflictError(key)
            return super().put(key, data, **condition)

    with pytest.raises(StoreError, match="use a server that does"):
        Strange().ask()
