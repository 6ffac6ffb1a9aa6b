#!/usr/bin/env python3
"""Times `regrant audit` beside a DuckDB script that does 25 of its checks, on the same files, warm, in turn.

    python3 benches/compare.py [--events 2000000] [--runs 3] [--threads N] [--out bench-out] [--regrant PATH]

Standard library only; the DuckDB script and the generator need `pip install duckdb` in the Python that runs this. They lie in ../shared/bench beside
the repository. What the figures mean and do not mean: benches/README.md.
"""
import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "bench"
MB = 1e6


def stop(message, hint):
    sys.exit(f"error: {message}\n  help: {hint}")


def built():
    """The released binary, built where the environment says."""
    build = ["cargo", "build", "--release", "--bin", "regrant", "--message-format", "json-render-diagnostics"]
    done = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        stop("cargo build --release failed", "see above; or name a binary with --regrant PATH")
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    binaries = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "regrant"]
    if not binaries:
        stop("cargo build named no binary", "name one with --regrant PATH")
    return binaries[-1]


def generated(events, out):
    """The folder of inputs, made once for each size."""
    folder = out / f"canonical-{events}"
    if folder.exists():
        return folder
    # Under another name until it is whole: a generator that was interrupted must not be measured.
    part = out / f"canonical-{events}.part"
    shutil.rmtree(part, ignore_errors=True)
    print(f"writing {events} events to {folder} …", flush=True)
    subprocess.run([sys.executable, SHARED / "gen.py", str(events), part], check=True)
    part.rename(folder)
    return folder


def warm(folder):
    """Reads every input once; says how many bytes there are."""
    size = 0
    for file in sorted(folder.iterdir()):
        with open(file, "rb") as data:
            while block := data.read(1 << 20):
                size += len(block)
    return size


def measured(command, log):
    """Seconds, seconds of processor time, and peak resident bytes of one process."""
    os.sync()  # or the pages that the run before wrote are written during this one
    with open(log, "wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = Path(log).read_text(errors="replace")[-2000:]
        stop(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{text}", f"the whole output is in {log}")
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def processor():
    try:
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.machine()


def peer_counts(log):
    """Findings by check, from lines of a number and a name."""
    pairs = (line.split() for line in Path(log).read_text().splitlines())
    return {pair[1]: int(pair[0]) for pair in pairs if len(pair) == 2 and pair[0].isdigit()}


def regrant_counts(report):
    checks = json.loads((report / "assessment.json").read_text(encoding="utf-8"))["checks"]
    return {check["id"]: check["failed"] + check["waived"] for check in checks}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="records of the event table (default %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="times each is run (default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for both (default: all, %(default)s here)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out", help="scratch folder (default %(default)s)")
    parser.add_argument("--regrant", type=Path, help="the binary to measure (default: build it)")
    given = parser.parse_args()
    if given.events < 1 or given.runs < 1:
        parser.error("--events and --runs begin at 1")
    if not (SHARED / "gen.py").exists() or not (SHARED / "peer_duckdb.py").exists():
        stop(f"{SHARED} has no gen.py and peer_duckdb.py", "the generator and the DuckDB script are kept beside the repository, in ../shared/bench; "
             "without them only the stages can be measured: cargo bench --bench stages")
    if importlib.util.find_spec("duckdb") is None:
        venv = given.out / "venv"
        stop(f"{sys.executable} has no module duckdb", f"python3 -m venv {venv} && {venv}/bin/pip install duckdb && {venv}/bin/python {Path(__file__)}")

    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    regrant = given.regrant.resolve() if given.regrant else built()
    folder = generated(given.events, out)
    report = out / "report"
    commands = {
        "DuckDB script": [sys.executable, SHARED / "peer_duckdb.py", folder, str(given.threads)],
        "regrant audit": [regrant, "audit", folder, "-c", folder / "regrant.toml", "-o", report, "--threads", str(given.threads), "-q"],
    }
    logs = {name: out / f"{name.split()[0].lower()}.log" for name in commands}
    size = warm(folder)
    print(f"{processor()}, {os.cpu_count()} threads, {given.threads} used; {platform.system()} {platform.release()}")
    print(f"{given.events} events and what belongs to them, {size / MB:.0f} MB of CSV, read once before\n")

    runs = {name: [] for name in commands}
    for turn in range(given.runs):
        # In turn, so that a machine that slows down slows both.
        for name, command in commands.items():
            runs[name].append(measured(command, logs[name]))
            print(f"  run {turn + 1}  {name}  {runs[name][-1][0]:8.2f} s", flush=True)

    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in runs.items()}
    print(f"\n| median of {given.runs} | seconds | fastest – slowest | processor seconds | peak memory, MB | input, MB/s |\n|---|--:|--:|--:|--:|--:|")
    for name, (seconds, busy, peak) in medians.items():
        walls = [row[0] for row in runs[name]]
        print(f"| {name} | {seconds:.2f} | {min(walls):.2f} – {max(walls):.2f} | {busy:.2f} | {peak / MB:.0f} | {size / MB / seconds:.0f} |")
    peer, ours = medians.values()
    print(f"| DuckDB script ÷ regrant | {peer[0] / ours[0]:.2f} | | {peer[1] / ours[1]:.2f} | {peer[2] / ours[2]:.2f} | |")

    theirs, all_ours = peer_counts(logs["DuckDB script"]), regrant_counts(report)
    shared = sum(all_ours.get(check, 0) for check in theirs)
    print(f"\nfindings: DuckDB script {sum(theirs.values())} in {len(theirs)} checks that found any; regrant {shared} in the same checks, {sum(all_ours.values())} in all {len(all_ours)}")


if __name__ == "__main__":
    main()
