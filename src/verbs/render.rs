//! `render`: further formats from a report that was saved, without its inputs.

use std::path::Path;

use super::audit::{names_in_config, published_notes};
use super::{Said, VerbError};
use crate::cli::{Render, format_id};
use crate::render::folder::Staging;
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
        run_toml = with_formats(&run_toml, &names_in_config(&formats));
    }
    let dest: &Path = args.output.as_deref().unwrap_or(&args.report);
    let signed = args.report.join(manifest::SIGNATURE).exists();
    let unsigned =
        signed.then(|| "note: the report was signed; with other files it is another one, and is not".to_owned());
    let staging = Staging::prepare(dest)?;
    let page = |assessment: &Assessment, findings: &[Finding]| {
        html::render_for(args.view.view(), assessment, findings)
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

/// The saved config with other formats, spelt as an audit spells them.
fn with_formats(run_toml: &str, names: &[String]) -> String {
    let line = format!("formats = [{}]", names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "));
    let mut done = false;
    let mut out = String::with_capacity(run_toml.len() + line.len());
    for old in run_toml.split_inclusive('\n') {
        // Keys of the top come before the first table; a value of several lines is never written.
        if !done && old.starts_with("formats = ") {
            done = true;
            out.push_str(&line);
            out.push('\n');
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
        let names = ["html".to_owned(), "sarif".to_owned()];
        assert_eq!(
            with_formats("title = \"x\"\nformats = []\n[policy]\nformats = 1\n", &names),
            "title = \"x\"\nformats = [\"html\", \"sarif\"]\n[policy]\nformats = 1\n"
        );
        assert_eq!(with_formats("[policy]\nformats = 1\n", &names), "[policy]\nformats = 1\n");
    }
}
