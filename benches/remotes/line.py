"""A line with a delay between a client and a server, which counts what passes: bytes each way, and HTTP requests.

Delay does not narrow the line: every piece waits for its own time and no longer. It runs in a process of its own, so that it
does not take turns with whoever measures.
"""

import asyncio
import multiprocessing
import re
import time

PIECE = 1 << 18
REQUEST = re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE|PATCH) [^\r\n]{1,4096} HTTP/1\.1\r\n")
# What of a request's first line may lie in the piece before.
OVERLAP = 4200


class Line:
    """Listens on a port and leads to another. `one_way` is in seconds."""

    def __init__(self, target, one_way, port):
        self.counts = multiprocessing.Array("q", 4)
        self.port = port
        ready = multiprocessing.Event()
        self.process = multiprocessing.Process(target=_serve, args=(target, one_way, self.counts, ready, port), daemon=True)
        self.process.start()
        if not ready.wait(20):
            raise RuntimeError("the line does not come up")

    def take(self):
        """What passed since the last time: bytes up, bytes down, requests, connections."""
        with self.counts.get_lock():
            taken = list(self.counts)
            for index in range(4):
                self.counts[index] = 0
        return dict(zip(("up", "down", "requests", "connections"), taken))

    def close(self):
        self.process.terminate()
        self.process.join()


def _serve(target, one_way, counts, ready, port):
    async def run():
        async def meet(reader, writer):
            _add(counts, 3, 1)
            try:
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target, limit=PIECE * 4)
            except OSError:
                writer.close()
                return
            await asyncio.gather(_carry(reader, up_writer, one_way, counts, 0), _carry(up_reader, writer, one_way, counts, 1))

        server = await asyncio.start_server(meet, "127.0.0.1", port, limit=PIECE * 4)
        ready.set()
        await server.serve_forever()

    asyncio.run(run())


def _add(counts, index, amount):
    with counts.get_lock():
        counts[index] += amount


async def _carry(reader, writer, one_way, counts, index):
    waiting = asyncio.Queue(maxsize=512)

    async def take():
        before = b""
        while True:
            try:
                piece = await reader.read(PIECE)
            except OSError:
                piece = b""
            await waiting.put((time.monotonic() + one_way, piece))
            if not piece:
                return
            _add(counts, index, len(piece))
            if index == 0:
                text = before + piece
                found = list(REQUEST.finditer(text))
                _add(counts, 2, len(found))
                before = text[max(found[-1].end() if found else 0, len(text) - OVERLAP):]

    async def give():
        while True:
            due, piece = await waiting.get()
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            if not piece:
                break
            try:
                writer.write(piece)
                await writer.drain()
            except OSError:
                break
        try:
            writer.close()
        except OSError:
            pass

    await asyncio.gather(take(), give())
