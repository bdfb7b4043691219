"""Bytes as files that can be read once: digested as they pass, or unpacked."""

import hashlib
import io
import zlib
from collections.abc import Iterable
from typing import IO

from contracts.tables.formats import FormatError

_BLOCK = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS


class Digested(io.RawIOBase):
    """A stream of byte chunks as a file that keeps the SHA-256 and the size of what passed through."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._digest = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands over a memoryview
        """The next bytes; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._digest.update(chunk)
            self.size += len(chunk)
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> str:
        """The whole file's SHA-256, whatever is left unread."""
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
        return self._digest.hexdigest()


class Unpacked(io.RawIOBase):
    """What a gzip file holds, block by block. Reading raises FormatError when it is broken, or when it holds more than `most` bytes.

    A file may have several members, one after the other: https://www.rfc-editor.org/rfc/rfc1952#section-2.2
    """

    def __init__(self, packed: IO[bytes] | io.RawIOBase, most: int) -> None:
        self._packed, self._left, self._most = packed, most, most
        self._member = zlib.decompressobj(_GZIP)
        self._waiting = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands over a memoryview
        """The next bytes; 0 at the end."""
        while True:
            if not self._waiting:
                self._waiting = self._packed.read(_BLOCK) or b""
                if not self._waiting:
                    self._check_end()
                    return 0
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            try:
                block = self._member.decompress(self._waiting, len(buffer))
            except zlib.error as error:
                raise FormatError(f"the file is not valid gzip: {error}") from None
            self._waiting = self._member.unconsumed_tail or self._member.unused_data
            if block:
                self._left -= len(block)
                if self._left < 0:
                    raise FormatError(f"the file unpacks to more than {self._most} bytes. Next: divide it into smaller files")
                buffer[: len(block)] = block
                return len(block)

    def _check_end(self) -> None:
        if not self._member.eof:
            raise FormatError("the gzip file ends too early. Next: upload it again, as a whole")
