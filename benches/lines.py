#!/usr/bin/env python3
"""A large JSON Lines log of which one event in a hundred matters, read by `regrant audit` on one thread, beside `grep -c -F`.

    python3 benches/lines.py                         # 5 GB, three runs of each in turn
    python3 benches/lines.py --megabytes 300 --runs 1

The aim: no less than a third of grep's speed, under 500 MB of memory. Both read the file from the page cache, into which it is read once
before. The log is written to bench-out/ and kept; --regrant names the program.
"""

import argparse
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WANTED = "user.account.reset_password"


def unwanted():
    """Event types that the mapping names nowhere."""
    named = set(re.findall(r'"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)"', open(f"{ROOT}/mappings/sources/okta-system-log.toml").read()))
    types = ["policy.evaluate_sign_on", "system.agent.ad.read_ldap", "application.policy.sign_on.update", "device.signals.status.timeout", "system.log_stream.lifecycle.update",
             "app.ad.login.success", "app.access_request.request", "scheduled_action.user_suspension.completed", "zone.update", "inline_hook.executed"]
    return [name for name in types if name not in named]


def event(kind, n, rng):
    person = lambda i: {"id": f"00u{i:08x}", "type": "User", "alternateId": f"person{i}@harbour.example", "displayName": f"Person {i}", "detailEntry": None}
    at = 1_780_000_000 + n // 4
    return {
        "actor": person(rng.randrange(400)),
        "client": {"userAgent": {"rawUserAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36", "os": "Windows 10", "browser": "CHROME"},
                   "zone": "null", "device": "Computer", "id": None, "ipAddress": f"192.0.2.{n % 250}", "geographicalContext": {"city": "Hull", "state": "England", "country": "United Kingdom", "postalCode": "HU1", "geolocation": {"lat": 53.7, "lon": -0.3}}},
        "device": None,
        "authenticationContext": {"authenticationProvider": None, "credentialProvider": None, "credentialType": None, "issuer": None, "interface": None, "authenticationStep": 0, "externalSessionId": f"idx{rng.getrandbits(96):024x}"},
        "displayMessage": "Evaluation of sign-on policy" if kind != WANTED else "Fired when the user's Okta password is reset",
        "eventType": kind,
        "outcome": {"result": "SUCCESS", "reason": None},
        "published": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{n % 1000:03d}Z",
        "securityContext": {"asNumber": 64500, "asOrg": "example", "isp": "example", "domain": ".", "isProxy": False},
        "severity": "INFO",
        "debugContext": {"debugData": {"requestId": f"{rng.getrandbits(128):032x}", "dtHash": f"{rng.getrandbits(256):064x}", "requestUri": "/api/v1/authn", "url": "/api/v1/authn?", "threatSuspected": "false"}},
        "legacyEventType": "core.policy.evaluate",
        "transaction": {"type": "WEB", "id": f"{rng.getrandbits(100):025x}", "detail": {}},
        "uuid": f"{n:08x}-0000-4000-8000-{rng.getrandbits(48):012x}",
        "version": "0",
        "request": {"ipChain": [{"ip": f"192.0.2.{n % 250}", "geographicalContext": None, "version": "V4", "source": None}]},
        "target": [person(rng.randrange(9000))] if kind == WANTED else [{"id": "rul1", "type": "Rule", "alternateId": "unknown", "displayName": "Default rule", "detailEntry": None}],
    }


def generate(path, size):
    rng = random.Random(7)
    kinds = unwanted()
    line = lambda kind, n: json.dumps(event(kind, n, rng), separators=(",", ":")) + "\n"
    # Nothing looks into lines that do not matter, so that they may come again; those that matter are each their own.
    pool = [line(kinds[n % len(kinds)], n) for n in range(5_000)]
    written = n = wanted = 0
    with open(path + ".part", "w") as out:
        while written < size:
            lines = rng.sample(pool, 99)
            lines.insert(rng.randrange(100), line(WANTED, n))
            n += 100
            wanted += 1
            text = "".join(lines)
            out.write(text)
            written += len(text)
    os.rename(path + ".part", path)
    with open(path + ".wanted", "w") as out:
        out.write(str(wanted))


def measured(command):
    """Seconds, peak megabytes, and what was printed."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, usage.ru_maxrss / 1024, said, child.returncode


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--megabytes", type=int, default=5_000)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--regrant", default=f"{ROOT}/target/release/regrant")
    ask.add_argument("--out", default=f"{ROOT}/bench-out")
    args = ask.parse_args()
    if not os.path.exists(args.regrant):
        sys.exit(f"{args.regrant} is not there: build it with `cargo build --release`, or name it with --regrant")
    os.makedirs(args.out, exist_ok=True)
    path = f"{args.out}/lines-{args.megabytes}.jsonl"
    if not os.path.exists(path):
        print(f"writing {path}")
        generate(path, args.megabytes * 1_000_000)
    wanted = int(open(path + ".wanted").read())
    with open(path, "rb") as log:
        while log.read(1 << 24):
            pass
    needle = f'"eventType":"{WANTED}"'
    size = os.path.getsize(path)
    times = {"grep -c -F": [], "regrant audit": []}
    peak = 0
    for _ in range(args.runs):
        seconds, _, said, _ = measured(["grep", "-c", "-F", needle, path])
        assert int(said) == wanted, said
        times["grep -c -F"].append(seconds)
        report = f"{args.out}/lines-report"
        command = [args.regrant, "audit", path, "--threads", "1", "--as-of", "2026-12-01", "-o", report, "-q", "--subjects", "never", "--input-hash", "none"]
        seconds, rss, said, code = measured(command)
        if code not in (0, 3):
            sys.exit(said)
        read = json.load(open(f"{report}/assessment.json"))["inputs"][0]
        assert read["accepted"] == wanted and read["rejected"] == 0, read
        times["regrant audit"].append(seconds)
        peak = max(peak, rss)
    medians = {name: statistics.median(all_of) for name, all_of in times.items()}
    for name, all_of in times.items():
        spread = f"{min(all_of):.2f} to {max(all_of):.2f}"
        print(f"{name:14} {medians[name]:7.2f} s ({spread}), {size / medians[name] / 1e9:.2f} GB/s")
    ratio = medians["grep -c -F"] / medians["regrant audit"]
    print(f"{size / 1e9:.2f} GB, {wanted:,} events wanted: {ratio:.2f} of grep's speed (aim: 0.33), peak {peak:,.0f} MB (aim: 500)")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
