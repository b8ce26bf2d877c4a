"""Files that users give, as text, and what messages quote of them: size, kind, encoding and characters are checked."""

import io
import re
import zipfile
from pathlib import Path

from toolkit.schema import InputError

__all__ = ["LARGEST", "brief", "contents", "decoded", "excerpt", "path_shown"]

LARGEST = 50_000_000  # bytes of a file
LONGEST_PATH = 100  # characters of a path in a message
LONGEST_LINE, MOST_PROBLEMS = 300, 10  # of a message: characters of a line, and lines
KINDS = {  # of files that are no text, by their first bytes
    b"\x1f\x8b": "a gzip archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!\x1a": "a RAR archive",
    b"\x04\x22\x4d\x18": "an LZ4 archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook or Office file",
    b"%PDF": "a PDF document",
    b"PAR1\x15": "a Parquet file",
    b"\x89HDF": "an HDF5 or netCDF file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"SQLite format 3": "an SQLite database",
}
MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Control characters besides tab and line ends, direction overrides, line separators, surrogates, noncharacters.
_UNSEEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def excerpt(text: object, most: int = 40) -> str:
    """Return the beginning of a text that a user gave, safe to print on any one line."""
    whole = str(text)
    shown = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in whole[:most])
    return shown if len(whole) <= most and len(shown) <= most else f"{shown[:most]}…"


def brief(message: str, *, most: int = MOST_PROBLEMS) -> str:
    """Return a message of several lines cut to its first, each printable and not long."""
    lines = message.splitlines()
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([excerpt(line, LONGEST_LINE - 1) for line in lines[:most]] + more)


def path_shown(path: Path) -> str:
    """Return a path for messages: on one line, and the end of it where it is long."""
    shown = excerpt(path, 10_000)
    return shown if len(shown) <= LONGEST_PATH else f"…{shown[1 - LONGEST_PATH :]}"


def contents(path: Path, *, largest: int = LARGEST) -> bytes:
    """Return the bytes of a file that a user named.

    Raises
    ------
    InputError
        If it is missing, unreadable or larger than ``largest`` bytes.
    """
    where = path_shown(path)
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise InputError(f"{where}: no such file.", fix="check the name and the folder.") from None
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise InputError(f"{where}: cannot be read ({excerpt(why)}).", fix="check what it is and its rights.") from None
    if len(content) > largest:
        raise InputError(f"{where}: larger than {largest / 1e6:g} MB.", fix="keep only the rows and columns needed.")
    return content


def decoded(content: bytes | str, where: str) -> str:
    """Return a file as text: UTF-8, UTF-16 or UTF-32 with a byte-order mark, or Windows-1252.

    Parameters
    ----------
    content
        Bytes, or text whose characters alone are checked.
    where
        Name of the file, for messages.

    Raises
    ------
    InputError
        If it is another kind of file, in no such encoding, or holds control characters.
    """
    text = content.removeprefix("\ufeff") if isinstance(content, str) else _text(content, where)
    if unseen := _UNSEEN.search(text):
        line = text.count("\n", 0, unseen.start()) + 1
        raise InputError(
            f"{where}: line {line} holds the control character U+{ord(unseen[0]):04X}.", fix="save it again as UTF-8."
        )
    return text


def _text(content: bytes, where: str) -> str:
    kind = _kind(content)
    if kind:
        fix = "unpack it" if kind.endswith("archive") else "save or export the table itself as CSV UTF-8"
        raise InputError(f"{where}: {kind}, not a text file.", fix=f"{fix}.")
    encoded = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    if encoded is None and b"\0" in content:
        halves = {"utf-16-be": content[:200:2], "utf-16-le": content[1:200:2]}
        encoded = next((name for name, half in halves.items() if half.count(0) > 0.8 * len(half)), None)
    for encoding in (encoded,) if encoded else ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{where}: not a text file in UTF-8 or another usual encoding.", fix="save it as UTF-8.")


def _kind(content: bytes) -> str:
    """Return the kind of a file that is not plain text; "" if it may be text."""
    if content.startswith(b"PK\x03\x04"):
        try:
            names = zipfile.ZipFile(io.BytesIO(content)).namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
            names = []
        if any(name.startswith("xl/") for name in names):
            return "an Excel workbook"
        return "an OpenDocument file" if "content.xml" in names else "a zip archive"
    if content[257:262] == b"ustar":
        return "a tar archive"
    if re.match(rb"BZh[1-9]1AY&SY", content):
        return "a bzip2 archive"
    if content[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    return next((kind for first, kind in KINDS.items() if content.startswith(first)), "")


def __dir__() -> list[str]:
    return __all__
