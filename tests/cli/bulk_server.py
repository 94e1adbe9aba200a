#!/usr/bin/env python3
"""A small server of bulk files for tests/cli/preview.sh: serves a folder, with the faults a name asks for.

    bulk_server.py DIR      prints its port; ends when standard input does

/cut/NAME       each answer breaks off after a third of what it should give (at least 1 byte); ranges are honoured
/norange/NAME   the first answer breaks off half way, and ranges are not known: later ones begin anew
/changed/NAME   the first answer breaks off half way, and then the file is another one
/gone/NAME      the first answer breaks off half way, all later ones too, with nothing
/forbidden/...  403, as a bucket that may not be listed
/old/NAME       301 to /NAME
/asked          the requests so far, a line each
"""
import http.server, os, sys, threading

root, asked, seen = sys.argv[1], [], {}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, headers, body, send):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[:send])
        self.wfile.flush()
        self.close_connection = True

    def do_GET(self):
        if self.path == "/asked":
            body = "".join(line + "\n" for line in asked).encode()
            return self.answer(200, [], body, len(body))
        asked.append("%s %s" % (self.path, self.headers.get("Range", "-")))
        parts = self.path.strip("/").split("/")
        how = parts[0] if len(parts) > 1 else ""
        path = os.path.join(root, parts[-1])
        count = seen[self.path] = seen.get(self.path, 0) + 1
        if how == "forbidden":
            return self.answer(403, [], b"<Error/>", 8)
        if how == "old":
            return self.answer(301, [("Location", "/" + parts[-1])], b"", 0)
        if not os.path.isfile(path):
            return self.answer(404, [], b"<Error><Code>NoSuchKey</Code></Error>", 99)
        body = open(path, "rb").read()
        tag = '"%d"' % (len(body) if how != "changed" or count == 1 else 1)
        headers = [("ETag", tag)]
        wanted = self.headers.get("Range")
        if wanted and how != "norange" and self.headers.get("If-Range", tag) == tag:
            start = int(wanted[6:].rstrip("-"))
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, len(body) - 1, len(body))))
            part = body[start:]
            send = max(len(part) // 3, 1) if how == "cut" and len(part) > 1000 else 0 if how == "gone" else len(part)
            return self.answer(206, headers, part, send)
        send = len(body)
        if how == "cut":
            send //= 3
        elif how in ("norange", "changed", "gone") and count == 1:
            send //= 2
        self.answer(200, headers, body, send)


http.server.ThreadingHTTPServer.handle_error = lambda *args: None # a client that had enough
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
