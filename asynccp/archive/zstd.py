"""Zstandard: the one place of its library, with what we set there. Pure; imported only when a codec is zstd."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WINDOW_LOG_MAX = 19
"""A pod's frame says how much must be remembered while it is unpacked, up to 2 GiB. One that wants more than 512 KiB is
refused: that is what `zstd -1` writes, of whatever it reads from a pipe, and no pod is asked for more. RFC 8878
(3.1.1.1.2) would have decoders take 8 MiB, but there may be 64 sessions, which took 52 MiB for windows of 512 KiB, 84
for 1 MiB and 148 for 2. Long windows are worth little to logs: with `--long=23` (8 MiB) 64 MiB of access logs shrink to
10.0 % instead of 10.5, and 25 MiB of a cluster's own to 6.2 instead of 7.1, in 2.5 times the pod's CPU (5.0 ms a MiB
instead of 1.9); level 3 within 512 KiB makes 3 % less of either, in 1.3 times."""

ZstdError = zstd.ZstdError

_OPTIONS: dict[int, int] = {zstd.CompressionParameter.compression_level: 1, zstd.CompressionParameter.checksum_flag: 1}


def frame(data: bytes | memoryview) -> bytes:
    """Return `data` as one frame with a check sum.

    Level 1 takes 1.8 ms of CPU for a MiB of access logs, which shrink to 13 %, and 3.5 for Python's own sources, to
    25; level 3 takes 3.0 and 4.9, for 14 and 23 %. (gzip takes 6.4 and 9.4, for 17 and 28.) Random bytes take 0.4.
    """
    return zstd.compress(data, options=_OPTIONS)


def compressor() -> zstd.ZstdCompressor:
    """Return what packs one frame, at the level and with the check sum of `frame`."""
    return zstd.ZstdCompressor(options=_OPTIONS)


def decompressor() -> zstd.ZstdDecompressor:
    """Return what unpacks one frame, and refuses a larger window."""
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX})
