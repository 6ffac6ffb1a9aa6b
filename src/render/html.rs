//! The report as one page.
//!
//! Prepares words, formatting and shares; the templates hold loops and filters only. The page loads nothing, runs one
//! small script whose hash its own policy names, and says everything without that script. What the numbers are is left
//! to [`crate::report`].

pub mod words;

mod changes;
mod data;
mod series;
mod view;

pub use crate::config::View;
pub use data::snippet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tera::{Context, Tera};

use crate::report::model::{Assessment, Finding};

use super::chart::ChartError;

const STYLE: &str = include_str!("../../templates/report.css");
const HEAD: &str = include_str!("../../templates/head.html");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// Every template, by the name that the others include it by; `.html` switches autoescape on.
const TEMPLATES: [(&str, &str); 12] = [
    ("head.html", HEAD),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("changes.html", include_str!("../../templates/changes.html")),
    ("controls.html", include_str!("../../templates/controls.html")),
    ("frameworks.html", include_str!("../../templates/frameworks.html")),
    ("charts.html", include_str!("../../templates/charts.html")),
    ("findings.html", include_str!("../../templates/findings.html")),
    ("act.html", include_str!("../../templates/act.html")),
    ("signoff.html", include_str!("../../templates/signoff.html")),
    ("inputs.html", include_str!("../../templates/inputs.html")),
    ("method.html", include_str!("../../templates/method.html")),
    ("report.html", include_str!("../../templates/report.html")),
];

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A template of ours does not fit the data we gave it.
    #[error(
        "index.html: the built-in templates do not fit the assessment: {}\n  help: this is a fault of regrant; \
         `--format` without html still writes findings.csv and assessment.json",
        chain(.0)
    )]
    Template(#[from] tera::Error),
    /// As [`HtmlError::Template`].
    #[error(
        "index.html: the page has no place for part {0} of its data\n  help: this is a fault of regrant; `--format` without \
         html still writes findings.csv and assessment.json"
    )]
    NoPlace(usize),
    /// The SVG backend refused.
    #[error(
        "index.html: a chart could not be drawn: {0}\n  help: this is a fault of regrant; `--format` without html \
         still writes findings.csv and assessment.json"
    )]
    Chart(#[from] ChartError),
}

/// Tera names the place in its outer errors and the reason in the inner ones.
fn chain(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(inner) = next {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        next = inner.source();
    }
    text
}

/// The page for an assessment, for a reviewer; `findings` in the order of `findings.csv`, all of them.
///
/// # Errors
/// Only when the embedded templates and this module disagree.
pub fn render(assessment: &Assessment, findings: &[Finding]) -> Result<String, HtmlError> {
    render_for(View::default(), assessment, findings)
}

/// The page for an assessment, for one kind of reader. See [`render`].
///
/// # Errors
/// As [`render`].
pub fn render_for(view: View, assessment: &Assessment, findings: &[Finding]) -> Result<String, HtmlError> {
    let desk = view::Desk::new(assessment);
    // All findings are packed beside the page, which lists few of them.
    let (page, data) = rayon::join(
        || -> Result<String, HtmlError> {
            let mut tera = Tera::default();
            tera.add_raw_templates(TEMPLATES)?;
            let page = view::page(assessment, findings, &desk, view)?;
            let style = format!("{STYLE}{}", running(&page.running_header()));
            let mut context = Context::from_serialize(page)?;
            context.insert("style", &style);
            context.insert("script", SCRIPT);
            context.insert("style_hash", &policy_hash(&style));
            context.insert("script_hash", &policy_hash(SCRIPT));
            Ok(tera.render("report.html", &context)?)
        },
        || data::data(assessment, findings, &desk),
    );
    data.put_into(&page?)
}

/// What a page without a script brings of its own; head, style and what runs over printed pages are those of the report.
pub(crate) struct Still<'a> {
    /// Name of its template.
    pub name: &'a str,
    /// The template: the head is included.
    pub template: &'a str,
    /// Style beyond that of the report.
    pub style: &'a str,
    /// Of the browser's window.
    pub title: String,
    /// Above each printed page.
    pub header: String,
}

impl Still<'_> {
    /// The page of such data.
    ///
    /// # Errors
    /// Only when the embedded template and the data disagree.
    pub fn render(&self, page: impl Serialize) -> Result<String, String> {
        let told = |error: tera::Error| format!("templates/{}: {}", self.name, chain(&error));
        let mut tera = Tera::default();
        tera.add_raw_templates([("head.html", HEAD), (self.name, self.template)]).map_err(told)?;
        let style = format!("{STYLE}\n{}{}", self.style, running(&self.header));
        let mut context = Context::from_serialize(page).map_err(told)?;
        context.insert("head_title", &self.title);
        context.insert("style", &style);
        context.insert("style_hash", &policy_hash(&style));
        tera.render(self.name, &context).map_err(told)
    }
}

/// The style by which a line runs over printed pages.
fn running(header: &str) -> String {
    let content = css_string(header);
    format!("@media print{{@page{{@top-left{{font:8pt system-ui,sans-serif;color:#444;content:{content}}}}}}}")
}

/// `sha256-…` of an inline element's text, as a content security policy names it.
fn policy_hash(text: &str) -> String {
    let mut out = "sha256-".to_owned();
    base64(&Sha256::digest(text.as_bytes()), &mut out);
    out
}

/// Text as a string of a style sheet: all but letters, digits and spaces as code points, so that nothing can end it.
fn css_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == ' ' {
            out.push(c);
        } else {
            out.push_str(&format!("\\{:x} ", u32::from(c)));
        }
    }
    out.push('"');
    out
}

// RFC 4648 with padding; a dependency for this would be more to read.
fn base64(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BLOCK: usize = 3 * 256;
    let mut letters = [0; BLOCK / 3 * 4];
    for block in bytes.chunks(BLOCK) {
        let mut end = 0;
        for three in block.chunks(3) {
            let n = three.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            let letter = |i: usize| {
                if i <= three.len() { ALPHABET[(n >> (18 - 6 * i) & 63) as usize] } else { b'=' }
            };
            letters[end..end + 4].copy_from_slice(&[letter(0), letter(1), letter(2), letter(3)]);
            end += 4;
        }
        out.push_str(std::str::from_utf8(&letters[..end]).expect("the letters are ASCII"));
    }
}

#[cfg(test)]
mod tests;
