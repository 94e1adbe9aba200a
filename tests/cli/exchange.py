"""A tiny exchange for tests of requests: exchange.py DIR answers GET /x/NAME with DIR/NAME, whose first line is "STATUS", and
writes its port to DIR/port.  DIR/offset holds seconds that its clock is ahead.  A request with a key must be signed within 30 s
of that clock, and by the key id in DIR/id.  A file that is not there: 404.  An empty one: no answer at all."""
import email.utils
import http.server
import json
import os
import sys
import threading
import time

folder = sys.argv[1]
done = threading.Event()


def read(name):
    with open(os.path.join(folder, name)) as file:
        return file.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: no waiting for its acknowledgement

    def log_message(self, *args):
        pass

    def now(self):
        return time.time() + float(read("offset"))

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.now(), usegmt=True)

    def reply(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open(os.path.join(folder, "log"), "a") as log:
            log.write(self.path + (" signed" if self.headers["KALSHI-ACCESS-KEY"] else "") + "\n")
        if self.headers["KALSHI-ACCESS-KEY"]:
            if abs(int(self.headers["KALSHI-ACCESS-TIMESTAMP"]) / 1000 - self.now()) > 30:
                self.reply(401, json.dumps({"code": "header_timestamp_expired", "message": "header timestamp expired"}))
                return
            if self.headers["KALSHI-ACCESS-KEY"] != read("id").strip() or not self.headers["KALSHI-ACCESS-SIGNATURE"]:
                self.reply(401, json.dumps({"error": {"code": "bad_signature", "message": "invalid signature"}}))
                return
        name = self.path.rsplit("/", 1)[1]
        if not os.path.exists(os.path.join(folder, name)):
            self.reply(404, json.dumps({"error": {"code": "not_found", "message": "not found"}}))
            return
        status, _, body = read(name).partition("\n")
        if status == "":
            done.wait(30)
            self.close_connection = True
            return
        self.reply(int(status), body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(folder, "port.new"), "w") as file:
    file.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
