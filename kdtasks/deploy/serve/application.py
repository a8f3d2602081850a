"""The paths of the server: /predict, /health, /metrics, and a page to try it on."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kdtasks.core import JsonObject
from kdtasks.core.memory import give_back_all
from kdtasks.deploy.serve.prometheus import MEDIA_TYPE, Prometheus
from kdtasks.deploy.serve.service import RequestError, Service

# What `?mask=` may be: the answer is the mask itself, or has it beside the counts.
MASKS = ("png", "base64")

MOST_OPEN = 256  # requests running or waiting; more are told to come again
MOST_HELD = 256_000_000  # bytes of their bodies
_MUCH = 32_000_000  # of them; after so many the memory of a crowd is given back
_GONE = 499  # what is counted for a client that did not wait; nobody receives it

_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'"
)

_log = logging.getLogger(__name__)
logging.getLogger("python_multipart").setLevel(logging.ERROR)  # the client is told what is broken
PATIENCE = 30.0  # seconds for a body to arrive
_LINGER = (
    1.0  # seconds without a byte; else a client may finish sending, so that it hears the answer
)


def make_application(
    service: Service,
    *,
    max_bytes: int,
    max_open: int = MOST_OPEN,
    max_held: int = MOST_HELD,
    prometheus: Prometheus | None = None,
    notes: Callable[[], JsonObject] = dict,
) -> Starlette:
    """Make the application.

    Args:
        max_bytes: that a body may have.
        max_open, max_held: requests for an answer that are held at once, and bytes of their
            bodies; what is beyond is told to come again.
        notes: what `/health` says besides.
    """
    counts = prometheus or Prometheus(service)
    open_requests = held = most = 0  # changed in the event loop's thread only

    async def predict(request: Request) -> Response:
        nonlocal open_requests, held, most
        began, own = time.perf_counter(), 0

        def admit(size: int) -> None:
            nonlocal held, own
            if held + size > max_held:
                raise RequestError(503, f"{max_held:,} bytes are held already; try again later")
            held, own = held + size, own + size

        open_requests += 1
        try:
            if open_requests > max_open:
                await _linger(request, max_bytes)
                raise RequestError(503, f"{max_open} requests are open already; try again later")
            mask_format = request.query_params.get("mask")
            if mask_format is not None and mask_format not in MASKS:
                raise RequestError(
                    400, f"mask is {mask_format!r}; {' or '.join(MASKS)} was expected"
                )
            data = await read_image_bytes(request, max_bytes, admit)
            submitted = service.submit(data, with_mask=mask_format is not None)
            answer = await asyncio.wrap_future(submitted)
            if mask_format == "png":
                response = Response(answer.mask, media_type="image/png")
            else:
                response = JSONResponse(answer.to_json())
        except RequestError as error:
            headers = {"retry-after": "1"} if error.status == 503 else {}
            if error.status in (408, 413, 503):  # the rest of the body is not read
                headers["connection"] = "close"
            response = JSONResponse({"error": str(error)}, error.status, headers)
        except ClientDisconnect:
            response = JSONResponse({"error": "the client has gone"}, _GONE)
        except Exception:  # a bug: the client gets no traceback, the log does
            _log.exception("a request failed")
            response = JSONResponse({"error": "the server failed; its log says how"}, 500)
        finally:
            open_requests, held, most = open_requests - 1, held - own, max(most, held)
            if most > _MUCH and not open_requests:
                most = 0
                give_back_all()
        counts.count_request(response.status_code, time.perf_counter() - began)
        return response

    async def health(request: Request) -> Response:
        release = service.release
        content: JsonObject = {
            "status": "ok" if release else "waiting for a model",
            "model": release.describe() if release else None,
            "exits": release.manifest.segments if release else None,
            "per_pixel": release.per_pixel if release else None,
            "max_bytes": max_bytes,
            **notes(),
        }
        return JSONResponse(content, 200 if release else 503)

    async def metrics(request: Request) -> Response:
        return Response(counts.render(open_requests), headers={"content-type": MEDIA_TYPE})

    async def page(request: Request) -> Response:
        text = files("kdtasks.deploy.serve").joinpath("page.html").read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY})

    application = Starlette(
        routes=[
            Route("/predict", predict, methods=["POST"]),
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/", page),
        ],
        exception_handlers={HTTPException: _explain},
    )
    application.router.redirect_slashes = False  # a redirect would name the host that a client gave
    return application


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}; there are POST /predict, "
    message += "GET /health, GET /metrics and GET /"
    return JSONResponse({"error": message}, error.status_code, error.headers)


async def read_image_bytes(request: Request, max_bytes: int, admit: Callable[[int], None]) -> bytes:
    """Give the body, or the first file of a multipart form.

    Args:
        max_bytes: that the body may have.
        admit: called with the size of every piece that arrives, and with less than 0 for those
            that are dropped; raises RequestError where there is no room for it.

    Raises:
        RequestError: 400 the form holds no file, 408 the body does not arrive, 413 it is too large;
            then not all of it is read.
        ClientDisconnect: the client has gone.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _read(request, max_bytes, admit)
    except TimeoutError:
        raise RequestError(
            408, f"the body did not arrive within {PATIENCE:.0f} seconds; send it again"
        ) from None
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        return await first_file(body, request.headers)
    return body


async def _read(request: Request, max_bytes: int, admit: Callable[[int], None]) -> bytes:
    declared = request.headers.get("content-length", "")
    body = bytearray()
    if not (declared.isdigit() and int(declared) > max_bytes):
        async for chunk in request.stream():
            try:
                admit(len(chunk))
            except RequestError:
                admit(-len(body))
                body.clear()  # the traceback holds on to it
                await _linger(request, max_bytes)
                raise
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    await _linger(request, max_bytes)
    size = f"{int(declared):,}" if declared.isdigit() else f"more than {max_bytes:,}"
    raise RequestError(
        413,
        f"the body has {size} bytes, at most {max_bytes:,} are read; send a smaller image, or "
        "start the server with a larger --max-mb",
    )


async def _linger(request: Request, max_bytes: int) -> None:
    """Drop what is on its way: a connection closed on unread bytes is reset before the answer."""
    if "expect" in request.headers:  # such a client sends nothing before it is asked to
        return
    dropped, now = 0, asyncio.get_running_loop().time
    with contextlib.suppress(TimeoutError, RuntimeError):  # Starlette's, where all has come
        async with asyncio.timeout(PATIENCE), asyncio.timeout(_LINGER) as pause:
            async for chunk in request.stream():
                dropped += len(chunk)
                pause.reschedule(now() + _LINGER)
                if dropped > max_bytes:
                    return


async def first_file(body: bytes, headers: Headers) -> bytes:
    """Give the content of the first file in a multipart form (RFC 7578).

    Raises:
        RequestError: 400, there is none.
    """

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(headers, whole(), max_part_size=len(body))
        parser.spool_max_size = 0  # in memory, where the body is
        form = await parser.parse()
    except MultiPartException as error:
        problem = error.message.rstrip(".")
        raise RequestError(400, f"the form is broken ({problem}); send it as clients do") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise RequestError(400, "the form holds no file; add the image as a file, under any name")
    try:
        return await files[0].read()
    finally:
        await form.close()
