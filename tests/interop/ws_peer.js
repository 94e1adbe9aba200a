// ws_peer.js server CERT KEY [deflate]    an echo server on npm's ws, over TLS; prints its port
// ws_peer.js client URL CA DEFLATE        talks to an echo server of ours; DEFLATE is yes, no or small
//
// The server sends a message back in fragments when it is longer than 1000 bytes, and knows the words of ws_server.c.
'use strict';
const assert = require('assert');
const fs = require('fs');
const https = require('https');
const { WebSocket, WebSocketServer } = require('ws');

const [mode, first, second, third] = process.argv.slice(2);
const maxPayload = 64 << 20;

function server() {
  const secure = https.createServer({ cert: fs.readFileSync(first), key: fs.readFileSync(second) });
  const perMessageDeflate = third === 'deflate' ? { threshold: 64 } : false;
  const sockets = new WebSocketServer({ server: secure, maxPayload, perMessageDeflate });

  sockets.on('connection', (socket) => {
    let asked = false;
    socket.on('pong', (word) => {
      if (asked) socket.send('pong ' + word);
      asked = false;
    });
    socket.on('message', (data, binary) => {
      const words = binary || data.length > 130 ? [] : data.toString().split(' ');
      if (words[0] === 'close') {
        socket.close(Number(words[1]), words.slice(2).join(' '));
      } else if (words[0] === 'ping' && words.length === 2) {
        asked = true;
        socket.ping(words[1]);
      } else if (data.length > 1000) {
        for (let at = 0; at < data.length; at += 5000)
          socket.send(data.subarray(at, at + 5000), { binary, fin: at + 5000 >= data.length });
      } else {
        socket.send(data, { binary });
      }
    });
  });
  secure.listen(0, '127.0.0.1', () => console.log(secure.address().port));
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

function client() {
  const perMessageDeflate =
    third === 'no' ? false
      : third === 'small' ? { threshold: 0, serverNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 9 }
        : { threshold: 64 };
  const socket = new WebSocket(first, { ca: fs.readFileSync(second), maxPayload, perMessageDeflate });
  const heard = [];
  let wake = null;
  const give = (what) => {
    heard.push(what);
    if (wake !== null) wake();
  };
  const hear = async () => {
    while (heard.length === 0) await new Promise((resolve) => { wake = resolve; });
    return heard.shift();
  };

  socket.on('message', (data, binary) => give([binary ? 'binary' : 'text', data]));
  socket.on('pong', (data) => give(['pong', data]));
  socket.on('close', (code, reason) => give(['close', code, reason.toString()]));
  socket.on('error', (error) => { console.error(error); process.exit(1); });
  socket.on('open', async () => {
    const expect = async (kind, data) => {
      const got = await hear();
      assert.strictEqual(got[0], kind);
      assert.ok(Buffer.from(data).equals(got[1]), `${kind} of ${data.length} bytes came back otherwise`);
    };
    const text = Buffer.alloc(1000000);
    let count = 0;
    for (let i = 0; i < text.length; i++) text[i] = 32 + (Math.floor((i * i) / 77) + i) % 94;
    assert.strictEqual(socket.extensions, third === 'no' ? '' : 'permessage-deflate');
    for (const length of [0, 1, 63, 64, 125, 126, 127, 65535, 65536, 1000000]) {
      for (const binary of [false, true]) {
        socket.send(text.subarray(0, length), { binary });
        await expect(binary ? 'binary' : 'text', text.subarray(0, length));
        count++;
      }
    }
    const big = Buffer.alloc(16 << 20, 'kdp ');
    socket.send(big);
    await expect('binary', big);
    const cut = Buffer.from('\u00e4 \u20ac \u{1f600}.');
    for (let at = 0; at < cut.length; at++) {
      socket.send(cut.subarray(at, at + 1), { binary: false, fin: at + 1 === cut.length });
      if (at === 4) socket.ping('between');
    }
    await expect('pong', 'between');
    await expect('text', cut);
    for (let i = 0; i < 500; i++) socket.send(text.subarray(i, i + 200 + i), { binary: false });
    for (let i = 0; i < 500; i++) await expect('text', text.subarray(i, i + 200 + i));
    socket.send('ping us');
    await expect('text', 'pong us');
    socket.send('close 4321 enough');
    assert.deepStrictEqual(await hear(), ['close', 4321, 'enough']);
    console.log(`${count + 502} messages, [${third === 'no' ? '' : 'permessage-deflate'}]`);
    process.exit(0);
  });
}

if (mode === 'server') server();
else client();
