#!/usr/bin/env python3
"""A bucket of small gzip CloudTrail objects read by `regrant audit`, beside a program that only inflates them.

    python3 benches/objects.py                       # 20,000 objects, 783 MB unpacked, five runs of each in turn
    python3 benches/objects.py --objects 2000 --runs 1

The other program is benches/inflate.rs: the same threads and the same library for inflating, and nothing done with what comes out. The aim: at most 1.3
times its time. The objects are written to bench-out/ and kept; --regrant names the program, --inflate the bench's (it is built otherwise).

For other scripts: `measure(regrant, out, objects, runs, inflate)` gives medians and the ratio as a dict, `lines_of(result)` the lines that are
printed; both raise `Missing` with what to do where something is not there.
"""

import argparse
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys

from lines import measured

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EVERYDAY = ["GetObject", "DescribeInstances", "AssumeRole", "ListBuckets", "PutObject", "Decrypt", "GetCallerIdentity", "DescribeVolumes"]
OF_INTEREST = ["CreateAccessKey", "UpdateLoginProfile", "ConsoleLogin"]
RECORDS = 40


class Missing(Exception):
    """Something to be installed or built first."""


def record(rng, n, i):
    name = rng.choice(OF_INTEREST if rng.random() < 0.01 else EVERYDAY)
    user = f"user{rng.randrange(3000)}"
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "principalId": f"AIDA{rng.randrange(10**9):016d}", "arn": f"arn:aws:iam::123456789012:user/{user}", "accountId": "123456789012",
                         "accessKeyId": f"AKIA{rng.randrange(10**9):016d}", "userName": user,
                         "sessionContext": {"attributes": {"creationDate": "2026-07-01T00:00:00Z", "mfaAuthenticated": "false"}}},
        "eventTime": f"2026-07-{n % 28 + 1:02d}T{i % 24:02d}:{n % 60:02d}:00Z",
        "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": f"198.51.100.{rng.randrange(255)}", "userAgent": "aws-cli/2.15.0 Python/3.11",
        "requestParameters": {"userName": f"user{rng.randrange(3000)}", "bucketName": f"b{rng.randrange(99)}", "key": f"a/b/c/{rng.randrange(10**9)}"},
        "responseElements": None, "requestID": f"{rng.getrandbits(128):032x}", "eventID": f"{rng.getrandbits(128):032x}", "readOnly": True, "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": "123456789012", "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "iam.amazonaws.com"},
    }


def generate(folder, objects):
    rng = random.Random(5)
    for n in range(objects):
        day = f"{folder}.part/AWSLogs/123456789012/CloudTrail/us-east-1/2026/07/{n % 28 + 1:02d}"
        os.makedirs(day, exist_ok=True)
        text = json.dumps({"Records": [record(rng, n, i) for i in range(RECORDS)]}, separators=(",", ":"))
        with open(f"{day}/123456789012_CloudTrail_us-east-1_{n:06d}.json.gz", "wb") as out:
            out.write(gzip.compress(text.encode(), 6, mtime=0))
    os.rename(f"{folder}.part", folder)


def built():
    """The bench's program, built if need be."""
    command = ["cargo", "bench", "--bench", "inflate", "--no-run", "--message-format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if '"executable"' in line]
    names = [line["executable"] for line in found if line.get("executable") and line.get("target", {}).get("name") == "inflate"]
    if done.returncode or not names:
        raise Missing("benches/inflate.rs does not build")
    return names[-1]


def measure(regrant, out, objects=20_000, runs=5, inflate=None):
    """Medians of `runs` runs of each in turn, their spread, the peak memory, and the ratio."""
    if not os.path.exists(regrant):
        raise Missing(f"{regrant} is not there: build it with `cargo build --release`, or name it with --regrant")
    inflate = inflate or built()
    os.makedirs(out, exist_ok=True)
    folder = f"{out}/objects-{objects}"
    if not os.path.exists(folder):
        generate(folder, objects)
    for base, _, names in os.walk(folder):
        for name in names:
            open(f"{base}/{name}", "rb").read()
    times = {"inflating alone": [], "regrant, no digest": [], "regrant, SHA-256": []}
    peak = unpacked = 0
    for _ in range(runs):
        said = subprocess.run([inflate, folder, "1"], check=True, stdout=subprocess.PIPE, text=True).stdout
        times["inflating alone"].append(float(said.split()[0]))
        unpacked = int(said.split()[-2])
        for name, digest in (("regrant, no digest", "none"), ("regrant, SHA-256", "sha256")):
            report = f"{out}/objects-report"
            command = [regrant, "audit", folder, "--as-of", "2026-10-05", "-o", report, "-q", "--input-hash", digest]
            seconds, megabytes, said, code = measured(command)
            if code not in (0, 3):
                raise Missing(f"regrant failed: {said}")
            times[name].append(seconds)
            peak = max(peak, megabytes)
        inputs = json.load(open(f"{report}/assessment.json"))["inputs"]
        assert sum(i["read"] for i in inputs) == objects * RECORDS and not any(i["rejected"] for i in inputs)
    medians = {name: statistics.median(all_of) for name, all_of in times.items()}
    return {
        "objects": objects,
        "bytes": unpacked,
        "peak_mb": peak,
        "seconds": medians,
        "spread": {name: (min(all_of), max(all_of)) for name, all_of in times.items()},
        "of_inflating": medians["regrant, no digest"] / medians["inflating alone"],
    }


def lines_of(result):
    """What is printed of a result."""
    for name, median in result["seconds"].items():
        least, most = result["spread"][name]
        yield f"{name:18} {median:6.2f} s ({least:.2f} to {most:.2f}), {result['bytes'] / median / 1e9:.2f} GB/s unpacked"
    yield f"{result['objects']:,} gzip objects, {result['bytes'] / 1e6:,.0f} MB unpacked, peak {result['peak_mb']:,.0f} MB"
    yield f"small objects: {result['of_inflating']:.2f} times inflating alone (aim: 1.30)"


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--objects", type=int, default=20_000)
    ask.add_argument("--runs", type=int, default=5)
    ask.add_argument("--regrant", default=f"{ROOT}/target/release/regrant")
    ask.add_argument("--inflate", help="the program of benches/inflate.rs")
    ask.add_argument("--out", default=f"{ROOT}/bench-out")
    args = ask.parse_args()
    try:
        for line in lines_of(measure(args.regrant, args.out, args.objects, args.runs, args.inflate)):
            print(line)
    except Missing as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
