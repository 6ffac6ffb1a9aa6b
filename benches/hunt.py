#!/usr/bin/env python3
"""Millions of mixed events in JSON Lines (Okta and Entra) of which one in a hundred is of interest to a pattern: `regrant hunt` beside
`grep -c -F` of one needle and beside `regrant audit` of the same files.

    python3 benches/hunt.py                          # 10 million events, three runs of each in turn
    python3 benches/hunt.py --events 50000000 --runs 1 --short
    python3 benches/hunt.py --events 5000000 --interest 0.2

Half of what is of interest are sign-ins; one desk account and one address carry a third of the rest, which is what following patterns must
bear. The aim: hunting costs no more than reading, and memory grows with what is of interest alone. The logs are written to bench-out/ and
deleted afterwards unless --keep is given.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time

from lines import measured

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START = 1_780_272_000  # 2026-06-01T00:00:00Z
SPAN = 90 * 86_400
AS_OF = "2026-10-01"
# No mapping names these: they are told by their names alone.
NOISE = ["policy.evaluate_sign_on", "system.agent.ad.read_ldap", "app.ad.login.success", "device.signals.status.timeout", "zone.update", "inline_hook.executed"]
ENTRA_NOISE = ["Update service principal", "Add owner to group", "Update policy", "Validate user authentication"]


def instant(second):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + ".000Z"


def okta(kind, at, n, actor, target, ip, extra="", result="SUCCESS"):
    who = f',"target":[{{"id":"00u{target}","type":"User","alternateId":"{target}@h.example"}}]' if target else ""
    return (
        f'{{"uuid":"o{n:09d}","published":"{at}","eventType":"{kind}","actor":{{"id":"00u{actor}","type":"User","alternateId":"{actor}@h.example"}},'
        f'"client":{{"ipAddress":"{ip}"}},"outcome":{{"result":"{result}"}}{extra}{who}}}\n'
    )


def entra(kind, at, n, actor, target, ip):
    return (
        f'{{"id":"e{n:09d}","category":"UserManagement","activityDisplayName":"{kind}","activityDateTime":"{at}","result":"success",'
        f'"initiatedBy":{{"user":{{"id":"i{actor}","userPrincipalName":"{actor}@h.example","ipAddress":"{ip}"}}}},'
        f'"targetResources":[{{"id":"i{target}","type":"User","userPrincipalName":"{target}@h.example"}}]}}\n'
    )


def noise(n, rng, short):
    """A line that only has to be passed over; these may come again, as nothing looks into them."""
    at = instant(START + rng.randrange(SPAN))
    if short:
        return f'{{"uuid":"n{n:09d}","published":"{at}","eventType":"{NOISE[n % len(NOISE)]}","actor":{{"alternateId":"p{rng.randrange(9000)}@h.example"}}}}\n'
    extra = f',"debugContext":{{"debugData":{{"requestId":"{rng.getrandbits(96):024x}","threatSuspected":"false"}}}}'
    return okta(NOISE[n % len(NOISE)], at, n, f"p{rng.randrange(9000)}", "", f"192.0.2.{n % 250}", extra)


def home(person):
    return f"100.{64 + person % 60}.{person // 250 % 250}.{person % 250}"


def interest(n, second, people, rng):
    """One event that a pattern looks at."""
    at = instant(second)
    person = rng.randrange(people)
    name = f"p{person}"
    ip = "192.0.2.7" if rng.random() < 0.35 else home(person)
    by = "desk" if rng.random() < 0.35 else f"agent{person % 200}"
    kind = rng.random()
    if kind < 0.5:
        return okta("user.session.start", at, n, name, "", ip)
    if kind < 0.62:
        return okta("user.account.reset_password", at, n, by, name, "192.0.2.1")
    if kind < 0.70:
        return okta("user.mfa.factor.reset_all", at, n, by, name, "192.0.2.1")
    if kind < 0.82:
        phone = f',"debugContext":{{"debugData":{{"phoneNumber":"+1 202 {person:07d}"}}}}'
        return okta("user.mfa.factor.activate", at, n, name, name, ip, phone)
    if kind < 0.97:
        return okta("system.email.mfa_reset_notification.sent_message", at, n, "system", name, "192.0.2.1")
    if kind < 0.99:
        return okta("user.account.privilege.grant", at, n, by, name, "192.0.2.1", ',"debugContext":{"debugData":{"privilegeGranted":"Read-only administrator"}}')
    return okta("user.account.reset_password", at, n, by, name, "192.0.2.1", result="FAILURE")


def generate(folder, events, share, entra_share, short):
    rng = random.Random(7)
    block = 10_000
    wanted = max(1, round(block * share))
    blocks = max(1, events // block)
    people = max(2_000, events * wanted // block // 20)
    other = round((block - wanted) * entra_share)
    plain = [noise(i, rng, short) for i in range(20_000)]
    named = [entra(ENTRA_NOISE[i % 4], instant(START + rng.randrange(SPAN)), i, "sync", f"p{i}", "192.0.2.1") for i in range(2_000)]
    # Lines that do not matter lie between those that do, as in a log.
    runs = ["".join(rng.choices(plain, k=(block - wanted - other) // wanted + 1)) for _ in range(50)]
    n = resets = 0
    with open(f"{folder}/okta.jsonl", "w") as log, open(f"{folder}/entra.jsonl", "w") as directory:
        for b in range(blocks):
            lines = []
            for i in range(wanted):
                second = START + SPAN * (b * wanted + i) // (blocks * wanted)
                line = interest(n, second, people, rng)
                resets += "reset_password" in line and "FAILURE" not in line
                n += 1
                lines.append(line)
                lines.append(runs[rng.randrange(50)])
            log.write("".join(lines))
            directory.write("".join(rng.choices(named, k=other)))
            if b % 10 == 0:
                directory.write(entra("Reset password (by admin)", instant(START + SPAN * b // blocks), n, "desk", f"p{rng.randrange(people)}", "192.0.2.1"))
    return n, resets


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--events", type=int, default=10_000_000)
    ask.add_argument("--interest", type=float, default=0.01, help="share of events that a pattern looks at")
    ask.add_argument("--entra", type=float, default=0.1, help="share of the others that come from Entra")
    ask.add_argument("--short", action="store_true", help="lines of 130 bytes that do not matter, so that 50 million fit")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--regrant", default=f"{ROOT}/target/release/regrant")
    ask.add_argument("--out", default=f"{ROOT}/bench-out")
    ask.add_argument("--keep", action="store_true", help="leave the logs there, and take those that are there")
    ask.add_argument("--generate-only", action="store_true")
    args = ask.parse_args()
    folder = f"{args.out}/hunt-{args.events}-{args.interest}{'-short' if args.short else ''}"
    about = f"{folder}.json"
    if not os.path.exists(about):
        os.makedirs(folder, exist_ok=True)
        print(f"writing {folder}", flush=True)
        n, resets = generate(folder, args.events, args.interest, args.entra, args.short)
        json.dump({"interest": n, "resets": resets}, open(about, "w"))
    if args.generate_only:
        return
    if not os.path.exists(args.regrant):
        sys.exit(f"{args.regrant} is not there: build it with `cargo build --release`, or name it with --regrant")
    logs = [f"{folder}/okta.jsonl", f"{folder}/entra.jsonl"]
    size = sum(map(os.path.getsize, logs))
    for path in logs:
        with open(path, "rb") as log:
            while log.read(1 << 24):
                pass
    common = [folder, "--threads", str(args.threads), "--as-of", AS_OF, "-q"]
    # The event type is near the front of a line: whoever looks for it reads everything, and finds little.
    commands = {
        "grep -c -F": ["grep", "-c", "-F", "user.account.reset_password", *logs],
        "regrant audit": [args.regrant, "audit", *common, "--subjects", "never", "--input-hash", "none", "-o", f"{args.out}/hunt-audit"],
        "regrant hunt": [args.regrant, "hunt", *common, "--input-hash", "none", "-o", f"{args.out}/hunt-hunt"],
        "hunt --case": [args.regrant, "hunt", "--case", f"{args.out}/hunt-hunt", "--executor", "desk@h.example", "-q", "-o", f"{args.out}/hunt-again"],
        "hunt --case, one person": [args.regrant, "hunt", "--case", f"{args.out}/hunt-hunt", "--identity", "p17@h.example", "-q", "-o", f"{args.out}/hunt-again"],
    }
    times = {name: [] for name in commands}
    peak = dict.fromkeys(commands, 0.0)
    for _ in range(args.runs):
        for name, command in commands.items():
            seconds, rss, said, code = measured(command)
            if code not in (0, 3):
                sys.exit(f"{name}: exit code {code}\n{said}")
            times[name].append(seconds)
            peak[name] = max(peak[name], rss)
    made = json.load(open(f"{args.out}/hunt-hunt/hunt.json"))
    expected = json.load(open(about))
    assert made["resets"] >= expected["resets"], (made["resets"], expected)
    print(f"{args.events:,} events, {size / 1e9:.2f} GB, {args.interest:.0%} of interest, {made['resets']:,} resets; {args.threads} threads")
    base = statistics.median(times["grep -c -F"])
    for name, all_of in times.items():
        middle = statistics.median(all_of)
        spread = f"{min(all_of):.2f} to {max(all_of):.2f}"
        print(f"{name:24} {middle:7.2f} s ({spread}), {size / middle / 1e9:5.2f} GB/s, {base / middle:5.2f} of grep's speed, peak {peak[name]:,.0f} MB")
    ratio = statistics.median(times["regrant hunt"]) / statistics.median(times["regrant audit"])
    print(f"hunt takes {ratio:.2f} times what audit takes to read and judge the same files")
    if not args.keep:
        for path in [*logs, about]:
            os.remove(path)
        os.rmdir(folder)


if __name__ == "__main__":
    main()
