#!/usr/bin/env python3
"""record_kill.py KDP FEED DIR SEED KILLS: kdp record, killed or stopped at random moments, until it ends by itself; its last
summary goes to standard output.  Exit 1 with what was said when it fails in between."""
import random, signal, subprocess, sys

kdp, feed, folder, seed, kills = sys.argv[1:4] + [int(a) for a in sys.argv[4:6]]
random.seed(seed)
ends = 0
while True:
    child = subprocess.Popen([kdp, "record", "--feed-file", feed, "--data", folder, "--no-lake", "--summary", "json"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    how = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    try:
        out, err = child.communicate(timeout=random.uniform(0.01, 0.05 + 0.03 * ends) if ends < kills else 60)
    except subprocess.TimeoutExpired:
        child.send_signal(how)
        out, err = child.communicate()
    if child.returncode in (-signal.SIGKILL, -signal.SIGTERM, 143):
        ends += 1
        continue
    break
sys.stderr.write("ended %d times, then: %s\n" % (ends, err.decode()[-400:]))
sys.stdout.buffer.write(out)
sys.exit(child.returncode)
