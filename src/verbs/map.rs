//! `map`: a proposal for the mapping of an unknown file, by the names of its columns and the shapes of their values.
//!
//! A proposal, no more: whoever knows the export corrects it. What cannot be told stands in it as a comment, and nothing is
//! mapped on the strength of a guess that could accuse somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use super::VerbError;
use super::layout::{columns, count, shown};
use crate::cli;
use crate::source::clock::Format;
use crate::source::mapping::{MappedOutcome, Setting, SourceMapping};
use crate::source::{chunk, container, excerpt, json};
use crate::table::{Column, Table, Type};
use crate::text::fold;

/// Records that a proposal is made from.
const LOOKED: usize = 500;
/// Rows that are shown.
const ROWS: usize = 3;
/// Different values up to which a column may be an enumeration.
const KINDS: usize = 24;
/// Members of members of members, no deeper.
const DEEP: usize = 3;
/// Members that may hold the records.
const ENVELOPES: [&str; 12] = [
    "value",
    "records",
    "Records",
    "items",
    "result",
    "results",
    "response",
    "data",
    "employees",
    "Resources",
    "Report_Entry",
    "users",
];

/// What names of columns mean: table, column, and names without blanks and signs. The first that fits is taken.
const MEANINGS: &[(Table, &str, &[&str])] = &[
    (
        Table::Person,
        "person_id",
        &[
            "employeeid",
            "employeenumber",
            "personid",
            "personnelnumber",
            "workerid",
            "staffid",
            "empid",
            "empno",
            "associateid",
            "fileno",
            "userid",
            "id",
        ],
    ),
    (
        Table::Person,
        "name",
        &["name", "fullname", "displayname", "employeename", "legalname", "workername", "preferredname"],
    ),
    (
        Table::Person,
        "email",
        &["email", "workemail", "emailaddress", "mail", "companyemail", "primaryworkemail", "userprincipalname", "upn"],
    ),
    (Table::Person, "aliases", &["username", "login", "samaccountname", "networkid", "aliases", "accountname"]),
    (Table::Person, "status", &["status", "employmentstatus", "workerstatus", "employeestatus", "active", "isactive"]),
    (Table::Person, "worker_type", &["workertype", "employeetype", "employmenttype", "contracttype", "type"]),
    (
        Table::Person,
        "started_on",
        &["startdate", "hiredate", "startedon", "dateofhire", "originalhiredate", "entrydate", "joindate", "joined"],
    ),
    (
        Table::Person,
        "ended_on",
        &[
            "enddate",
            "terminationdate",
            "lastday",
            "lastdayofwork",
            "endedon",
            "dateoftermination",
            "leavingdate",
            "exitdate",
            "leavedate",
        ],
    ),
    (Table::Person, "manager", &["manager", "managerid", "manageremail", "supervisor", "supervisorid", "reportsto"]),
    (Table::Person, "department", &["department", "dept", "orgunit", "costcenter", "team", "division"]),
    (Table::Person, "title", &["title", "jobtitle", "position", "role"]),
    (
        Table::Workload,
        "workload_id",
        &["workloadid", "serviceaccount", "appid", "applicationid", "botid", "clientid", "ciid"],
    ),
    (Table::Workload, "name", &["name", "displayname", "applicationname", "servicename"]),
    (Table::Workload, "owner", &["owner", "owneremail", "technicalowner", "responsible", "contact", "ownedby"]),
    (Table::Workload, "kind", &["kind", "type", "category"]),
    (Table::Workload, "environment", &["environment", "env", "stage"]),
    (Table::Workload, "status", &["status", "state", "lifecycle"]),
    (Table::Workload, "retired_on", &["retiredon", "retirementdate", "decommissioned", "decommissiondate"]),
    (
        Table::Credential,
        "credential_id",
        &["credentialid", "keyid", "accesskeyid", "tokenid", "secretid", "thumbprint", "fingerprint", "serialnumber"],
    ),
    (
        Table::Credential,
        "identity",
        &["identity", "username", "user", "account", "owneraccount", "principal", "serviceaccount", "login", "subject"],
    ),
    (Table::Credential, "kind", &["kind", "type", "credentialtype", "keytype"]),
    (Table::Credential, "status", &["status", "state", "enabled", "active"]),
    (Table::Credential, "owner", &["owner", "owneremail", "responsible"]),
    (
        Table::Credential,
        "created_at",
        &["createdat", "created", "createdate", "creationdate", "issuedat", "notbefore", "startdatetime"],
    ),
    (Table::Credential, "last_used_at", &["lastusedat", "lastused", "lastuseddate", "lastaccess", "lastauthenticated"]),
    (
        Table::Credential,
        "expires_at",
        &["expiresat", "expires", "expiry", "expirationdate", "expirydate", "notafter", "validuntil", "enddatetime"],
    ),
    (Table::Credential, "revoked_at", &["revokedat", "revoked", "revocationdate", "deletedat"]),
    (
        Table::Account,
        "account",
        &["account", "samaccountname", "username", "login", "userprincipalname", "accountname", "userid", "user"],
    ),
    (
        Table::Account,
        "identity",
        &["identity", "employeeid", "employeenumber", "personid", "email", "mail", "emailaddress"],
    ),
    (Table::Account, "status", &["status", "enabled", "state", "accountstatus", "active", "accountenabled"]),
    (Table::Account, "privileged", &["privileged", "isadmin", "admin", "superuser"]),
    (Table::Account, "created_at", &["createdat", "created", "whencreated", "creationdate", "createddatetime"]),
    (
        Table::Account,
        "last_active_at",
        &[
            "lastactiveat",
            "lastlogon",
            "lastlogin",
            "lastlogondate",
            "lastlogontimestamp",
            "lastsignin",
            "lastactivity",
            "lastlogintime",
        ],
    ),
    (
        Table::Account,
        "password_changed_at",
        &["passwordchangedat", "passwordlastset", "pwdlastset", "passwordchanged", "lastpasswordchange"],
    ),
    (Table::Account, "disabled_at", &["disabledat", "deactivatedat", "disableddate"]),
    (
        Table::Ticket,
        "ticket",
        &["ticket", "ticketid", "number", "key", "issuekey", "requestid", "caseid", "casenumber", "incident"],
    ),
    (
        Table::Ticket,
        "subject",
        &["subjectuser", "affecteduser", "requestedfor", "onbehalfof", "customer", "affectedend user", "user"],
    ),
    (Table::Ticket, "requester", &["requester", "requestedby", "openedby", "reporter", "caller", "createdby"]),
    (Table::Ticket, "approver", &["approver", "approvedby", "approvername"]),
    (Table::Ticket, "decision", &["decision", "approval", "approvalstate", "approvalstatus", "approvaldecision"]),
    (Table::Ticket, "decided_at", &["decidedat", "approvedat", "approvaldate", "decisiondate", "approvedon"]),
    (Table::Ticket, "category", &["category", "type", "requesttype", "issuetype", "catalogitem"]),
    (Table::Ticket, "opened_at", &["openedat", "opened", "created", "createdat", "createddate", "submittedat"]),
    (Table::Ticket, "closed_at", &["closedat", "closed", "resolved", "resolvedat", "closeddate", "resolutiondate"]),
    (Table::Event, "event_id", &["eventid", "uuid", "logid", "recordid", "id"]),
    (Table::Event, "correlation_id", &["correlationid", "transactionid", "requestid", "sessionid"]),
    (
        Table::Event,
        "occurred_at",
        &[
            "occurredat",
            "timestamp",
            "time",
            "datetime",
            "date",
            "eventtime",
            "published",
            "createdat",
            "when",
            "activitydatetime",
        ],
    ),
    (
        Table::Event,
        "action",
        &["action", "event", "eventtype", "eventname", "operation", "activity", "what", "operationname"],
    ),
    (Table::Event, "outcome", &["outcome", "result", "resultstatus", "success"]),
    (
        Table::Event,
        "target",
        &[
            "target",
            "targetuser",
            "affecteduser",
            "targetusername",
            "user",
            "userlogin",
            "account",
            "username",
            "objectid",
        ],
    ),
    (
        Table::Event,
        "executor",
        &[
            "executor",
            "actor",
            "performedby",
            "agent",
            "admin",
            "operator",
            "by",
            "actoremail",
            "initiatedby",
            "changedby",
        ],
    ),
    (Table::Event, "requester", &["requester", "requestedby", "caller"]),
    (Table::Event, "approver", &["approver", "approvedby"]),
    (Table::Event, "approved_at", &["approvedat", "approvaltime"]),
    (Table::Event, "ticket", &["ticket", "ticketid", "incident", "reference", "caseid"]),
    (Table::Event, "reason", &["reason", "comment", "justification", "note"]),
    (
        Table::Event,
        "verification",
        &["verification", "verifiedby", "verificationmethod", "callerverification", "identityverification"],
    ),
    (Table::Event, "verified_at", &["verifiedat", "verificationtime"]),
    (Table::Event, "source_ip", &["sourceip", "ip", "ipaddress", "clientip", "sourceipaddress"]),
];

/// What spellings of enumerations mean.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("status", "active", &["active", "a", "true", "yes", "1", "working", "current", "employed"]),
    (
        "status",
        "terminated",
        &["terminated", "t", "inactive", "false", "no", "0", "left", "leaver", "resigned", "retired"],
    ),
    ("status", "leave", &["leave", "on leave", "loa", "parental leave", "sabbatical"]),
    ("status", "pending", &["pending", "future hire", "not started", "prehire"]),
    ("status", "enabled", &["enabled", "active", "true", "yes", "1"]),
    ("status", "disabled", &["disabled", "inactive", "false", "no", "0", "suspended", "deactivated"]),
    ("status", "locked", &["locked", "locked out"]),
    ("status", "deleted", &["deleted", "removed"]),
    ("status", "inactive", &["inactive", "disabled", "false"]),
    ("status", "revoked", &["revoked"]),
    ("status", "expired", &["expired"]),
    ("status", "retired", &["retired", "decommissioned", "inactive"]),
    ("worker_type", "employee", &["employee", "permanent", "regular", "staff", "full time", "part time", "fte"]),
    ("worker_type", "contractor", &["contractor", "contingent worker", "temporary", "temp", "external", "freelancer"]),
    ("worker_type", "vendor", &["vendor", "supplier", "partner"]),
    ("worker_type", "intern", &["intern", "trainee", "apprentice", "working student"]),
    ("decision", "approved", &["approved", "yes", "granted", "accepted"]),
    ("decision", "rejected", &["rejected", "denied", "declined", "no"]),
    ("decision", "pending", &["pending", "requested", "waiting", "open"]),
    ("outcome", "success", &["success", "succeeded", "ok", "true", "allow", "completed", "successful"]),
    ("outcome", "failure", &["failure", "failed", "false", "deny", "denied", "error"]),
    ("action", "password-reset", &["password reset", "reset password", "password_reset", "passwordreset"]),
    ("action", "password-changed", &["password changed", "change password", "password change"]),
    ("action", "mfa-reset", &["mfa reset", "reset mfa", "factor reset", "2fa reset", "mfa_reset"]),
    ("action", "account-unlocked", &["account unlocked", "unlock", "unlock account", "unlocked"]),
    ("action", "account-reactivated", &["reactivated", "account enabled", "enable account", "enabled"]),
    ("action", "account-disabled", &["account disabled", "disable account", "disabled"]),
    ("action", "account-deleted", &["account deleted", "delete account", "deleted"]),
    ("action", "sign-in", &["login", "sign in", "sign-in", "logon", "signed in"]),
    ("action", "credential-issued", &["key created", "token created", "api key created"]),
    ("action", "credential-revoked", &["key deleted", "token revoked", "key revoked"]),
];

/// Proposes, shows what it would read, and writes.
///
/// # Errors
/// The file cannot be read or holds no records, or there is a mapping of that name already.
pub fn map(args: &cli::Map) -> Result<String, VerbError> {
    let sample = Sample::of(&args.file)?;
    let id = id_of(&args.file);
    let table = args.table.or_else(|| sample.likely()).ok_or_else(|| {
        VerbError::own(
            format!(
                "{}: no column has a name that tells what the rows are; they are {}",
                args.file.display(),
                sample.names()
            ),
            "name the table with `--table person` (or event, workload, credential, account, ticket)",
        )
    })?;
    let text = sample.proposal(table, &args.file);
    let mapping = SourceMapping::parse(&id, &text)?;
    let place = args.output.join("sources").join(format!("{id}.toml"));
    let failed = |error: std::io::Error| {
        VerbError::own(format!("{}: {error}", place.display()), "name a folder that can be written with `-o`")
    };
    if place.exists() {
        return Err(VerbError::own(
            format!("{} is there already", place.display()),
            "try it with `regrant lint --sample`, move it away for a new proposal, or name another folder with `-o`",
        ));
    }
    std::fs::create_dir_all(args.output.join("sources")).map_err(failed)?;
    std::fs::write(&place, &text).map_err(failed)?;
    let mut out = format!("{}\n", super::layout::shown_lines(&text));
    out.push_str(&sample.first_rows(&mapping));
    let lint = format!("regrant lint --mappings {} --sample {}", args.output.display(), args.file.display());
    let _ = write!(
        out,
        "\nWritten to {}. Correct it, and try it with\n  {}\n",
        shown(&place.to_string_lossy()),
        shown(&lint)
    );
    Ok(out)
}

/// The name of the file without its endings, as ids are written.
fn id_of(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let id: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let id = id.trim_matches('-').to_owned();
    if id.starts_with(|c: char| c.is_ascii_alphanumeric()) { id } else { format!("source-{id}") }
}

struct Sample {
    tabular: bool,
    envelope: Option<&'static str>,
    records: Vec<Value>,
    /// Paths as they are written, with the texts that stand there.
    found: BTreeMap<String, Vec<String>>,
    /// Paths in the order of their first appearance.
    order: Vec<String>,
}

impl Sample {
    fn of(file: &Path) -> Result<Sample, VerbError> {
        let unreadable = |error: std::io::Error| {
            VerbError::own(
                format!("{}: {error}", file.display()),
                "name a CSV or JSON file that exists and that you may read",
            )
        };
        let head = container::head(file, 1 << 20).map_err(unreadable)?;
        let start = head.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        let tabular = !matches!(start, Some(b'{' | b'['));
        let (envelope, records) = match tabular {
            true => (None, rows(&head)),
            false => ENVELOPES
                .iter()
                .map(|name| (Some(*name), json_records(&head, Some(name))))
                .find(|(name, records)| {
                    let there = name
                        .is_some_and(|name| memchr::memmem::find(&head, format!("\"{name}\"").as_bytes()).is_some());
                    there && records.len() > 1
                })
                .unwrap_or_else(|| (None, json_records(&head, None))),
        };
        if records.is_empty() {
            return Err(VerbError::own(
                format!("{}: there are no records in it", file.display()),
                "`map` takes CSV with a header, JSON, and what Regrant turns into them: XML, LDIF, workbooks are opened by `audit`",
            ));
        }
        let mut sample = Sample { tabular, envelope, records, found: BTreeMap::new(), order: Vec::new() };
        for n in 0..sample.records.len() {
            let record = sample.records[n].clone();
            sample.collect(&record, "", 0);
        }
        Ok(sample)
    }

    fn collect(&mut self, value: &Value, path: &str, depth: usize) {
        match value {
            Value::Object(members) if depth <= DEEP => {
                for (key, value) in members {
                    let odd = key.is_empty()
                        || key.contains(['.', '[', ']', '\''])
                        || key == "*"
                        || key.starts_with(['@', '$']);
                    if odd && key.contains('\'') || key.is_empty() {
                        continue;
                    }
                    let step = if odd { format!("'{key}'") } else { key.clone() };
                    self.collect(value, &if path.is_empty() { step } else { format!("{path}.{step}") }, depth + 1);
                }
            }
            Value::Array(elements) => elements.iter().take(4).for_each(|element| self.collect(element, path, depth)),
            Value::Object(_) => {}
            // Neither proposed nor shown.
            _ if excerpt::names_a_secret(path) => {}
            scalar => {
                if !self.found.contains_key(path) {
                    self.order.push(path.to_owned());
                }
                let text = match scalar {
                    Value::String(text) => text.trim().to_owned(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                self.found.entry(path.to_owned()).or_default().push(text);
            }
        }
    }

    fn names(&self) -> String {
        shown(&self.order.iter().take(12).cloned().collect::<Vec<_>>().join(", "))
    }

    /// The path that a column would be read from, and how near its name is; 0 is nearest.
    fn path_of(&self, table: Table, column: &str) -> Option<(usize, &str)> {
        let (_, _, names) = MEANINGS.iter().find(|(t, c, _)| *t == table && *c == column)?;
        let squashed = |path: &str| -> String {
            path.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let last = |path: &str| squashed(path.rsplit('.').next().unwrap_or(path));
        let near = |path: &str| {
            let whole = squashed(path);
            names.iter().position(|name| whole == *name).or_else(|| names.iter().position(|name| last(path) == *name))
        };
        self.order.iter().filter_map(|path| Some((near(path)?, path.as_str()))).min_by_key(|(near, _)| *near)
    }

    /// The table whose needed columns are all found: the one that needs most of them, then the one of which most are found.
    fn likely(&self) -> Option<Table> {
        let score = |table: Table| {
            let needed: Vec<&Column> = table.columns().iter().filter(|c| c.required && c.name != "system").collect();
            let all = needed.iter().all(|c| self.path_of(table, c.name).is_some());
            let found = table.columns().iter().filter(|c| self.path_of(table, c.name).is_some()).count();
            (all && found > 1).then_some((needed.len(), found))
        };
        let scored = Table::ALL.into_iter().rev().filter_map(|table| Some((score(table)?, table)));
        scored.max_by_key(|(score, _)| *score).map(|(_, table)| table)
    }

    fn proposal(&self, table: Table, file: &Path) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut out = String::new();
        let _ = writeln!(out, "title = {}", quoted(&format!("Export like {}", shown(&name))));
        out.push_str("vendor = \"In-house\"                 # who makes it\n");
        out.push_str("how_to_get = \"say how to get it\"    # shown to whoever needs another one\n");
        let _ = writeln!(out, "container = \"{}\"", if self.tabular { "csv" } else { "json" });
        if let Some(envelope) = self.envelope {
            let _ = writeln!(out, "envelopes = [\"{envelope}\"]");
        }
        let mut body = String::new();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut needed: Vec<&str> = Vec::new();
        for column in table.columns().iter().filter(|c| c.name != "system") {
            match self.path_of(table, column.name) {
                // One column of a file is one column of the table: the nearest name has it.
                Some((_, path)) if !used.contains(path) || column.required => {
                    used.insert(path);
                    if column.required || needed.len() < 4 {
                        needed.push(path);
                    }
                    let _ = writeln!(body, "{} = {}", column.name, self.source(column, path));
                }
                _ if column.required => {
                    let _ = writeln!(
                        body,
                        "# {} is needed: {}\n{} = \"say where it stands\"",
                        column.name, column.doc, column.name
                    );
                }
                _ => {}
            }
        }
        let list = needed.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", ");
        // A header is compared whole; quotes are the paths' own.
        let list = if self.tabular { list.replace("\"'", "\"").replace("'\"", "\"") } else { list };
        let _ = writeln!(out, "recognise = {{ {} = [{list}] }}", if self.tabular { "headers" } else { "all" });
        if table.column("system").is_some() {
            let system = match self.order.iter().find(|path| fold(path) == "system") {
                Some(path) => quoted(path),
                None => format!("{{ const = {} }}", quoted(&id_of(file))),
            };
            let _ = writeln!(out, "system = {system}           # where it is: okta, entra, ad:corp.example");
        }
        let _ = write!(out, "\n[[{}]]\n[{}.columns]\n{body}", table.name(), table.name());
        let left: Vec<&str> = self.order.iter().map(String::as_str).filter(|path| !used.contains(path)).collect();
        if !left.is_empty() {
            out.push_str("\n# Not used:\n");
            for path in left.into_iter().take(60) {
                let _ = writeln!(out, "#   {}", shown(path));
            }
            let columns: Vec<&str> =
                table.columns().iter().map(|c| c.name).filter(|c| !body.contains(&format!("{c} ="))).collect();
            let _ = writeln!(out, "# Columns of {} that nothing is read into: {}", table.name(), columns.join(", "));
        }
        out
    }

    fn source(&self, column: &Column, path: &str) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let values = self.found.get(path).map(Vec::as_slice).unwrap_or_default();
        let filled: Vec<&str> =
            values.iter().map(String::as_str).filter(|text| !text.is_empty() && *text != "-").collect();
        match column.ty {
            Type::Instant | Type::On => {
                let names = ["plain", "epoch", "filetime", "numeric"];
                let fits = |name: &&str| {
                    let read = |text: &&str| match (*name, Format::named(name)) {
                        ("numeric", _) => crate::source::clock::orders(text).is_some(),
                        // A number of ten digits is an hour of 1601 in FILETIME.
                        ("filetime", _) if text.len() < 17 && *text != "0" => false,
                        (_, Some(format)) => format.read(text, None).is_some(),
                        _ => false,
                    };
                    !filled.is_empty() && filled.iter().filter(|text| read(text)).count() * 10 >= filled.len() * 9
                };
                match names.iter().find(|name| fits(name)) {
                    Some(&"plain") => quoted(path),
                    Some(name) => format!("{{ path = {}, time = \"{name}\" }}", quoted(path)),
                    None if filled.is_empty() => format!("{}   # empty in this file", quoted(path)),
                    None => {
                        format!(
                            "{}   # no known way to write time, as in {}",
                            quoted(path),
                            quoted(&shown(&excerpt::prose(filled[0])))
                        )
                    }
                }
            }
            Type::Enum(known) => {
                let kinds: BTreeSet<String> = filled.iter().map(|text| fold(text)).collect();
                if kinds.len() > KINDS || kinds.iter().all(|kind| known.contains(&kind.as_str())) {
                    return quoted(path);
                }
                let meaning = |kind: &String| {
                    let fits = |(of, is, names): &&(&str, &str, &[&str])| {
                        *of == column.name && known.contains(is) && names.contains(&kind.as_str())
                    };
                    let own = known.iter().find(|name| **name == kind.as_str()).copied();
                    own.or_else(|| VALUES.iter().find(fits).map(|(_, is, _)| *is))
                };
                let told: Vec<String> = kinds
                    .iter()
                    .filter_map(|kind| Some(format!("{} = \"{}\"", quoted(kind), meaning(kind)?)))
                    .collect();
                let open: Vec<String> = kinds
                    .iter()
                    .filter(|kind| meaning(kind).is_none())
                    .map(|kind| shown(&excerpt::prose(kind)))
                    .collect();
                let note = if open.is_empty() { String::new() } else { format!("   # left out: {}", open.join(", ")) };
                // Events of other kinds are out of scope by their own name; another cell is rather empty than wrong.
                let otherwise = if column.name == "action" { "" } else { ", otherwise = \"\"" };
                format!("{{ path = {}, values = {{ {} }}{otherwise} }}{note}", quoted(path), told.join(", "))
            }
            Type::List if filled.iter().any(|text| text.contains(',')) => {
                format!("{{ path = {}, split = \",\" }}", quoted(path))
            }
            _ => quoted(path),
        }
    }

    fn first_rows(&self, mapping: &SourceMapping) -> String {
        let setting = Setting { tabular: self.tabular, ..Setting::default() };
        let mut out = String::new();
        let mut lacking = 0_u64;
        let mut shown_rows = 0;
        for record in &self.records {
            match mapping.apply_in(record, &setting).outcome {
                MappedOutcome::Rows(rows) => {
                    for row in rows.into_iter().take(ROWS.saturating_sub(shown_rows)) {
                        shown_rows += 1;
                        let cells: Vec<Vec<String>> = row
                            .cells
                            .iter()
                            .map(|(column, text)| vec![column.clone(), shown(&excerpt::prose(&excerpt::id(text)))])
                            .collect();
                        let _ = write!(out, "\nRow {shown_rows} of table {}\n{}", row.table, columns(&cells, 2));
                    }
                }
                MappedOutcome::OutOfScope(_) => {}
                MappedOutcome::Reject(_) => lacking += 1,
            }
        }
        if lacking > 0 {
            let _ = writeln!(
                out,
                "\n{} of the first {} would be rejected for want of a needed column.",
                count(lacking, "record", "records"),
                self.records.len()
            );
        }
        out
    }
}

fn json_records(head: &[u8], envelope: Option<&str>) -> Vec<Value> {
    let mut out = Vec::new();
    let mut reader = head;
    // A record that the head cuts off is no fault of the file's.
    let _ = json::for_each(&mut reader, envelope, &mut |piece| {
        if let json::Piece::Record(bytes) = piece {
            out.extend(serde_json::from_slice::<Value>(bytes).ok());
        }
        if out.len() < LOOKED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    out
}

fn rows(head: &[u8]) -> Vec<Value> {
    let mut reader = chunk::reader(head);
    let text = |record: &csv::ByteRecord| -> Vec<String> {
        record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
    };
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).unwrap_or(false) {
        return Vec::new();
    }
    let header = text(&record);
    let mut out = Vec::new();
    while out.len() < LOOKED && reader.read_byte_record(&mut record).unwrap_or(false) {
        if record.len() == header.len() {
            out.push(Value::Object(header.iter().cloned().zip(text(&record).into_iter().map(Value::from)).collect()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(name: &str, text: &str) -> (String, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        let args = cli::Map { file, output: folder.path().join("m"), table: None };
        let said = map(&args).unwrap_or_else(|error| panic!("{error}"));
        assert!(map(&args).is_err(), "it is there already");
        let id = id_of(&args.file);
        (said, std::fs::read_to_string(folder.path().join("m/sources").join(format!("{id}.toml"))).expect("written"))
    }

    #[test]
    fn every_meaning_is_a_column() {
        for (table, column, names) in MEANINGS {
            assert!(table.column(column).is_some() && !names.is_empty(), "{} {column}", table.name());
        }
    }

    #[test]
    fn a_roster_is_proposed_by_names_and_shapes() {
        let text = "Employee ID;Name;Work Email;Hire Date;Termination Date;Worker Status;Shoe Size\n\
            7;Ann;ann@corp.example;13/04/2020;;Active;38\n8;Bob;bob@corp.example;05/06/2021;31/08/2026;Left;44\n";
        let (said, toml) = proposed("Leavers 2026.csv", text);
        for line in [
            "person_id = \"Employee ID\"",
            "email = \"Work Email\"",
            "started_on = { path = \"Hire Date\", time = \"numeric\" }",
            "\"left\" = \"terminated\"",
            "#   Shoe Size",
        ] {
            assert!(toml.contains(line), "{line}\n{toml}");
        }
        assert!(said.contains("Row 1 of table person") && said.contains("leavers-2026.toml"), "{said}");
    }

    #[test]
    fn a_log_in_an_envelope_is_proposed_with_its_paths() {
        let record = |n: u32| {
            format!(
                "{{\"id\":\"e{n}\",\"time\":161471990{n},\"event\":\"Reset password\",\"user\":{{\"login\":\"ann\"}},\"actor\":{{\"email\":\"dee\"}},\"odd.key\":1}}"
            )
        };
        let (said, toml) = proposed("desk.json", &format!("{{\"items\":[{},{}]}}", record(1), record(2)));
        for line in [
            "envelopes = [\"items\"]",
            "target = \"user.login\"",
            "executor = \"actor.email\"",
            "occurred_at = { path = \"time\", time = \"epoch\" }",
            "\"reset password\" = \"password-reset\"",
        ] {
            assert!(toml.contains(line), "{line}\n{toml}");
        }
        assert!(said.contains("action       password-reset"), "{said}");
    }

    #[test]
    fn what_nobody_knows_asks_for_the_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.csv");
        std::fs::write(&file, "foo,bar\n1,2\n").expect("written");
        let args = cli::Map { file, output: folder.path().join("m"), table: None };
        let error = map(&args).expect_err("no name tells").to_string();
        assert!(error.contains("foo, bar") && error.contains("--table"), "{error}");
    }
}
