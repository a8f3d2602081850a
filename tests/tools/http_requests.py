"""Requests to a server on a real socket."""

import socket

import httpx


def get(url: str) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
        return client.get(url)


def metrics(url: str) -> dict[str, float]:
    lines = get(f"{url}/metrics").text.splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def receive_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
