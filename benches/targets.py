#!/usr/bin/env python3
"""Every target that Regrant sets itself for speed and memory, measured on this machine, as one table: figure, ratio, target, met or not.

    python3 benches/targets.py                              # all of them, medians of five
    python3 benches/targets.py --only canonical,threads --runs 1
    python3 benches/targets.py --only huge                  # 20 million events: 13 GB of disk, several minutes

Inputs are written to --dir once and used again; how much room they take is said before anything is written. A peer that is not there (the Python module
duckdb, openssl) is named and its rows are skipped. What the figures mean and do not mean: benches/README.md.
"""
import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import compare
import lines

ROOT, SHARED, MB = compare.ROOT, compare.SHARED, compare.MB
# Bytes of disk: an event of the canonical organisation with what belongs to it, and an Okta event.
CANONICAL, OKTA = 650, 1_850
LINES_MEGABYTES = 1_000
OKTA_EVENTS = 300_000
# As report folders of the canonical organisation come out, bytes an event.
REPORT = 190

# The columns of an Okta event that Regrant's mapping reads; both read these and nothing else.
OKTA_COLUMNS = """{'uuid': 'VARCHAR', 'published': 'TIMESTAMP', 'eventType': 'VARCHAR', 'displayMessage': 'VARCHAR',
 'actor': 'STRUCT(id VARCHAR, "type" VARCHAR, alternateId VARCHAR, displayName VARCHAR)',
 'target': 'STRUCT(id VARCHAR, "type" VARCHAR, alternateId VARCHAR, displayName VARCHAR)[]',
 'outcome': 'STRUCT(result VARCHAR, reason VARCHAR)', 'client': 'STRUCT(ipAddress VARCHAR)'}"""

FILTERED_READ = """
import duckdb, sys
path, threads, wanted = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
c = duckdb.connect()
c.execute(f"set threads={threads}; set timezone='UTC'; set enable_progress_bar=false")
# Names in the text of the query: as a parameter they would be joined, which takes twenty times as long.
names = ", ".join("'" + name + "'" for name in wanted)
c.execute("create table event as select * from read_ndjson(?, columns=" + sys.argv[4] + ") where eventType in (" + names + ")", [path])
print(c.execute("select count(*) from event").fetchone()[0])
"""


class Skipped(Exception):
    """Something that a measurement needs is not there."""


class Bench:
    def __init__(self, given):
        self.dir, self.runs, self.threads = given.dir.resolve(), given.runs, given.threads
        self.given = given
        self.report = self.dir / "report"
        self.rows = []
        self.size = {}

    def row(self, name, figure, ratio, target, met):
        """One line of the table; `met` is null where there is nothing to meet."""
        said = {True: "met", False: "NOT MET", None: ""}[met]
        self.rows.append((name, figure, ratio, target, said))
        print(f"  {name}: {figure}; {ratio or '–'}; target {target or '–'} {said}".rstrip(), flush=True)

    def skip(self, name, why):
        self.rows.append((name, "not measured", "", "", why))
        print(f"  {name}: not measured: {why}", flush=True)

    def canonical(self, events):
        if not (SHARED / "gen.py").exists():
            raise Skipped(f"{SHARED}/gen.py is not there")
        if not (self.dir / f"canonical-{events}").exists():
            duckdb()
        folder = compare.generated(events, self.dir)
        self.size[folder] = compare.warm(folder)
        return folder

    def okta(self):
        if not (SHARED / "gen_okta.py").exists():
            raise Skipped(f"{SHARED}/gen_okta.py is not there")
        path = self.dir / f"okta-{OKTA_EVENTS}.jsonl"
        if not path.exists():
            part = path.with_suffix(".part")
            print(f"writing {path} …", flush=True)
            subprocess.run([sys.executable, SHARED / "gen_okta.py", str(OKTA_EVENTS), part], check=True)
            part.rename(path)
        return path

    def lines(self):
        path = self.dir / f"lines-{LINES_MEGABYTES}.jsonl"
        if not path.exists():
            print(f"writing {path} …", flush=True)
            lines.generate(str(path), LINES_MEGABYTES * 1_000_000)
        return path

    def audit(self, source, *more, threads=None):
        config = ["-c", source / "regrant.toml"] if source.is_dir() else ["--as-of", "2026-12-01"]
        return [self.given.regrant, "audit", source, *config, "-o", self.report, "--threads", str(threads or self.threads), "-q", *more]

    def medians(self, commands, runs=None):
        """Seconds, processor seconds and peak bytes of each, run in turn, so that a machine that slows down slows all."""
        taken = {name: [] for name in commands}
        for _ in range(runs or self.runs):
            for name, command in commands.items():
                log = self.dir / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.log"
                taken[name].append(compare.measured(command, log))
        return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in taken.items()}

    def assessment(self):
        return json.loads((self.report / "assessment.json").read_text(encoding="utf-8"))


def duckdb():
    if importlib.util.find_spec("duckdb") is None:
        raise Skipped(f"{sys.executable} has no module duckdb (pip install duckdb)")


def canonical(bench):
    """Two million events beside the DuckDB script: time with each hash, and memory."""
    duckdb()
    folder = bench.canonical(2_000_000)
    took = bench.medians({
        "DuckDB script": [sys.executable, SHARED / "peer_duckdb.py", folder, str(bench.threads)],
        "regrant, SHA-256": bench.audit(folder),
        "regrant, BLAKE3": bench.audit(folder, "--input-hash", "blake3"),
    })
    peer, sha, blake = took.values()
    bench.row("2 M events, DuckDB script", f"{peer[0]:.2f} s, {peer[2] / MB:.0f} MB", "", "", None)
    bench.row("2 M events, SHA-256", f"{sha[0]:.2f} s", f"1/{peer[0] / sha[0]:.2f} of DuckDB", "1/6", sha[0] * 6 <= peer[0])
    bench.row("2 M events, BLAKE3", f"{blake[0]:.2f} s", f"1/{peer[0] / blake[0]:.2f} of DuckDB", "1/8 (aim: 1/12)", blake[0] * 8 <= peer[0])
    bench.row("2 M events, peak memory", f"{sha[2] / MB:.0f} MB", f"1/{peer[2] / sha[2]:.2f} of DuckDB", "1/3", sha[2] * 3 <= peer[2])


def linear(bench):
    """Ten times the events in little more than ten times the time."""
    small, large = bench.canonical(1_000_000), bench.canonical(10_000_000)
    # Each warm, one after the other: both together may not fit into the page cache.
    compare.warm(small)
    one = bench.medians({"regrant, 1 M": bench.audit(small)})["regrant, 1 M"]
    compare.warm(large)
    ten = bench.medians({"regrant, 10 M": bench.audit(large)})["regrant, 10 M"]
    bench.row("10 M events against 1 M", f"{one[0]:.2f} s, {ten[0]:.2f} s, {ten[2] / MB:.0f} MB", f"{ten[0] / one[0]:.2f} ×", "10.5 ×", ten[0] <= 10.5 * one[0])


def json_lines(bench):
    """A log of which one event in a hundred matters, beside DuckDB's filtered read and openssl."""
    for name, path, wanted in [
        ("JSON Lines, 1 % wanted", bench.lines(), [lines.WANTED]),
        ("Okta log", bench.okta(), mapped()),
    ]:
        warm_file(path)
        size = path.stat().st_size
        log = ["--subjects", "never"]
        took = bench.medians({f"{name}, no hash": bench.audit(path, *log, "--input-hash", "none"), f"{name}, SHA-256": bench.audit(path, *log)})
        bare, sha = took.values()
        read = bench.assessment()["inputs"][0]
        told = read["accepted"] + read["out_of_scope"] + read["merged"] + read["duplicates"] + read["rejected"]
        if told != read["read"]:
            sys.exit(f"error: {path}: {read['read']} records were read, {told} accounted for\n  help: this is a fault of regrant: please report it")
        figure = f"{bare[0]:.2f} s for {size / MB:.0f} MB, {read['accepted']} of {read['read']} events"
        try:
            duckdb()
            peer = bench.medians({f"{name}, DuckDB": [sys.executable, "-c", FILTERED_READ, path, str(bench.threads), ",".join(wanted), OKTA_COLUMNS]})[f"{name}, DuckDB"]
            # What starting Python and DuckDB takes is no reading.
            empty = bench.medians({"DuckDB, start": [sys.executable, "-c", "import duckdb; duckdb.connect().execute('select 1')"]})["DuckDB, start"]
            theirs = peer[0] - empty[0]
            count = int((bench.dir / f"{re.sub('[^a-z0-9]+', '-', name.lower())}-duckdb.log").read_text().split()[-1])
            bench.row(f"{name}, not hashed", f"{figure}; DuckDB {theirs:.2f} s, {count} events", f"{bare[0] / theirs:.2f} of DuckDB's filtered read", "0.5", bare[0] <= theirs / 2)
        except Skipped as why:
            bench.row(f"{name}, not hashed", figure, "", "", None)
            bench.skip(f"{name} beside DuckDB", str(why))
        if shutil.which("openssl") is None:
            bench.skip(f"{name}, SHA-256", "openssl is not there")
            continue
        openssl = bench.medians({"openssl": ["openssl", "dgst", "-sha256", path]})["openssl"]
        bench.row(f"{name}, SHA-256", f"{sha[0]:.2f} s; openssl {openssl[0]:.2f} s", f"{sha[0] / openssl[0]:.2f} × openssl", "1.2 ×", sha[0] <= 1.2 * openssl[0])


def mapped():
    """Event types that the mapping of Okta's log names."""
    return sorted(set(re.findall(r'"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)"', (ROOT / "mappings/sources/okta-system-log.toml").read_text())))


def warm_file(path):
    with open(path, "rb") as data:
        while data.read(1 << 24):
            pass


def objects(bench):
    """20,000 gzip objects of CloudTrail, beside a program that only inflates them."""
    if importlib.util.find_spec("objects") is None:
        raise Skipped("benches/objects.py is not there")
    import objects as peer
    try:
        found = peer.measure(str(bench.given.regrant), str(bench.dir), runs=bench.runs)
    except peer.Missing as missing:
        raise Skipped(str(missing)) from missing
    seconds = found["seconds"]
    figure = f"{seconds['regrant, no digest']:.2f} s, inflating {seconds['inflating alone']:.2f} s, {found['peak_mb']:.0f} MB"
    bench.row("20,000 gzip objects", figure, f"{found['of_inflating']:.2f} × inflating", "1.3 ×", found["of_inflating"] <= 1.3)


def huge(bench):
    """20 million events on a machine that cannot hold them as DuckDB would."""
    folder = bench.canonical(20_000_000)
    # More than the page cache holds, as a rule: read from the disk, and not warmed for the sake of the figure.
    took = bench.medians({"regrant, 20 M": bench.audit(folder)}, runs=1)["regrant, 20 M"]
    findings = sum(check["failed"] + check["waived"] for check in bench.assessment()["checks"])
    figure = f"{took[0]:.1f} s, {took[2] / MB:.0f} MB, {findings} findings, {bench.size[folder] / MB:.0f} MB of input, one run"
    bench.row("20 M events, peak memory", figure, "", "4000 MB", took[2] < 4e9)


def rendering(bench):
    """From the making of the report's first file to the end of its manifest, as the file system has it."""
    folder = bench.canonical(2_000_000)
    spans, findings = [], 0
    for _ in range(bench.runs):
        bench.medians({"regrant, rendering": bench.audit(folder)}, runs=1)
        stamps = subprocess.run(["stat", "-c", "%.9W %.9Y %n", *bench.report.iterdir()], capture_output=True, text=True)
        times = [line.split(" ", 2) for line in stamps.stdout.splitlines()]
        born = [float(birth) for birth, _, _ in times if float(birth) > 0]
        if stamps.returncode or len(born) < len(times):
            raise Skipped("the file system does not tell when files were made")
        spans.append(max(float(changed) for _, changed, _ in times) - min(born))
        findings = sum(check["failed"] + check["waived"] for check in bench.assessment()["checks"])
    span = statistics.median(spans)
    each = span * 100_000 / findings
    size = sum(file.stat().st_size for file in bench.report.rglob("*") if file.is_file())
    bench.row("rendering, default formats", f"{span:.2f} s for {findings} findings, {size / MB:.0f} MB", f"{each:.2f} s for each 100,000", "1 s", each < 1)


def start(bench):
    """An audit of an empty folder, up to its saying that there is nothing to read: no less than what precedes the first byte of an input."""
    with tempfile.TemporaryDirectory(dir=bench.dir) as empty:
        command = [bench.given.regrant, "audit", empty, "-o", bench.dir / "start-report", "-q"]
        seconds = []
        for _ in range(max(bench.runs, 5)):
            begun = time.perf_counter()
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            seconds.append(time.perf_counter() - begun)
            if "there is no file to read" not in ended.stderr:
                compare.stop(f"an empty folder was audited: {ended.stderr}", "this is a fault of the bench")
    took = statistics.median(seconds)
    bench.row("start-up", f"{took * 1000:.0f} ms", "", "50 ms", took < 0.05)


def threads(bench):
    """What a second thread is worth."""
    if (os.cpu_count() or 1) < 2:
        raise Skipped("this machine has one thread")
    folder = bench.canonical(2_000_000)
    one, two = bench.medians({"regrant, 1 thread": bench.audit(folder, threads=1), "regrant, 2 threads": bench.audit(folder, threads=2)}).values()
    bench.row("two threads against one", f"{one[0]:.2f} s, {two[0]:.2f} s", f"{one[0] / two[0]:.2f} ×", "1.8 ×", one[0] >= 1.8 * two[0])


def organisation(events):
    return f"canonical-{events}", events * CANONICAL


# What is measured, and the inputs that it needs with the bytes of disk they take.
TARGETS = {
    "canonical": (canonical, [organisation(2_000_000)]),
    "linear": (linear, [organisation(1_000_000), organisation(10_000_000)]),
    "lines": (json_lines, [("lines", LINES_MEGABYTES * 1_000_000), ("okta", OKTA_EVENTS * OKTA)]),
    "objects": (objects, [("objects", 800_000_000)]),
    "huge": (huge, [organisation(20_000_000)]),
    "render": (rendering, [organisation(2_000_000)]),
    "start": (start, []),
    "threads": (threads, [organisation(2_000_000)]),
}


def machine():
    names = {line.split(":")[0]: line.split(":", 1)[1].strip() for line in open("/proc/meminfo")} if os.path.exists("/proc/meminfo") else {}
    memory = int(names["MemTotal"].split()[0]) * 1024 / 1e9 if "MemTotal" in names else None
    flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
    parts = [compare.processor(), f"{os.cpu_count()} threads", f"{memory:.0f} GB" if memory else "", "SHA instructions" if "sha_ni" in flags else "",
             f"{platform.system()} {platform.release()}", f"load {os.getloadavg()[0]:.1f} at the start"]
    return ", ".join(part for part in parts if part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TARGETS), help="which, with commas between them (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="times each is run (default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for all that take it (default: all, %(default)s here)")
    parser.add_argument("--dir", type=Path, default=ROOT / "bench-out", help="scratch folder for inputs and reports (default %(default)s)")
    parser.add_argument("--regrant", type=Path, help="the binary to measure (default: build it)")
    given = parser.parse_args()
    chosen = [name for name in given.only.split(",") if name]
    unknown = [name for name in chosen if name not in TARGETS]
    if unknown:
        parser.error(f"no target is called {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if given.runs < 1:
        parser.error("--runs begins at 1")
    given.dir.mkdir(parents=True, exist_ok=True)
    inputs = {name: size for target in chosen for name, size in TARGETS[target][1]}
    # The report that is there and the one that takes its place lie there together.
    reports = 2 * REPORT * max([size // CANONICAL for name, size in inputs.items() if name.startswith("canonical")], default=0)
    need, free = sum(inputs.values()) + reports, shutil.disk_usage(given.dir).free
    print(f"{machine()}\ninputs and reports take {need / 1e9:.1f} GB of {given.dir}, what is there already included; {free / 1e9:.1f} GB are free", flush=True)
    there = sum(file.stat().st_size for file in given.dir.rglob("*") if file.is_file())
    if need - there > free:
        compare.stop(f"{given.dir} has too little room", "name another folder with --dir, or fewer targets with --only")
    given.regrant = given.regrant.resolve() if given.regrant else compare.built()
    bench = Bench(given)
    for name in chosen:
        try:
            TARGETS[name][0](bench)
        except Skipped as why:
            bench.skip(name, str(why))
    print(f"\n{machine()}; medians of {given.runs}, {given.threads} threads unless said otherwise\n")
    print("| target | figure | ratio | wanted | |\n|---|---|---|---|---|")
    for row in bench.rows:
        print("| " + " | ".join(row) + " |")
    if any(row[-1] == "NOT MET" for row in bench.rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
