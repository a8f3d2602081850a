"""Find out how a server takes conditional writes; without them two publishers overwrite each other.

AWS wants a tag in If-Match in quotes, as it gives it out; Ceph 16 compares it without them; some
servers ignore the header. So it is tried, on objects of no meaning.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

from kdtasks.errors import StoreConflictError, StoreError
from kdtasks.store.background import in_background
from kdtasks.store.layout import PROBES
from kdtasks.store.objects import Record

_FORMS: tuple[Callable[[str], str], ...] = (lambda tag: f'"{tag}"', lambda tag: tag)
_NO_TAG = '"00000000000000000000000000000000"'


class Conditions(NamedTuple):
    """How a server writes."""

    if_match: Callable[[str], str]  # a tag as its If-Match wants it
    tags_are_md5: bool  # not where a bucket encrypts with keys of its own


def new_probe() -> str:
    """Give a key that nobody else knows."""
    return f"{PROBES}{secrets.token_hex(16)}"


def find_conditions(
    *,
    put: Callable[..., str],
    read: Callable[[str], Record],
    delete: Callable[[str], None],
    endpoint: str,
) -> Conditions:
    """Try conditional writes; what does not depend on each other is tried side by side.

    Arguments:
        put: writes bytes under a key on boto3's conditions and gives the tag.
        read: gives content and tag.
        delete: removes.
        endpoint: the server's name for errors.

    Raises:
        StoreError: it writes over what it was asked not to.
    """

    def create(key: str) -> str:
        try:
            return put(key, b"1", IfNoneMatch="*")
        except StoreConflictError:  # nobody else knows the key: written, and the answer was lost
            return read(key).tag

    def is_refused(key: str, **condition: str) -> bool:
        try:
            put(key, b"2", **condition)
        except StoreConflictError:
            return True
        return False

    def refuses() -> bool:
        key = new_probe()
        create(key)
        other = in_background(lambda: is_refused(key, IfMatch=_NO_TAG))
        answers = (is_refused(key, IfNoneMatch="*"), other())
        delete(key)
        return all(answers)

    def find_form() -> tuple[Callable[[str], str] | None, bool]:
        key = new_probe()
        tag = create(key)
        tags_are_md5 = tag == hashlib.md5(b"1", usedforsecurity=False).hexdigest()
        while True:
            form = next((form for form in _FORMS if not is_refused(key, IfMatch=form(tag))), None)
            last, tag = tag, tag if form else read(key).tag
            if form or tag == last:
                break  # otherwise it had been written, and the answer was lost
        delete(key)
        return form, tags_are_md5

    refusing = in_background(refuses)
    form, tags_are_md5 = find_form()
    if not refusing() or form is None:
        raise StoreError(
            f"{endpoint} does not heed conditional writes, so that two publishers could overwrite "
            "each other; use a server that does, such as AWS or Ceph"
        )
    return Conditions(form, tags_are_md5)
