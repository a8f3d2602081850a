"""Which files are images that can be read, and what to say of those that cannot be."""

from importlib.util import find_spec

# Plain images only: other plugins of Pillow start programs (EPS) or read video. JPEG's covers
# MPO, the files of two frames that phones write. The first five are those of `PIL.Image.preinit`;
# asked for another Pillow imports all of its forty plugins.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", "TIFF", "WEBP")

_NAMES = "avif bmp gif heic heif hif jfif jp2 jpe jpeg jpg mpo pbm pgm png pnm ppm tif tiff webp"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())

_RAW = "3fr arw cr2 cr3 crw dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 srw x3f"
RAW_SUFFIXES = frozenset(f".{name}" for name in _RAW.split())

# Whoever has such a file takes it for an image.
IMAGE_LIKE = SUFFIXES | RAW_SUFFIXES | frozenset([".jxl", ".psd", ".svg", ".tga", ".ico"])

RAW_ADVICE = "a camera's raw file; export it as JPEG, PNG or TIFF"
_HEIF_BRANDS = frozenset([b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])


def is_heif(head: bytes) -> bool:
    """Tell whether a file's first bytes are of HEIF, as phones write it (`.heic`)."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def readable_formats(head: bytes) -> tuple[str, ...]:
    """Name the formats of Pillow that a file with these first bytes may be read as."""
    if is_heif(head) and find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener()
        return (*FORMATS, "HEIF")
    return FORMATS


def why_unreadable(suffix: str, head: bytes) -> str:
    """Say in a few words what is wrong with a file that no format of Pillow fits.

    Args:
        suffix: of its name, in lower case; "" where it has no name.
        head: its first bytes, 12 at least.
    """
    if is_heif(head) and not find_spec("pillow_heif"):
        return "a HEIC image, which needs pillow-heif: pip install 'kdtasks[heic]'"
    if suffix in SUFFIXES:
        return "not readable as an image"
    return "not an image"


def is_raw(suffix: str, head: bytes) -> bool:
    """Tell a camera's raw file, of which Pillow would read the small preview, by name or bytes."""
    return suffix in RAW_SUFFIXES or head[8:10] == b"CR" or head.startswith(b"FUJIFILMCCD-RAW")
