"""Memory of `kdtasks serve` under many requests at once, each about the largest that it decodes.

    nice python -m benchmarks.serve_memory [KIND ...] [--requests 200] [--threads 2]

One row a kind, of a server of its own: resident memory after one small image, the highest while the
requests are answered (Linux's own mark, set back before), and two seconds after the last answer;
what the server answered, and how long the whole took. The body of `BMP noise` is as large as a
server takes it by default; the others are of one colour and compress to little.
"""

import argparse
import http.client
import io
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image

MODEL = Path(__file__).parents[1] / "results" / "mlperf-tiny" / "int8.tflite"
SIDE = 7000
SIDES = {"WEBP": 5500, "JPEG2000": 4900}  # of which fewer pixels are the most
NOISE_SIDE = 1800  # a file of 9.7 MB
FORMS: dict[str, dict[str, object]] = {
    "PNG grey": {"mode": "L", "format": "PNG"},
    "PNG": {"mode": "RGB", "format": "PNG"},
    "PNG alpha": {"mode": "RGBA", "format": "PNG"},
    "JPEG": {"mode": "RGB", "format": "JPEG"},
    "JPEG progressive": {"mode": "RGB", "format": "JPEG", "progressive": True, "subsampling": 0},
    "GIF": {"mode": "L", "format": "GIF"},
    "WEBP": {"mode": "RGB", "format": "WEBP", "lossless": True, "method": 0},
    "TIFF": {"mode": "RGB", "format": "TIFF", "compression": "tiff_lzw"},
    "JPEG2000": {"mode": "RGB", "format": "JPEG2000"},
    "AVIF": {"mode": "RGB", "format": "AVIF", "speed": 10},
    "BMP noise": {},
}


def image_of(kind: str) -> bytes:
    """A file of a kind."""
    file = io.BytesIO()
    if kind == "BMP noise":
        pixels = np.random.default_rng(0).integers(0, 256, (NOISE_SIDE, NOISE_SIDE, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(file, "BMP")
    else:
        form = dict(FORMS[kind])
        side = SIDES.get(kind, SIDE)
        PIL.Image.new(str(form.pop("mode")), (side, side)).save(file, **form)  # type: ignore[arg-type]
    return file.getvalue()


def send(port: int, body: bytes) -> str:
    """The status of an answer, or what went wrong."""
    try:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=1800)
        client.request("POST", "/predict", body)
        return str(client.getresponse().status)
    except OSError as error:
        return type(error).__name__


def megabytes(process: int, mark: str) -> float:
    """A mark of Linux's, `VmRSS` or `VmHWM`, of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(rf"{mark}:\s+(\d+) kB", status)[0]) * 1024 / 1e6


def row(kind: str, requests: int, threads: int) -> str:
    """Measure one kind."""
    words = [sys.executable, "-m", "kdtasks", "serve", str(MODEL), "--port", "0"]
    body, small = image_of(kind), io.BytesIO()
    PIL.Image.new("RGB", (32, 32)).save(small, "PNG")
    server = subprocess.Popen(
        [*words, "--threads", str(threads)], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    try:
        port = int(re.findall(r":(\d+)/", server.stderr.readline())[0])
        assert send(port, small.getvalue()) == "200"
        before = megabytes(server.pid, "VmRSS")
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # sets VmHWM back
        begin = time.monotonic()
        with ThreadPoolExecutor(requests) as clients:
            statuses = Counter(clients.map(lambda _: send(port, body), range(requests)))
        seconds = time.monotonic() - begin
        highest = megabytes(server.pid, "VmHWM")
        time.sleep(2)
        after = megabytes(server.pid, "VmRSS")
    finally:
        server.terminate()
        server.wait()
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    return (
        f"| {kind} | {len(body) / 1e3:,.0f} kB | {requests} | {before:.0f} | {highest:.0f} "
        f"| {after:.0f} | {told} | {seconds:.0f} s |"
    )


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(FORMS)}; all by default")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2, help="of the server")
    options = parser.parse_args()
    print("| image | file | requests at once | MB before | highest | after | answers | took |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in options.kinds or FORMS:
        print(row(kind, options.requests, options.threads), flush=True)


if __name__ == "__main__":
    main()
