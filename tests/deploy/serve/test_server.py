"""The server on real sockets: answers, refusals, a hundred requests at once, an orderly end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from kdtasks.core.errors import BundleError, ServingError
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import load_release
from tests.tools.http_requests import get, metrics, receive_all
from tests.tools.light_bundles import BRIGHT, DARK, MIDDLE, png_of, write_light_bundle


def test_an_answer_says_all_that_is_known(serve, post):
    running = serve()
    answer = post(running.url, DARK).json()
    assert answer.pop("milliseconds") > 0
    assert answer["confidence"] > 0.99
    best, other = answer.pop("probabilities")
    assert (best["label"], other["label"]) == ("dark", "bright")
    assert best["probability"] == answer.pop("confidence")
    assert best["probability"] + other["probability"] == pytest.approx(1)
    manifest = running.release.manifest
    assert answer == {
        "label": "dark",
        "class_index": 0,
        "exit_index": 0,
        "exits": 2,
        "model": {
            "name": "light",
            "variant": "float32",
            "version": None,
            "sha256": manifest.sha256,
        },
    }
    assert post(running.url, BRIGHT).json()["label"] == "bright"
    assert post(running.url, MIDDLE).json()["exit_index"] == 1


def test_a_form_is_answered_like_a_body(serve):
    running = serve()
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"{running.url}/predict", files={"image": ("a.png", BRIGHT)})
    assert answer.json()["label"] == "bright"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the body is empty"),
        (b"hello", 415, "are no image"),
        (BRIGHT[:45], 422, "damaged or cut short"),
        (b"x" * 100_001, 413, "has 100,001 bytes, at most 100,000 are read"),
        (png_of(0, (8_000, 8_000)), 413, "more than 50,000,000 pixels"),
    ],
    ids=["empty", "text", "damaged", "large", "bomb"],
)
def test_refusals(serve, post, body: bytes, status: int, message: str):
    running = serve()
    answer = post(running.url, body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert message in answer.json()["error"]
    assert post(running.url, DARK).status_code == 200
    counted = metrics(running.url)
    assert counted[f'kdtasks_requests_total{{status="{status}"}}'] == 1
    assert counted['kdtasks_requests_total{status="200"}'] == 1


def test_an_answer_does_not_wait_for_acknowledgements():
    server = Server(Starlette(), host="127.0.0.1", port=0)
    with socket.create_connection(("127.0.0.1", server.port)):
        accepted, _ = server._socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    server.stop()


def test_no_answer_repeats_the_host_that_a_client_gave(serve):
    running = serve()
    with httpx.Client(trust_env=False, timeout=60) as client:
        for path in ("/predict/", "/health/", "//"):
            answer = client.get(running.url + path, headers={"host": "evil.example"})
            assert answer.status_code == 404
            assert "evil" not in f"{answer.headers} {answer.text}"


def test_a_bug_is_no_traceback(serve, post, monkeypatch, caplog):
    running = serve()
    monkeypatch.setattr("kdtasks.deploy.serve.service.decode_image", lambda *_: 1 / 0)
    answer = post(running.url, DARK)
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "the server failed; its log says how"},
    )
    assert "ZeroDivisionError" in caplog.text


def test_unknown_paths_and_methods_are_json(serve):
    running = serve()
    for path in ("/nothing", "/predict"):
        answer = get(running.url + path)
        assert answer.status_code == (404 if path == "/nothing" else 405)
        assert "there are POST /predict, GET /health" in answer.json()["error"]


def test_health_metrics_and_page(serve, post):
    running = serve()
    health = get(f"{running.url}/health")
    assert health.status_code == 200
    assert health.json()["status"] == "ok"
    assert health.json()["exits"] == 2
    for body in (DARK, MIDDLE, MIDDLE):
        post(running.url, body)
    counted = metrics(running.url)
    assert counted['kdtasks_exits_total{exit="1"}'] == 1
    assert counted['kdtasks_exits_total{exit="2"}'] == 2
    assert counted["kdtasks_request_seconds_count"] == 3
    assert counted['kdtasks_predict_seconds_bucket{le="+Inf"}'] == 3
    assert sum(name.startswith("kdtasks_model_info{") for name in counted) == 1
    page = get(f"{running.url}/")
    assert "Drop images here" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    # self-contained: nothing but the server itself is named
    assert "http" not in page.text.replace("http-equiv", "")
    assert "src=" not in page.text


def test_a_hundred_requests_at_once_lose_none(serve, post):
    """Both interpreters are held until the server has all hundred."""
    running = serve()
    with ThreadPoolExecutor(100) as clients, ExitStack() as held:
        for _ in range(2):
            held.enter_context(running.release.borrow())
        bodies = [DARK, BRIGHT] * 50
        answers = [clients.submit(post, running.url, body) for body in bodies]
        while metrics(running.url)["kdtasks_requests_open"] < 100:
            assert not any(answer.done() for answer in answers)
            time.sleep(0.02)
        held.close()
        found = [answer.result() for answer in answers]
    assert {answer.status_code for answer in found} == {200}
    assert [answer.json()["label"] for answer in found] == ["dark", "bright"] * 50


def test_a_release_that_fails_its_self_test_does_not_load(light_model: bytes, tmp_path: Path):
    bundle = write_light_bundle(tmp_path / "wrong", light_model, error=1.0)
    with pytest.raises(BundleError, match="the self-test fails at image 0, exit 0"):
        load_release(bundle, threads=1)


def test_a_taken_port_is_named(serve):
    running = serve()
    with pytest.raises(ServingError, match=f"port {running.port} of 127.0.0.1 cannot be had"):
        Server(None, host="127.0.0.1", port=running.port)  # type: ignore[arg-type]


def test_sigterm_lets_open_requests_finish(bundle: Path):
    command = [sys.executable, "-m", "kdtasks", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if " answers at http://" in line)
        port = int(line.rstrip("/\n").rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(DARK)}\r\n\r\n"
            client.sendall(head.encode() + DARK[:10])
            while metrics(f"http://127.0.0.1:{port}")["kdtasks_requests_open"] < 1:
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGTERM)
            while True:  # until it takes no more connections
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=30).close()
                except OSError:
                    break
                time.sleep(0.02)
            client.sendall(DARK[10:])
            answer = receive_all(client)
        assert process.wait(30) == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["label"] == "dark"
