//! `[policy]`: thresholds, lists and tables, and what differs from the defaults.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Map, Number, Value};

use super::*;

/// `[policy]`: the organisation's thresholds. Names and units are those of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Days without activity after which an identity or credential is dormant.
    pub dormant_days: f64,
    /// How long before the reset a verification may lie.
    pub verification_max_age_minutes: f64,
    /// How long before the reset an approval may lie.
    pub approval_max_age_minutes: f64,
    /// The longest life of a long-lived credential.
    pub max_credential_days: f64,
    /// The most distinct targets of one executor in a bulk window.
    pub bulk_targets: f64,
    /// Length of the bulk window.
    pub bulk_window_minutes: f64,
    /// The most resets of one target in a repeat window.
    pub repeat_limit: f64,
    /// Length of the repeat window.
    pub repeat_window_hours: f64,
    /// How near resets of two factors count as together.
    pub factor_pair_minutes: f64,
    /// How long after a reactivation a reset counts as following it.
    pub reactivation_hours: f64,
    /// How long after a reset a privilege grant counts as following it.
    pub privilege_hours: f64,
    /// How long after an executor's own reset its first reset of others counts as a cascade.
    pub cascade_hours: f64,
    /// How long after a refusal a grant counts as following it.
    pub denied_hours: f64,
    /// How long after a change of recovery contact a reset counts as following it.
    pub contact_change_days: f64,
    /// How soon after the reset the holder is to be told.
    pub notification_max_minutes: f64,
    /// How long after the reset a roster snapshot still tells of leave.
    pub roster_freshness_days: f64,
    /// How long before the reset a ticket found by subject may have been decided.
    pub approval_match_before_minutes: f64,
    /// How long after the reset a ticket found by subject may have been decided.
    pub approval_match_after_minutes: f64,
    /// Folded ticket categories that are about recovery; empty: any category.
    pub recovery_categories: Vec<String>,
    /// Folded departments whose people are the service desk.
    pub desk_departments: Vec<String>,
    /// Office hours in microseconds of the day: start inclusive, end exclusive.
    pub working_hours: (i64, i64),
    /// Whether each day of the week is a working day, from Monday.
    pub working_days: [bool; 7],
    /// Days that are no working days whatever their weekday.
    pub holidays: BTreeSet<NaiveDate>,
    /// Whether self-service resets need an approval.
    pub approval_self_service: bool,
    /// Whether resets by automation need an approval.
    pub approval_automation: bool,
    /// Minutes to revoke what a reset of a person replaced.
    pub revocation_human: f64,
    /// Minutes to revoke what a reset of a workload or shared account replaced.
    pub revocation_workload: f64,
    /// Minutes of overlap after a further credential was issued.
    pub revocation_issued: f64,
    /// Level of each verification method, by its folded name; a method not listed is 0.
    pub levels: BTreeMap<String, f64>,
    /// Level required, by tier.
    pub required: BTreeMap<String, f64>,
    /// The longest life of a recovery token in minutes, by channel.
    pub channel_minutes: BTreeMap<String, f64>,
    /// The longest life of a recovery token in minutes, by tier.
    pub tier_minutes: BTreeMap<String, f64>,
    /// Severities that replace the shipped ones, by check; whether the check exists is checked elsewhere.
    pub severity: BTreeMap<String, Severity>,
    /// Dotted names, as under `[policy]`, of what differs from the defaults, sorted.
    pub changed: Vec<String>,
}

/// What a policy number counts; it bounds what is accepted.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Minutes,
    Hours,
    Days,
    Count,
}

impl Unit {
    /// A hundred years keep every sum with an instant inside 64 bits; a count only has to be one.
    pub(super) fn most(self) -> f64 {
        match self {
            Unit::Minutes => 36_525.0 * 1_440.0,
            Unit::Hours => 36_525.0 * 24.0,
            Unit::Days => 36_525.0,
            Unit::Count => 1e9,
        }
    }
}

pub(super) struct Scalar {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) value: fn(&Policy) -> f64,
    pub(super) place: fn(&mut Policy) -> &mut f64,
}

macro_rules! scalars {
    ($($name:ident $unit:ident,)*) => {
        [$(Scalar { name: stringify!($name), unit: Unit::$unit, value: |p| p.$name, place: |p| &mut p.$name },)*]
    };
}

pub(super) const SCALARS: [Scalar; 18] = scalars![
    dormant_days Days,
    verification_max_age_minutes Minutes,
    approval_max_age_minutes Minutes,
    max_credential_days Days,
    bulk_targets Count,
    bulk_window_minutes Minutes,
    repeat_limit Count,
    repeat_window_hours Hours,
    factor_pair_minutes Minutes,
    reactivation_hours Hours,
    privilege_hours Hours,
    cascade_hours Hours,
    denied_hours Hours,
    contact_change_days Days,
    notification_max_minutes Minutes,
    roster_freshness_days Days,
    approval_match_before_minutes Minutes,
    approval_match_after_minutes Minutes,
];
/// Keys of `[policy]` that are not scalars.
pub(super) const POLICY_OTHERS: [&str; 10] = [
    "recovery_categories",
    "desk_departments",
    "working_hours",
    "working_days",
    "holidays",
    "approval",
    "revocation",
    "verification",
    "token",
    "severity",
];

impl Default for Policy {
    fn default() -> Self {
        let table = |rows: &[(&str, f64)]| rows.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        Policy {
            dormant_days: 90.0,
            verification_max_age_minutes: 15.0,
            approval_max_age_minutes: 1440.0,
            max_credential_days: 90.0,
            bulk_targets: 10.0,
            bulk_window_minutes: 60.0,
            repeat_limit: 2.0,
            repeat_window_hours: 24.0,
            factor_pair_minutes: 60.0,
            reactivation_hours: 24.0,
            privilege_hours: 24.0,
            cascade_hours: 48.0,
            denied_hours: 24.0,
            contact_change_days: 7.0,
            notification_max_minutes: 60.0,
            roster_freshness_days: 31.0,
            approval_match_before_minutes: 10080.0,
            approval_match_after_minutes: 1440.0,
            recovery_categories: list(&[
                "access-recovery",
                "password-reset",
                "account-recovery",
                "credential-rotation",
            ]),
            desk_departments: list(&["service desk", "help desk", "it support"]),
            working_hours: (8 * HOUR, 18 * HOUR),
            working_days: [true, true, true, true, true, false, false],
            holidays: BTreeSet::new(),
            approval_self_service: false,
            approval_automation: false,
            revocation_human: 15.0,
            revocation_workload: 5.0,
            revocation_issued: 1440.0,
            levels: table(&[
                ("none", 0.0),
                ("knowledge-question", 1.0),
                ("caller-id", 1.0),
                ("employee-number", 1.0),
                ("sms", 2.0),
                ("voice", 2.0),
                ("email-code", 2.0),
                ("manager-attestation", 2.0),
                ("push", 2.0),
                ("totp", 3.0),
                ("app", 3.0),
                ("push-number-match", 3.0),
                ("known-device", 3.0),
                ("video-id", 3.0),
                ("fido2", 4.0),
                ("passkey", 4.0),
                ("smart-card", 4.0),
                ("in-person", 4.0),
                ("repeated-proofing", 4.0),
            ]),
            required: table(&[
                ("standard", 2.0),
                ("contractor", 2.0),
                ("workload", 3.0),
                ("executive", 3.0),
                ("privileged", 3.0),
                ("emergency", 4.0),
            ]),
            channel_minutes: table(&[
                ("email", 60.0),
                ("sms", 10.0),
                ("voice", 10.0),
                ("app", 10.0),
                ("desk", 60.0),
                ("postal", 30240.0),
                ("unknown", 60.0),
            ]),
            tier_minutes: table(&[
                ("standard", 60.0),
                ("contractor", 60.0),
                ("executive", 15.0),
                ("privileged", 15.0),
                ("workload", 15.0),
                ("emergency", 15.0),
            ]),
            severity: BTreeMap::new(),
            changed: Vec::new(),
        }
    }
}

impl Policy {
    /// The scalar of that name (`dormant_days`), as a predicate's `:name` asks for it; `None`: there is none.
    pub fn scalar(&self, name: &str) -> Option<f64> {
        SCALARS.iter().find(|scalar| scalar.name == name).map(|scalar| (scalar.value)(self))
    }

    /// Every scalar with its value, in the order of the documentation.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        SCALARS.iter().map(|scalar| (scalar.name, (scalar.value)(self))).collect()
    }

    /// The whole policy, nested as under `[policy]`, keys sorted, whole numbers as integers.
    pub fn to_value(&self) -> Value {
        let mut all: BTreeMap<String, Value> =
            self.scalars().into_iter().map(|(name, value)| (name.to_owned(), number(value))).collect();
        let numbers =
            |table: &BTreeMap<String, f64>| object(table.iter().map(|(key, value)| (key.as_str(), number(*value))));
        let texts = |list: &[String]| Value::from(list.to_vec());
        all.insert("recovery_categories".into(), texts(&self.recovery_categories));
        all.insert("desk_departments".into(), texts(&self.desk_departments));
        all.insert("working_hours".into(), self.working_hours_text().into());
        all.insert("working_days".into(), self.working_day_names().into());
        all.insert("holidays".into(), self.holidays.iter().map(NaiveDate::to_string).collect::<Vec<_>>().into());
        all.insert(
            "approval".into(),
            object([
                ("automation", self.approval_automation.into()),
                ("self_service", self.approval_self_service.into()),
            ]),
        );
        all.insert(
            "revocation".into(),
            object([
                ("human", number(self.revocation_human)),
                ("issued", number(self.revocation_issued)),
                ("workload", number(self.revocation_workload)),
            ]),
        );
        all.insert(
            "verification".into(),
            object([("levels", numbers(&self.levels)), ("required", numbers(&self.required))]),
        );
        all.insert(
            "token".into(),
            object([
                ("channel_minutes", numbers(&self.channel_minutes)),
                ("tier_minutes", numbers(&self.tier_minutes)),
            ]),
        );
        let severities =
            self.severity.iter().map(|(check, severity)| (check.as_str(), severity_name(*severity).into()));
        all.insert("severity".into(), object(severities));
        Value::Object(all.into_iter().collect())
    }

    pub(super) fn working_hours_text(&self) -> String {
        let clock = |us: i64| format!("{:02}:{:02}", us / HOUR, us / MINUTE % 60);
        format!("{}-{}", clock(self.working_hours.0), clock(self.working_hours.1))
    }

    pub(super) fn working_day_names(&self) -> Vec<&'static str> {
        WEEKDAYS.iter().zip(self.working_days).filter(|(_, works)| *works).map(|((name, _), _)| *name).collect()
    }

    /// What differs from the defaults, not what was written: the effective config says everything and changes no more than its origin.
    pub(super) fn changes(&self) -> Vec<String> {
        let mut defaults = BTreeMap::new();
        flatten("", &Policy::default().to_value(), &mut defaults);
        let mut values = BTreeMap::new();
        flatten("", &self.to_value(), &mut values);
        values.retain(|name, value| defaults.get(name) != Some(value));
        values.into_keys().collect()
    }
}

pub(super) fn flatten(prefix: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    let Value::Object(entries) = value else {
        out.insert(prefix.to_owned(), value.clone());
        return;
    };
    for (key, value) in entries {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        flatten(&name, value, out);
    }
}

pub(super) fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

pub(super) fn number(x: f64) -> Value {
    match whole(x) {
        Some(integer) => integer.into(),
        None => Number::from_f64(x).map_or(Value::Null, Value::Number),
    }
}

/// Below 2^53 a whole `f64` is one integer and no other.
pub(super) fn whole(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0).then_some(x as i64)
}

pub(super) fn severity_name(severity: Severity) -> &'static str {
    SEVERITIES.iter().find(|(_, each)| *each == severity).map_or("", |(name, _)| name)
}

/// Trimmed and lower-cased: how names compare.
pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}
