"""websockets_peer.py server CERT KEY [deflate]       an echo server on Python's websockets, over TLS; prints its port
websockets_peer.py client URL CA DEFLATE        talks to an echo server of ours; DEFLATE is yes, no or small

The server sends a message back in fragments when it is longer than 1000 bytes, and knows the words of ws_server.c."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


def pieces(message):
    return [message[at : at + 5000] for at in range(0, len(message), 5000)]


async def echo(websocket):
    try:
        await answer(websocket)
    except ConnectionClosed:
        pass  # with the code that the client asked for


async def answer(websocket):
    async for message in websocket:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            await websocket.close(int(code), reason)
        elif isinstance(message, str) and message.startswith("ping "):
            word = message.split(" ", 1)[1]
            await (await websocket.ping(word))
            await websocket.send("pong " + word)
        elif len(message) > 1000:
            await websocket.send(pieces(message))
        else:
            await websocket.send(message)


async def server(cert, key, deflate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with serve(
        echo, "127.0.0.1", 0, ssl=context, max_size=64 << 20, compression="deflate" if deflate else None
    ) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def client(url, ca, deflate):
    context = ssl.create_default_context(cafile=ca)
    extensions = []
    if deflate == "small":
        extensions = [
            ClientPerMessageDeflateFactory(
                server_no_context_takeover=True, server_max_window_bits=9, client_max_window_bits=9
            )
        ]
    async with connect(
        url,
        ssl=context,
        max_size=64 << 20,
        compression="deflate" if deflate == "yes" else None,
        extensions=extensions or None,
    ) as websocket:
        agreed = [extension.name for extension in websocket.protocol.extensions]
        assert agreed == ([] if deflate == "no" else ["permessage-deflate"]), agreed
        text = "".join(chr(32 + (i * i // 77 + i) % 94) for i in range(1_000_000))
        count = 0
        for length in [0, 1, 63, 64, 125, 126, 127, 65535, 65536, 1_000_000]:
            for message in text[:length], text[:length].encode():
                await websocket.send(message)
                assert await websocket.recv() == message, length
                count += 1
        big = bytes(range(256)) * 65536
        await websocket.send(big)
        assert await websocket.recv() == big
        await websocket.send(["\u00e4", "", "\u20ac", "\U0001f600."])  # fragments
        assert await websocket.recv() == "\u00e4\u20ac\U0001f600."
        for i in range(500):
            await websocket.send(text[i : i + 200 + i])
        for i in range(500):
            assert await websocket.recv() == text[i : i + 200 + i]
        await (await websocket.ping("beat"))
        await websocket.send("ping us")
        assert await websocket.recv() == "pong us"
        await websocket.send("close 4321 enough")
        try:
            await websocket.recv()
            raise AssertionError("not closed")
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 4321 and closed.rcvd.reason == "enough", closed
            assert closed.sent.code == 4321
        print(f"{count + 502} messages, {agreed}, {websocket.transport.get_extra_info('ssl_object').version()}")


if sys.argv[1] == "server":
    asyncio.run(server(sys.argv[2], sys.argv[3], len(sys.argv) > 4))
else:
    asyncio.run(client(*sys.argv[2:5]))
