//! `--redact`: people replaced by keyed pseudonyms, in everything that a report holds.
//!
//! A pseudonym is made from the folded text by HMAC-SHA256: the same text and key give the same one in every place and
//! every run, and without the key nobody can try names until one fits. Replaced are names, addresses, aliases, ids of
//! people, workloads, records and tickets; free text is dropped; sentences keep their words and lose the names in them. What
//! says nothing of a person stays: checks, counts, instants, systems, tiers, which record of which file.
//!
//! Works on the finished report, so that every output is made from what is redacted. File names stay as they are but for
//! addresses in them: they are the user's own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use serde_json::Value;
use sha2::Sha256;
use smol_str::SmolStr;

use crate::report::evidence::Told;
use crate::report::model::{Assessment, DataQuality, Finding, IdentityStory, Rejected, Subject};
use crate::table::{credential, event};
use crate::text::fold;

/// A key shorter than this can be guessed.
const LEAST_KEY_BYTES: usize = 16;

/// Stands where free text stood.
pub const DROPPED: &str = "(redacted)";

/// The entry of `data_quality` that says so, with the fingerprint of the key as its example.
pub const KIND: &str = "redacted";

/// Words that a name in a sentence may have; beyond them only what looks like an address is found.
const LONGEST_NAME: usize = 8;

/// Facts whose text is a word of ours or a system, never a name.
const PLAIN_FACTS: [&str; 9] = [
    "action",
    "system",
    "executor_kind",
    "target_kind",
    "identity_kind",
    "tier",
    "kind",
    "approval_source",
    "approval_decision",
];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// `--redact` without a key.
    #[error("`--redact` needs a key to make pseudonyms with, and none is named")]
    Missing,
    /// The file cannot be read.
    #[error("{path}: the key cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: String,
    },
    /// The key is too short.
    #[error("{path}: the key has {bytes} bytes, at least {LEAST_KEY_BYTES} are needed")]
    Short {
        /// The file.
        path: String,
        /// How many there are.
        bytes: usize,
    },
}

impl KeyError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            KeyError::Missing | KeyError::Short { .. } => {
                "make one with `openssl rand -hex 32 > redact.key`, keep it as you keep the logs, and name it with \
                 `--redact-key-file redact.key`; the same key gives the same pseudonyms in the next report"
            }
            KeyError::Unreadable { .. } => "name a file that holds the key with `--redact-key-file`",
        }
    }
}

/// What makes pseudonyms.
#[derive(Clone)]
pub struct Pseudonyms {
    keyed: Hmac<Sha256>,
    address: Regex,
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pseudonyms({})", self.fingerprint())
    }
}

impl Pseudonyms {
    /// With the key in a file; white space at its ends is not part of it.
    ///
    /// # Errors
    /// When it cannot be read or is too short.
    pub fn load(path: &Path) -> Result<Pseudonyms, KeyError> {
        let shown = path.display().to_string();
        let bytes = fs::read(path).map_err(|e| KeyError::Unreadable { path: shown.clone(), cause: e.to_string() })?;
        let key = bytes.trim_ascii();
        if key.len() < LEAST_KEY_BYTES {
            return Err(KeyError::Short { path: shown, bytes: key.len() });
        }
        Ok(Pseudonyms::new(key))
    }

    /// With this key.
    pub fn new(key: &[u8]) -> Pseudonyms {
        let address = concat!(
            // user@host
            r"[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*",
            // DOMAIN\user
            r"|[\p{L}\p{N}._-]+\\[^\s;,:()\[\]{}'\x22<>|]+",
            // IPv4, IPv6
            r"|\b\d{1,3}(?:\.\d{1,3}){3}\b",
            r"|(?i:\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b|\b(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?)",
        );
        Pseudonyms {
            keyed: Hmac::new_from_slice(key).expect("HMAC takes keys of any length"),
            address: Regex::new(address).expect("a pattern of ours"),
        }
    }

    /// What stands for a text; the empty text stays empty.
    pub fn of(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        format!("anon-{}", &self.digest("text", &fold(text))[..12])
    }

    /// What stands for the id of a finding: it is a plain hash over a subject's name otherwise.
    fn finding_id(&self, id: &str) -> String {
        self.digest("finding", id)[..16].to_owned()
    }

    /// Tells keys apart without telling the key.
    pub fn fingerprint(&self) -> String {
        self.digest("key", "")[..8].to_owned()
    }

    fn digest(&self, what: &str, text: &str) -> String {
        let mut keyed = self.keyed.clone();
        keyed.update(what.as_bytes());
        keyed.update(&[0]);
        keyed.update(text.as_bytes());
        hex::encode(keyed.finalize().into_bytes())
    }

    /// A text with what looks like an address of a person or a machine replaced.
    fn without_addresses(&self, text: &str) -> String {
        match self.address.replace_all(text, |found: &regex::Captures<'_>| self.of(&found[0])) {
            Cow::Borrowed(same) => same.to_owned(),
            Cow::Owned(other) => other,
        }
    }
}

/// Was a report redacted with this key?
pub fn is_redacted(assessment: &Assessment, with: &Pseudonyms) -> bool {
    let key = key_example(with);
    assessment.data_quality.iter().any(|entry| entry.kind == KIND && entry.examples.contains(&key))
}

fn key_example(with: &Pseudonyms) -> String {
    format!("key {}", with.fingerprint())
}

/// What a report consists of, as far as it can name people.
pub struct Parts<'a> {
    /// What the report says.
    pub assessment: &'a mut Assessment,
    /// Every finding.
    pub findings: &'a mut [Finding],
    /// Every rejected record.
    pub rejected: &'a mut [Rejected],
    /// Every subject that was kept.
    pub subjects: &'a mut [Subject],
    /// The effective config.
    pub run_toml: &'a mut String,
}

/// Redacts a report. `is_known` says whether a text, whatever its case, came from the data: a name, alias or id.
pub fn redact(parts: Parts<'_>, with: &Pseudonyms, is_known: &dyn Fn(&str) -> bool) {
    let systems: Vec<String> = parts.assessment.population.resets_by_system.keys().cloned().collect();
    let methods: Vec<String> = parts.assessment.run.policy["verification"]["levels"]
        .as_object()
        .map(|levels| levels.keys().cloned().collect())
        .unwrap_or_default();
    // `password` and `factor` stand in lists of what was restored, and in our own sentences.
    let kinds = credential::KINDS.iter().chain(event::ACTIONS).map(|word| (*word).to_owned());
    let redaction = Redaction { with, is_known, plain: systems.into_iter().chain(methods).chain(kinds).collect() };
    let mut sentences = BTreeMap::new();
    for finding in parts.findings.iter_mut() {
        let before = finding.because.clone();
        redaction.finding(finding);
        sentences.insert(before.to_string(), finding.because.to_string());
    }
    for rejected in parts.rejected.iter_mut() {
        rejected.file = with.without_addresses(&rejected.file);
        rejected.excerpt = DROPPED.to_owned();
    }
    for subject in parts.subjects.iter_mut() {
        for text in [&mut subject.subject, &mut subject.target, &mut subject.identity] {
            *text = with.of(text);
        }
        redaction.facts(subject.facts.iter_mut().map(|(name, value)| (name.as_str(), value)));
        for source in subject.sources.values_mut() {
            *source = with.without_addresses(source);
        }
    }
    redaction.assessment(parts.assessment, &sentences);
    *parts.run_toml = redaction.run_toml(parts.run_toml);
}

struct Redaction<'a> {
    with: &'a Pseudonyms,
    is_known: &'a dyn Fn(&str) -> bool,
    // Folded texts of the data that are no names: systems, methods of verification, kinds, actions.
    plain: Vec<String>,
}

impl Redaction<'_> {
    fn finding(&self, finding: &mut Finding) {
        let mut names: Vec<SmolStr> = [
            &finding.target,
            &finding.executor,
            &finding.approver,
            &finding.ticket,
            &finding.subject,
            &finding.identity,
            &finding.identity_name,
        ]
        .into_iter()
        .filter(|name| !name.trim().is_empty())
        .cloned()
        .collect();
        // The longest first: a short name may be part of a long one.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let mut because = finding.because.to_string();
        for name in names {
            because = whole_words(&because, &name, &self.with.of(&name));
        }
        finding.because = self.sentence(&because).into();
        for text in [
            &mut finding.subject,
            &mut finding.target,
            &mut finding.identity,
            &mut finding.identity_name,
            &mut finding.executor,
            &mut finding.approver,
            &mut finding.ticket,
        ] {
            *text = self.with.of(text).into();
        }
        finding.finding_id = self.with.finding_id(&finding.finding_id).into();
        finding.source_file = self.with.without_addresses(&finding.source_file).into();
        for (_, value) in finding.evidence.iter_mut().filter(|(name, _)| !PLAIN_FACTS.contains(name)) {
            if let Told::Text(text) = value {
                *text = self.with.of(text).into();
            }
        }
    }

    fn facts<'f>(&self, facts: impl Iterator<Item = (&'f str, &'f mut Value)>) {
        for (name, value) in facts {
            if let Value::String(text) = value
                && !PLAIN_FACTS.contains(&name)
            {
                *text = self.with.of(text);
            }
        }
    }

    fn assessment(&self, assessment: &mut Assessment, sentences: &BTreeMap<String, String>) {
        let with = self.with;
        let run = &mut assessment.run;
        run.title = run.title.as_deref().map(|title| with.without_addresses(title));
        for input in &mut assessment.inputs {
            input.path = with.without_addresses(&input.path);
            for column in &mut input.ignored_columns {
                *column = with.without_addresses(column);
            }
        }
        for skipped in &mut assessment.skipped {
            skipped.path = with.without_addresses(&skipped.path);
            skipped.reason = with.without_addresses(&skipped.reason);
        }
        for check in assessment.checks.iter_mut().filter(|check| check.origin != "shipped") {
            for text in [
                &mut check.title,
                &mut check.applies,
                &mut check.fails,
                &mut check.finds,
                &mut check.matters,
                &mut check.remedy,
            ] {
                *text = self.sentence(text);
            }
        }
        for entry in &mut assessment.data_quality {
            for example in &mut entry.examples {
                *example = self.sentence(example);
            }
        }
        assessment.data_quality.push(DataQuality {
            kind: KIND.to_owned(),
            title: "names, addresses and ids are pseudonyms: the same key gives the same ones; free text is left out"
                .to_owned(),
            count: 1,
            examples: vec![key_example(with)],
            weakens: Vec::new(),
        });
        for waiver in &mut assessment.waivers {
            waiver.r#where = DROPPED.to_owned();
            waiver.reason = DROPPED.to_owned();
            waiver.requested_by = with.of(&waiver.requested_by);
            waiver.approved_by = with.of(&waiver.approved_by);
        }
        for executor in &mut assessment.series.executors {
            executor.executor = with.of(&executor.executor);
        }
        for link in &mut assessment.series.lineage {
            link.from = with.of(&link.from);
            link.to = with.of(&link.to);
        }
        for story in &mut assessment.identities {
            self.story(story, sentences);
        }
        assessment.limited_to = assessment.limited_to.as_deref().map(|name| with.of(name));
        for over in &mut assessment.overrides {
            over.path = with.without_addresses(&over.path);
        }
    }

    fn story(&self, story: &mut IdentityStory, sentences: &BTreeMap<String, String>) {
        let names = [story.identity.clone(), story.name.clone()];
        let told = |text: &str| {
            let known = names.iter().filter(|name| !name.trim().is_empty());
            self.sentence(&known.fold(text.to_owned(), |text, name| whole_words(&text, name, &self.with.of(name))))
        };
        story.story = sentences.get(&story.story).cloned().unwrap_or_else(|| told(&story.story));
        story.next_step = told(&story.next_step);
        for moment in &mut story.timeline {
            moment.text = told(&moment.text);
            moment.source_file = self.with.without_addresses(&moment.source_file);
        }
        for id in &mut story.findings {
            *id = self.with.finding_id(id);
        }
        story.identity = self.with.of(&story.identity);
        story.name = self.with.of(&story.name);
    }

    /// A sentence of ours with every name of the data in it replaced: of the words that follow one another, the longest
    /// that came from the data.
    fn sentence(&self, text: &str) -> String {
        let text = self.with.without_addresses(text);
        let words: Vec<&str> = text.split(' ').collect();
        let mut out: Vec<Cow<'_, str>> = Vec::with_capacity(words.len());
        let mut at = 0;
        while at < words.len() {
            let longest = (1..=LONGEST_NAME.min(words.len() - at)).rev();
            let found =
                longest.filter_map(|length| Some((length, self.name(&words[at..at + length].join(" "))?))).next();
            match found {
                Some((length, replaced)) => {
                    out.push(Cow::Owned(replaced));
                    at += length;
                }
                None => {
                    out.push(Cow::Borrowed(words[at]));
                    at += 1;
                }
            }
        }
        out.join(" ")
    }

    /// Words that are a name, perhaps with punctuation around it, with the name replaced.
    fn name(&self, words: &str) -> Option<String> {
        let edge = |c: char| !c.is_alphanumeric();
        let bare = words.trim_matches(edge);
        let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("’s")).unwrap_or(bare);
        [words, bare].into_iter().find_map(|candidate| {
            let identifies = candidate.chars().any(char::is_alphanumeric)
                && !candidate.starts_with("anon-")
                && !self.plain.contains(&fold(candidate))
                && (self.is_known)(candidate);
            identifies.then(|| words.replacen(candidate, &self.with.of(candidate), 1))
        })
    }

    /// The effective config, spelt as `Config::effective_toml` spells it: a key a line.
    fn run_toml(&self, text: &str) -> String {
        let mut out = String::from(
            "# Redacted: names are pseudonyms and free text is left out, so that this cannot be run again.\n",
        );
        let mut table = "";
        for line in text.split_inclusive('\n') {
            if line.starts_with('[') {
                table = line.trim();
            }
            let key = line.split(" = ").next().unwrap_or_default();
            let replaced = match (table, key) {
                ("[[waiver]]", "where" | "reason") => Some(DROPPED.to_owned()),
                ("[[waiver]]", "requested_by" | "approved_by") => {
                    let named: Option<BTreeMap<String, String>> = toml::from_str(line).ok();
                    Some(named.and_then(|m| m.get(key).cloned()).map_or(DROPPED.to_owned(), |name| self.with.of(&name)))
                }
                _ => None,
            };
            match replaced {
                Some(value) => out.push_str(&format!("{key} = \"{value}\"\n")),
                None => out.push_str(&self.with.without_addresses(line)),
            }
        }
        out
    }
}

/// `text` with every `name` that does not lie inside a longer word replaced.
fn whole_words(text: &str, name: &str, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(at) = rest.find(name) {
        let end = at + name.len();
        let left = rest[..at].chars().next_back().or(before);
        let right = rest[end..].chars().next();
        let inside = left.is_some_and(char::is_alphanumeric) && name.starts_with(char::is_alphanumeric)
            || right.is_some_and(char::is_alphanumeric) && name.ends_with(char::is_alphanumeric);
        out.push_str(&rest[..at]);
        out.push_str(if inside { name } else { with });
        before = rest[..end].chars().next_back();
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with() -> Pseudonyms {
        Pseudonyms::new(b"0123456789abcdef")
    }

    #[test]
    fn a_pseudonym_hangs_on_text_and_key_alone() {
        let with = with();
        assert_eq!(with.of("Ann@Corp.example"), with.of("ann@corp.example"), "as aliases compare");
        assert_ne!(with.of("ann@corp.example"), with.of("bob@corp.example"));
        assert_ne!(with.of("ann@corp.example"), Pseudonyms::new(b"another key of ours").of("ann@corp.example"));
        assert_eq!(with.of(""), "");
        assert!(with.of("x").starts_with("anon-") && with.of("x").len() == 17);
    }

    #[test]
    fn names_leave_sentences_and_words_stay() {
        let with = with();
        let known = |text: &str| {
            ["marcus thorne-bailey", "hd-41148", "entra", "svc-a", "山田太郎"].contains(&fold(text).as_str())
        };
        let redaction = Redaction { with: &with, is_known: &known, plain: vec!["entra".to_owned()] };
        let said = redaction.sentence(
            "HARBOUR\\gtull (executor: dermot.quill@harbour.example; ticket: HD-41148) in entra by Marcus Thorne-Bailey, \
             10.1.2.3 and 2001:db8::1; svc-a's key of 山田太郎 at 2026-07-30T07:40:00Z",
        );
        assert_eq!(
            said,
            format!(
                "{} (executor: {}; ticket: {}) in entra by {}, {} and {}; {}'s key of {} at 2026-07-30T07:40:00Z",
                with.of("HARBOUR\\gtull"),
                with.of("dermot.quill@harbour.example"),
                with.of("HD-41148"),
                with.of("Marcus Thorne-Bailey"),
                with.of("10.1.2.3"),
                with.of("2001:db8::1"),
                with.of("svc-a"),
                with.of("山田太郎"),
            )
        );
    }

    #[test]
    fn a_name_inside_a_word_is_not_that_name() {
        assert_eq!(whole_words("ann, anna and ann", "ann", "x"), "x, anna and x");
        assert_eq!(whole_words("=1+=1", "=1", "x"), "x+x");
    }

    #[test]
    fn a_config_loses_reasons_and_keeps_what_it_says_of_rules() {
        let with = with();
        let redaction = Redaction { with: &with, is_known: &|_| false, plain: Vec::new() };
        let text = "title = \"Q3\"\n\n[[waiver]]\nid = \"W-1\"\nwhere = \"identity = 'E1'\"\nreason = \"Ann's phone\"\n\
                    requested_by = \"Ann \\\"A\\\" Lee\"\n";
        let out = redaction.run_toml(text);
        assert!(out.contains("title = \"Q3\"\n") && out.contains("id = \"W-1\"\n"), "{out}");
        assert!(out.contains("where = \"(redacted)\"\nreason = \"(redacted)\"\n"), "{out}");
        assert!(out.contains(&format!("requested_by = \"{}\"\n", with.of("Ann \"A\" Lee"))), "{out}");
    }
}
