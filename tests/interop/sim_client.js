// sim_client.js SIM_ENV KEY DEFLATE: npm's ws as a client of the simulated exchange: signs, subscribes, keeps books and compares
// them with snapshots it asks for.  KEY is rsa or ed25519, DEFLATE yes or no.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const path = require('path');
const { WebSocket } = require('ws');

const [envPath, kind, wish] = process.argv.slice(2);
const deflate = wish === 'yes';
const env = Object.fromEntries(fs.readFileSync(envPath, 'utf8').split('\n')
  .filter((line) => line.includes('=') && !line.startsWith('#'))
  .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
const ca = fs.readFileSync(env.KALSHI_CA_FILE);
const fail = (error) => {
  console.error(error);
  process.exit(1);
};
setTimeout(() => fail('nothing more for 60 s'), 60000);

function headers() {
  const stamp = String(Date.now());
  const key = crypto.createPrivateKey(
    fs.readFileSync(path.join(path.dirname(env.KALSHI_PRIVATE_KEY_PATH), kind + '.pem')));
  const text = Buffer.from(stamp + 'GET/trade-api/ws/v2');
  const signature = kind === 'rsa'
    ? crypto.sign('sha256', text, { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
    : crypto.sign(null, text, key);
  return {
    'KALSHI-ACCESS-KEY': env.KALSHI_API_KEY,
    'KALSHI-ACCESS-TIMESTAMP': stamp,
    'KALSHI-ACCESS-SIGNATURE': signature.toString('base64'),
  };
}

function unsignedIsRefused() {
  return new Promise((resolve) => {
    const socket = new WebSocket(env.KALSHI_WS_URL, { ca });
    socket.on('unexpected-response', (request, response) => {
      assert.strictEqual(response.statusCode, 401);
      request.destroy();
      resolve();
    });
    socket.on('error', () => {});
    socket.on('open', () => fail('an unsigned session was taken'));
  });
}

function markets() {
  return new Promise((resolve) => {
    https.get(env.KALSHI_BASE_URL + '/markets?limit=20&status=open', { ca }, (response) => {
      let body = '';
      response.on('data', (piece) => { body += piece; });
      response.on('end', () => resolve(JSON.parse(body).markets.map((market) => market.ticker)));
    }).on('error', fail);
  });
}

async function main() {
  const tickers = await markets();
  await unsignedIsRefused();
  const socket = new WebSocket(env.KALSHI_WS_URL, { ca, headers: headers(), perMessageDeflate: deflate });
  const levels = new Map();
  const seqs = {};
  const counts = {};
  let checked = 0;
  let asked = false;
  let ponged = false;

  socket.on('error', fail);
  socket.on('pong', (data) => { ponged = data.toString() === 'are you there'; });
  socket.on('open', () => {
    assert.strictEqual(socket.extensions, deflate ? 'permessage-deflate' : '');
    socket.send(JSON.stringify({ id: 1, cmd: 'subscribe',
      params: { channels: ['orderbook_delta'], market_tickers: tickers, use_yes_price: true } }));
    socket.send(JSON.stringify({ id: 2, cmd: 'subscribe', params: { channels: ['ticker', 'trade'], market_tickers: tickers } }));
  });
  socket.on('message', (data) => {
    const frame = JSON.parse(data);
    const message = frame.msg || {};

    counts[frame.type] = (counts[frame.type] || 0) + 1;
    assert.notStrictEqual(frame.type, 'error', String(data));
    if (frame.seq !== undefined) {
      assert.strictEqual(frame.seq, (seqs[frame.sid] || 0) + 1);
      seqs[frame.sid] = frame.seq;
    }
    if (frame.type === 'orderbook_snapshot') {
      const book = {};
      for (const side of ['yes', 'no'])
        for (const [price, size] of message[side + '_dollars_fp'] || []) book[side + price] = Math.round(size * 100);
      if (levels.has(message.market_ticker)) {
        assert.deepStrictEqual(levels.get(message.market_ticker), book);
        checked++;
      }
      levels.set(message.market_ticker, book);
    } else if (frame.type === 'orderbook_delta') {
      const book = levels.get(message.market_ticker);
      const level = message.side + message.price_dollars;
      const size = (book[level] || 0) + Math.round(message.delta_fp * 100);

      assert.ok(size >= 0);
      if (size === 0) delete book[level];
      else book[level] = size;
    }
    if (!asked && counts.orderbook_delta >= 200) {
      asked = true;
      socket.ping('are you there');
      socket.send(JSON.stringify({ id: 3, cmd: 'update_subscription',
        params: { sid: Number(Object.keys(seqs)[0]), action: 'get_snapshot', market_tickers: tickers } }));
    }
    if (checked === tickers.length && ponged) socket.close(1000, 'enough');
  });
  socket.on('close', (code) => {
    assert.strictEqual(code, 1000);
    assert.strictEqual(checked, tickers.length);
    console.log(`${kind}, deflate ${wish}: ${checked} books agree after ${JSON.stringify(counts)}`);
    process.exit(0);
  });
}

main().catch(fail);
