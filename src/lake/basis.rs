//! Policy values that facts are computed with, each as a column of the table of facts.
//!
//! A predicate compares `days_unused` with whatever `:dormant_days` is asked for; but whether an hour is outside the working
//! hours was settled when the facts were written. A script holds the column of each basis against its own policy, and
//! calls a subject indeterminate whose facts rest on another one.

use serde_json::Value;

use crate::config::Config;

/// One of them.
pub struct Basis {
    /// The column.
    pub column: &'static str,
    /// What stands in it.
    pub doc: &'static str,
    /// Facts that would be others under another value.
    pub facts: &'static [&'static str],
    parts: &'static [&'static str],
}

/// Facts that rest on the ticket that is found for a reset by its subject.
const OF_APPROVAL: &[&str] = &[
    "approval_reported",
    "approval_source",
    "approval_present",
    "approval_decision",
    "approval_lead_minutes",
    "approver_is_executor",
    "approver_is_target",
    "approver_is_requester",
    "approver_offboarded",
    "requester_entitled",
];

/// All of them, in the order of the table. `dormant_days` is none: the table says what `days_inactive` is under any.
pub static BASES: &[Basis] = &[
    Basis {
        column: "policy_desk_departments",
        doc: "desk_departments",
        facts: &["executor_kind"],
        parts: &["desk_departments"],
    },
    Basis {
        column: "policy_roster_freshness",
        doc: "roster_freshness_days and the timezone",
        facts: &["target_on_leave"],
        parts: &["roster_freshness_days", "timezone"],
    },
    Basis {
        column: "policy_verification_levels",
        doc: "[policy.verification.levels]",
        facts: &["verification_level"],
        parts: &["verification/levels"],
    },
    Basis {
        column: "policy_verification_required",
        doc: "[policy.verification.required]",
        facts: &["required_level"],
        parts: &["verification/required"],
    },
    Basis { column: "policy_token", doc: "[policy.token]", facts: &["token_limit_minutes"], parts: &["token"] },
    Basis {
        column: "policy_revocation",
        doc: "[policy.revocation]",
        facts: &["revocation_sla_minutes", "prior_unrevoked", "prior_used_after"],
        parts: &["revocation"],
    },
    Basis { column: "policy_approval", doc: "[policy.approval]", facts: &["approval_required"], parts: &["approval"] },
    Basis {
        column: "policy_approval_match",
        doc: "approval_match_before_minutes and approval_match_after_minutes",
        facts: OF_APPROVAL,
        parts: &["approval_match_before_minutes", "approval_match_after_minutes"],
    },
    Basis {
        column: "policy_recovery_categories",
        doc: "recovery_categories",
        facts: &[
            "approval_reported",
            "approval_source",
            "approval_present",
            "approval_decision",
            "approval_lead_minutes",
            "approver_is_executor",
            "approver_is_target",
            "approver_is_requester",
            "approver_offboarded",
            "requester_entitled",
            "ticket_category_allowed",
        ],
        parts: &["recovery_categories"],
    },
    Basis {
        column: "policy_bulk_window",
        doc: "bulk_window_minutes",
        facts: &["executor_burst", "bulk_window_observed"],
        parts: &["bulk_window_minutes"],
    },
    Basis {
        column: "policy_repeat_window",
        doc: "repeat_window_hours",
        facts: &["target_burst", "repeat_window_observed"],
        parts: &["repeat_window_hours"],
    },
    // How far a log has to reach.
    Basis {
        column: "policy_factor_pair",
        doc: "factor_pair_minutes",
        facts: &["other_factor_observed"],
        parts: &["factor_pair_minutes"],
    },
    // How far a log has to reach.
    Basis {
        column: "policy_reactivation",
        doc: "reactivation_hours",
        facts: &["reactivations_observed"],
        parts: &["reactivation_hours"],
    },
    // How far a log has to reach.
    Basis {
        column: "policy_privilege",
        doc: "privilege_hours",
        facts: &["privilege_grants_observed"],
        parts: &["privilege_hours"],
    },
    // How far a log has to reach.
    Basis {
        column: "policy_contact_change",
        doc: "contact_change_days",
        facts: &["contact_changes_observed"],
        parts: &["contact_change_days"],
    },
    // How far a log has to reach.
    Basis {
        column: "policy_cascade",
        doc: "cascade_hours",
        facts: &["cascade_window_observed"],
        parts: &["cascade_hours"],
    },
    // How far a log has to reach.
    Basis { column: "policy_denied", doc: "denied_hours", facts: &["denials_observed"], parts: &["denied_hours"] },
    Basis {
        column: "policy_working_time",
        doc: "working_hours, working_days, holidays and the timezone",
        facts: &["off_hours"],
        parts: &["working_hours", "working_days", "holidays", "timezone"],
    },
];

impl Basis {
    /// The value under a config, as text that is equal where the value is.
    pub fn value(&self, config: &Config) -> String {
        let policy = config.policy.to_value();
        let part = |name: &&str| match *name {
            "timezone" => config.timezone.map_or(Value::Null, |zone| zone.name().into()),
            path => path.split('/').fold(&policy, |value, key| &value[key]).clone(),
        };
        match self.parts {
            [one] => part(one).to_string(),
            many => Value::Array(many.iter().map(part).collect()).to_string(),
        }
    }
}

/// The bases of a fact.
pub fn of_fact(name: &str) -> impl Iterator<Item = &'static Basis> + '_ {
    BASES.iter().filter(move |basis| basis.facts.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::reset_fact;

    #[test]
    fn a_basis_names_facts_and_has_a_value() {
        for basis in BASES {
            let value = basis.value(&Config::default());
            assert!(basis.facts.iter().all(|fact| reset_fact(fact).is_some()), "{}", basis.column);
            let parts: Value = serde_json::from_str(&value).expect("JSON");
            let missing = |value: &Value| value.is_null();
            let zone = basis.parts.iter().filter(|part| **part == "timezone").count();
            let nulls = parts
                .as_array()
                .map_or(usize::from(missing(&parts)), |all| all.iter().filter(|value| missing(value)).count());
            assert_eq!(nulls, zone, "{}: {value}", basis.column);
        }
    }
}
