//! Three months of an invented organisation of three thousand people: ordinary traffic, ordinary bad days, and three
//! incidents whose shape is public. The same bytes on every run; nothing of it lies in the repository.
//!
//! The noise is what makes single resets useless as alarms: lost phones on journeys, desks that reset thirty people a day, a
//! migration weekend, returns from leave, keys that are rotated, roles that are given on the day of a reset by chance.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Utc, Weekday};

use crate::time::{DAY, HOUR, MINUTE, SECOND, format_instant};

/// People of the organisation.
const PEOPLE: u64 = 3_000;
/// The first ones are the desk, then administrators, then executives.
const DESK: u64 = 14;
const ADMINS: u64 = 40;
const EXECUTIVES: u64 = 12;
const WORKLOADS: u64 = 120;
/// Days of data.
const DAYS: i64 = 91;
/// 2026-06-01T00:00:00Z, a Monday.
const START: i64 = 1_780_272_000 * SECOND;
/// When the sample's data is taken as known.
pub const AS_OF: i64 = START + 95 * DAY;

/// What the incidents of the sample are, for tests and for whoever wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// In a few words.
    pub name: &'static str,
    /// Its first event, RFC 3339.
    pub began_at: &'static str,
    /// An identity of it.
    pub identity: &'static str,
}

/// The three of them.
pub const PLANTED: [Planted; 3] = [
    Planted {
        name: "one caller's password and factors, then an employee of IT security",
        began_at: "2026-07-14T09:12:00Z",
        identity: "p0107@harbour.example",
    },
    Planted {
        name: "three accounts within three hours by way of the desk, then cloud keys",
        began_at: "2026-08-05T15:02:00Z",
        identity: "p0911@harbour.example",
    },
    Planted {
        name: "a dormant service account enabled, given a new key, and used while the old key lived on",
        began_at: "2026-08-19T02:14:00Z",
        identity: "svc-0077@harbour.example",
    },
];

/// Numbers that look random and are the same on every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// True so many times in a thousand.
    fn per_mille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// A record with its time, so that files come out in order.
type Records = Vec<(i64, String)>;

struct Maker {
    dice: Dice,
    okta: Records,
    aws: Records,
    tickets: Vec<String>,
    resets: u64,
    number: u64,
    /// How many times a person got a new phone.
    phones: BTreeMap<u64, u64>,
}

/// Files of the sample: path and content.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    files_drawn(7)
}

/// The same incidents in ordinary traffic that another seed draws.
pub fn files_drawn(seed: u64) -> Vec<(&'static str, Vec<u8>)> {
    let mut maker = Maker {
        dice: Dice(seed),
        okta: Vec::new(),
        aws: Vec::new(),
        tickets: Vec::new(),
        resets: 0,
        number: 0,
        phones: BTreeMap::new(),
    };
    maker.traffic();
    maker.bad_days();
    maker.migration();
    maker.workloads();
    maker.the_caller();
    maker.the_three();
    maker.the_dormant();
    let lines = |mut records: Records| {
        records.sort();
        records.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n").into_bytes()
    };
    let mut tickets = "ticket,subject,requester,approver,decision,decided_at,category,opened_at,closed_at\n".to_owned();
    tickets.push_str(&maker.tickets.join("\n"));
    vec![
        ("identity/okta-system-log.jsonl", lines(maker.okta)),
        ("cloud/cloudtrail.jsonl", lines(maker.aws)),
        ("tickets/ticket.csv", tickets.into_bytes()),
        ("hr/person.csv", people().into_bytes()),
        ("registers/workload.csv", workloads().into_bytes()),
        ("registers/credential.csv", credentials().into_bytes()),
    ]
}

fn email(person: u64) -> String {
    format!("p{person:04}@harbour.example")
}

fn service(workload: u64) -> String {
    format!("svc-{workload:04}@harbour.example")
}

/// Offices of six hundred, carriers of a few dozen, everybody's own line at home.
fn office(person: u64) -> String {
    format!("192.0.2.{}", 1 + person % 5)
}

fn carrier(person: u64) -> String {
    format!("198.18.{}.{}", person % 60 / 30, person % 60)
}

fn home(person: u64) -> String {
    format!("100.{}.{}.{}", 64 + person % 60, person / 250, person % 250)
}

fn people() -> String {
    let mut out = "person_id,email,name,status,worker_type,started_on,manager,department,title,tier\n".to_owned();
    for person in 0..PEOPLE {
        let (department, title, tier) = match person {
            n if n < DESK => ("Service Desk", "Service desk agent", "standard"),
            n if n < DESK + ADMINS / 2 => ("IT Security", "Security engineer", "privileged"),
            n if n < DESK + ADMINS => ("Platform", "Platform engineer", "privileged"),
            n if n < DESK + ADMINS + EXECUTIVES => ("Board", "Executive", "executive"),
            n => (["Finance", "Operations", "Sales", "Engineering", "Legal"][n as usize % 5], "Employee", "standard"),
        };
        // Two of the desk are of an outsourcer.
        let worker = if person % 7 == 3 && person < DESK || person % 23 == 5 { "contractor" } else { "employee" };
        let status = if person % 61 == 17 && person > 100 { "leave" } else { "active" };
        let year = 2012 + person % 14;
        let _ = writeln!(
            out,
            "E{person:05},{},Person {person},{status},{worker},{year}-03-01,{},{department},{title},{tier}",
            email(person),
            email(DESK + ADMINS + person % EXECUTIVES),
        );
    }
    out
}

fn workloads() -> String {
    let mut out = "workload_id,name,aliases,kind,owner,status\n".to_owned();
    for w in 0..WORKLOADS {
        let _ = writeln!(out, "W{w:04},svc-{w:04},{},service-account,{},active", service(w), email(DESK + w % ADMINS));
    }
    out
}

fn credentials() -> String {
    let mut out = "credential_id,identity,system,kind,status,created_at,revoked_at,observed_at\n".to_owned();
    let (system, seen) = ("aws:210987654321", format_instant(START + 94 * DAY));
    for w in 0..WORKLOADS {
        // Those that are rotated in the period end with their rotation; the old key of the dormant one lives on.
        let rotated = rotation(w).map(|at| format_instant(at + 10 * MINUTE));
        let (status, revoked) =
            if rotated.is_some() { ("revoked", rotated.unwrap_or_default()) } else { ("active", String::new()) };
        let _ =
            writeln!(out, "AKIAOLD{w:04},W{w:04},{system},access-key,{status},2025-02-01T00:00:00Z,{revoked},{seen}");
        if let Some(at) = rotation(w) {
            let _ = writeln!(out, "AKIANEW{w:04},W{w:04},{system},access-key,active,{},,{seen}", format_instant(at));
        }
    }
    let _ = writeln!(out, "AKIADORMANT,W0077,{system},access-key,active,2026-08-19T02:17:00Z,,{seen}");
    out
}

/// When the key of a workload is rotated, if it is.
fn rotation(w: u64) -> Option<i64> {
    (w.is_multiple_of(3) && w != 77).then(|| START + (10 + (w * 37 % 70)) as i64 * DAY + 10 * HOUR)
}

/// An Okta event.
struct Okta<'a> {
    at: i64,
    kind: &'a str,
    actor: &'a str,
    target: &'a str,
    ip: &'a str,
    result: &'a str,
    reason: &'a str,
    phone: &'a str,
    device: &'a str,
    granted: &'a str,
}

const PLAIN: Okta<'static> = Okta {
    at: 0,
    kind: "",
    actor: "",
    target: "",
    ip: "",
    result: "SUCCESS",
    reason: "",
    phone: "",
    device: "",
    granted: "",
};

impl Maker {
    fn write(&mut self, event: &Okta<'_>) {
        self.number += 1;
        let id = |login: &str| format!("00u{}", login.replace(['@', '.', '-'], ""));
        let system = event.actor == "system@okta.com";
        let mut debug = String::new();
        for (name, value) in [("deviceFingerprint", event.device), ("privilegeGranted", event.granted)] {
            if !value.is_empty() {
                let _ = write!(debug, "{}\"{name}\":\"{value}\"", if debug.is_empty() { "" } else { "," });
            }
        }
        let enrolment = match event.phone {
            "" => String::new(),
            phone => format!(
                ",{{\"id\":\"opf{}\",\"type\":\"AuthenticatorEnrollment\",\"displayName\":\"SMS\",\"detailEntry\":{{\"phoneNumber\":\"{phone}\"}}}}",
                self.number
            ),
        };
        let line = format!(
            "{{\"uuid\":\"{:08x}-0000-4000-8000-{:012x}\",\"published\":\"{}\",\"eventType\":\"{}\",\"displayMessage\":\"\",\"actor\":{{\"id\":\"{}\",\"type\":\"{}\",\"alternateId\":\"{}\"}},\"client\":{{\"ipAddress\":\"{}\",\"userAgent\":{{\"rawUserAgent\":\"Mozilla/5.0\"}}}},\"outcome\":{{\"result\":\"{}\",\"reason\":\"{}\"}},\"transaction\":{{\"id\":\"t{}\"}},\"debugContext\":{{\"debugData\":{{{debug}}}}},\"target\":[{{\"id\":\"{}\",\"type\":\"User\",\"alternateId\":\"{}\"}}{enrolment}]}}",
            self.number,
            self.number,
            format_instant(event.at),
            event.kind,
            id(event.actor),
            if system { "SystemPrincipal" } else { "User" },
            event.actor,
            event.ip,
            event.result,
            event.reason,
            self.number,
            id(event.target),
            event.target,
        );
        self.okta.push((event.at, line));
    }

    fn aws(&mut self, at: i64, call: (&str, &str), user: &str, ip: &str, parameters: &str, response: &str) {
        self.number += 1;
        let line = format!(
            "{{\"eventVersion\":\"1.09\",\"eventID\":\"{:08x}-1111-4000-8000-{:012x}\",\"eventTime\":\"{}\",\"eventSource\":\"{}.amazonaws.com\",\"eventName\":\"{}\",\"awsRegion\":\"us-east-1\",\"sourceIPAddress\":\"{ip}\",\"userAgent\":\"aws-cli/2.15\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"{user}\",\"arn\":\"arn:aws:iam::210987654321:user/{user}\",\"accountId\":\"210987654321\"}},\"requestParameters\":{parameters},\"responseElements\":{response},\"recipientAccountId\":\"210987654321\"}}",
            self.number,
            self.number,
            format_instant(at),
            call.0,
            call.1,
        );
        self.aws.push((at, line));
    }

    fn sign_in(&mut self, at: i64, person: &str, ip: &str, device: &str) {
        let (actor, target) = (person, person);
        self.write(&Okta { at, kind: "user.session.start", actor, target, ip, device, ..PLAIN });
    }

    /// A working hour of a day, or null on a weekend.
    fn working(&mut self, day: i64) -> Option<i64> {
        let at = START + day * DAY;
        let date = DateTime::<Utc>::from_timestamp_micros(at)?;
        let free = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        let at = at + 7 * HOUR + self.dice.below(10 * 3600) as i64 * SECOND;
        (!free).then_some(at)
    }

    /// Everybody signs in on about half of the working days, from where they always are.
    fn traffic(&mut self) {
        for day in 0..DAYS {
            for person in 0..PEOPLE {
                if !self.dice.per_mille(520) {
                    continue;
                }
                let Some(at) = self.working(day) else { continue };
                let ip = match self.dice.below(100) {
                    n if n < 55 => office(person),
                    n if n < 85 => home(person),
                    n if n < 99 => carrier(person),
                    // A hotel, a relative's line, a train.
                    _ => format!("172.{}.{}.{}", 16 + self.dice.below(16), self.dice.below(250), self.dice.below(250)),
                };
                self.sign_in(at, &email(person), &ip, &format!("fp{person}"));
            }
        }
    }

    fn ticket(&mut self, at: i64, person: u64, decision: &str) {
        let number = self.tickets.len();
        let (opened, decided) = (format_instant(at - 40 * MINUTE), format_instant(at - 10 * MINUTE));
        let closed = format_instant(at + HOUR);
        self.tickets.push(format!(
            "INC{number:06},{},{},{},{decision},{decided},password-reset,{opened},{closed}",
            email(person),
            email(person),
            email(DESK + ADMINS + person % EXECUTIVES),
        ));
    }

    fn told(&mut self, at: i64, person: &str) {
        let at = at + 20 * SECOND;
        let kind = "system.email.mfa_reset_notification.sent_message";
        self.write(&Okta { at, kind, actor: "system@okta.com", target: person, ..PLAIN });
    }

    fn password(&mut self, at: i64, by: u64, target: &str) {
        self.resets += 1;
        let (kind, actor) = ("user.account.reset_password", email(by));
        self.write(&Okta { at, kind, actor: &actor, target, ip: "192.0.2.1", ..PLAIN });
    }

    fn factors(&mut self, at: i64, by: u64, target: &str) {
        self.resets += 1;
        let (kind, actor) = ("user.mfa.factor.reset_all", email(by));
        self.write(&Okta { at, kind, actor: &actor, target, ip: "192.0.2.1", ..PLAIN });
    }

    fn enrol(&mut self, at: i64, person: &str, ip: &str, phone: &str) {
        let kind = "user.mfa.factor.activate";
        self.write(&Okta { at, kind, actor: person, target: person, ip, phone, ..PLAIN });
    }

    fn phone(&mut self, person: u64) -> String {
        let nth = self.phones.entry(person).or_default();
        *nth += 1;
        format!("+1 202 {:07}", person * 100 + *nth)
    }

    /// Ten thousand resets that are what they look like.
    fn bad_days(&mut self) {
        for _ in 0..15_200 {
            let person = DESK + self.dice.below(PEOPLE - DESK);
            let day = self.dice.below(DAYS as u64 - 3) as i64;
            let Some(at) = self.working(day) else { continue };
            let (by, name) = (self.dice.below(DESK), email(person));
            // Their incidents begin when they are said to begin.
            if [21, 107, 911, 1204, 2217].contains(&person) {
                continue;
            }
            if self.dice.per_mille(900) {
                self.ticket(at, person, "approved");
            }
            let somewhere = if self.dice.per_mille(120) {
                format!("172.{}.{}.{}", 16 + self.dice.below(16), self.dice.below(250), self.dice.below(250))
            } else {
                home(person)
            };
            match self.dice.below(1000) {
                // Forgotten, by self-service: the link, then the new password.
                n if n < 380 => {
                    self.resets += 1;
                    self.write(&Okta {
                        at,
                        kind: "user.account.unlock_token",
                        actor: &name,
                        target: &name,
                        ip: &somewhere,
                        ..PLAIN
                    });
                    self.sign_in(at + 4 * MINUTE, &name, &somewhere, "");
                }
                // Forgotten, by the desk.
                n if n < 700 => {
                    self.password(at, by, &name);
                    self.told(at, &name);
                    self.sign_in(at + 9 * MINUTE, &name, &somewhere, "");
                }
                // A new phone.
                n if n < 930 => {
                    self.factors(at, by, &name);
                    if self.dice.per_mille(970) {
                        self.told(at, &name);
                    }
                    let phone = self.phone(person);
                    self.enrol(at + 7 * MINUTE, &name, &somewhere, &phone);
                    self.sign_in(at + 11 * MINUTE, &name, &somewhere, "");
                }
                // A stolen bag: everything anew, often far from home.
                n if n < 960 => {
                    self.password(at, by, &name);
                    self.factors(at + 6 * MINUTE, by, &name);
                    self.told(at, &name);
                    let phone = self.phone(person);
                    self.enrol(at + 15 * MINUTE, &name, &somewhere, &phone);
                    self.sign_in(at + 20 * MINUTE, &name, &somewhere, "");
                }
                // Back from leave.
                n if n < 975 => {
                    let admin = email(DESK + ADMINS / 2 + self.dice.below(ADMINS / 2));
                    let kind = "user.lifecycle.unsuspend";
                    self.resets += 1;
                    self.write(&Okta { at, kind, actor: &admin, target: &name, ip: "192.0.2.1", ..PLAIN });
                    self.password(at + 12 * MINUTE, by, &name);
                    self.told(at + 12 * MINUTE, &name);
                    self.sign_in(at + 30 * MINUTE, &name, &office(person), "");
                }
                // One agent could not, another could.
                n if n < 985 => {
                    let kind = "user.account.reset_password";
                    let (actor, reason) = (email(by), "TARGET_IN_ANOTHER_ADMIN_SCOPE");
                    let ip = "192.0.2.1";
                    self.write(&Okta {
                        at,
                        kind,
                        actor: &actor,
                        target: &name,
                        ip,
                        result: "FAILURE",
                        reason,
                        ..PLAIN
                    });
                    self.password(at + 15 * MINUTE, (by + 1) % DESK, &name);
                    self.told(at + 15 * MINUTE, &name);
                }
                // A new role on the day of a reset, by chance.
                n if n < 990 => {
                    self.password(at, by, &name);
                    self.told(at, &name);
                    let admin = email(DESK + ADMINS / 2 + self.dice.below(ADMINS / 2));
                    let (kind, granted) = ("user.account.privilege.grant", "Read-only administrator");
                    self.write(&Okta {
                        at: at + 3 * HOUR,
                        kind,
                        actor: &admin,
                        target: &name,
                        ip: "192.0.2.1",
                        granted,
                        ..PLAIN
                    });
                }
                // Forgotten again and again.
                _ => {
                    for n in 0..3 {
                        self.password(at + n * 40 * MINUTE, (by + n as u64) % DESK, &name);
                        self.told(at + n * 40 * MINUTE, &name);
                    }
                    self.sign_in(at + 2 * HOUR, &name, &office(person), "");
                }
            }
        }
    }

    /// A weekend on which one agent resets two hundred people for a new system.
    fn migration(&mut self) {
        let saturday = START + 47 * DAY + 8 * HOUR;
        for n in 0..200 {
            let person = 400 + n * 9;
            let at = saturday + n as i64 * 2 * MINUTE;
            self.ticket(at, person, "approved");
            self.password(at, 4, &email(person));
            self.told(at, &email(person));
        }
    }

    /// Programs that ask every few days who they are, from where they run; keys that are rotated.
    fn workloads(&mut self) {
        for w in (0..WORKLOADS).filter(|w| *w != 77) {
            let user = format!("svc-{w:04}");
            for day in (0..DAYS).step_by(3) {
                let at = START + day * DAY + 3 * HOUR + (w as i64) * MINUTE;
                self.aws(at, ("sts", "GetCallerIdentity"), &user, &format!("10.20.0.{w}"), "null", "null");
            }
            if let Some(at) = rotation(w) {
                self.resets += 1;
                let owner = email(DESK + w % ADMINS);
                let parameters = format!("{{\"userName\":\"{user}\"}}");
                let issued = format!("{{\"accessKey\":{{\"accessKeyId\":\"AKIANEW{w:04}\"}}}}");
                self.aws(at, ("iam", "CreateAccessKey"), &owner, "192.0.2.1", &parameters, &issued);
                let old = format!("{{\"userName\":\"{user}\",\"accessKeyId\":\"AKIAOLD{w:04}\"}}");
                self.aws(at + 10 * MINUTE, ("iam", "DeleteAccessKey"), &owner, "192.0.2.1", &old, "null");
            }
        }
    }

    /// One caller, refused once, then given the password and two factors of one account, and then of one in IT security.
    fn the_caller(&mut self) {
        let day = START + 43 * DAY;
        let at = |hour: i64, minute: i64| day + hour * HOUR + minute * MINUTE;
        let (ip, phone, device) = ("203.0.113.77", "+1 555 0100147", "fp-unknown-1");
        let (first, second) = (email(107), email(21));
        let kind = "user.account.reset_password";
        let (actor, reason) = (email(2), "VERIFICATION_FAILED");
        self.write(&Okta {
            at: at(9, 12),
            kind,
            actor: &actor,
            target: &first,
            ip: "192.0.2.1",
            result: "FAILURE",
            reason,
            ..PLAIN
        });
        self.password(at(9, 41), 5, &first);
        self.factors(at(10, 5), 5, &first);
        self.factors(at(10, 31), 6, &first);
        self.enrol(at(10, 52), &first, ip, phone);
        self.sign_in(at(10, 58), &first, ip, device);
        self.password(at(13, 20), 5, &second);
        self.factors(at(13, 34), 5, &second);
        self.enrol(at(13, 50), &second, ip, phone);
        self.sign_in(at(13, 55), &second, ip, device);
        let (kind, granted) = ("user.account.privilege.grant", "Super administrator");
        self.write(&Okta { at: at(14, 20), kind, actor: &second, target: &first, ip, granted, ..PLAIN });
    }

    /// Three accounts in three hours, two phones, one address, then keys of the cloud.
    fn the_three(&mut self) {
        let day = START + 65 * DAY;
        let at = |hour: i64, minute: i64| day + hour * HOUR + minute * MINUTE;
        let ip = "198.51.100.23";
        for (n, (person, hour, minute, by)) in
            [(911, 15, 2, 8), (1204, 15, 48, 9), (2217, 17, 10, 8)].into_iter().enumerate()
        {
            let name = email(person);
            let begin = at(hour, minute);
            self.password(begin, by, &name);
            self.factors(begin + 4 * MINUTE, by, &name);
            let phone = if n < 2 { "+1 555 0100391" } else { "+1 555 0100392" };
            self.enrol(begin + 11 * MINUTE, &name, ip, phone);
            self.sign_in(begin + 14 * MINUTE, &name, ip, "fp-unknown-2");
        }
        let user = email(1204);
        for (minute, key) in [(45, "AKIASTOLEN1"), (52, "AKIASTOLEN2")] {
            self.resets += 1;
            let parameters = "{\"userName\":\"svc-0031\"}";
            let issued = format!("{{\"accessKey\":{{\"accessKeyId\":\"{key}\"}}}}");
            self.aws(at(17, minute), ("iam", "CreateAccessKey"), &user, ip, parameters, &issued);
        }
    }

    /// Nobody has used the account since before the data begins; at night it comes back, with a second key.
    fn the_dormant(&mut self) {
        let day = START + 79 * DAY;
        let at = |hour: i64, minute: i64| day + hour * HOUR + minute * MINUTE;
        let (name, admin) = (service(77), email(40));
        self.resets += 2;
        let kind = "user.lifecycle.unsuspend";
        self.write(&Okta { at: at(2, 14), kind, actor: &admin, target: &name, ip: "192.0.2.1", ..PLAIN });
        let issued = "{\"accessKey\":{\"accessKeyId\":\"AKIADORMANT\"}}";
        let parameters = "{\"userName\":\"svc-0077\"}";
        self.aws(at(2, 17), ("iam", "CreateAccessKey"), &admin, "192.0.2.1", parameters, issued);
        for minute in [31, 33, 52] {
            self.aws(at(2, minute), ("sts", "GetCallerIdentity"), "svc-0077", "203.0.113.201", "null", "null");
        }
    }
}
