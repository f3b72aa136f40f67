"""Reads the body of an answer: decompresses it while it arrives, and enforces a size limit."""

import zlib
from collections.abc import Mapping

from gemwatch.adapters.http.session import NoAnswerError
from gemwatch.adapters.http.transport import Stream

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib finds out which of the two it is
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class Body:
    """An uncompressed body. `add` and `whole` raise NoAnswerError."""

    def __init__(self, *, most: int) -> None:
        self.read = bytearray()
        self._most = most

    def add(self, chunk: bytes) -> None:
        self.read += chunk
        self._limit()

    def whole(self) -> bytearray:
        """The whole body, after the last chunk was added."""
        return self.read

    def _limit(self) -> None:
        if len(self.read) > self._most:
            raise _too_long(self._most)


class PackedBody(Body):
    """A body in gzip or deflate. Decompression stops one byte beyond the limit, so that a zip bomb does no harm."""

    def __init__(self, *, most: int, coding: str) -> None:
        super().__init__(most=most)
        self._coding = coding
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun = False

    def add(self, chunk: bytes) -> None:
        if not self._begun and chunk:
            self._begun = True
            if self._coding == "deflate" and not _is_zlib(chunk):
                self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)  # raw deflate, which some servers send
        while chunk and not self._unpack.eof:
            try:
                self.read += self._unpack.decompress(chunk, self._most + 1 - len(self.read))
            except zlib.error:
                raise self._broken() from None
            self._limit()
            chunk = self._unpack.unconsumed_tail

    def whole(self) -> bytearray:
        if not self._unpack.eof:
            raise self._broken()
        return self.read

    def _broken(self) -> NoAnswerError:
        return NoAnswerError(f"the answer is damaged: it cannot be decompressed as {self._coding}", bad=True)


def body_of(headers: Mapping[str, str], most: int) -> Body:
    """An empty body for an answer with these headers. Raises NoAnswerError if its encoding is not supported."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return Body(most=most)
    if coding in _PACKED:
        return PackedBody(most=most, coding=coding)
    shown = coding if coding.isalnum() and len(coding) < 20 else "in an unknown way"  # noqa: PLR2004
    raise NoAnswerError(f"the answer is compressed ({shown}), which gemwatch did not ask for", bad=True)


async def whole_body(stream: Stream, most: int) -> bytearray:
    """The body of an answer with a job or a list in it, of at most that many bytes."""
    check_length(stream.headers, most)
    body = body_of(stream.headers, most)
    async for chunk in stream:
        body.add(chunk)
    return body.whole()


def check_length(headers: Mapping[str, str], most: int) -> None:
    """Raise NoAnswerError if Content-Length exceeds the limit, before reading the body."""
    length = headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _too_long(most)


def _is_zlib(start: bytes) -> bool:
    """Whether these bytes start a zlib stream (RFC 1950): method 8, and a header that is a multiple of 31."""
    return start[0] & 0x0F == 8 and (len(start) == 1 or int.from_bytes(start[:2], "big") % 31 == 0)  # noqa: PLR2004


def _too_long(most: int) -> NoAnswerError:
    return NoAnswerError(f"the answer is longer than {most >> 20} MiB", bad=True)
