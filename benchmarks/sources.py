"""Sources: the files that are copied, the same bytes in every run. Written piece by piece, to stay small in memory."""

import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

WORDS = """
access account address allow backend balance batch buffer bucket cache certificate client cluster compression config
connection consumer cookie database deadline default deny discovery domain enabled endpoint exporter feature filter
format gateway group handler header health host idle ingress interval issuer keepalive key label lease level limit
listener log mapping max memory method metrics min mode module name namespace network node origin owner partition
password path peer policy pool port prefix priority probe profile protocol proxy queue quota rate read redirect region
registry replica request resolver resource response retry role route rule sample schedule schema scope secret selector
server service session shard signal size socket source stage storage stream subnet suffix tenant threshold timeout
token topic trace transport trust upstream user validation value version volume weight window worker write zone
""".split()  # noqa: SIM905 (to be read)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "kube-probe/1.34",
    "Prometheus/2.53.0",
    "curl/8.7.1",
    "Go-http-client/2.0",
)


def configuration(root: Path, files: int, size: int) -> Path:
    """Write YAML of varied lengths, `size` bytes in all, in a few directories."""
    chance = random.Random(5)
    shares = [chance.lognormvariate(0, 0.8) for _ in range(files)]
    ends = [round(end * size / sum(shares)) for end in accumulate(shares)]
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        path = root / f"{chance.choice(WORDS)}-{number % 10}" / f"{chance.choice(WORDS)}-{number:03}.yaml"
        _write(path, _settings(chance), end - start)
    return root


def access_logs(root: Path, files: int, size: int) -> Path:
    """Write `files` logs of `size` bytes each, in the combined format of web servers; gzip makes a ninth of them."""
    for number in range(files):
        _write(root / f"access.log.{number}", _requests(random.Random(number)), size)
    return root


def noise(root: Path, files: int, size: int) -> Path:
    """Write `files` files of `size` random bytes each, a thousand in a directory: nothing makes them smaller."""
    chance = random.Random(7)
    for number in range(files):
        _write(root / f"{number // 1000:02}" / f"{number:05}", _random(chance, size), size)
    return root


def _write(path: Path, pieces: Iterator[bytes], size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(next(pieces)[:left])


def _settings(chance: random.Random) -> Iterator[bytes]:
    """Yield YAML: sections of nested settings with numbers, durations, names and addresses."""
    while True:
        lines = [f"{_word(chance)}-{_word(chance)}:"]
        for _ in range(chance.randint(3, 12)):
            indent = "  " * chance.randint(1, 3)
            lines.append(f"{indent}{_word(chance)}_{_word(chance)}: {_setting(chance)}")
        yield ("\n".join(lines) + "\n").encode()


def _setting(chance: random.Random) -> str:
    match chance.randrange(6):
        case 0:
            return str(chance.randrange(65536))
        case 1:
            return f"{chance.choice((1, 5, 10, 30, 60))}s"
        case 2:
            return chance.choice(("true", "false"))
        case 3:
            return f"{_word(chance)}.{_word(chance)}.svc.cluster.local:{chance.choice((80, 443, 8080, 9090))}"
        case 4:
            return f"10.{chance.randrange(256)}.{chance.randrange(256)}.0/24"
        case _:
            return f'"{_word(chance)} {_word(chance)}"'


def _random(chance: random.Random, size: int) -> Iterator[bytes]:
    while True:
        yield chance.randbytes(min(size, 1024 * 1024))


def _word(chance: random.Random) -> str:
    return WORDS[_often_the_first(chance, len(WORDS))]


def _requests(chance: random.Random) -> Iterator[bytes]:
    """Yield lines of a log: some addresses, paths and agents come often, most of them seldom."""
    paths = [f"/{chance.choice(WORDS)}/{chance.choice(WORDS)}" for _ in range(300)]
    addresses = [".".join(str(chance.randrange(1, 255)) for _ in range(4)) for _ in range(2000)]
    second = 0.0
    while True:
        second += chance.expovariate(40)
        path = paths[_often_the_first(chance, len(paths))]
        path += f"/{chance.randrange(5000)}" if chance.random() < 0.3 else ""
        path += f"?page={chance.randrange(40)}" if chance.random() < 0.1 else ""
        address, agent = (
            addresses[_often_the_first(chance, len(addresses))],
            AGENTS[_often_the_first(chance, len(AGENTS))],
        )
        hour, minute, rest = int(second) // 3600 % 24, int(second) // 60 % 60, int(second) % 60
        request = f"{chance.choices(('GET', 'POST', 'PUT'), (90, 8, 2))[0]} {path} HTTP/1.1"
        status = chance.choices((200, 304, 404, 302, 500), (88, 6, 3, 2, 1))[0]
        length = int(chance.lognormvariate(8, 1.2)) if status == 200 else 0
        yield (
            f'{address} - - [12/Jun/2026:{hour:02}:{minute:02}:{rest:02} +0000] "{request}" {status} {length} '
            f'"https://shop.example.com{paths[_often_the_first(chance, len(paths))]}" "{agent}"\n'
        ).encode()


def _often_the_first(chance: random.Random, count: int) -> int:
    return int(count * chance.random() ** 3)
