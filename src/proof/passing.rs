//! What would have made a finding pass: the least change of its facts under which the check holds.
//!
//! Found by trying: facts of the failing condition are set to where the condition turns, one at a time and then two, and
//! the check is asked again. Facts that no one can change (who somebody is, what policy demands) are left alone.

use serde_json::{Value, json};

use super::facts::{Facts, Rule};
use crate::check::Verdict;
use crate::check::predicate::Turn;
use crate::fact::{self, Unit, credential_facts, reset_facts};
use crate::time;

/// One fact that would have had to be otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The fact.
    pub fact: String,
    /// Its value as it is.
    pub was: Value,
    /// A value under which the check passes; a number is the nearest such.
    pub to: Value,
    /// In words, such as "an approval at least 4 min 10 s earlier".
    pub words: String,
}

/// Facts that are settings, or that nobody can change after all.
const FIXED: [&str; 24] = [
    "action",
    "system",
    "kind",
    "tier",
    "sensitive",
    "target_kind",
    "identity_kind",
    "target_contractor",
    "required_level",
    "token_limit_minutes",
    "revocation_sla_minutes",
    "approval_required",
    "approval_reported",
    "outcome_reported",
    "other_factor_observed",
    "reactivations_observed",
    "privilege_grants_observed",
    "contact_changes_observed",
    "habitual_executor",
    "automated",
    "self_service",
    "token_issued",
    "emergency",
    "privileged",
];

/// For numbers: the words when they should have been greater, and smaller; `{}` is by how much, `{to}` the bound itself.
const NUMBERS: [(&str, &str, &str); 22] = [
    ("approval_lead_minutes", "an approval at least {} earlier", "an approval at least {} later"),
    ("verification_age_minutes", "a verification at least {} earlier", "a verification at least {} later"),
    ("verification_level", "a verification of level {to} or more", "a verification of level {to} or less"),
    ("token_ttl_minutes", "a token that expires at least {} later", "a token that expires at least {} sooner"),
    ("token_redeemed_late_minutes", "a redemption at least {} later", "a redemption at least {} earlier"),
    ("minutes_to_revoke", "prior credentials ended at least {} later", "prior credentials ended at least {} sooner"),
    ("notified_minutes", "a notice at least {} later", "a notice at least {} sooner"),
    ("days_inactive", "activity at least {} earlier", "activity at least {} later, nearer to the reset"),
    ("days_unused", "a last use at least {} earlier", "a last use at least {} later"),
    ("lifetime_days", "an expiry at least {} later", "an expiry at least {} earlier"),
    ("new_credential_days", "an expiry at least {} later", "an expiry at least {} earlier"),
    ("ticket_closed_before_minutes", "a ticket closed at least {} earlier", "a ticket closed at least {} later"),
    ("ticket_targets", "a ticket for {to} targets or more", "a ticket for {to} target, this one"),
    ("executor_burst", "{to} targets or more in the window", "{to} targets or fewer of this executor in the window"),
    ("target_burst", "{to} resets or more in the window", "{to} resets or fewer of this target in the window"),
    ("prior_unrevoked", "{to} prior credentials or more left alive", "no prior credential left alive"),
    ("prior_used_after", "{to} prior credentials or more used afterwards", "no use of a prior credential afterwards"),
    ("days_since_contact_change", "a change of contact more than {} earlier", "a change of contact at least {} later"),
    ("hours_since_denied", "a refusal more than {} earlier", "a refusal at least {} later"),
    ("hours_since_reactivation", "a reactivation more than {} earlier", "a reactivation at least {} later"),
    ("hours_to_privilege_grant", "a grant of privilege more than {} later", "a grant of privilege at least {} sooner"),
    ("hours_to_own_first_reset", "a first reset of others more than {} later", "a first reset of others {} sooner"),
];

/// For conditions: the words when they should have held, and when they should not.
const CONDITIONS: [(&str, &str, &str); 22] = [
    ("approval_present", "an approval on record", "no approval on record"),
    ("approver_is_executor", "an approver who is the executor", "an approver other than the executor"),
    ("approver_is_target", "an approver who is the target", "an approver other than the target"),
    ("approver_is_requester", "an approver who is the requester", "an approver other than the requester"),
    ("approver_offboarded", "an approver who had left", "an approver who had not left"),
    ("executor_offboarded", "an executor who had left", "an executor who had not left"),
    ("target_offboarded", "a target who had left", "a target who was still employed or in service"),
    ("target_known", "a target that a register knows", "a target that no register knows"),
    ("target_on_leave", "a target on leave", "a target who was not on leave"),
    ("account_disabled", "an account that was disabled", "an account that was not disabled"),
    ("owner_known", "an owner on record who is a person of the roster", "no owner on record"),
    ("owner_offboarded", "an owner who had left", "an owner who had not left"),
    ("ticket_found", "a ticket that the ticket system has", "a ticket that the ticket system lacks"),
    ("ticket_subject_matches", "a ticket about this target", "a ticket about somebody else"),
    ("ticket_category_allowed", "a ticket of a category for recovery", "a ticket of another category"),
    ("requester_entitled", "a request by the target, its manager or owner", "a request by somebody else"),
    ("restored_given", "a record of the access that was given back", "no record of what was given back"),
    ("token_expiry_given", "an expiry on record for the token", "no expiry on record"),
    ("notified", "a notice to the holder", "no notice"),
    ("off_hours", "a reset outside working hours", "a reset within working hours"),
    ("unlimited", "no expiry", "an expiry"),
    ("engagement_open_ended", "an engagement without an end", "an engagement with an end date on record"),
];

/// The least changes under which the check passes on these facts: all that one fact can do, else pairs; empty when no such
/// change is found.
pub fn what_passes(rule: &Rule, facts: &Facts) -> Vec<Vec<Step>> {
    let mut candidates: Vec<(String, Value)> = Vec::new();
    for (name, turn) in rule.turns(facts) {
        if FIXED.contains(&name.as_str()) {
            continue;
        }
        for value in values(&name, &turn, facts) {
            if !candidates.contains(&(name.clone(), value.clone())) && facts.get(&name) != Some(&value) {
                candidates.push((name.clone(), value));
            }
        }
    }
    let passes = |changes: &[&(String, Value)]| {
        let mut supposed = facts.clone();
        for (name, value) in changes {
            supposed.insert(name.clone(), value.clone());
        }
        rule.verdict(&supposed) == Verdict::Pass
    };
    let mut found: Vec<Vec<Step>> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for one in &candidates {
        // The first value of a fact that passes is the nearest.
        if !done.contains(&one.0.as_str()) && passes(&[one]) {
            done.push(&one.0);
            found.push(vec![step(one, facts)]);
        }
    }
    if found.is_empty() {
        for (i, one) in candidates.iter().enumerate() {
            for other in candidates.iter().skip(i + 1).filter(|other| other.0 != one.0) {
                if passes(&[one, other]) {
                    return vec![vec![step(one, facts), step(other, facts)]];
                }
            }
        }
    }
    found
}

/// Values of a fact around a turn, the nearest first.
fn values(name: &str, turn: &Turn, facts: &Facts) -> Vec<Value> {
    match turn {
        Turn::Bool => vec![json!(!facts.get(name).and_then(Value::as_bool).unwrap_or(false))],
        Turn::Number(bound) => {
            // Bounds are inclusive on the passing side; where they are not, a second beyond is near enough, and a whole
            // one where things are counted.
            let beyond = match unit(name) {
                Unit::Minutes => 1.0 / 60.0,
                Unit::Hours => 1.0 / 3_600.0,
                Unit::Days => 1.0 / 86_400.0,
                _ => 1.0,
            };
            [*bound, bound + beyond, bound - beyond].into_iter().map(|value| json!(value)).collect()
        }
        Turn::Text(text) => vec![json!(text), json!(format!("other than {text}"))],
    }
}

fn unit(name: &str) -> Unit {
    let reset = reset_facts().find(|fact| fact.name == name).map(|fact| fact.unit);
    let credential = || credential_facts().find(|fact| fact.name == name).map(|fact| fact.unit);
    reset.or_else(credential).unwrap_or(Unit::None)
}

fn step((name, to): &(String, Value), facts: &Facts) -> Step {
    let was = facts.get(name).cloned().unwrap_or(Value::Null);
    Step { words: words(name, &was, to), fact: name.clone(), was, to: to.clone() }
}

fn words(name: &str, was: &Value, to: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::Null => fact::Value::Null.words(unit(name)),
        Value::Bool(yes) => fact::Value::Bool(*yes).words(unit(name)),
        Value::Number(number) => fact::Value::Number(number.as_f64().unwrap_or(f64::NAN)).words(unit(name)),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some(held) = to.as_bool()
        && let Some((_, yes, no)) = CONDITIONS.iter().find(|one| one.0 == name)
    {
        return (if held { *yes } else { *no }).to_owned();
    }
    if let (Some(to), Some((_, up, down))) = (to.as_f64(), NUMBERS.iter().find(|one| one.0 == name)) {
        let before = was.as_f64();
        let template = if before.is_none_or(|before| to > before) { up } else { down };
        let by = before.map(|before| difference(name, (to - before).abs())).unwrap_or_default();
        if before.is_some() || !template.contains("{}") {
            return template.replace("{}", &by).replace("{to}", &format!("{to}"));
        }
    }
    format!("`{name}` {} (it is {})", plain(to), plain(was))
}

/// How much, rounded up to whole seconds, so that a change by what is said is enough.
fn difference(name: &str, by: f64) -> String {
    let seconds = match unit(name) {
        Unit::Minutes => by * 60.0,
        Unit::Hours => by * 3_600.0,
        Unit::Days => by * 86_400.0,
        _ => return format!("{by}"),
    };
    // Kept facts have six decimals: what is below a microsecond of a second is noise.
    let seconds = (seconds - 1e-3).ceil().max(1.0);
    time::format_duration_micros((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::report::model::CheckResult;

    fn asked(applies: &str, fails: &str, facts: Value) -> Vec<String> {
        let check = CheckResult {
            subject: "reset".into(),
            applies: applies.into(),
            fails: fails.into(),
            ..CheckResult::default()
        };
        let rule = Rule::of(&check, &Policy::default()).expect("a rule");
        let facts: Facts = serde_json::from_value(facts).expect("facts");
        assert_eq!(rule.verdict(&facts), Verdict::Fail);
        let ways = what_passes(&rule, &facts);
        ways.iter().map(|way| way.iter().map(|s| s.words.as_str()).collect::<Vec<_>>().join(" and ")).collect()
    }

    #[test]
    fn the_least_change_is_found_and_said() {
        let lead = json!({"approval_required": true, "approval_present": true, "approval_lead_minutes": -4.166_667});
        let ways = asked("approval_required AND approval_present", "approval_lead_minutes < 0", lead);
        assert_eq!(ways, ["an approval at least 4 min 10 s earlier"]);
        let weak = json!({"automated": false, "verification_level": 1, "required_level": 3});
        let ways = asked("NOT automated AND verification_level >= 1", "verification_level < required_level", weak);
        assert_eq!(ways, ["a verification of level 3 or more"]);
        let own = json!({"approver_is_executor": true, "approver_is_target": true, "approver_is_requester": null});
        let fails = "approver_is_executor OR approver_is_target OR COALESCE(approver_is_requester, FALSE)";
        let both = "an approver other than the executor and an approver other than the target";
        assert_eq!(asked("TRUE", fails, own), [both]);
        let again = json!({"days_since_contact_change": 2.0, "contact_changes_observed": true});
        let fails = "CASE WHEN days_since_contact_change <= :contact_change_days THEN TRUE \
                     WHEN contact_changes_observed THEN FALSE END";
        assert_eq!(asked("TRUE", fails, again), ["a change of contact more than 5 d 1 s earlier"]);
        let none = json!({"verification_level": 0});
        assert_eq!(asked("TRUE", "verification_level = 0", none), ["a verification of level 1 or more"]);
    }
}
