//! The effective config as TOML: what `run.toml` holds.

use super::*;

impl Config {
    /// The whole effective config as TOML, defaults included: what `run.toml` holds, and what parses back to this config judged at `as_of`
    /// (microseconds). Its paths stay relative to the folder of the config it came from.
    pub fn effective_toml(&self, as_of: i64) -> String {
        let mut out = Lines(
            "# The effective config of this run, defaults included. `regrant replay` runs it again as it was;\n\
             # `regrant audit INPUTS -c run.toml` uses it for inputs that lie anywhere.\n\n"
                .to_owned(),
        );
        let instant = time::format_instant;
        out.key("as_of", instant(as_of));
        out.given("since", self.since.map(instant));
        out.given("until", self.until.map(instant));
        out.given("title", self.title.as_deref().map(literal));
        out.given("timezone", self.timezone.map(|zone| literal(zone.name())));
        out.key("fail_on", literal(self.fail_on.map_or("none", severity_name)));
        out.key("formats", list(self.formats.iter().map(|name| literal(name))));
        out.key("view", literal(self.view.as_str()));
        out.key("mappings", list(self.mappings.iter().map(|folder| literal(&folder.to_string_lossy()))));
        if let (Some(placed), false) = (&self.placed, self.inputs.is_empty()) {
            out.key("config_at", literal(&placed.config_at));
            out.key("inputs_at", literal(&placed.inputs_at));
        }
        for rule in &self.inputs {
            out.table("[[input]]");
            out.key("path", literal(&rule.path));
            out.given("mapping", rule.mapping.as_deref().map(literal));
            out.given("timezone", rule.timezone.map(|zone| literal(zone.name())));
            out.given("snapshot", rule.snapshot.map(|date| date.to_string()));
            out.given("system", rule.system.as_deref().map(literal));
            out.given("time_format", rule.time_format.as_deref().map(literal));
            out.given("date_order", rule.date_order.map(|order| literal(order.name())));
            out.given("max_age", rule.max_age.map(|age| literal(&age_text(age))));
            out.given("expected_records", rule.expected_records.map(|count| count.to_string()));
            out.key("optional", rule.optional.to_string());
        }
        for rule in &self.coverage {
            out.table("[[coverage]]");
            out.key("system", literal(&rule.system));
            out.given("since", rule.since.map(instant));
            out.given("until", rule.until.map(instant));
        }
        self.policy.write(&mut out);
        for rule in &self.waivers {
            out.table("[[waiver]]");
            out.key("id", literal(&rule.id));
            out.key("checks", list(rule.checks.iter().map(|check| literal(check))));
            out.key("where", literal(&rule.where_));
            out.key("reason", literal(&rule.reason));
            out.key("requested_by", literal(&rule.requested_by));
            out.key("approved_by", literal(&rule.approved_by));
            out.key("starts_on", rule.starts_on.to_string());
            out.key("expires_on", rule.expires_on.to_string());
        }
        out.0
    }
}

impl Policy {
    pub(super) fn write(&self, out: &mut Lines) {
        out.table("[policy]");
        for (name, value) in self.scalars() {
            out.key(name, decimal(value));
        }
        out.key("recovery_categories", list(self.recovery_categories.iter().map(|name| literal(name))));
        out.key("desk_departments", list(self.desk_departments.iter().map(|name| literal(name))));
        out.key("working_hours", literal(&self.working_hours_text()));
        out.key("working_days", list(self.working_day_names().into_iter().map(literal)));
        out.key("holidays", list(self.holidays.iter().map(NaiveDate::to_string)));
        out.table("[policy.approval]");
        out.key("self_service", self.approval_self_service.to_string());
        out.key("automation", self.approval_automation.to_string());
        out.table("[policy.revocation]");
        out.key("human", decimal(self.revocation_human));
        out.key("workload", decimal(self.revocation_workload));
        out.key("issued", decimal(self.revocation_issued));
        for (name, table) in [
            ("[policy.verification.levels]", &self.levels),
            ("[policy.verification.required]", &self.required),
            ("[policy.token.channel_minutes]", &self.channel_minutes),
            ("[policy.token.tier_minutes]", &self.tier_minutes),
        ] {
            out.table(name);
            for (key, value) in table {
                out.key(key, decimal(*value));
            }
        }
        out.table("[policy.severity]");
        for (check, severity) in &self.severity {
            out.key(check, literal(severity_name(*severity)));
        }
    }
}

/// TOML in the making.
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn table(&mut self, header: &str) {
        self.0.push('\n');
        self.0.push_str(header);
        self.0.push('\n');
    }

    pub(super) fn key(&mut self, key: &str, value: String) {
        let bare =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        self.0.push_str(&if bare { key.to_owned() } else { literal(key) });
        self.0.push_str(" = ");
        self.0.push_str(&value);
        self.0.push('\n');
    }

    pub(super) fn given(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A basic string of one line. What would reorder the text around it on a screen is escaped with the control characters.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn decimal(x: f64) -> String {
    whole(x).map_or_else(|| format!("{x:?}"), |integer| integer.to_string())
}

pub(super) fn age_text(age: i64) -> String {
    let (name, each) = AGES.iter().rev().find(|(_, each)| age % each == 0).unwrap_or(&AGES[0]);
    format!("{}{name}", age / each)
}
