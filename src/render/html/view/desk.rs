//! What every part of the page looks things up in.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::render::html::data::Bearing;
use crate::render::html::words::{self, Clock, visible, visible_cut};
use crate::report::model::{Assessment, CheckResult, FrameworkResult, RequirementResult};

#[derive(Clone, Serialize)]
pub(in crate::render::html) struct Link {
    id: String,
    pub(in crate::render::html) text: String,
}

/// Requirements of one framework that something is evidence for.
#[derive(Clone, Serialize)]
pub(super) struct Reference {
    framework: String,
    requirements: Vec<Link>,
}

/// What every part of the page looks things up in.
pub(in crate::render::html) struct Desk<'a> {
    pub(in crate::render::html) clock: Clock,
    pub(in crate::render::html) checks: BTreeMap<&'a str, &'a CheckResult>,
    pub(in crate::render::html) frameworks: BTreeMap<&'a str, &'a FrameworkResult>,
}

impl<'a> Desk<'a> {
    pub(in crate::render::html) fn new(a: &'a Assessment) -> Self {
        Desk {
            clock: Clock::new(a.run.timezone.as_deref()),
            checks: a.checks.iter().map(|c| (c.id.as_str(), c)).collect(),
            frameworks: a.frameworks.iter().map(|f| (f.id.as_str(), f)).collect(),
        }
    }

    /// The requirement that `framework:id` names.
    pub(in crate::render::html) fn requirement(&self, reference: &str) -> Option<&'a RequirementResult> {
        let (framework, id) = reference.split_once(':')?;
        self.frameworks.get(framework)?.requirements.iter().find(|r| r.id == id)
    }

    /// How a requirement bears on a failure of `check`.
    pub(in crate::render::html) fn bearing(&self, check: &str, reference: &str, contextual: &[String]) -> Bearing {
        if contextual.iter().any(|c| c == reference) {
            Bearing::Context
        } else if self.requirement(reference).is_some_and(|r| r.direct.iter().any(|d| d == check)) {
            Bearing::Counted
        } else {
            Bearing::Beside
        }
    }

    pub(in crate::render::html) fn check_link(&self, id: &str) -> Link {
        let text = self.checks.get(id).map_or_else(|| visible_cut(id, 80), |c| visible(&c.title));
        Link { id: words::anchor(id), text }
    }

    pub(super) fn check_links(&self, ids: &[String]) -> Vec<Link> {
        ids.iter().map(|id| self.check_link(id)).collect()
    }

    pub(super) fn references(&self, requirements: &[String]) -> Vec<Reference> {
        let mut out: Vec<Reference> = Vec::new();
        let mut last = None;
        for reference in requirements {
            let (framework, id) = reference.split_once(':').unwrap_or(("", reference));
            let wanted =
                Link { id: format!("r-{}-{}", words::anchor(framework), words::anchor(id)), text: visible_cut(id, 60) };
            if last == Some(framework)
                && let Some(group) = out.last_mut()
            {
                group.requirements.push(wanted);
                continue;
            }
            let title = self.frameworks.get(framework).map_or(framework, |f| f.title.as_str());
            out.push(Reference { framework: visible_cut(title, 120), requirements: vec![wanted] });
            last = Some(framework);
        }
        out
    }
}
