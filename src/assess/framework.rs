//! Frameworks: which requirement a check is evidence for.
//!
//! Checks know no framework; a framework is one TOML file that names checks. Here the files are read and held against
//! the catalogue; judging a requirement over its population is left to the assessment.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use crate::check::catalogue::{Catalogue, FactNames, ORDER, predicate_error};
use crate::check::predicate::{Names, Predicate};
use crate::check::{SubjectKind, nearest};
use crate::mappings::{MappingFile, MappingKind, Mappings, MappingsError, line_of};

/// A framework file that cannot be used.
pub type FrameworkError = MappingsError;

/// One framework.
#[derive(Clone, Debug)]
pub struct Framework {
    /// The file name of its mapping.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Which edition was mapped.
    pub edition: String,
    /// Under which licence its text stands.
    pub licence: String,
    /// Where it stands among the others; those without come last.
    pub order: Option<u32>,
    /// Where the wording was verified.
    pub source: Option<String>,
    /// Printed with it.
    pub note: Option<String>,
    /// What its entries are.
    pub kind: FrameworkKind,
    /// Its requirements, in file order.
    pub requirements: Vec<Requirement>,
    /// `shipped`, or the file as named.
    pub origin: String,
}

/// What the entries of a framework are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameworkKind {
    /// Something that is met or not.
    #[default]
    Requirement,
    /// Something an attacker does, seen or not seen.
    Technique,
}

impl FrameworkKind {
    /// As written in mapping files and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            FrameworkKind::Requirement => "requirement",
            FrameworkKind::Technique => "technique",
        }
    }
}

/// One requirement.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The publisher's identifier.
    pub id: String,
    /// Short title; `None` when no official one is known.
    pub title: Option<String>,
    /// Whose words the title is.
    pub title_is: TitleIs,
    /// What users call it, where that differs.
    pub aliases: Vec<String>,
    /// Checks whose failure is evidence that exactly this was not met. Empty: it is never judged.
    pub direct: Vec<String>,
    /// Checks shown beside it, never counted.
    pub supporting: Vec<String>,
    /// What a pass does not prove.
    pub limits: String,
    /// Admits reset subjects; `None` admits all.
    pub scope: Option<Predicate>,
    /// Admits credential subjects; `None` admits all.
    pub scope_credential: Option<Predicate>,
    /// Policy values without which a pass proves nothing.
    pub guard: Vec<Guard>,
    /// `as cited` for a reference that no publication defines.
    pub status: Option<String>,
    /// How the identifier is known.
    pub provenance: Option<String>,
    /// Nearest official entries, where the identifier itself is not official.
    pub nearest: Vec<String>,
    /// Wording for findings that the scope leaves out.
    pub contextual: Option<String>,
}

impl Requirement {
    /// The predicate that admits subjects of a kind; `None` admits all.
    pub fn scope_of(&self, subject: SubjectKind) -> Option<&Predicate> {
        match subject {
            SubjectKind::Reset => self.scope.as_ref(),
            SubjectKind::Credential => self.scope_credential.as_ref(),
        }
    }
}

/// Whose words a title is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TitleIs {
    /// The publisher's.
    Official,
    /// This project's.
    Paraphrase,
    /// There is no title.
    None,
}

impl TitleIs {
    /// As written in documents and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            TitleIs::Official => "official",
            TitleIs::Paraphrase => "paraphrase",
            TitleIs::None => "none",
        }
    }
}

/// A policy value that must be at least this strict for a pass to mean anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// The policy value, without its colon.
    pub policy: String,
    /// What the requirement demands of it.
    pub demand: Demand,
    /// Where that is said.
    pub because: String,
}

/// A bound that holds up to and including its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Demand {
    /// The policy value may not be greater.
    AtMost(f64),
    /// The policy value may not be smaller.
    AtLeast(f64),
}

impl Guard {
    /// Is a policy value as strict as demanded?
    pub fn holds(&self, value: f64) -> bool {
        match self.demand {
            Demand::AtMost(bound) => value <= bound,
            Demand::AtLeast(bound) => value >= bound,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameworkFile {
    title: String,
    publisher: String,
    edition: String,
    licence: String,
    order: Option<u32>,
    source: Option<String>,
    note: Option<String>,
    #[serde(default)]
    kind: FrameworkKind,
    #[serde(default)]
    requirement: Vec<RequirementEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementEntry {
    id: Spanned<String>,
    title: Option<String>,
    title_is: TitleIs,
    #[serde(default)]
    aliases: Vec<String>,
    direct: Vec<Spanned<String>>,
    #[serde(default)]
    supporting: Vec<Spanned<String>>,
    limits: String,
    scope: Option<Spanned<String>>,
    scope_credential: Option<Spanned<String>>,
    #[serde(default)]
    guard: Vec<GuardEntry>,
    status: Option<String>,
    provenance: Option<String>,
    #[serde(default)]
    nearest: Vec<String>,
    contextual: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardEntry {
    policy: Spanned<String>,
    at_most: Option<f64>,
    at_least: Option<f64>,
    because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnmappedFile {
    #[serde(default)]
    excused: Vec<ExcusedEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExcusedEntry {
    check: Spanned<String>,
    reason: String,
}

/// Every framework in force, by `order` and then id.
///
/// # Errors
/// For the first file that is not complete and correct, that names a check or policy value there is not, and when a
/// shipped check is neither named by a framework nor excused. Checks that users add need not be.
pub fn load_all(
    mappings: &Mappings,
    catalogue: &Catalogue,
    facts: &dyn FactNames,
) -> Result<Vec<Framework>, FrameworkError> {
    let mut frameworks = mappings
        .files(MappingKind::Framework)
        .map(|file| Reader { file, catalogue, facts }.framework())
        .collect::<Result<Vec<_>, _>>()?;
    frameworks.sort_by(|a, b| (a.order.is_none(), a.order, &a.id).cmp(&(b.order.is_none(), b.order, &b.id)));
    account_for_checks(mappings, catalogue, &frameworks)?;
    Ok(frameworks)
}

/// For every check, the requirements that it is direct or supporting evidence for, as `framework:id`, in the order of
/// the frameworks. A check that none names has no entry.
pub fn requirements_by_check(frameworks: &[Framework]) -> BTreeMap<String, Vec<String>> {
    let mut by_check: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for framework in frameworks {
        for requirement in &framework.requirements {
            for check in requirement.direct.iter().chain(&requirement.supporting) {
                by_check.entry(check.clone()).or_default().push(format!("{}:{}", framework.id, requirement.id));
            }
        }
    }
    by_check
}

/// Nobody should be able to add or move a check without deciding what it is evidence for.
fn account_for_checks(
    mappings: &Mappings,
    catalogue: &Catalogue,
    frameworks: &[Framework],
) -> Result<(), FrameworkError> {
    let mut accounted: BTreeSet<&str> = frameworks
        .iter()
        .flat_map(|framework| &framework.requirements)
        .flat_map(|requirement| requirement.direct.iter().chain(&requirement.supporting))
        .map(String::as_str)
        .collect();
    let unmapped: UnmappedFile = match mappings.unmapped() {
        Some(file) => toml::from_str(&file.text).map_err(|e| file.toml_error(&file.text, 0, &e))?,
        None => UnmappedFile { excused: Vec::new() },
    };
    if let Some(file) = mappings.unmapped() {
        for excused in &unmapped.excused {
            let line = Some(line_of(&file.text, excused.check.span().start));
            known_check(file, line, excused.check.get_ref(), catalogue)?;
            if excused.reason.trim().is_empty() {
                let message = format!("`{}` is excused without a reason", excused.check.get_ref());
                return Err(file.error(line, message, "say why no requirement fits"));
            }
            accounted.insert(excused.check.get_ref());
        }
    }
    match catalogue.checks.iter().find(|c| ORDER.contains(&c.id.as_str()) && !accounted.contains(c.id.as_str())) {
        None => Ok(()),
        Some(check) => Err(FrameworkError {
            place: mappings.unmapped().map_or_else(|| "frameworks/unmapped.toml".to_owned(), MappingFile::place),
            line: None,
            message: format!("the check `{}` is named by no framework and not excused", check.id),
            hint: "name it under a requirement, or excuse it in frameworks/unmapped.toml with a reason".to_owned(),
        }),
    }
}

fn known_check(file: &MappingFile, line: Option<usize>, id: &str, catalogue: &Catalogue) -> Result<(), FrameworkError> {
    if catalogue.get(id).is_some() {
        return Ok(());
    }
    let hint = match nearest(id, catalogue.checks.iter().map(|check| check.id.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a file of checks/ without its extension".to_owned(),
    };
    Err(file.error(line, format!("there is no check `{id}`"), hint))
}

struct Reader<'a> {
    file: &'a MappingFile,
    catalogue: &'a Catalogue,
    facts: &'a dyn FactNames,
}

impl Reader<'_> {
    fn line<T>(&self, value: &Spanned<T>) -> Option<usize> {
        Some(line_of(&self.file.text, value.span().start))
    }

    fn framework(&self) -> Result<Framework, FrameworkError> {
        let file: FrameworkFile =
            toml::from_str(&self.file.text).map_err(|e| self.file.toml_error(&self.file.text, 0, &e))?;
        for (key, value) in [
            ("title", &file.title),
            ("publisher", &file.publisher),
            ("edition", &file.edition),
            ("licence", &file.licence),
        ] {
            if value.trim().is_empty() {
                return Err(self.file.error(
                    None,
                    format!("`{key}` is empty"),
                    "reports print it; say it in a few words",
                ));
            }
        }
        let mut ids = BTreeSet::new();
        let mut requirements = Vec::with_capacity(file.requirement.len());
        for entry in &file.requirement {
            let id = entry.id.get_ref();
            if id.trim().is_empty() || !ids.insert(id.clone()) {
                let message = format!("the requirement id `{id}` is empty or there twice");
                return Err(self.file.error(self.line(&entry.id), message, "give each requirement its own id"));
            }
            requirements.push(self.requirement(entry)?);
        }
        Ok(Framework {
            id: self.file.id.clone(),
            title: file.title.trim().to_owned(),
            publisher: file.publisher.trim().to_owned(),
            edition: file.edition.trim().to_owned(),
            licence: file.licence.trim().to_owned(),
            order: file.order,
            source: trimmed(file.source.as_ref()),
            note: trimmed(file.note.as_ref()),
            kind: file.kind,
            requirements,
            origin: self.file.origin.to_string(),
        })
    }

    fn requirement(&self, entry: &RequirementEntry) -> Result<Requirement, FrameworkError> {
        let id = entry.id.get_ref();
        let title = trimmed(entry.title.as_ref());
        if title.is_some() == (entry.title_is == TitleIs::None) {
            let message = format!("`{id}` has title_is \"{}\", which does not fit its title", entry.title_is.as_str());
            let hint = "title_is is official or paraphrase with a title, none without one";
            return Err(self.file.error(self.line(&entry.id), message, hint));
        }
        if entry.limits.trim().is_empty() {
            let message = format!("`limits` of `{id}` is empty");
            return Err(self.file.error(self.line(&entry.id), message, "say what a pass does not prove"));
        }
        let mut named = BTreeSet::new();
        for check in entry.direct.iter().chain(&entry.supporting) {
            known_check(self.file, self.line(check), check.get_ref(), self.catalogue)?;
            if !named.insert(check.get_ref()) {
                let message = format!("`{id}` names `{}` twice", check.get_ref());
                return Err(self.file.error(self.line(check), message, "a check is either direct or supporting"));
            }
        }
        let scope = self.scope("scope", entry.scope.as_ref(), SubjectKind::Reset)?;
        let scope_credential =
            self.scope("scope_credential", entry.scope_credential.as_ref(), SubjectKind::Credential)?;
        let guard = entry.guard.iter().map(|guard| self.guard(guard)).collect::<Result<Vec<_>, _>>()?;
        Ok(Requirement {
            id: id.clone(),
            title,
            title_is: entry.title_is,
            aliases: entry.aliases.clone(),
            direct: entry.direct.iter().map(|check| check.get_ref().clone()).collect(),
            supporting: entry.supporting.iter().map(|check| check.get_ref().clone()).collect(),
            limits: entry.limits.trim().to_owned(),
            scope,
            scope_credential,
            guard,
            status: trimmed(entry.status.as_ref()),
            provenance: trimmed(entry.provenance.as_ref()),
            nearest: entry.nearest.clone(),
            contextual: trimmed(entry.contextual.as_ref()),
        })
    }

    fn scope(
        &self,
        key: &str,
        text: Option<&Spanned<String>>,
        subject: SubjectKind,
    ) -> Result<Option<Predicate>, FrameworkError> {
        let Some(text) = text else { return Ok(None) };
        Predicate::compile(text.get_ref(), self.facts.names(subject))
            .map(Some)
            .map_err(|e| predicate_error(self.file, self.line(text), key, &e))
    }

    fn guard(&self, entry: &GuardEntry) -> Result<Guard, FrameworkError> {
        let policy = entry.policy.get_ref();
        let line = self.line(&entry.policy);
        let names: &dyn Names = self.facts.names(SubjectKind::Reset);
        if names.policy(policy).is_none() {
            let all = names.all();
            let hint = match nearest(policy, all.iter().filter_map(|name| name.strip_prefix(':'))) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a number of `[policy]`".to_owned(),
            };
            return Err(self.file.error(line, format!("there is no policy value `{policy}`"), hint));
        }
        let demand = match (entry.at_most, entry.at_least) {
            (Some(bound), None) => Demand::AtMost(bound),
            (None, Some(bound)) => Demand::AtLeast(bound),
            _ => {
                let message = format!("the guard on `{policy}` needs either at_most or at_least");
                return Err(self.file.error(line, message, "write, for example, at_most = 90"));
            }
        };
        Ok(Guard { policy: policy.clone(), demand, because: entry.because.trim().to_owned() })
    }
}

fn trimmed(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::catalogue::specified::Specified;

    const GOOD: &str = r#"
title = "House rules"
publisher = "us"
edition = "1"
licence = "ours"

[[requirement]]
id = "H-1"
title = "rule one"
title_is = "paraphrase"
scope = "target_kind = 'human'"
guard = [{ policy = "dormant_days", at_most = 45, because = "CIS 5.3" }]
direct = ["reset-of-dormant-identity"]
supporting = ["stale-approval"]
limits = "little"
"#;

    fn load(name: &str, text: &str) -> Result<Vec<Framework>, FrameworkError> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("frameworks")).expect("a subfolder");
        std::fs::write(dir.path().join("frameworks").join(name), text).expect("a file");
        let mappings = Mappings::load(&[dir.path().to_owned()]).expect("a good folder");
        let facts = Specified::new();
        let catalogue = Catalogue::load(&mappings, &facts).expect("shipped checks");
        load_all(&mappings, &catalogue, &facts)
    }

    fn broken(from: &str, to: &str) -> FrameworkError {
        assert!(GOOD.contains(from), "{from}");
        load("house.toml", &GOOD.replacen(from, to, 1)).expect_err("a broken framework")
    }

    #[test]
    fn shipped_frameworks_load_in_order() {
        let mappings = Mappings::load(&[]).expect("shipped");
        let facts = Specified::new();
        let catalogue = Catalogue::load(&mappings, &facts).expect("shipped checks");
        let frameworks = load_all(&mappings, &catalogue, &facts).expect("good frameworks");
        let ids: Vec<&str> = frameworks.iter().map(|framework| framework.id.as_str()).collect();
        assert_eq!(&ids[..5], ["nist-csf-2", "owasp-nhi-2025", "csa-maestro", "nist-800-53-r5", "pci-dss-4.0.1"]);
        let nhi = &frameworks[1].requirements[0];
        assert_eq!((nhi.id.as_str(), nhi.aliases.as_slice()), ("NHI1:2025", ["NHI-01".to_owned()].as_slice()));
        assert!(nhi.scope_of(SubjectKind::Reset).is_some_and(|scope| scope.names().contains("target_kind")));
        assert!(nhi.scope_of(SubjectKind::Credential).is_some_and(|scope| scope.names().contains("identity_kind")));
        let by_check = requirements_by_check(&frameworks);
        assert!(catalogue.checks.iter().all(|check| by_check.contains_key(&check.id)));
        assert!(by_check["missing-approval"].contains(&"csa-maestro:GOV-02".to_owned()));
    }

    #[test]
    fn a_framework_of_the_house_comes_last() {
        let frameworks = load("house.toml", GOOD).expect("a good framework");
        let house = frameworks.last().expect("there are some");
        assert_eq!((house.id.as_str(), house.kind), ("house", FrameworkKind::Requirement));
        let guard = &house.requirements[0].guard[0];
        assert!(guard.holds(45.0) && !guard.holds(46.0));
        assert_eq!(guard.demand, Demand::AtMost(45.0));
    }

    #[test]
    fn errors_name_line_and_remedy() {
        let error = broken("[\"reset-of-dormant-identity\"]", "[\"reset-of-dormant-identiy\"]");
        assert_eq!((error.line, error.hint.as_str()), (Some(13), "did you mean `reset-of-dormant-identity`?"));
        let error = broken("\"stale-approval\"", "\"reset-of-dormant-identity\"");
        assert_eq!(error.line, Some(14));
        assert!(error.message.contains("twice"), "{error}");
        assert_eq!(broken("target_kind", "target_knd").line, Some(11));
        assert_eq!(broken("dormant_days", "dormant_day").hint, "did you mean `dormant_days`?");
        assert!(broken("at_most = 45, ", "").message.contains("at_most or at_least"));
        assert_eq!(broken("limits =", "limit =").hint, "did you mean `limits`?");
        assert!(broken("title_is = \"paraphrase\"", "title_is = \"none\"").message.contains("title_is"));
    }

    #[test]
    fn a_shipped_check_that_nothing_names_is_an_error() {
        let mappings = Mappings::load(&[]).expect("shipped");
        let catalogue = Catalogue::load(&mappings, &Specified::new()).expect("shipped checks");
        let error = account_for_checks(&mappings, &catalogue, &[]).expect_err("nothing is mapped");
        assert!(error.message.contains("reset-without-verification"), "{error}");
        let excuse = "[[excused]]\ncheck = \"no-such-check\"\nreason = \"x\"\n";
        assert_eq!(load("unmapped.toml", excuse).expect_err("unknown check").line, Some(2));
    }
}
