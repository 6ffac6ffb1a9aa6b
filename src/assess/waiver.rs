//! Waivers: exceptions that somebody answers for. A waiver accepts a risk; it never makes a check pass.

use std::path::PathBuf;

use crate::check::SubjectKind;
use crate::check::catalogue::{Catalogue, FactNames};
use crate::check::predicate::{Kind, Names, Predicate};
use crate::config::{Config, WaiverRule};
use crate::fact::FINDING_COLUMNS;
use crate::identity::Known;
use crate::time;

/// Days before its end from which a waiver is listed as expiring.
pub const EXPIRING_DAYS: i64 = 30;
/// Share of a check's failures above which a waiver is listed as broad.
pub const BROAD: f64 = 0.25;

/// A waiver that cannot be used; the config is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}: line {line}: waiver \"{id}\": {message}\n  help: {hint}", .path.display())]
pub struct WaiverError {
    /// The config.
    pub path: PathBuf,
    /// Where the waiver begins.
    pub line: usize,
    /// Which.
    pub id: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// When a waiver is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `as_of` lies within.
    Active,
    /// It ended.
    Expired,
    /// It has not begun.
    NotYetStarted,
}

impl State {
    /// As printed.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Expired => "expired",
            State::NotYetStarted => "not-yet-started",
        }
    }
}

/// A waiver, ready to be matched.
pub struct Waiver<'a> {
    /// As configured.
    pub rule: &'a WaiverRule,
    /// Is it in force?
    pub state: State,
    /// The instant it ends.
    pub ends: i64,
    reset: Option<Predicate>,
    credential: Option<Predicate>,
}

struct WithColumns<'a>(&'a dyn Names);

impl Names for WithColumns<'_> {
    fn kind(&self, name: &str) -> Option<Kind> {
        self.0.kind(name).or_else(|| match name {
            "source_record" => Some(Kind::Number),
            _ => FINDING_COLUMNS.contains(&name).then_some(Kind::Text),
        })
    }

    fn policy(&self, name: &str) -> Option<f64> {
        self.0.policy(name)
    }

    fn all(&self) -> Vec<String> {
        self.0.all().into_iter().chain(FINDING_COLUMNS.iter().map(|c| (*c).to_owned())).collect()
    }
}

impl<'a> Waiver<'a> {
    /// Checks every waiver of the config before anything is read.
    ///
    /// # Errors
    /// A check that does not exist, a predicate that does not compile for a subject it can meet.
    pub fn compile(
        config: &'a Config,
        catalogue: &Catalogue,
        facts: &dyn FactNames,
        as_of: i64,
    ) -> Result<Vec<Waiver<'a>>, WaiverError> {
        config.waivers.iter().map(|rule| Waiver::one(config, rule, catalogue, facts, as_of)).collect()
    }

    fn one(
        config: &'a Config,
        rule: &'a WaiverRule,
        catalogue: &Catalogue,
        facts: &dyn FactNames,
        as_of: i64,
    ) -> Result<Waiver<'a>, WaiverError> {
        let mut waiver = Waiver { rule, state: State::Active, ends: 0, reset: None, credential: None };
        for id in &rule.checks {
            let check = catalogue.get(id).ok_or_else(|| {
                error(
                    config,
                    rule,
                    format!("there is no check \"{id}\""),
                    "`regrant list checks` names them all".to_owned(),
                )
            })?;
            let slot = match check.subject {
                SubjectKind::Reset => &mut waiver.reset,
                SubjectKind::Credential => &mut waiver.credential,
            };
            if slot.is_none() {
                let names = WithColumns(facts.names(check.subject));
                let compiled = Predicate::compile(&rule.where_, &names).map_err(|e| {
                    error(config, rule, format!("`where` for {} subjects: {e}", check.subject.as_str()), e.hint)
                })?;
                *slot = Some(compiled);
            }
        }
        let zone = config.zone();
        waiver.ends = rule.expires_on.succ_opt().map_or(i64::MAX, |d| time::midnight(d, zone));
        waiver.state = if as_of < time::midnight(rule.starts_on, zone) {
            State::NotYetStarted
        } else if as_of < waiver.ends {
            State::Active
        } else {
            State::Expired
        };
        Ok(waiver)
    }

    /// The predicate for a check's findings; null when the waiver is not for that check.
    pub fn predicate(&self, check: &str, subject: SubjectKind) -> Option<&Predicate> {
        if !self.rule.checks.iter().any(|c| c == check) {
            return None;
        }
        match subject {
            SubjectKind::Reset => self.reset.as_ref(),
            SubjectKind::Credential => self.credential.as_ref(),
        }
    }

    /// Does it end soon?
    pub fn expiring(&self, as_of: i64) -> bool {
        self.state == State::Active && self.ends - as_of <= EXPIRING_DAYS * time::DAY
    }
}

/// Nobody accepts their own risk: requester and approver must be two identities where both resolve.
///
/// # Errors
/// The first waiver that the same identity requested and approved.
pub fn independent(config: &Config, waivers: &[Waiver<'_>], lookup: &dyn Fn(&str) -> Known) -> Result<(), WaiverError> {
    for waiver in waivers {
        let (a, b) = (lookup(&waiver.rule.requested_by), lookup(&waiver.rule.approved_by));
        if let (Known::One(x), Known::One(y)) = (a, b)
            && x == y
        {
            let message = "requested and approved by the same identity".to_owned();
            return Err(error(config, waiver.rule, message, "have somebody else accept the risk".to_owned()));
        }
    }
    Ok(())
}

fn error(config: &Config, rule: &WaiverRule, message: String, hint: String) -> WaiverError {
    WaiverError { path: config.path.clone().unwrap_or_default(), line: rule.line, id: rule.id.clone(), message, hint }
}
