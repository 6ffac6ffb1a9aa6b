//! `render`: further formats from a report that was saved, without its inputs.

use std::path::Path;

use super::audit::{names_in_config, published_notes};
use super::{Said, VerbError};
use crate::cli::{Reader, Render, format_id};
use crate::config::View;
use crate::render::folder::{Kind, Staging};
use crate::render::saved::{self, Saved};
use crate::render::{Formats, html, manifest};
use crate::report::model::{Assessment, Finding};

/// Renders a saved report again, in its place or into another folder.
///
/// # Errors
/// When the folder is no report as it was written, or the new one cannot be written.
pub fn render(args: &Render) -> Result<Said, VerbError> {
    let saved = Saved::open(&args.report)?;
    let there = saved.formats();
    let formats = match &args.format {
        None => there,
        Some(names) => {
            // In its own place a report keeps what it has; elsewhere it gets what was asked for.
            let kept: &[&str] = if args.output.is_none() { there.ids() } else { &[] };
            Formats::parse(names.iter().map(|name| format_id(name)).chain(kept.iter().copied()))?
        }
    };
    let mut run_toml = saved.run_toml()?;
    if args.format.is_some() {
        let names: Vec<String> = names_in_config(&formats).iter().map(|name| format!("\"{name}\"")).collect();
        run_toml = with(&run_toml, "formats", &format!("[{}]", names.join(", ")));
    }
    let view = args.view.map_or_else(|| view_of(&run_toml), Reader::view);
    run_toml = with(&run_toml, "view", &format!("\"{}\"", view.as_str()));
    let dest: &Path = args.output.as_deref().unwrap_or(&args.report);
    let signed = args.report.join(manifest::SIGNATURE).exists();
    let unsigned =
        signed.then(|| "note: the report was signed; with other files it is another one, and is not".to_owned());
    let staging = Staging::prepare(dest, Kind::Audit)?;
    let page = |assessment: &Assessment, findings: &[Finding]| {
        html::render_for(view, assessment, findings)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    };
    let with_page = formats.contains("html");
    let formats = formats.with_ocsf(args.ocsf_version.version());
    let published = saved::write(&saved, formats, &page, &run_toml, staging)?;
    let mut notes = published_notes(&published);
    notes.extend(unsigned);
    let place = if with_page { published.path.join("index.html") } else { published.path };
    Ok(Said { text: format!("Report: {}\n", super::layout::shown(&place.to_string_lossy())), notes, code: 0 })
}

/// Whom the page was for. A redacted config is no config any more, but this key of it stands.
fn view_of(run_toml: &str) -> View {
    let config: Option<toml::Table> = toml::from_str(run_toml).ok();
    let named = config.as_ref().and_then(|table| table.get("view")?.as_str());
    View::ALL.into_iter().find(|view| Some(view.as_str()) == named).unwrap_or_default()
}

/// The saved config with another value of a key of the top, spelt as an audit spells it.
fn with(run_toml: &str, key: &str, value: &str) -> String {
    let start = format!("{key} = ");
    let mut done = false;
    let mut out = String::with_capacity(run_toml.len() + value.len());
    for old in run_toml.split_inclusive('\n') {
        // Keys of the top come before the first table; a value of several lines is never written.
        if !done && old.starts_with(&start) {
            done = true;
            out.push_str(&format!("{start}{value}\n"));
        } else {
            done |= old.starts_with('[');
            out.push_str(old);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_at_the_top_is_rewritten() {
        assert_eq!(
            with("title = \"x\"\nformats = []\n[policy]\nformats = 1\n", "formats", "[\"html\", \"sarif\"]"),
            "title = \"x\"\nformats = [\"html\", \"sarif\"]\n[policy]\nformats = 1\n"
        );
        assert_eq!(with("[policy]\nformats = 1\n", "formats", "[]"), "[policy]\nformats = 1\n");
    }

    #[test]
    fn the_reader_stays_who_it_was() {
        assert_eq!(view_of("view = \"executive\"\n[policy]\nview = \"responder\"\n"), View::Executive);
        assert_eq!(view_of("formats = []\n"), View::Reviewer);
    }
}
