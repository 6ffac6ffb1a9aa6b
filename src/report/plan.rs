//! What would answer most of what cannot be concluded: further exports, columns and settings, ranked.
//!
//! It reads the results of the checks and nothing else: for every check that cannot conclude, which facts were missing, and which
//! one remedy could supply them. Where the data lies is taken from the source mappings.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{CheckResult, Input, Remedy, Standing};
use crate::source::mapping::SourceMapping;
use crate::table::Table;

/// Sources that are named as examples of where to get a table.
const EXAMPLES: usize = 3;

/// What a remedy adds.
enum Adds {
    /// A table that no input feeds.
    Table(Table),
    /// Columns of events that no source reports.
    Columns(&'static [&'static str]),
    /// Events of further kinds.
    Events,
    /// Logs that reach further; how is worked out from the logs.
    Log,
    /// Something in the config.
    Setting(&'static str),
    /// Ties of names that resolve to nobody.
    Names,
}

struct Offer {
    id: &'static str,
    title: &'static str,
    adds: Adds,
    facts: &'static [&'static str],
}

/// Facts by what could supply them. A fact may stand under several; the one that is not there yet helps.
const OFFERS: &[Offer] = &[
    Offer {
        id: "roster",
        title: "an HR roster with leavers: who works here, since when and until when",
        adds: Adds::Table(Table::Person),
        facts: &[
            "target_known",
            "target_offboarded",
            "hours_since_offboarding",
            "target_on_leave",
            "target_contractor",
            "engagement_open_ended",
            "tier",
            "sensitive",
            "owner_known",
            "owner_offboarded",
            "executor_offboarded",
            "approver_offboarded",
            "executor_kind",
            "requester_entitled",
            "identity_known",
            "identity_offboarded",
        ],
    },
    Offer {
        id: "workloads",
        title: "a register of service accounts, applications and agents with their owners",
        adds: Adds::Table(Table::Workload),
        facts: &[
            "target_known",
            "owner_known",
            "owner_offboarded",
            "tier",
            "sensitive",
            "identity_known",
            "identity_offboarded",
        ],
    },
    Offer {
        id: "tickets",
        title: "the approvals: an export of the tickets under which access is restored",
        adds: Adds::Table(Table::Ticket),
        facts: &[
            "approval_reported",
            "approval_present",
            "approval_source",
            "approval_decision",
            "approval_lead_minutes",
            "approver_is_executor",
            "approver_is_target",
            "approver_is_requester",
            "approver_offboarded",
            "ticket_found",
            "ticket_subject_matches",
            "ticket_category_allowed",
            "ticket_closed",
            "ticket_closed_before_minutes",
            "requester_entitled",
        ],
    },
    Offer {
        id: "credentials",
        title: "an inventory of keys, secrets and factors, with creation, last use, end and revocation",
        adds: Adds::Table(Table::Credential),
        facts: &[
            "prior_credentials",
            "prior_unrevoked",
            "prior_used_after",
            "minutes_to_revoke",
            "new_credential_unlimited",
            "new_credential_days",
            "days_unused",
            "lifetime_days",
            "unlimited",
            "age_days",
            "active",
        ],
    },
    Offer {
        id: "accounts",
        title: "a directory export: every account with its state, creation and last activity",
        adds: Adds::Table(Table::Account),
        facts: &["days_inactive", "account_disabled", "privileged"],
    },
    Offer {
        id: "names",
        title: "names that tie the logs to the registers: aliases in the roster, or a directory export with the person of each account",
        adds: Adds::Names,
        facts: &[
            "target_known",
            "target_offboarded",
            "hours_since_offboarding",
            "target_on_leave",
            "target_contractor",
            "tier",
            "sensitive",
            "executor_offboarded",
            "approver_offboarded",
            "requester_entitled",
            "identity_known",
            "identity_offboarded",
            "owner_known",
            "owner_offboarded",
            "days_inactive",
            "prior_credentials",
            "prior_unrevoked",
            "prior_used_after",
            "minutes_to_revoke",
        ],
    },
    Offer {
        id: "verification",
        title: "how and when the requester was verified, for every reset",
        adds: Adds::Columns(&["verification", "verified_at"]),
        facts: &["verification_level", "verification_age_minutes"],
    },
    Offer {
        id: "tokens",
        title: "when recovery links and one-time codes were issued, end and were used, and how they travelled",
        adds: Adds::Columns(&["token_channel", "token_issued_at", "token_expires_at", "token_redeemed_at"]),
        facts: &[
            "token_issued",
            "token_expiry_given",
            "token_redeemed",
            "token_ttl_minutes",
            "token_limit_minutes",
            "token_redeemed_late_minutes",
        ],
    },
    Offer {
        id: "notices",
        title: "when the holder was told of the reset",
        adds: Adds::Columns(&["notified_at"]),
        facts: &["notified", "notified_minutes"],
    },
    Offer {
        id: "record",
        title: "who carried the reset out, why, under which ticket, and what was given back",
        adds: Adds::Columns(&["executor", "executor_kind", "requester", "reason", "ticket", "restored", "outcome"]),
        facts: &[
            "executor_given",
            "executor_kind",
            "self_service",
            "approval_required",
            "reason_given",
            "ticket_given",
            "ticket_targets",
            "restored_given",
            "outcome_reported",
            "executor_burst",
            "hours_since_denied",
            "requester_entitled",
        ],
    },
    Offer {
        id: "context",
        title: "the events around resets: factors, reactivations, granted rights, changed recovery contacts, sign-ins; for 90 days \
                before the period and 30 after it",
        adds: Adds::Events,
        facts: &[
            "other_factor_observed",
            "minutes_to_other_factor",
            "reactivations_observed",
            "hours_since_reactivation",
            "privilege_grants_observed",
            "hours_to_privilege_grant",
            "contact_changes_observed",
            "days_since_contact_change",
            "habitual_executor",
            "hours_to_own_first_reset",
            "days_inactive",
            "account_disabled",
        ],
    },
    Offer {
        id: "log",
        title: "logs that reach as far as the checks look, before the first reset and after the last",
        adds: Adds::Log,
        facts: &[],
    },
    Offer {
        id: "timezone",
        title: "the organisation's time zone and working hours",
        adds: Adds::Setting("timezone = \"Europe/London\" at the top of regrant.toml, working hours under [policy]"),
        facts: &["off_hours"],
    },
];

/// The remedies, the one that would turn most checks into answers first; then by checks it would help along, then by subjects.
/// `logs` says which further time of which log is wanted.
pub fn plan(checks: &[CheckResult], inputs: &[Input], known: &[SourceMapping], logs: Vec<String>) -> Vec<Remedy> {
    let loaded = |table: Table| inputs.iter().any(|i| i.tables.get(table.name()).is_some_and(|rows| *rows > 0));
    let open: Vec<&CheckResult> = checks.iter().filter(|check| check.verdict == Standing::CannotConclude).collect();
    let sources = Sources::of(known, inputs);
    let mut remedies = Vec::new();
    for offer in OFFERS {
        let there = match &offer.adds {
            Adds::Table(table) => loaded(*table),
            // Names can only be missing from registers that are there.
            Adds::Names => !loaded(Table::Person) && !loaded(Table::Workload),
            Adds::Columns(_) | Adds::Events | Adds::Log | Adds::Setting(_) => false,
        };
        if there {
            continue;
        }
        let supplies = |fact: &str| offer.facts.contains(&fact);
        let (mut answers, mut helps, mut subjects) = (Vec::new(), Vec::new(), 0);
        for check in &open {
            if let Adds::Log = offer.adds {
                match check.uncovered {
                    0 => {}
                    n if n >= check.counts.indeterminate => {
                        answers.push(check.id.clone());
                        subjects += check.counts.indeterminate;
                    }
                    _ => helps.push(check.id.clone()),
                }
                continue;
            }
            // Facts that only the log's length withholds are not to be had elsewhere.
            if check.uncovered > 0 && check.uncovered >= check.counts.indeterminate {
                continue;
            }
            let missing: BTreeSet<&str> = check.indeterminate_because.keys().map(String::as_str).collect();
            if missing.is_empty() || !missing.iter().any(|fact| supplies(fact)) {
                continue;
            }
            if missing.iter().all(|fact| supplies(fact)) {
                answers.push(check.id.clone());
                subjects += check.counts.indeterminate;
            } else {
                helps.push(check.id.clone());
            }
        }
        if answers.is_empty() && helps.is_empty() {
            continue;
        }
        let how = match &offer.adds {
            Adds::Table(table) => sources.of_table(*table),
            Adds::Names => sources.of_table(Table::Account),
            Adds::Events => sources.of_table(Table::Event),
            Adds::Columns(columns) => vec![format!(
                "an export of the service desk or recovery tool with the columns {}, as a table `event` or by a mapping",
                columns.join(", ")
            )],
            Adds::Log => logs.clone(),
            Adds::Setting(what) => vec![(*what).to_owned()],
        };
        remedies.push(Remedy {
            id: offer.id.to_owned(),
            title: offer.title.split_whitespace().collect::<Vec<_>>().join(" "),
            answers,
            helps,
            subjects,
            how,
        });
    }
    remedies.sort_by_key(|remedy| {
        let rank = (remedy.answers.len(), remedy.helps.len(), remedy.subjects);
        (std::cmp::Reverse(rank), OFFERS.iter().position(|offer| offer.id == remedy.id))
    });
    remedies
}

/// Where tables come from, sources of vendors that are already in use first.
struct Sources {
    by_table: BTreeMap<Table, Vec<String>>,
}

impl Sources {
    fn of(sources: &[SourceMapping], inputs: &[Input]) -> Sources {
        let used: BTreeSet<&str> = inputs.iter().map(|input| input.mapping.as_str()).collect();
        let vendors: BTreeSet<&str> =
            sources.iter().filter(|source| used.contains(source.id.as_str())).map(|s| s.vendor.as_str()).collect();
        let mut by_table: BTreeMap<Table, Vec<String>> = BTreeMap::new();
        for known in [true, false] {
            for source in sources.iter().filter(|source| vendors.contains(source.vendor.as_str()) == known) {
                for (table, _) in source.maps() {
                    let Some(table) = Table::named(table) else { continue };
                    // What is read already is not what is missing.
                    if used.contains(source.id.as_str()) && table != Table::Event {
                        continue;
                    }
                    by_table.entry(table).or_default().push(format!("{}: {}", source.title, source.how_to_get));
                }
            }
        }
        Sources { by_table }
    }

    fn of_table(&self, table: Table) -> Vec<String> {
        let mut how: Vec<String> = self.by_table.get(&table).into_iter().flatten().take(EXAMPLES).cloned().collect();
        how.push(format!(
            "or any export as a table `{}`, or by a mapping that `regrant map FILE` proposes",
            table.name()
        ));
        how
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::fact::{credential_facts, reset_facts};
    use crate::mappings::Mappings;
    use crate::report::model::Counts;

    #[test]
    fn every_fact_that_is_offered_exists() {
        let known: BTreeSet<&str> = reset_facts().map(|f| f.name).chain(credential_facts().map(|f| f.name)).collect();
        for offer in OFFERS {
            for fact in offer.facts {
                assert!(known.contains(fact), "{}: {fact}", offer.id);
            }
        }
        assert!(!Policy::default().scalars().is_empty());
    }

    #[test]
    fn the_remedy_that_answers_most_stands_first() {
        let check = |id: &str, missing: &[(&str, u64)]| CheckResult {
            id: id.to_owned(),
            verdict: Standing::CannotConclude,
            indeterminate_because: missing.iter().map(|(fact, n)| ((*fact).to_owned(), *n)).collect(),
            counts: Counts { indeterminate: missing.iter().map(|(_, n)| *n).max().unwrap_or(0), ..Counts::default() },
            ..CheckResult::default()
        };
        let checks = [
            check("a", &[("verification_level", 3)]),
            check("b", &[("target_offboarded", 5)]),
            check("c", &[("target_offboarded", 5), ("verification_level", 2)]),
            check("d", &[("target_contractor", 1)]),
        ];
        let sources = SourceMapping::load_all(&Mappings::load(&[]).expect("shipped")).expect("shipped");
        let planned = plan(&checks, &[], &sources, Vec::new());
        let seen: Vec<(&str, usize, usize)> =
            planned.iter().map(|r| (r.id.as_str(), r.answers.len(), r.helps.len())).collect();
        assert_eq!(seen, [("roster", 2, 1), ("verification", 1, 1)]);
        assert!(planned[0].how.len() > 1 && planned[0].subjects == 6);
        let roster = Input { tables: BTreeMap::from([("person".to_owned(), 4)]), ..Input::default() };
        assert_eq!(plan(&checks, &[roster], &sources, Vec::new())[0].id, "names");
        assert!(plan(&[], &[], &sources, Vec::new()).is_empty());
    }
}
