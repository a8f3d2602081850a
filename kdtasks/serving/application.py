"""The paths of the server: /predict, /health, /metrics, and a page to try it on."""

import asyncio
import logging
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kdtasks.serving.measures import MEDIA_TYPE, Measures
from kdtasks.serving.refusal import Refusal
from kdtasks.serving.service import Service
from kdtasks.serving.upload import read_picture_bytes

MOST_OPEN = 256  # requests at work or waiting; more are told to come again
MOST_HELD = 256_000_000  # bytes of their bodies
_GONE = 499  # what is counted for a client that did not wait; nobody receives it
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src blob:; connect-src 'self'"
)

_log = logging.getLogger(__name__)


def make_application(
    service: Service,
    *,
    most_bytes: int,
    most_open: int = MOST_OPEN,
    most_held: int = MOST_HELD,
    measures: Measures | None = None,
    notes: Callable[[], dict[str, Any]] = dict,
) -> Starlette:
    """Make the application.

    Arguments:
        most_bytes: that a body may have.
        most_open, most_held: requests for an answer that are held at once, and bytes of their
            bodies; what is beyond is told to come again.
        notes: what `/health` says besides.
    """
    counts = measures or Measures(service)
    open_requests = held = 0  # changed in the event loop's thread only

    async def predict(request: Request) -> Response:
        nonlocal open_requests, held
        began, own, headers = time.perf_counter(), 0, {}

        def admit(size: int) -> None:
            nonlocal held, own
            held, own = held + size, own + size
            if held > most_held:
                raise Refusal(503, f"{most_held:,} bytes are held already; try again later")

        open_requests += 1
        try:
            if open_requests > most_open:
                raise Refusal(503, f"{most_open} requests are open already; try again later")
            data = await read_picture_bytes(request, most_bytes, admit)
            answer = await asyncio.wrap_future(service.submit(data))
            status, content = 200, answer.to_json()
        except Refusal as refusal:
            status, content = refusal.status, {"error": str(refusal)}
            if status == 503:
                headers["retry-after"] = "1"
            if status in (408, 413, 503):  # the rest of the body is not read
                headers["connection"] = "close"
        except ClientDisconnect:
            status, content = _GONE, {"error": "the client has gone"}
        except Exception:  # a bug: the client gets no traceback, the log does
            _log.exception("a request failed")
            status, content = 500, {"error": "the server failed; its log says how"}
        finally:
            open_requests -= 1
            held -= own
        counts.count_request(status, time.perf_counter() - began)
        return JSONResponse(content, status, headers)

    async def health(request: Request) -> Response:
        release = service.release
        content: dict[str, Any] = {
            "status": "ok" if release else "waiting for a model",
            "model": release.describe() if release else None,
            "exits": release.manifest.segments if release else None,
            "most_bytes": most_bytes,
            **notes(),
        }
        return JSONResponse(content, 200 if release else 503)

    async def metrics(request: Request) -> Response:
        return Response(counts.render(open_requests), headers={"content-type": MEDIA_TYPE})

    async def page(request: Request) -> Response:
        text = files("kdtasks.serving").joinpath("page.html").read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY})

    return Starlette(
        routes=[
            Route("/predict", predict, methods=["POST"]),
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/", page),
        ],
        exception_handlers={HTTPException: _explain},
    )


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}; there are POST /predict, "
    message += "GET /health, GET /metrics and GET /"
    return JSONResponse({"error": message}, error.status_code, error.headers)
