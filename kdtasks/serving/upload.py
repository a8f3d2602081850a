"""Read the picture that a request carries, and no more bytes than allowed."""

import asyncio
import contextlib
from collections.abc import Callable
from email.message import Message
from typing import TYPE_CHECKING

from kdtasks.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

PATIENCE = 30.0  # seconds for a body to arrive
_LINGER = 1.0  # seconds for a client that has begun to send to finish, so that it hears the answer


async def read_picture_bytes(
    request: "Request", most_bytes: int, admit: Callable[[int], None]
) -> bytes:
    """Give the body, or the first file of a multipart form.

    Arguments:
        most_bytes: that the body may have.
        admit: called with the size of every piece that arrives; raises Refusal where there is no
            room for it.

    Raises:
        Refusal: 400 the form holds no file, 408 the body does not arrive, 413 it is too large;
            then not all of it is read.
        ClientDisconnect: the client has gone.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _read(request, most_bytes, admit)
    except TimeoutError:
        raise Refusal(
            408, f"the body did not arrive within {PATIENCE:.0f} seconds; send it again"
        ) from None
    kind = request.headers.get("content-type", "")
    return first_file(body, kind) if kind.lower().startswith("multipart/") else body


async def _read(request: "Request", most_bytes: int, admit: Callable[[int], None]) -> bytes:
    told = request.headers.get("content-length", "")
    is_too_large = told.isdigit() and int(told) > most_bytes
    body = bytearray()
    if not is_too_large:
        async for chunk in request.stream():
            admit(len(chunk))
            body += chunk
            if len(body) > most_bytes:
                is_too_large = True
                break
    if is_too_large:
        if "expect" not in request.headers:  # such a client sends nothing before it is asked to
            await _linger(request, most_bytes)
        size = f"{int(told):,}" if told.isdigit() else f"more than {most_bytes:,}"
        raise Refusal(
            413,
            f"the body has {size} bytes, at most {most_bytes:,} are read; send a smaller picture, "
            "or start the server with a larger --max-mb",
        )
    return bytes(body)


async def _linger(request: "Request", most_bytes: int) -> None:
    """Drop what is on its way: a connection closed on unread bytes is reset before the answer."""
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            async for chunk in request.stream():
                dropped += len(chunk)
                if dropped > most_bytes:
                    return


def first_file(body: bytes, content_type: str) -> bytes:
    """Give the content of the first file in a multipart form (RFC 7578).

    Raises:
        Refusal: 400, there is none.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise Refusal(400, "the form's Content-Type names no boundary; send it as clients do")
    # the first part stands after a preamble, the last one before `--` and an epilogue
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))[1:]:
        head, found, content = part.partition(b"\r\n\r\n")
        disposition = head.lower()
        if found and b"content-disposition" in disposition and b"filename" in disposition:
            return content
    raise Refusal(400, "the form holds no file; add the picture as a file, under any name")
