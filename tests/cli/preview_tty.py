#!/usr/bin/env python3
"""kdp preview --interactive on a pseudo-terminal: keys typed, screens looked at.

    preview_tty.py KDP FILE PIPED      FILE: 5,000 made-up trades; PIPED: the same, compressed

The screen is kept by a small interpreter of exactly the sequences that the pager writes."""
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time

kdp, plain, packed = sys.argv[1:4]
fails = []


class Terminal:
    def __init__(self, args, rows=12, columns=100, stdin=None):
        self.rows, self.columns = rows, columns
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns, None)
        self.before = termios.tcgetattr(self.slave)
        self.lines, self.at, self.raw = [""] * rows, (0, 0), b""
        env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        self.child = subprocess.Popen([kdp, "preview", *args], stdin=stdin or self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                      env=env, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns, child):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def feed(self, data):
        self.raw += data
        # whole screens only: from the last clearing on
        text = self.raw.decode("utf-8", "replace")
        start = text.rfind("\x1b[H\x1b[2J")
        if start < 0:
            return
        lines, row = [""] * 200, 0
        for part in re.split(r"(\x1b\[[?0-9;]*[A-Za-z])", text[start:]):
            match = re.fullmatch(r"\x1b\[(\d+);1H", part)
            if match:
                row = int(match.group(1)) - 1
                lines[row] = ""
            elif part == "\x1b[K" or not part.startswith("\x1b"):
                lines[row] += "" if part == "\x1b[K" else part
        self.lines = lines

    def until(self, what, seconds=10):
        """Reads until a line of the screen holds what; says what was there instead."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(what in line for line in self.lines):
                return True
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    break
                if not data:
                    break
                self.feed(data)
        fails.append("never saw %r; last screen:\n%s" % (what, "\n".join(self.lines[:12])))
        return False

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self, code):
        end = time.monotonic() + 10
        while self.child.poll() is None and time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready:
                self.raw += os.read(self.master, 65536)
        if self.child.poll() is None:
            self.child.kill()
            fails.append("did not end")
        while select.select([self.master], [], [], 0)[0]:
            self.raw += os.read(self.master, 65536)
        if self.child.returncode != code:
            fails.append("exit %s, not %s: %s" % (self.child.returncode, code, self.child.stderr.read()))
        if termios.tcgetattr(self.slave) != self.before:
            fails.append("the terminal is not as it was")
        if self.raw.count(b"\x1b[?1049h") != self.raw.count(b"\x1b[?1049l") or b"\x1b[?1049h" not in self.raw:
            fails.append("the other screen was not left")
        if not self.raw.rstrip().endswith(b"\x1b[?25h\x1b[?1049l") and code == 0:
            fails.append("something was drawn after leaving: %r" % self.raw[-60:])
        os.close(self.master)
        os.close(self.slave)


def check(term, what, want=True):
    if any(what in line for line in term.lines) != want:
        fails.append("%r is%s on the screen:\n%s" % (what, " not" if want else "", "\n".join(term.lines[:12])))


# paging, both ends, a row by its number; nothing below the last line
for file in (plain, packed):
    t = Terminal(["--file", file, "--interactive"])
    t.until("rows 1 to 10 of")
    check(t, "contracts_traded")
    t.type(" ")
    t.until("rows 11 to 20 of")
    t.type("b")
    t.until("rows 1 to 10 of")
    t.type("j\x1b[B")
    t.until("rows 3 to 12 of")
    t.type("k\x1b[A\x1b[A")
    t.until("rows 1 to 10 of")
    t.type("G")
    t.until("rows 4,991 to 5,000 of 5,000  h")
    t.type(" ")
    t.until("rows 4,991 to 5,000 of 5,000  h")
    t.type("2500g")
    t.until("rows 2,500 to 2,509 of 5,000")
    t.type("g")
    t.until("rows 1 to 10 of 5,000")
    # search: forward, again, back, none; without regard to case when typed small
    t.type("/kxhighny-26sep19-b\r")
    t.until("KXHIGHNY-26SEP19-B")
    t.type("/zzz\r")
    t.until("not found: zzz")
    t.type("h")
    t.until("Any key goes back")
    t.type("h")
    t.until("of 5,000")
    t.type("q")
    t.end(0)

# a row marked by the search, n and N
rows = [line for line in open(plain)]
hits = [i for i, line in enumerate(rows) if "-B488" in line]
t = Terminal(["--file", plain, "--interactive"])
t.until("rows 1 to 10 of")
t.type("/-B488\r")
t.until("rows %s to" % format(max(hits[0] - 1, 1), ",")) if hits[0] >= 10 else t.until("-B488")
t.type("n")
t.until("rows %s to" % format(hits[1] - 1, ","))
t.type("N")
t.until("rows %s to" % format(hits[0] - 1, ","))
# the window grows, shrinks to nothing, and grows again
t.resize(20, 60, t.child)
t.until("rows %s to %s of" % (format(hits[0] - 1, ","), format(hits[0] + 16, ",")))
if any(len(line) > 60 for line in t.lines):
    fails.append("wider than the window")
seen = len(t.raw)
t.resize(2, 5, t.child)
end = time.monotonic() + 10
while b"\x1b[H\x1b[2J" not in t.raw[seen:] and time.monotonic() < end: # nothing fits: an empty screen
    if select.select([t.master], [], [], 0.1)[0]:
        t.raw += os.read(t.master, 65536)
t.resize(12, 100, t.child)
t.until("rows %s to %s of" % (format(hits[0] - 1, ","), format(hits[0] + 8, ",")))
# columns to the right and back
t.type("\x1b[C\x1b[C")
end = time.monotonic() + 5
while "ticker_name" in t.lines[0] and time.monotonic() < end:
    if select.select([t.master], [], [], 0.1)[0]:
        t.feed(os.read(t.master, 65536))
check(t, "ticker_name", False)
t.type("\x1b[D\x1b[D")
t.until("ticker_name")
t.child.send_signal(signal.SIGTERM)
t.end(143)

# Ctrl-C ends it; filters count wanted rows only; data may come by a pipe
t = Terminal(["--file", plain, "--interactive", "--where", "price > 95"])
t.until("rows 1 to 10 of")
t.type("G")
want = sum(1 for line in rows if float(re.search(r'"price":([0-9.]+)', line).group(1)) > 95)
t.until("of %d  h" % want)
t.type("\x03")
t.end(0)
with open(plain) as data:
    t = Terminal(["--file", "-", "--interactive"], stdin=data)
    t.until("rows 1 to 10 of")
    t.type("G")
    t.until("rows 4,991 to 5,000 of 5,000  h")
    t.type("q")
    t.end(0)

# a window too narrow for all members: those that tell least go and are named, and no row is broken
for columns, gone in ((100, None), (80, "report_ticker"), (60, "create_ts")):
    t = Terminal(["--file", plain], rows=40, columns=columns)
    out, end = b"", time.monotonic() + 10
    while b"times  " not in out and time.monotonic() < end:
        if select.select([t.master], [], [], 0.1)[0]:
            out += os.read(t.master, 65536)
    t.child.wait()
    text = out.decode()
    rows_shown = [line for line in text.splitlines() if re.match(r" *[0-9]+  ", line) or line.startswith("ROW")]
    if len(rows_shown) != 11 or any(len(line) > columns for line in rows_shown):
        fails.append("rows wider than %d columns:\n%s" % (columns, text))
    if gone and not re.search("not shown here: .*" + gone, text):
        fails.append("%s is not said to be missing:\n%s" % (gone, text))
    if "contracts_traded" not in rows_shown[0] or "price" not in rows_shown[0]:
        fails.append("numbers are missing:\n%s" % text)

print("\n".join(fails))
sys.exit(1 if fails else 0)
