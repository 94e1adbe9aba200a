// http2_server.js CERT KEY DIR: pages over HTTP/2 alone, by node's own http2, and some that go wrong once.
// Writes its port to DIR/port, and a line for each request to DIR/log: version, connection, path.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const [cert, key, dir] = process.argv.slice(2);
const page = '{"trades":[' + Array(1000).fill('{"ticker":"KXA-1","count_fp":"1.00"}').join(',') + '],"cursor":""}';
const seen = new Set();
const server = http2.createSecureServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: false});
let connections = 0;
server.on('session', (session) => { session.kdpNumber = connections++; });
server.on('stream', (stream, headers) => {
    const path = headers[':path'];
    const first = !seen.has(path);
    seen.add(path);
    fs.appendFileSync(dir + '/log', `2 ${stream.session.kdpNumber} ${path}\n`);
    stream.on('error', () => {});
    if (first && path === '/x/cut') { // the stream ends in the middle of its page, the connection does not
        stream.respond({':status': 200, 'content-length': page.length});
        stream.write(page.slice(0, 20000), () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
    } else if (first && path === '/x/end') { // it ends in order, and early: nothing but the page tells
        stream.respond({':status': 200});
        stream.end(page.slice(0, 20000));
    } else if (first && path === '/x/refused') {
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    } else if (first && path === '/x/gone') { // the connection goes down with all that is on it
        stream.session.destroy();
    } else {
        stream.respond({':status': 200, 'content-type': 'application/json'});
        stream.end(page);
        if (path === '/x/goaway') // what is on the connection is answered, the next goes over another
            stream.session.goaway();
    }
});
server.listen(0, () => fs.writeFileSync(dir + '/port', String(server.address().port)));
