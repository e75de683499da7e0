"""Stream: one connection, read without a copy that can be saved."""

import ssl

_NOBODY_READS_THIS = memoryview(bytearray(256 * 1024))  # where all threads put what is skipped


class Stream:
    """A blocking TLS connection. Raises EOFError when the client ends it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._ahead = b""
        self.send = sock.sendall

    def take(self, size: int) -> bytes:
        while len(self._ahead) < size:
            self._more()
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    def until(self, end: bytes) -> bytes:
        """Return what comes before `end`, which is dropped."""
        while end not in self._ahead:
            self._more()
        taken, _, self._ahead = self._ahead.partition(end)
        return taken

    def skip(self, size: int) -> None:
        ahead = min(size, len(self._ahead))
        self._ahead = self._ahead[ahead:]
        size -= ahead
        while size:
            got = self._sock.recv_into(_NOBODY_READS_THIS, min(size, len(_NOBODY_READS_THIS)))
            if not got:
                raise EOFError
            size -= got

    def _more(self) -> None:
        more = self._sock.recv(16384)
        if not more:
            raise EOFError
        self._ahead += more
