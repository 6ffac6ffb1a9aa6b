#!/usr/bin/env python3
"""A JSON Lines log in which most events are of interest, read by `regrant audit`, beside DuckDB's filtered read and `openssl dgst`.

    python3 benches/okta.py                          # 300,000 events, 554 MB, five runs of each in turn
    python3 benches/okta.py --events 30000 --runs 1

DuckDB reads the members that the mapping reads, of the events that the mapping takes, into a table in memory; regrant writes the whole report.
The aims: at most half of DuckDB's time with `--input-hash none`, at most 1.2 times `openssl dgst -sha256` of the file with SHA-256. All read
from the page cache, into which the file is read once before. The log is written to bench-out/ by ../shared/bench/gen_okta.py and kept;
--regrant names the program. DuckDB needs `pip install duckdb` in the Python that runs this.

For other scripts: `measure(regrant, out, events, runs)` gives the medians and ratios as a dict, `lines_of(result)` the lines that are
printed; both raise `Missing` with what to do where something is not there.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GENERATOR = f"{ROOT}/../shared/bench/gen_okta.py"
MEMBERS = """eventType: 'VARCHAR', published: 'VARCHAR', uuid: 'VARCHAR', transaction: 'STRUCT(id VARCHAR)', client: 'STRUCT(ipAddress VARCHAR)',
 actor: 'STRUCT(id VARCHAR, type VARCHAR, alternateId VARCHAR)', target: 'STRUCT(id VARCHAR, type VARCHAR, alternateId VARCHAR)[]',
 outcome: 'STRUCT(result VARCHAR, reason VARCHAR)'"""
DUCKDB = """
import sys, time
import duckdb
path, members, names = sys.argv[1:4]
started = time.perf_counter()
db = duckdb.connect()
db.execute("set threads = " + sys.argv[4])
db.execute(f"create temp table event as select * from read_json('{path}', format = 'newline_delimited', columns = {{{members}}}) where eventType in ({names})")
rows = db.execute("select count(*) from event").fetchone()[0]
print(time.perf_counter() - started, rows)
"""


class Missing(Exception):
    """Something to be installed or built first."""


def wanted():
    """Every event name that the mapping names."""
    text = open(f"{ROOT}/mappings/sources/okta-system-log.toml").read()
    return sorted(set(re.findall(r'"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+){2,})"', text)))


def timed(command):
    """Seconds and what was printed."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return time.perf_counter() - started, done.stdout, done.returncode


def measure(regrant, out, events=300_000, runs=5):
    """Medians of `runs` runs of each in turn, their spread, and the two ratios."""
    if not os.path.exists(regrant):
        raise Missing(f"{regrant} is not there: build it with `cargo build --release`, or name it with --regrant")
    if subprocess.run([sys.executable, "-c", "import duckdb"], stderr=subprocess.DEVNULL).returncode:
        raise Missing("DuckDB is not there: `pip install duckdb`")
    os.makedirs(out, exist_ok=True)
    path = f"{out}/okta-{events}.jsonl"
    if not os.path.exists(path):
        if not os.path.exists(GENERATOR):
            raise Missing(f"{GENERATOR} is not there: the generator lies beside the repository")
        subprocess.run([sys.executable, GENERATOR, str(events), path + ".part"], check=True)
        os.rename(path + ".part", path)
    with open(path, "rb") as log:
        while log.read(1 << 24):
            pass
    names = ", ".join(f"'{name}'" for name in wanted())
    threads = str(os.cpu_count())
    times = {"DuckDB, filtered read": [], "regrant, no digest": [], "openssl dgst -sha256": [], "regrant, SHA-256": []}
    rows = None
    for _ in range(runs):
        _, said, code = timed([sys.executable, "-c", DUCKDB, path, MEMBERS, names, threads])
        if code:
            raise Missing(f"DuckDB failed: {said}")
        # Of DuckDB the work alone, without starting Python; of the others the whole process.
        seconds, rows = said.split()
        times["DuckDB, filtered read"].append(float(seconds))
        for name, digest in (("regrant, no digest", "none"), ("regrant, SHA-256", "sha256")):
            report = f"{out}/okta-report"
            command = [regrant, "audit", path, "--as-of", "2026-10-05", "-o", report, "-q", "--input-hash", digest]
            seconds, said, code = timed(command)
            if code not in (0, 3):
                raise Missing(f"regrant failed: {said}")
            read = json.load(open(f"{report}/assessment.json"))["inputs"][0]
            assert read["read"] == events and read["rejected"] == 0, read
            times[name].append(seconds)
        seconds, said, code = timed(["openssl", "dgst", "-sha256", path])
        if code:
            raise Missing(f"openssl failed: {said}")
        times["openssl dgst -sha256"].append(seconds)
    medians = {name: statistics.median(all_of) for name, all_of in times.items()}
    return {
        "events": events,
        "bytes": os.path.getsize(path),
        "rows": int(rows),
        "seconds": medians,
        "spread": {name: (min(all_of), max(all_of)) for name, all_of in times.items()},
        "of_duckdb": medians["regrant, no digest"] / medians["DuckDB, filtered read"],
        "of_openssl": medians["regrant, SHA-256"] / medians["openssl dgst -sha256"],
    }


def lines_of(result):
    """What is printed of a result."""
    for name, median in result["seconds"].items():
        least, most = result["spread"][name]
        yield f"{name:22} {median:6.2f} s ({least:.2f} to {most:.2f}), {result['bytes'] / median / 1e9:.2f} GB/s"
    yield f"{result['bytes'] / 1e6:,.0f} MB, {result['events']:,} events, {result['rows']:,} of interest"
    yield f"JSON Lines, no digest: {result['of_duckdb']:.2f} of DuckDB's filtered read (aim: 0.50)"
    yield f"JSON Lines, SHA-256: {result['of_openssl']:.2f} times openssl (aim: 1.20)"


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--events", type=int, default=300_000)
    ask.add_argument("--runs", type=int, default=5)
    ask.add_argument("--regrant", default=f"{ROOT}/target/release/regrant")
    ask.add_argument("--out", default=f"{ROOT}/bench-out")
    args = ask.parse_args()
    try:
        for line in lines_of(measure(args.regrant, args.out, args.events, args.runs)):
            print(line)
    except Missing as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
