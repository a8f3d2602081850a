"""Deal groups out to splits by what is in the pictures, so that pictures added later move none."""

import hashlib

import numpy as np

_RANGE = 2.0**64


def assign_by_content(
    images: np.ndarray, members: np.ndarray, shares: np.ndarray, *, seed: int
) -> np.ndarray:
    """Assign every group to a split by a hash of its pictures.

    A group lies at a place between 0 and 1 that its picture with the lowest hash decides, and the
    splits share that line. Shares hold on average only, for all pictures and for each class.

    Arguments:
        images: uint8 [N, height, width, channels].
        members: int [N], the group of each picture, 0 … groups − 1.
        shares: float [splits], adding up to 1.
        seed: another one gives other splits.

    Returns:
        int64 [groups], the split of each.
    """
    salt = seed.to_bytes(16, "little")
    lowest: dict[int, bytes] = {}
    for image, group in zip(images, members.tolist(), strict=True):
        digest = _hash(np.ascontiguousarray(image).tobytes(), salt)
        lowest[group] = min(digest, lowest.get(group, digest))
    # hashed again: the lowest of many lies near 0, and would draw large groups into one split
    places = [
        int.from_bytes(_hash(lowest[group], salt), "big") / _RANGE for group in range(len(lowest))
    ]
    return np.searchsorted(np.cumsum(shares)[:-1], places, side="right")


def _hash(content: bytes, salt: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8, salt=salt).digest()
