"""Names: of which kind each name of an archive is, by its hash of 64 bits. No I/O.

A dict takes 100 bytes for each. Four million names of one pod may be honest, and a fleet may lie, so beyond FEW they
stand in buckets of records of 8 bytes: 7 of the hash, and the kind. To find one takes four times as long, half a
microsecond.

Of 10 million names, two are mixed up once in 370,000 runs.
"""

FEW = 4096
MOST_IN_BUCKET = 64  # names, on the average; then there are four times as many buckets
FEW_COST, MANY_COST = 100, 10  # bytes of memory for a name

_MASK = (1 << 64) - 1
_LEAST_BITS, _MOST_BITS = 8, 16  # of the hash, that tell its bucket: the record has the last 56


class Names:
    """Kinds, small numbers that are not 0, by hashes. count: how many. memory: bytes that they take."""

    def __init__(self) -> None:
        self.memory = 0
        self.count = 0
        self._few: dict[int, int] = {}
        self._buckets: list[bytearray] = []
        self._bits = 0

    def get(self, key: int) -> int:
        """Return the kind of a name, 0 for one that isn't known."""
        if not self._buckets:
            return self._few.get(key, 0)
        key &= _MASK
        bucket = self._buckets[key >> 64 - self._bits]
        record = key.to_bytes(8, "little")[:7]
        at = bucket.find(record)
        while at % 8 and at >= 0:  # the end of one record, and the beginning of another
            at = bucket.find(record, at + 1)
        return bucket[at + 7] if at >= 0 else 0

    def add(self, key: int, kind: int) -> None:
        """Add a name that isn't known."""
        self.count += 1
        if not self._buckets:
            self._few[key] = kind
            self.memory += FEW_COST
            if self.count > FEW:
                self._move_few()
            return
        self._put(key & _MASK, kind)
        self.memory += MANY_COST
        if self.count > MOST_IN_BUCKET << self._bits and self._bits < _MOST_BITS:
            self._spread()

    def _put(self, key: int, kind: int) -> None:
        bucket = self._buckets[key >> 64 - self._bits]
        bucket += key.to_bytes(8, "little")[:7]
        bucket.append(kind)

    def _move_few(self) -> None:
        few, self._few = self._few, {}
        self._bits = _LEAST_BITS
        self._buckets = [bytearray() for _ in range(1 << self._bits)]
        for key, kind in few.items():
            self._put(key & _MASK, kind)
        self.memory = self.count * MANY_COST

    def _spread(self) -> None:
        """Have four buckets for each."""
        before, bits = self._buckets, self._bits
        self._bits += 2
        self._buckets = [bytearray() for _ in range(1 << self._bits)]
        for number, bucket in enumerate(before):
            top = number >> bits - _LEAST_BITS << 56
            for at in range(0, len(bucket), 8):
                self._put(int.from_bytes(bucket[at : at + 7], "little") | top, bucket[at + 7])
