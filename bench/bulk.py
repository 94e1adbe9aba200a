#!/usr/bin/env python3
"""bulk.py KDP [MB]: kdp preview over made-up bulk files of about MB (700) beside what any reader pays, in turns:
cat for a plain file, zcat for a compressed one, Python's own json (which takes the file whole into memory) once.

Prints name=value lines: seconds on the clock and on a CPU (medians of KDP_BENCH_REPS, 5), MB of text a second, peak memory."""
import os, resource, subprocess, sys, tempfile, time

kdp, megabytes = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 700
reps = int(os.environ.get("KDP_BENCH_REPS", "5"))


def run(args):
    """Seconds, CPU seconds, peak kB of one child, by wait4."""
    start = time.monotonic()
    child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit("%s: status %d" % (args, status))
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def median(values):
    return sorted(values)[len(values) // 2]


with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp"), prefix="kdp-bulk.") as folder:
    for kind, row_bytes in (("trades", 170), ("markets", 225)):
        for ending, floor in ((".json", "cat"), (".json.gz", "zcat")):
            path = os.path.join(folder, kind + ending)
            rows = megabytes * 1000000 // row_bytes
            subprocess.run([kdp, "gen", "--bulk", kind, "--rows", str(rows), "--output", path, "--quiet"], check=True)
            contestants = {"kdp": [kdp, "preview", "--file", path], floor: [floor, path]}
            seen = {name: [] for name in contestants}
            for rep in range(reps + 1):
                for name, args in contestants.items():
                    took = run(args)
                    if rep > 0:  # the first warms the page cache
                        seen[name].append(took)
            text = os.path.getsize(path) if ending == ".json" else text
            ours, theirs = (tuple(median([s[i] for s in seen[n]]) for i in range(2)) for n in ("kdp", floor))
            print("name=bulk_%s%s rows=%d text_mb=%.1f file_mb=%.1f kdp_s=%.2f kdp_cpu_s=%.2f kdp_text_mb_s=%.0f kdp_peak_kb=%d "
                  "%s_s=%.2f %s_cpu_s=%.2f kdp_over_%s=%.2f"
                  % (kind, ending.replace(".json", "").replace(".", "_"), rows, text / 1e6, os.path.getsize(path) / 1e6, ours[0], ours[1],
                     text / 1e6 / ours[0], max(s[2] for s in seen["kdp"]), floor, theirs[0], floor, theirs[1], floor, ours[0] / theirs[0]),
                  flush=True)
            if ending == ".json.gz":
                os.remove(path)
        path = os.path.join(folder, kind + ".json")
        if "KDP_BENCH_NO_PEER" not in os.environ and megabytes <= 100:
            python = run([sys.executable, "-c", "import json; json.load(open('%s'))" % path])
            print("name=bulk_%s_python_json s=%.2f peak_kb=%d" % (kind, python[0], python[2]), flush=True)
        os.remove(path)
