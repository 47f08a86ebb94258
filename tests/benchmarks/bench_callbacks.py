"""Measure how many callbacks a second the receiver takes, each answered once it is on disk, over real HTTP.

Run: python tests/benchmarks/bench_callbacks.py [callbacks] [connections]
"""

from __future__ import annotations

import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal.callbacks import Received
from esms_frames.reporting.callbacks import read_callback

PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from esms_frames.apps.cli.main import main; main()"
)
QUERY = (
    "SMSID=d533459ee42b2b9525ba9eabf6a8156&SendFailed=0&SendStatus=5&SendSuccess=1&TotalPrice=850.0000&TotalReceiver=1"
    "&TotalSent=1&RequestId=9f2d5c0e7b1a4f3688d0c1b2a3948576d0e1f203&TypeId=2&telcoid=2&phonenumber=09{:08d}"
)


def call(port: int, path: str) -> int:
    """Make one call as the gateway does, a connection each; the HTTP status."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = connection.recv(4096)  # one packet
    return int(answer.split(b" ", 2)[1])


def load(port: int, token: str, numbers: range, connections: int) -> tuple[float, dict[int, int]]:
    """Make a call for each number from so many threads; seconds, and how often each status was answered."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    counts: dict[int, int] = {}
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            status = call(port, f"/esms/{token}?{QUERY.format(number)}")
            with lock:
                counts[status] = counts.get(status, 0) + 1

    threads = [threading.Thread(target=work) for _ in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, counts


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal = ef.Journal(path)
        scope = journal._batches.scope("bench", "sandbox", "bench")
        token = journal._batches.callback_token(scope)
        server = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "callbacks", "--journal", path, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        port = int(re.search(r":(\d+)\.", server.stdout.readline())[1])
        load(port, token, range(100), 4)  # compiles the tables
        alone, _ = load(port, token, range(count // 10), 1)
        seconds, counts = load(port, token, range(count), connections)
        wrong, _ = load(port, "a-token-of-no-campaign", range(count // 4), connections)
        server.send_signal(signal.SIGINT)
        said = server.communicate()[0].strip().splitlines()[-1]

        one = read_callback(QUERY.format(1))
        repeats = min(count, 1000)
        start = time.perf_counter()
        for _ in range(repeats):
            journal._batches.record_callbacks([Received(scope.id, one, clock.now())])
        single = repeats / (time.perf_counter() - start)
        journal.close()
    rate = count / seconds
    print(f"{count:,} callbacks, journal {journal!r}, every one on disk before it is answered")
    print(f"  {connections} connections             {rate:8.0f} callbacks a second, answers {counts}")
    print(f"  1 connection              {count // 10 / alone:8.0f} callbacks a second, a commit each")
    print(f"  commits without HTTP      {single:8.0f} a second, a callback each")
    print(f"  wrong tokens              {count // 4 / wrong:8.0f} refused a second")
    print(f"  ratio                     {rate / (count // 10 / alone):8.1f} x one commit a callback")
    print(f"  {said}")


if __name__ == "__main__":
    main()
