"""
Run by slow-clients.ts as a process of its own, so that it takes no time from who measures: a provider that sends as fast
as it is read from, and clients that read 1 KB/s. It gets one line of JSON per order and answers each with one line.

In Python because Node can choose neither the segments nor the buffers of a socket: on a loopback, whose segments are
64 KB long, the kernel would keep 4 MB of the answer for every client, which is no client of the internet and more memory
than kernels give to TCP.
"""

import asyncio
import json
import socket
import sys

SEGMENT_BYTES = 1_448
BYTES_PER_SECOND = 1_000
# Far more than all buffers on the way hold.
ANSWER_BYTES = 8_388_608
PROVIDER_BUFFER_BYTES = 65_536


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


TEXT = "All of it has to be told, whoever listens. " * 50
BLOCK = chunk(event("content_block_delta", index=0, delta={"type": "text_delta", "text": TEXT}) * 20)
LAST = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1_000})
END = chunk(LAST + event("message_stop")) + b"0\r\n\r\n"


class Provider:
    """Answers every request with ANSWER_BYTES of a streamed message."""

    def __init__(self):
        self.asked = 0
        self.ended = 0
        self.open = {}

    async def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PROVIDER_BUFFER_BYTES)
        listener.bind(("127.0.0.1", 0))
        await asyncio.start_server(self.serve, sock=listener, backlog=1_024)
        return {"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                await self.answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.pop(writer, None)
            writer.close()

    async def answer(self, writer):
        self.asked += 1
        name = f"msg_{self.asked}"
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: {name}\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        message = {"id": name, "model": "slow-story", "usage": {"input_tokens": 70, "output_tokens": 1}}
        writer.write(chunk(event("message_start", message=message)))
        self.open[writer] = 0
        while self.open[writer] < ANSWER_BYTES:
            writer.write(BLOCK)
            self.open[writer] += len(BLOCK)
            await writer.drain()
        writer.write(END)
        await writer.drain()
        self.ended += 1
        del self.open[writer]

    def taken(self):
        """Of each open answer, the bytes that the kernel has taken."""
        return [sent - writer.transport.get_write_buffer_size() for writer, sent in self.open.items()]


class Client:
    """Reads BYTES_PER_SECOND out of the kernel and leaves the rest there, so that its window closes."""

    def __init__(self):
        self.read = 0
        self.cut = False
        self.head = asyncio.get_running_loop().create_future()

    async def stay(self, host, port, request):
        loop = asyncio.get_running_loop()
        with socket.socket() as peer:
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
            try:
                await loop.sock_connect(peer, (host, port))
                await loop.sock_sendall(peer, request)
                while data := await loop.sock_recv(peer, BYTES_PER_SECOND):
                    if not self.head.done():
                        self.head.set_result(data.decode("latin1"))
                    self.read += len(data)
                    await asyncio.sleep(1)
            except OSError:
                pass
        self.cut = True
        if not self.head.done():
            self.head.set_result("")


class Orders:
    def __init__(self):
        self.provider = Provider()
        self.clients = []
        self.stays = []

    async def upstream(self):
        return await self.provider.listen()

    async def open(self, host, port, request, count, at_once):
        """Opens clients `at_once` at a time, the next ones when those have got something; answers with what each got first."""
        for begun in range(0, count, at_once):
            opened = [Client() for _ in range(min(at_once, count - begun))]
            self.clients += opened
            self.stays += [asyncio.create_task(each.stay(host, port, request.encode())) for each in opened]
            await asyncio.gather(*(each.head for each in opened))
        return {"heads": [each.head.result() for each in self.clients]}

    async def look(self):
        return {
            "read": [each.read for each in self.clients],
            "cut": sum(each.cut for each in self.clients),
            "taken": self.provider.taken(),
            "ended": self.provider.ended,
        }

    async def leave(self):
        for stay in self.stays:
            stay.cancel()
        return {}


async def main():
    orders = Orders()
    lines = asyncio.StreamReader(limit=1_048_576)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        answer = await getattr(orders, order.pop("order"))(**order)
        print(json.dumps(answer), flush=True)


asyncio.run(main())
