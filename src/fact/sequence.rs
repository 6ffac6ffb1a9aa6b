//! What happened around a reset: bursts, pairs, reactivations, grants, cascades, refusals, hours.

use super::coverage::reaches;
use super::reset::{days, facts, hours, minutes};
use super::{Fact, ResetCompute, ResetSubject, Unit};
use crate::table::event;
use crate::text::EMPTY;
use crate::time::DAY;

/// How long before a reset somebody must have reset others to count as one who does so.
pub const HABIT_DAYS: i64 = 30;

type S<'a> = ResetSubject<'a>;

/// Is it about a password, or about a factor? Null for other actions.
pub(super) fn other_side(s: &S<'_>) -> Option<&'static [u8]> {
    match s.code(event::ACTION) {
        event::PASSWORD_RESET | event::RECOVERY_ISSUED => Some(&[event::MFA_RESET]),
        event::MFA_RESET => Some(&[event::PASSWORD_RESET, event::RECOVERY_ISSUED]),
        _ => None,
    }
}

fn minutes_to_other_factor(s: &S<'_>) -> Option<f64> {
    let other = other_side(s).filter(|_| s.self_service != Some(true))?;
    let index = if other == [event::MFA_RESET] { &s.world.factor_side } else { &s.world.password_side };
    index.around(s.key, s.at).into_iter().flatten().map(|nearest| (nearest.0 - s.at).abs()).min().map(minutes)
}

fn hours_since_reactivation(s: &S<'_>) -> Option<f64> {
    let here = |row: u32| s.world.settled.events.text(event::SYSTEM, row as usize) == s.system();
    let last = s.world.reactivations.back_from(s.key, s.at + 1).find(|x| here(x.1) && x.1 as usize != s.row);
    last.map(|x| hours(s.at - x.0))
}

fn hours_since_denied(s: &S<'_>) -> Option<f64> {
    let mine = s.name(event::EXECUTOR);
    if mine.0 == EMPTY {
        return None;
    }
    let events = &s.world.settled.events;
    let by_another = |row: u32| {
        let row = row as usize;
        let theirs = (events.text(event::EXECUTOR, row), events.text(event::SYSTEM, row));
        s.world.register.same(&s.world.settled.texts, theirs, mine) != Some(true)
    };
    s.world.denied.back_from(s.key, s.at).find(|x| by_another(x.1)).map(|x| hours(s.at - x.0))
}

fn off_hours(s: &S<'_>) -> Option<bool> {
    s.world.config.timezone?;
    let policy = s.world.policy;
    let local = s.world.clock.local_parts(s.at);
    let (from, until) = policy.working_hours;
    let at_work = policy.working_days[local.weekday as usize]
        && !policy.holidays.contains(&local.date)
        && from <= local.micros_of_day
        && local.micros_of_day < until;
    Some(!at_work)
}

facts! { ResetCompute;
    "executor_burst" Number Count, "distinct targets that the executor reset in the fullest window holding this reset", null "executor not given; self-service; automated",
        |s| (s.text(event::EXECUTOR) != EMPTY && s.self_service != Some(true) && !s.automated)
            .then(|| f64::from(s.world.executor_burst[s.row]));
    "bulk_window_observed" Bool None, "does the log of this system reach as far as `bulk_window_minutes` before and after the reset?", null "never",
        |s| Some(reaches("bulk_window_observed", s));
    "target_burst" Number Count, "resets of this target in the fullest window holding this reset, in all systems", null "automated",
        |s| (!s.automated).then(|| f64::from(s.world.target_burst[s.row]));
    "repeat_window_observed" Bool None, "does the log of this system reach as far as `repeat_window_hours` before and after the reset?", null "never",
        |s| Some(reaches("repeat_window_observed", s));
    "other_factor_observed" Bool None, "can the inputs show the other side of a password and factor pair, as far around the reset as is looked?", null "other actions",
        |s| other_side(s).map(|other| other.iter().any(|a| s.world.can_show(*a)) && reaches("other_factor_observed", s));
    "minutes_to_other_factor" Number Minutes, "time to the nearest reset of the other side by somebody else, before or after", null "other actions; self-service; none", minutes_to_other_factor;
    "reactivations_observed" Bool None, "can the inputs show reactivations in this system, as far back as is looked?", null "never",
        |s| Some(s.world.can_show_in(event::ACCOUNT_REACTIVATED, s.system()) && reaches("reactivations_observed", s));
    "hours_since_reactivation" Number Hours, "time from the last reactivation of the target in this system", null "none", hours_since_reactivation;
    "privilege_grants_observed" Bool None, "can the inputs show privilege grants, for as long after the reset as is looked?", null "never",
        |s| Some(s.world.can_show(event::PRIVILEGE_GRANTED) && reaches("privilege_grants_observed", s));
    "hours_to_privilege_grant" Number Hours, "time to the first privilege granted to the target afterwards", null "none",
        |s| s.world.grants.from(s.key, s.at + 1).map(|x| hours(x.0 - s.at));
    "contact_changes_observed" Bool None, "can the inputs show changes of recovery contacts, as far back as is looked?", null "never",
        |s| Some(s.world.can_show(event::RECOVERY_CONTACT_CHANGED) && reaches("contact_changes_observed", s));
    "days_since_contact_change" Number Days, "time from the last change of the target's recovery contact", null "none",
        |s| s.world.contact_changes.before(s.key, s.at).map(|x| days(s.at - x.0));
    "habitual_executor" Bool None, "did the target reset others in the 30 days before?", null "never",
        |s| Some(s.world.acts_on_others.before(s.key, s.at).is_some_and(|x| x.0 >= s.at - HABIT_DAYS * DAY));
    "hours_to_own_first_reset" Number Hours, "time to the first reset that the target carries out on somebody else", null "none",
        |s| s.world.acts_on_others.from(s.key, s.at + 1).map(|x| hours(x.0 - s.at));
    "cascade_window_observed" Bool None, "does the log of this system reach as far as `cascade_hours` after the reset?", null "never",
        |s| Some(reaches("cascade_window_observed", s));
    "denials_observed" Bool None, "does the log of this system reach as far as `denied_hours` before the reset?", null "never",
        |s| Some(reaches("denials_observed", s));
    "hours_since_denied" Number Hours, "time from the last refused attempt on this target by another executor", null "none", hours_since_denied;
    "off_hours" Bool None, "outside the working hours of the organisation's zone?", null "no timezone in the config", off_hours;
}
