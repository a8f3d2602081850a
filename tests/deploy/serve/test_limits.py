"""What no client can make a server hold: large bodies, stalled connections, too many requests."""

import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.tools.http_requests import metrics, receive_all
from tests.tools.light_bundles import DARK


def test_a_large_body_is_refused_before_it_arrives(serve):
    running = serve()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as client:
        client.sendall(
            b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        answer = receive_all(client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"has 999,999,999,999 bytes, at most 100,000 are read" in answer


def test_a_body_of_unknown_length_is_cut_off(serve, post):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 10_000_000:
            sent += 10_000
            yield b"x" * 10_000

    running = serve()
    try:
        answer = post(running.url, endless())
        assert answer.status_code == 413
        assert "more than 100,000 bytes" in answer.json()["error"]
    except httpx.TransportError:  # cut off while it was still sending
        pass
    assert metrics(running.url)['kdtasks_requests_total{status="413"}'] == 1
    assert sent <= 10_000_000


def test_a_client_that_goes_away_harms_nobody(serve, post):
    running = serve()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf")
    while 'kdtasks_requests_total{status="499"}' not in (counted := metrics(running.url)):
        time.sleep(0.01)
    assert counted["kdtasks_requests_open"] == 0
    assert post(running.url, DARK).status_code == 200


@pytest.mark.parametrize("is_dripping", [False, True])
def test_a_head_that_does_not_arrive_ends_its_connection(serve, post, monkeypatch, is_dripping):
    monkeypatch.setattr("kdtasks.deploy.serve.server.HEAD_SECONDS", 0.3)
    running = serve()
    with socket.create_connection(("127.0.0.1", running.port), timeout=0.05) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nA: ")
        is_open = True
        while is_open:
            try:
                if is_dripping:
                    client.sendall(b"a")
                is_open = client.recv(1) != b""
            except TimeoutError:
                continue
            except ConnectionError:
                is_open = False
    assert post(running.url, DARK).status_code == 200


def test_a_body_may_take_longer_than_a_head(serve, monkeypatch):
    monkeypatch.setattr("kdtasks.deploy.serve.server.HEAD_SECONDS", 0.2)
    running = serve()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(DARK)}\r\n"
        client.sendall(head.encode() + b"Connection: close\r\n\r\n" + DARK[:9])
        time.sleep(0.4)  # twice as long as a head may take
        client.sendall(DARK[9:])
        assert receive_all(client).startswith(b"HTTP/1.1 200")


def test_hundreds_of_stalled_connections_hold_nobody_up(serve, post):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # client and server are one process
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2048)), hard))
    running = serve()
    with ExitStack() as stalled:
        for _ in range(500):
            client = socket.create_connection(("127.0.0.1", running.port), timeout=30)
            stalled.enter_context(client).sendall(b"POST /predict HTTP/1.1\r\n")
        assert post(running.url, DARK).status_code == 200


def test_more_than_the_bound_are_told_to_come_again(serve, post):
    running = serve(max_open=3)
    with ThreadPoolExecutor(3) as clients, ExitStack() as held:
        for _ in range(2):
            held.enter_context(running.release.borrow())
        waiting = [clients.submit(post, running.url, DARK) for _ in range(3)]
        while metrics(running.url)["kdtasks_requests_open"] < 3:
            time.sleep(0.02)
        refused = post(running.url, DARK)
        held.close()
        assert {answer.result().status_code for answer in waiting} == {200}
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "3 requests are open already" in refused.json()["error"]


def test_bodies_beyond_the_room_for_them_are_told_to_come_again(serve, post):
    running = serve(max_held=2 * len(DARK))
    with ThreadPoolExecutor(2) as clients, ExitStack() as held:
        for _ in range(2):
            held.enter_context(running.release.borrow())
        waiting = [clients.submit(post, running.url, DARK) for _ in range(2)]
        while metrics(running.url)["kdtasks_requests_open"] < 2:
            time.sleep(0.02)
        # the bodies of both may be on their way still, so one that does not fit in any case
        refused = post(running.url, b"x" * (2 * len(DARK) + 1))
        held.close()
        assert {answer.result().status_code for answer in waiting} == {200}
    assert refused.status_code == 503
    assert "bytes are held already; try again later" in refused.json()["error"]
    assert post(running.url, DARK).status_code == 200


def test_a_large_body_of_no_length_is_refused_though_all_of_it_has_come(serve, post):
    refused = post(serve(max_bytes=100).url, iter([b"x" * 101]))
    assert refused.status_code == 413
    assert "more than 100 bytes" in refused.json()["error"]
