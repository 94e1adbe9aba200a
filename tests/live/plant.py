"""plant.py - a kdp run under test, and what it leaves: its stream read live, its summary, its tape, its tables."""
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess

KDP = os.environ.get("KDP", "build/kdp")
PACE = os.environ.get("KDP_TEST_PACE", "10")
# for a thread sanitizer, which knows nothing of what DuckDB's threads do to keep apart
NO_SQL = os.environ.get("KDP_TEST_NO_SQL", "") != ""
SLOW = float(os.environ.get("KDP_TEST_SLOW", "1"))  # deadlines, for builds with sanitizers


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("KALSHI_", "QUESTDB_", "KDP_")) or k == "KDP_DUCKDB_LIB"}
    return {**env, "LC_ALL": "C.UTF-8", **more}


async def output(*args, codes=(0,), limit_s=120):
    """What a command of kdp prints."""
    process = await asyncio.create_subprocess_exec(KDP, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                   stderr=subprocess.PIPE, env=clean_env(), limit=1 << 28)
    try:
        out, err = await asyncio.wait_for(process.communicate(), limit_s * SLOW)
    except asyncio.TimeoutError:
        process.kill()
        raise AssertionError(f"kdp {' '.join(args)} hangs") from None
    assert process.returncode in codes, f"kdp {' '.join(args)}: exit {process.returncode}: {err.decode()[-600:]}"
    return out.decode()


async def records(data, *types):
    """The whole stream of a data folder, as dictionaries."""
    text = await output("tap", "--from", "oldest", "--to", "end", "--format", "json", "--data", data,
                        *(("--types", ",".join(types)) if types else ()))
    return [json.loads(line) for line in text.splitlines()]


class Stream:
    """Books, states and trades as the records of the stream tell them: a reader as any user would write one."""

    def __init__(self):
        self.books, self.states, self.trades = {}, {}, {}
        self.parts = {}
        self.gaps, self.lines, self.open_gaps = [], [], {}
        self.last_seq, self.breaks, self.twice = 0, [], []
        self.count = 0

    def take(self, record):
        self.count += 1
        kind, ticker, seq = record["type"], record["ticker"], record["seq"]
        if self.last_seq and seq != self.last_seq + 1:
            self.breaks.append((self.last_seq, seq, kind))
        self.last_seq = seq
        if kind == "book_snapshot":
            part = self.parts.setdefault(ticker, {"yes": {}, "no": {}})
            if record["part"] == 0:
                part["yes"], part["no"] = {}, {}
            for level in record["levels"]:
                part[level["side"]][level["price"]] = level["size"]
            if "last" in record["flags"]:
                self.books[ticker] = self.parts.pop(ticker)
        elif kind == "level":
            side = self.books.setdefault(ticker, {"yes": {}, "no": {}})[record["side"]]
            if record["size"] == "0.00":
                side.pop(record["price"], None)
            else:
                side[record["price"]] = record["size"]
        elif kind == "state":
            if record["subject"] in ("book", "instrument", "market") and ticker:
                self.states[ticker] = record["state"]
            elif record["subject"] == "line":
                self.lines.append(record)
        elif kind == "trade":
            if record["trade_id"] in self.trades:
                self.twice.append(record["trade_id"])
            self.trades[record["trade_id"]] = record
        elif kind == "gap":
            self.gaps.append(record)
            key = tuple(record[k] for k in ("kind", "sid", "epoch", "expected", "opened_ts"))
            if record["status"] == "open":
                self.open_gaps[key] = record
            else:
                self.open_gaps.pop(key, None)

    def book(self, ticker):
        book = self.books.get(ticker, {"yes": {}, "no": {}})
        return {"yes_bids": sorted(map(list, book["yes"].items()), reverse=True),
                "yes_asks": sorted(map(list, book["no"].items()))}


class Plant:
    def __init__(self, folder, settings, *args, pace=PACE):
        self.folder, self.data = folder, os.path.join(folder, "data")
        self.settings, self.args, self.pace = settings, args, pace
        self.stream = Stream()
        self.process = self.tap = None
        self.lives = 0

    async def start(self):
        self.lives += 1
        self.error_path = os.path.join(self.folder, f"run.{self.lives}.err")
        command = [KDP, "run", "--data", self.data, "--summary", "json", "--ring-size", "8M", "--raw-ring-size", "8M",
                   "--max-markets", "4096", "--env-file", "/dev/null", *(("--test-pace", self.pace) if self.pace else ()),
                   *(("--no-lake",) if NO_SQL else ()), *self.args]
        with open(self.error_path, "w") as err:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, limit=1 << 28,
                env=clean_env(**self.settings))

    def errors(self):
        with open(self.error_path) as file:
            return file.read()[-3000:]

    async def follow(self):
        """Reads the stream while it grows, into self.stream; over ends and new beginnings of plants."""
        while not os.path.exists(os.path.join(self.data, "plant")):
            assert self.process.returncode is None, f"kdp run ended: {self.process.returncode}: {self.errors()}"
            await asyncio.sleep(0.02)
        with open(os.path.join(self.folder, "tap.err"), "w") as err:
            self.tap = await asyncio.create_subprocess_exec(
                KDP, "tap", "--from", "oldest", "--follow", "--format", "json", "--data", self.data,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, limit=1 << 24, env=clean_env())

        async def read():
            async for line in self.tap.stdout:
                self.stream.take(json.loads(line))

        self.reading = asyncio.create_task(read())

    async def until(self, what, condition, limit_s=30):
        """Waits until condition() is empty or true; what it says at last stands in the failure."""
        deadline = asyncio.get_running_loop().time() + limit_s * SLOW
        while True:
            found = condition()
            if found is True or (isinstance(found, (list, dict)) and not found):
                return
            assert self.process.returncode is None, f"kdp run ended: {self.process.returncode}: {self.errors()}"
            assert not self.tap or self.tap.returncode is None, "kdp tap ended"
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not {what} in {limit_s:.0f} s: {str(found)[:1500]}\n{self.errors()}")
            await asyncio.sleep(0.05)

    async def stop(self, how=signal.SIGINT, limit_s=60):
        """Ends it in order and gives its summary."""
        self.process.send_signal(how)
        try:
            out, _ = await asyncio.wait_for(self.process.communicate(), limit_s * SLOW)
        except asyncio.TimeoutError:
            self.process.kill()
            raise AssertionError(f"kdp run does not end: {self.errors()}") from None
        want = 0 if how == signal.SIGINT else 128 + how
        assert self.process.returncode == want, f"exit {self.process.returncode}, not {want}: {self.errors()}"
        return json.loads(out)

    async def kill(self):
        self.process.kill()
        await self.process.communicate()

    async def end(self):
        """Nothing stays behind, its shared memory neither."""
        for process in (self.tap, self.process):
            if process and process.returncode is None:
                process.kill()
                await process.wait()
        if self.tap:
            self.reading.cancel()
        try:
            with open(os.path.join(self.data, "plant")) as file:
                ring = re.search(r"^ring=/(\S+)$", file.read(), re.M)
        except OSError:
            ring = None
        if ring and os.path.exists("/dev/shm/" + ring.group(1)):
            os.unlink("/dev/shm/" + ring.group(1))

    # ---- what it left ----

    async def replay_differs(self, one, summary):
        """The raw tape played again gives the records of the run: a list of differences."""
        again = os.path.join(self.folder, "again")
        shutil.rmtree(again, ignore_errors=True)
        replayed = json.loads(await output(
            "replay", "--input", self.data, "--data", again, "--no-lake", "--ring-size", "8M", "--raw-ring-size", "8M",
            "--max-markets", "4096", "--summary", "json"))
        two = await records(again)
        for record in one:
            record["pub_delay_ns"] = 0  # the run's own; a replay has none
        wrong = [f"{len(one)} records, replayed {len(two)}"] if len(one) != len(two) else []
        if not summary["stream_hash"] or replayed["stream_hash"] != summary["stream_hash"]:
            wrong.append(f"stream hash {summary['stream_hash']}, replayed {replayed['stream_hash']}")
        for a, b in zip(one, two):
            if a != b:
                return wrong + [f"first difference: {a} against {b}"]
        return wrong

    async def sql(self, statement):
        """Rows of a statement, None where there is no DuckDB."""
        try:
            text = await output("query", statement, "--format", "csv", "--quiet", "--data", self.data)
        except AssertionError as error:
            if "libduckdb" in str(error):
                return None
            raise
        return [line.split(",") for line in text.splitlines()[1:]]
