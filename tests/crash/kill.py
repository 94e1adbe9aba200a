"""kill.py SEED... - kills kdp under load and looks at what is left; see kill.sh.

A round is one data directory and up to four lives of kdp replay in it, all but the last ended by what the seed says: SIGKILL
of the plant, of the sealer or of both, the ring removed as a reboot removes it, SIGTERM.  Meanwhile taps print the stream
and queries count rows.  What must hold afterwards is checked by tape.py, which shares no code with kdp."""
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tape

KDP = os.environ["KDP"]
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema", "records.xml")
SHAPE = tape.texts_and_groups(SCHEMA)
TABLES = tape.tables(SCHEMA)

LIMIT_S = 120  # a step that takes longer hangs
SQL_CENSUS = " UNION ALL ".join(
    f"SELECT '{table}' AS name, count(*) AS n, "
    + ("count(DISTINCT (seq, side, price))" if table == "orderbook_snapshots" else "count(DISTINCT seq)")
    + f" AS d, count(DISTINCT seq) AS r FROM {table}"
    for table in TABLES.values()
)


class Wrong(Exception):
    pass


def run(*args, stdin=subprocess.DEVNULL, codes=(0,)):
    done = subprocess.run([KDP, *args], stdin=stdin, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode not in codes:
        raise Wrong(f"kdp {' '.join(args)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def kill(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def plant_ring(data):
    try:
        with open(os.path.join(data, "plant")) as file:
            found = re.search(r"^ring=/(\S+)$", file.read(), re.M)
    except OSError:
        return None
    return found and os.path.join("/dev/shm", found.group(1))


class Tap:
    """A reader that prints the whole stream and follows it over the lives and deaths of plants."""

    def __init__(self, round_, name):
        self.path = os.path.join(round_.folder, name + ".csv")
        self.errors = os.path.join(round_.folder, name + ".err")
        with open(self.path, "w") as out, open(self.errors, "w") as err:
            command = [KDP, "tap", "--from", "oldest", "--follow", "--format", "csv", "--data", round_.data]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.code = self.process.wait(LIMIT_S)

    def lines(self):
        with open(self.path) as file:
            text = file.read()
        whole = text[: text.rfind("\n") + 1].splitlines()
        return whole[1:]


class Census(threading.Thread):
    """Counts the rows of every table again and again while plants run and die."""

    def __init__(self, round_):
        super().__init__(daemon=True)
        self.round = round_
        self.stop = threading.Event()
        self.wrong = None
        self.answers = []  # (lost rings by then, S, {table: rows})

    def run(self):
        while not self.stop.is_set():
            lost = self.round.rings_lost
            command = [KDP, "query", SQL_CENSUS, "--format", "csv", "--data", self.round.data]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)
            if done.returncode != 0:
                self.wrong = f"a query while it runs: exit {done.returncode}: {done.stderr}"
                return
            at = re.search(r"--at-seq (\d+)", done.stderr)
            rows = {}
            for line in done.stdout.splitlines()[1:]:
                name, n, distinct, records = line.split(",")
                rows[name] = int(records)
                if n != distinct:
                    self.wrong = f"{name} shows a row twice: {n} rows, {distinct} distinct; {done.stderr}"
                    return
            before = self.answers[-1] if self.answers else None
            if before is not None and before[0] == self.round.rings_lost and before[0] == lost:
                for name, count in rows.items():
                    if count < before[2].get(name, 0):
                        self.wrong = f"{name}: {before[2][name]} rows, later {count}; {done.stderr}"
                        return
            self.answers.append((lost, int(at.group(1)) if at else 0, rows))
            self.stop.wait(0.15)

    def end(self):
        self.stop.set()
        self.join(LIMIT_S)
        if self.wrong is not None:
            raise Wrong(self.wrong)


class Round:
    def __init__(self, seed, folder):
        self.seed = seed
        self.random = random.Random(seed)
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.told = []
        self.rings = set()
        self.rings_lost = 0
        self.frames = self.random.choice([2000, 4000, 10000, 20000])
        self.markets = self.random.choice([20, 60, 200])
        self.day = self.random.choice(["2026-11-20T14:00:00Z", "2026-11-20T23:59:55Z", "now"])
        self.options = []
        if self.random.random() < 0.5:
            self.options += ["--ring-size", self.random.choice(["128K", "1M", "4M"]), "--raw-ring-size", "1M"]
        self.start = time.time() - 900 if self.day == "now" else None

    def tell(self, words):
        self.told.append(words)

    def session(self, number):
        """The file of the session that the life plays; the same one twice stands for somebody who begins again."""
        path = os.path.join(self.folder, f"session-{number}.jsonl")
        if not os.path.exists(path):
            start = self.day
            if self.start is not None:
                start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.start))
            run("gen", "--frames", str(self.frames), "--markets", str(self.markets), "--seed", str(self.seed * 10 + number),
                "--rate", "2000", "--faults", "gap,resync,dup,reconnect", "--start", start, "--output", path, "--quiet")
        return path

    def begin(self, number):
        speed = "max"
        seconds = 0.4
        if self.random.random() < 0.6:
            seconds = self.random.uniform(0.4, 1.5)
            speed = f"{self.frames / 2000 / seconds:.1f}"
        command = [KDP, "replay", "--input", "-", "--data", self.data, "--append", "--speed", speed, "--summary", "json", *self.options]
        self.errors = os.path.join(self.folder, "replay.err")
        with open(self.session(number)) as file, open(self.errors, "a") as err:
            err.write(f"--- session {number}, speed {speed}\n")
            err.flush()
            process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=err, text=True,
                                       start_new_session=True)
        return process, seconds

    def note_ring(self):
        ring = plant_ring(self.data)
        if ring is not None:
            self.rings.add(ring)
        return ring

    def life(self, number, how, taps):
        process, seconds = self.begin(number)
        moment = self.random.uniform(0, 0.06) if self.random.random() < 0.25 else self.random.uniform(0, seconds * 1.3)
        time.sleep(moment)
        sealers = children(process.pid)
        ring = self.note_ring()
        self.tell(f"session {number}: {how} after {moment:.3f} s")
        if self.random.random() < 0.2:
            self.intrude(process)
        if how == "term":
            kill(process.pid, signal.SIGTERM)
        elif how == "ctrl-c":  # a terminal sends it to the whole group
            try:
                os.killpg(process.pid, signal.SIGINT)
            except ProcessLookupError:
                pass
        elif how == "sealer":
            for pid in sealers:
                kill(pid, signal.SIGKILL)
        else:
            kill(process.pid, signal.SIGKILL)
            if how != "plant":
                for pid in sealers:
                    kill(pid, signal.SIGKILL)
        printed = max((len(tap.lines()) for tap in taps), default=0)
        out, _ = process.communicate(timeout=LIMIT_S)
        code = process.returncode
        allowed = {"term": (0, 143, -15), "ctrl-c": (0, 130, -2), "sealer": (0, 1), "plant": (0, -9), "both": (0, -9), "reboot": (0, -9)}[how]
        if code not in allowed:
            raise Wrong(f"kdp replay ended by {how}: exit {code}, see {self.errors}")
        self.told[-1] += f" (exit {code}, {printed} records printed by then)"
        if code in (0, 130, 143):
            self.check_sealed()
        if how == "reboot":
            for pid in sealers:  # a reboot ends readers too
                while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split(") ")[1][0] != "Z":
                    time.sleep(0.005)
            ring = self.note_ring() or ring
            if ring is not None and os.path.exists(ring):
                self.rings_lost += 1
                os.unlink(ring)
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0, 0.3))

    def intrude(self, process):
        """Somebody starts a second replay into the folder while one runs."""
        try:
            with open(os.path.join(self.data, "plant")) as file:
                running = re.search(rf"^pid={process.pid}$", file.read(), re.M)
        except OSError:
            running = None
        if process.poll() is not None or running is None:  # what stands there may be of the one killed before
            return
        done = subprocess.run([KDP, "replay", "--input", "/dev/null", "--data", self.data, "--append"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S)
        if process.poll() is None and (done.returncode != 1 or "in use" not in done.stderr):
            raise Wrong(f"a second replay into the folder: exit {done.returncode}: {done.stderr}")

    def check_sealed(self):
        """A run that ended in order has sealed all it wrote."""
        records = tape.read(self.data, SHAPE)
        for name in TABLES.values() if records else []:
            with open(os.path.join(self.data, name, "manifest.json")) as file:
                sealed = json.load(file)["sealed_seq"]
            if sealed != records[-1].seq:
                raise Wrong(f"after a run that ended in order {name} is sealed up to {sealed}, the tape ends at {records[-1].seq}")

    def last_life(self, number):
        process, _ = self.begin(number)
        out, _ = process.communicate(timeout=LIMIT_S)
        self.tell(f"session {number}: to its end")
        if process.returncode != 0:
            raise Wrong(f"the run after the kills: exit {process.returncode}, see {self.errors}")
        self.summary = json.loads(out)

    def play(self):
        for number in range(1, 4):
            self.session(number)
        taps = []
        census = None
        number = 0
        for _ in range(self.random.choice([1, 1, 2, 3])):
            if number == 0 or self.random.random() < 0.6:
                number += 1
            how = self.random.choices(["plant", "both", "sealer", "reboot", "term", "ctrl-c"], [42, 15, 12, 15, 8, 8])[0]
            watch = threading.Thread(target=self.watch, args=(taps,))
            if not taps:
                watch.start()
            self.life(number, how, taps)
            if watch.ident is not None:
                watch.join(LIMIT_S)
            if census is None and os.path.isdir(self.data):
                census = Census(self)
                census.start()
            if len(taps) == 1 and os.path.isdir(self.data):
                taps.append(Tap(self, "tap-2"))
        self.last_life(number + 1 if number < 3 else 3)
        if census is not None:
            census.end()
        self.census = census
        # what was printed is looked at when the readers have had all
        last = tape.read(self.data, SHAPE)[-1].seq
        for tap in taps:
            until = time.monotonic() + LIMIT_S
            while tap.process.poll() is None and not self.has_printed(tap, last):
                if time.monotonic() > until:
                    raise Wrong(f"{tap.path} does not come to sequence {last}")
                time.sleep(0.02)
            tap.end()
        self.taps = taps

    def watch(self, taps):
        """The first tap begins as soon as there is a directory."""
        for _ in range(2000):
            if os.path.exists(os.path.join(self.data, "plant")):
                taps.append(Tap(self, "tap-1"))
                return
            time.sleep(0.001)

    @staticmethod
    def has_printed(tap, seq):
        with open(tap.path, "rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - 8192))
            lines = file.read().split(b"\n")
        return len(lines) > 1 and lines[-2].split(b",")[0] == str(seq).encode()

    # ---- what must hold -------------------------------------------------------------------------------------------

    def check(self):
        records = tape.read(self.data, SHAPE)
        self.check_sequence(records)
        run("tape", "verify", "--data", self.data)
        self.check_rows(records)
        self.check_taps(records)
        self.check_census()
        self.check_instruments()
        self.check_replayed(records)
        left = [ring for ring in self.rings if os.path.exists(ring)]
        if left:
            raise Wrong(f"left in shared memory: {left}")
        with open(os.path.join(self.data, "plant")) as file:
            plant = dict(line.rstrip("\n").split("=", 1) for line in file)
        if plant["state"] != "closed" or plant["ring"] != "" or int(plant["start_seq"]) != records[-1].seq + 1:
            raise Wrong(f"the last run ended in order and DIR/plant says {plant}; the tape ends at {records[-1].seq}")
        self.tell(f"{len(records)} records")

    def check_sequence(self, records):
        ranges = {last: (first, at) for first, last, at in tape.unused_ranges(records)}
        self.unused = [(first, last) for last, (first, _) in ranges.items()]
        expected = 1
        for record in records:
            if record.seq != expected:
                first, at = ranges.get(record.seq - 1, (0, 0))
                if first != expected or at != record.seq:
                    raise Wrong(f"the tape goes from sequence {expected - 1} to {record.seq}, and no Gap record there says so")
                del ranges[record.seq - 1]
            expected = record.seq + 1
        if ranges:
            raise Wrong(f"Gap records name ranges that were used: {ranges}")
        if len(self.unused) > self.rings_lost:
            raise Wrong(f"unused ranges {self.unused} with {self.rings_lost} rings lost")
        trades = tape.trade_ids(records)
        if len(trades) != len(set(trades)):
            twice = [id_.hex() for id_, n in collections.Counter(trades).items() if n > 1]
            raise Wrong(f"trades that stand on the tape twice: {twice[:5]}")

    def check_rows(self, records):
        done = run("query", SQL_CENSUS, "--format", "csv", "--data", self.data)
        want = collections.Counter(TABLES[record.template] for record in records)
        for line in done.stdout.splitlines()[1:]:
            name, rows, distinct, seqs = line.split(",")
            if rows != distinct:
                raise Wrong(f"{name}: {rows} rows, {distinct} distinct")
            if int(seqs) != want[name]:
                raise Wrong(f"{name}: {want[name]} records on the tape, {seqs} in SQL")
        twice = run("query", "SELECT trade_id FROM trades GROUP BY 1 HAVING count(*) > 1", "--format", "csv", "--data", self.data)
        if len(twice.stdout.splitlines()) != 1:
            raise Wrong(f"trades twice in SQL: {twice.stdout[:200]}")
        # the files alone, which is what other programs read
        for name, count in want.items():
            with open(os.path.join(self.data, name, "manifest.json")) as file:
                manifest = json.load(file)
            there = {os.path.join(day, part) for day in os.listdir(os.path.join(self.data, name)) if day.startswith("date=")
                     for part in os.listdir(os.path.join(self.data, name, day))}
            named = {part["path"] for part in manifest["files"]}
            if there != named:
                raise Wrong(f"{name}: files and manifest differ: {sorted(there ^ named)}")
            if manifest["sealed_seq"] != records[-1].seq:
                raise Wrong(f"{name}: sealed up to {manifest['sealed_seq']}, the tape ends at {records[-1].seq}")
            if name != "orderbook_snapshots" and sum(part["rows"] for part in manifest["files"]) != count:
                raise Wrong(f"{name}: the files have other rows than the tape's {count}")

    def check_taps(self, records):
        final = run("tap", "--from", "oldest", "--to", "end", "--format", "csv", "--data", self.data).stdout.splitlines()[1:]
        if [int(line.split(",", 1)[0]) for line in final] != [record.seq for record in records]:
            raise Wrong("kdp tap prints other records than the tape has")
        by_seq = {int(line.split(",", 1)[0]): line for line in final}
        for tap in self.taps:
            if tap.code not in (0, 143):
                with open(tap.errors) as file:
                    raise Wrong(f"kdp tap: exit {tap.code}: {file.read()}")
            last = 0
            for line in tap.lines():
                seq = int(line.split(",", 1)[0])
                if seq <= last:
                    raise Wrong(f"{tap.path}: {seq} after {last}")
                for missing in range(last + 1, seq):
                    if missing in by_seq:
                        raise Wrong(f"{tap.path}: {missing} is on the tape and was not printed")
                last = seq
                if seq not in by_seq:
                    if not any(first <= seq <= end for first, end in self.unused):
                        raise Wrong(f"{tap.path}: printed and gone: {line}")
                elif by_seq[seq] != line:
                    raise Wrong(f"{tap.path}: printed:\n{line}\non the tape:\n{by_seq[seq]}")

    def check_census(self):
        """An answer given while it ran is given again for the same S."""
        whole = [answer for answer in (self.census.answers if self.census else [])
                 if answer[1] > 0 and not any(first <= answer[1] <= last for first, last in self.unused)]
        if not whole:
            return
        _, at, rows = self.random.choice(whole)
        done = run("query", SQL_CENSUS, "--format", "csv", "--data", self.data, "--at-seq", str(at))
        again = {line.split(",")[0]: int(line.split(",")[3]) for line in done.stdout.splitlines()[1:]}
        if again != rows:
            raise Wrong(f"--at-seq {at}: then {rows}, now {again}")

    def check_instruments(self):
        with open(os.path.join(self.data, "instruments")) as file:
            lines = [line.split() for line in file]
        ids = [line[0] for line in lines]
        tickers = [line[1] for line in lines if line[1] != "-"]
        if len(ids) != len(set(ids)) or len(tickers) != len(set(tickers)):
            raise Wrong("instruments: an id or a ticker stands there twice")

    def check_replayed(self, records):
        """stream = f(raw tape): played into an empty folder it makes the same records."""
        again = os.path.join(self.folder, "again")
        run("replay", "--input", os.path.join(self.data, "raw"), "--data", again, "--no-lake", "--no-raw", "--quiet")
        made = tape.read(again, SHAPE)
        if len(made) != len(records):
            by_type = collections.Counter(TABLES[record.template] for record in records)
            by_type.subtract(TABLES[record.template] for record in made)
            first = next((a.seq for a, b in zip(records, made) if a.bytes[:8] != b.bytes[:8]), "the end")
            raise Wrong(f"{len(records)} records, and {len(made)} of the same raw tape ({dict(by_type)}), from {first} on")
        for one, two in zip(records, made):
            if one != two:
                raise Wrong(f"sequence {one.seq} is another record when the raw tape is replayed:\n{one.bytes.hex()}\n{two.bytes.hex()}")


def main():
    keep = tempfile.mkdtemp(prefix="kdp-crash.", dir=os.environ.get("TMPDIR", "/tmp"))
    wrong = 0
    for seed in map(int, sys.argv[1:]):
        folder = os.path.join(keep, f"seed-{seed}")
        os.mkdir(folder)
        round_ = Round(seed, folder)
        begun = time.monotonic()
        try:
            round_.play()
            round_.check()
        except (Wrong, tape.Bad, subprocess.TimeoutExpired) as why:
            wrong += 1
            print(f"WRONG: seed {seed}: {why}\n  frames {round_.frames}, markets {round_.markets}, day {round_.day}, "
                  f"{' '.join(round_.options)}\n  {'; '.join(round_.told)}\n  kept in {folder}; again: tests/crash/kill.sh {seed}", flush=True)
            continue
        print(f"seed {seed}: {'; '.join(round_.told)}; {time.monotonic() - begun:.1f} s", flush=True)
        shutil.rmtree(folder)
    if wrong == 0:
        os.rmdir(keep)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
