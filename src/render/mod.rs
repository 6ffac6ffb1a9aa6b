//! What comes out: one file a format, one line of [`FORMATS`] each.
//!
//! Renderers compute nothing: what they print is in the [`model`](crate::report::model). The folder they write into is
//! published as a whole or not at all, see [`folder`].

pub mod assessment;
pub mod changes;
pub mod chart;
pub mod findings;
pub mod folder;
pub mod hdf;
pub mod html;
pub mod junit;
pub mod manifest;
pub mod markdown;
pub mod ocsf;
pub mod oscal;
pub mod parquet;
pub mod reference;
pub mod rejected;
pub mod sarif;
pub mod saved;
mod scan;
pub mod subjects;
pub mod xlsx;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::report::model::{Assessment, Finding, Rejected, Subject};
use folder::{FolderError, Kind, Published, Staging};
use manifest::{Digesting, FileEntry, Manifest};

/// Renders the page; an error is one sentence.
pub type HtmlRenderer<'a> = &'a (dyn Fn(&Assessment, &[Finding]) -> Result<String, String> + Sync);

/// Everything that a report folder is written from.
pub struct Bundle<'a> {
    /// What the report says.
    pub assessment: &'a Assessment,
    /// Every finding, in report order.
    pub findings: &'a [Finding],
    /// Every rejected record, in report order.
    pub rejected: &'a [Rejected],
    /// Every subject, in report order; null leaves `subjects.jsonl.zst` out.
    pub subjects: Option<&'a [Subject]>,
    /// The effective config.
    pub run_toml: &'a str,
    /// Mapping files that are not the built-in ones: path under `mappings/`, with `/`, and text.
    pub mapping_files: Vec<(String, String)>,
    /// What was asked for beyond what is always written.
    pub formats: Formats,
    /// Renders `index.html`; only called when `formats` has `html`.
    pub html: Option<HtmlRenderer<'a>>,
}

/// When a file of the report folder is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In every run.
    Always,
    /// In every run that has content for it.
    Given,
    /// When `--format` names it.
    Asked,
}

/// One file of the report folder, as `list formats` prints it.
pub struct Format {
    /// What `--format` calls it.
    pub id: &'static str,
    /// Its path in the report folder; a folder ends in `/`.
    pub file: &'static str,
    /// What it is for, one phrase.
    pub doc: &'static str,
    /// When it is written.
    pub when: When,
    // Null for what is laid down with the folder itself.
    render: Option<Renderer>,
}

/// Where a format is written to; pieces of it may be rendered while others are written.
type Output<'a> = &'a mut (dyn Write + Send);

type Renderer = fn(&Bundle<'_>, Output<'_>) -> Result<(), Fault>;

/// Every file of the report folder, the machine-readable ones first.
pub const FORMATS: &[Format] = &[
    Format {
        id: "assessment",
        file: "assessment.json",
        doc: "everything the report says, as data (JSON Schema: schemas/assessment.schema.json)",
        when: When::Always,
        render: Some(|bundle, out| assessment::write_json(bundle.assessment, out)),
    },
    Format {
        id: "csv",
        file: "findings.csv",
        doc: "one row a finding, for spreadsheets; cells that would be formulas are guarded",
        when: When::Always,
        render: Some(|bundle, out| findings::write_csv(bundle.findings, out)),
    },
    Format {
        id: "jsonl",
        file: "findings.jsonl",
        doc: "one JSON object a finding, text exactly as in the source",
        when: When::Always,
        render: Some(|bundle, out| findings::write_jsonl(bundle.findings, out)),
    },
    Format {
        id: "rejected",
        file: "rejected.csv",
        doc: "every rejected record and why",
        when: When::Always,
        render: Some(|bundle, out| rejected::write_csv(bundle.rejected, out)),
    },
    Format {
        id: "subjects",
        file: "subjects.jsonl.zst",
        doc: "facts, verdicts and sources of every subject (see --subjects)",
        when: When::Given,
        render: Some(|bundle, out| subjects::write_zst(bundle.subjects.unwrap_or_default(), out)),
    },
    Format {
        id: "changes",
        file: "changes.csv",
        doc: "one row a finding that is not as it was in an earlier report that took part",
        when: When::Given,
        render: Some(|bundle, out| match &bundle.assessment.changes {
            Some(changes) => changes::write_csv(changes, out),
            None => Ok(()),
        }),
    },
    Format {
        id: "changes-text",
        file: "changes.md",
        doc: "the same to read, as Markdown",
        when: When::Given,
        render: Some(|bundle, out| match &bundle.assessment.changes {
            Some(changes) => Ok(out.write_all(changes::markdown(bundle.assessment, changes).as_bytes())?),
            None => Ok(()),
        }),
    },
    Format {
        id: "run",
        file: "run.toml",
        doc: "the effective config: with mappings/ what is needed to do it again",
        when: When::Always,
        render: Some(|bundle, out| Ok(out.write_all(bundle.run_toml.as_bytes())?)),
    },
    Format {
        id: "mappings",
        file: "mappings/",
        doc: "every mapping file that is not the built-in one",
        when: When::Given,
        render: None,
    },
    Format {
        id: "manifest",
        file: manifest::FILE,
        doc: "size and SHA-256 of every other file and of every input, and the run digest",
        when: When::Always,
        render: None,
    },
    Format {
        id: "html",
        file: "index.html",
        doc: "the report to read: one self-contained file, no request leaves it",
        when: When::Asked,
        render: Some(write_html),
    },
    Format {
        id: "markdown",
        file: "summary.md",
        doc: "one page for a ticket or a chat",
        when: When::Asked,
        render: Some(|bundle, out| markdown::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "xlsx",
        file: "findings.xlsx",
        doc: "workbook: summary, findings, populations, inputs, waivers, and an action plan to fill in",
        when: When::Asked,
        render: Some(|bundle, out| xlsx::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "sarif",
        file: "findings.sarif",
        doc: "SARIF 2.1.0, for code scanning and viewers of results",
        when: When::Asked,
        render: Some(|bundle, out| sarif::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "ocsf",
        file: "findings.ocsf.jsonl",
        doc: "OCSF Compliance and Detection Findings, one a line, for SIEMs (see --ocsf-version)",
        when: When::Asked,
        render: Some(|bundle, out| ocsf::write(bundle.assessment, bundle.findings, &bundle.formats, out)),
    },
    Format {
        id: "oscal",
        file: "oscal-assessment-results.json",
        doc: "OSCAL assessment results 1.2.1, for GRC tools",
        when: When::Asked,
        render: Some(|bundle, out| oscal::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "hdf",
        file: "findings.hdf.json",
        doc: "Heimdall Data Format (exec-json), for MITRE Heimdall and its converters",
        when: When::Asked,
        render: Some(|bundle, out| hdf::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "junit",
        file: "checks.junit.xml",
        doc: "JUnit XML, for the test view of a pipeline",
        when: When::Asked,
        render: Some(|bundle, out| junit::write(bundle.assessment, bundle.findings, out)),
    },
    Format {
        id: "parquet",
        file: "findings.parquet",
        doc: "findings with typed columns, for warehouses and notebooks",
        when: When::Asked,
        render: Some(|bundle, out| parquet::write(&bundle.assessment.tool.version, bundle.findings, out)),
    },
];

/// Formats asked for, in the order of [`FORMATS`], and how. The default is `html`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formats {
    ids: Vec<&'static str>,
    /// Which version of its schema the `ocsf` export says it follows.
    pub ocsf: OcsfVersion,
}

impl Default for Formats {
    fn default() -> Formats {
        Formats { ids: vec!["html"], ..Formats::none() }
    }
}

/// A version of the Open Cybersecurity Schema Framework. What we write is valid under both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OcsfVersion {
    /// What AWS Security Hub reads.
    #[default]
    V1_6_0,
    /// The stable version of March 2026.
    V1_8_0,
}

impl OcsfVersion {
    /// Both, the default first.
    pub const ALL: [OcsfVersion; 2] = [OcsfVersion::V1_6_0, OcsfVersion::V1_8_0];

    /// As `metadata.version` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            OcsfVersion::V1_6_0 => "1.6.0",
            OcsfVersion::V1_8_0 => "1.8.0",
        }
    }
}

/// A format that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no output format")]
pub struct UnknownFormat(String);

impl UnknownFormat {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.id).collect();
        format!("formats are {} and all", known.join(", "))
    }
}

impl Formats {
    /// Nothing beyond what is always written.
    #[must_use]
    pub fn none() -> Formats {
        Formats { ids: Vec::new(), ocsf: OcsfVersion::default() }
    }

    /// From ids as in `--format html,csv`, `all` being every one. Naming what is always written is no fault.
    ///
    /// # Errors
    /// On a name that is no id.
    pub fn parse<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Formats, UnknownFormat> {
        let mut asked: Vec<String> = Vec::new();
        for name in names {
            for id in name.as_ref().split(',').map(str::trim).filter(|id| !id.is_empty()) {
                if id != "all" && FORMATS.iter().all(|format| format.id != id) {
                    return Err(UnknownFormat(id.to_owned()));
                }
                asked.push(id.to_owned());
            }
        }
        let all = asked.iter().any(|id| id == "all");
        let named = FORMATS.iter().map(|format| format.id).filter(|id| all || asked.iter().any(|one| one == id));
        Ok(Formats { ids: named.collect(), ..Formats::none() })
    }

    /// The same formats, with OCSF in another version.
    #[must_use]
    pub fn with_ocsf(self, ocsf: OcsfVersion) -> Formats {
        Formats { ocsf, ..self }
    }

    /// Was this format asked for?
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(&id)
    }

    /// The ids asked for, in the order of [`FORMATS`].
    #[must_use]
    pub fn ids(&self) -> &[&'static str] {
        &self.ids
    }
}

/// Why one file could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// Its content could not be made.
    #[error("{0}")]
    Content(String),
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        if error.is_io() { Fault::Write(error.into()) } else { Fault::Content(error.to_string()) }
    }
}

/// Why there is no new report.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The folder or a file of it could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A format could not be rendered.
    #[error("{file} could not be rendered: {reason}")]
    Content {
        /// The file of the report.
        file: String,
        /// Why, one sentence.
        reason: String,
        /// Where the machine-readable results lie, whole and with their manifest; null when they are concerned.
        kept: Option<PathBuf>,
    },
}

impl RenderError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            RenderError::Folder(error) => error.hint(),
            RenderError::Content { kept: Some(kept), .. } => {
                format!("the machine-readable results are kept in {} until the next run", kept.display())
            }
            RenderError::Content { kept: None, .. } => "this is a fault of regrant: please report it".to_owned(),
        }
    }
}

/// Writes the report to `dest`. See [`Staging::prepare`] and [`write_into`].
///
/// # Errors
/// When `dest` may not be replaced, cannot be written, or a format cannot be rendered.
pub fn write(bundle: &Bundle<'_>, dest: &Path) -> Result<Published, RenderError> {
    write_into(bundle, Staging::prepare(dest, Kind::Audit)?)
}

/// Writes the report into a folder that was prepared earlier (so that a run is refused before it reads), then publishes
/// it. Machine-readable files are written first: when a page cannot be rendered they are kept aside, not lost, but
/// nothing is published.
///
/// # Errors
/// When the folder cannot be written, or a format cannot be rendered.
pub fn write_into(bundle: &Bundle<'_>, staging: Staging) -> Result<Published, RenderError> {
    Ok(lay_down(bundle, staging)?.0.publish()?)
}

/// Writes every file of the report, the manifest last, and publishes nothing yet. Returns the manifest's text: what a
/// signature is over.
///
/// # Errors
/// As [`write_into`].
pub fn lay_down(bundle: &Bundle<'_>, staging: Staging) -> Result<(Staging, String), RenderError> {
    let machine = machine(bundle);
    let asked = asked(bundle);
    let (files, more) = rayon::join(|| render_all(bundle, &staging, &machine), || render_all(bundle, &staging, &asked));
    let mut files = files?;
    for (path, text) in &bundle.mapping_files {
        let path = format!("mappings/{path}");
        files.push(write_file(&staging, &path, |out| Ok(out.write_all(text.as_bytes())?))?);
    }
    match more {
        Ok(more) => files.extend(more),
        Err(RenderError::Content { file, reason, .. }) => {
            write_manifest(bundle, &staging, files)?;
            return Err(RenderError::Content { file, reason, kept: Some(staging.keep()) });
        }
        Err(error) => return Err(error),
    }
    let text = write_manifest(bundle, &staging, files)?;
    Ok((staging, text))
}

fn machine(bundle: &Bundle<'_>) -> Vec<&'static Format> {
    let given = |format: &&Format| match format.when {
        When::Always => true,
        When::Given if format.id.starts_with("changes") => bundle.assessment.changes.is_some(),
        When::Given => bundle.subjects.is_some(),
        When::Asked => false,
    };
    FORMATS.iter().filter(given).collect()
}

fn asked(bundle: &Bundle<'_>) -> Vec<&'static Format> {
    FORMATS.iter().filter(|format| format.when == When::Asked && bundle.formats.contains(format.id)).collect()
}

/// Size and digest of every file that [`lay_down`] would write, manifest left out, without writing any of them.
///
/// # Errors
/// When a format cannot be rendered.
pub fn entries(bundle: &Bundle<'_>) -> Result<Vec<FileEntry>, RenderError> {
    let formats: Vec<&Format> = machine(bundle).into_iter().chain(asked(bundle)).collect();
    let rendered: Vec<Result<FileEntry, RenderError>> = formats
        .par_iter()
        .filter_map(|format| format.render.map(|render| (format.file, render)))
        .map(|(file, render)| {
            let mut out = Digesting::new(io::sink());
            render(bundle, &mut out).map_err(|fault| unmade(file, &fault))?;
            Ok(out.finish(file).0)
        })
        .collect();
    let mut files = rendered.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (path, text) in &bundle.mapping_files {
        let mut out = Digesting::new(io::sink());
        let path = format!("mappings/{path}");
        out.write_all(text.as_bytes()).map_err(|fault| unmade(&path, &fault.into()))?;
        files.push(out.finish(&path).0);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// One file of the report as [`lay_down`] would write it; null for one that no format writes.
///
/// # Errors
/// When the format cannot be rendered.
pub fn one(bundle: &Bundle<'_>, file: &str) -> Result<Option<Vec<u8>>, RenderError> {
    let Some(render) = FORMATS.iter().find(|format| format.file == file).and_then(|format| format.render) else {
        return Ok(None);
    };
    let mut out = Vec::new();
    render(bundle, &mut out).map_err(|fault| unmade(file, &fault))?;
    Ok(Some(out))
}

fn unmade(file: &str, fault: &Fault) -> RenderError {
    RenderError::Content { file: file.to_owned(), reason: fault.to_string(), kept: None }
}

/// Every format as a task of its own; of several errors the one of the first format in order is returned.
fn render_all(bundle: &Bundle<'_>, staging: &Staging, formats: &[&Format]) -> Result<Vec<FileEntry>, RenderError> {
    let done: Vec<Result<FileEntry, RenderError>> = formats
        .par_iter()
        .filter_map(|format| format.render.map(|render| write_file(staging, format.file, |out| render(bundle, out))))
        .collect();
    done.into_iter().collect()
}

fn write_file(
    staging: &Staging,
    path: &str,
    render: impl FnOnce(Output<'_>) -> Result<(), Fault>,
) -> Result<FileEntry, RenderError> {
    let full = staging.path().join(path);
    let refused = |source| RenderError::Folder(FolderError::io(&full, "write this file", source));
    let mut out = Digesting::new(BufWriter::with_capacity(1 << 18, staging.lay(path)?));
    match render(&mut out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => {
            let (entry, written) = out.finish(path);
            written.into_inner().map_err(|error| refused(error.into_error()))?.end();
            Ok(entry)
        }
        Err(Fault::Write(source)) => Err(refused(source)),
        Err(Fault::Content(reason)) => {
            // Results that are kept must not seem to hold it.
            let _removed = std::fs::remove_file(&full);
            Err(RenderError::Content { file: path.to_owned(), reason, kept: None })
        }
    }
}

fn write_manifest(bundle: &Bundle<'_>, staging: &Staging, files: Vec<FileEntry>) -> Result<String, RenderError> {
    let text = Manifest::of(bundle.assessment, files).text().map_err(|error| RenderError::Content {
        file: manifest::FILE.to_owned(),
        reason: error.to_string(),
        kept: None,
    })?;
    write_file(staging, manifest::FILE, |out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(text)
}

fn write_html(bundle: &Bundle<'_>, out: Output<'_>) -> Result<(), Fault> {
    let render = bundle.html.ok_or_else(|| Fault::Content("no renderer of pages was given".to_owned()))?;
    let page = render(bundle.assessment, bundle.findings).map_err(Fault::Content)?;
    Ok(out.write_all(page.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use sha2::{Digest, Sha256};

    use super::*;

    fn page(_: &Assessment, findings: &[Finding]) -> Result<String, String> {
        Ok(format!("<!doctype html><p>{}", findings.len()))
    }

    fn broken(_: &Assessment, _: &[Finding]) -> Result<String, String> {
        Err("templates/page.html: line 3".to_owned())
    }

    fn with_bundle<T>(html: HtmlRenderer<'_>, work: impl FnOnce(&Bundle<'_>) -> T) -> T {
        let assessment = assessment::tests::full();
        let findings: Vec<Finding> =
            findings::tests::HOSTILE.iter().zip(1..).map(|(text, at)| findings::tests::finding(text, at)).collect();
        let rejected = vec![Rejected {
            file: "a.csv".to_owned(),
            record: 3,
            reason: "bad-occurred_at".to_owned(),
            excerpt: "=cmd".to_owned(),
        }];
        let subjects = subjects::tests::subjects(2000);
        work(&Bundle {
            assessment: &assessment,
            findings: &findings,
            rejected: &rejected,
            subjects: Some(&subjects),
            run_toml: "title = \"x\"\n",
            mapping_files: vec![("checks/late-approval.md".to_owned(), "+++\n".to_owned())],
            formats: Formats::default(),
            html: Some(html),
        })
    }

    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        walkdir::WalkDir::new(folder)
            .into_iter()
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let relative = entry.path().strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                (relative, fs::read(entry.path()).expect("a file"))
            })
            .collect()
    }

    #[test]
    fn the_manifest_tells_size_and_digest_of_every_other_file() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        with_bundle(&page, |bundle| write(bundle, &dest)).expect("a report");
        let mut files = contents(&dest);
        let manifest: serde_json::Value =
            serde_json::from_slice(&files.remove("manifest.json").expect("a manifest")).expect("JSON");
        let told: Vec<(String, u64, String)> = manifest["files"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|file| {
                let text = |name: &str| file[name].as_str().expect("text").to_owned();
                (text("path"), file["bytes"].as_u64().expect("a number"), text("sha256"))
            })
            .collect();
        let found: Vec<(String, u64, String)> = files
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.len() as u64, hex::encode(Sha256::digest(bytes))))
            .collect();
        assert_eq!(told, found);
        let written = FORMATS.iter().filter(|format| format.when != When::Asked || format.id == "html");
        for file in written.map(|format| format.file).filter(|file| *file != manifest::FILE) {
            assert!(files.keys().any(|path| path.starts_with(file)), "{file}");
        }
        assert_eq!(manifest["run_digest"], serde_json::json!(assessment::tests::full().run.digest));
        assert_eq!(manifest["inputs"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn the_same_bundle_gives_the_same_bytes_again_over_the_old_report_and_on_one_thread() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        with_bundle(&page, |bundle| write(bundle, &dest)).expect("a report");
        let first = contents(&dest);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");
        with_bundle(&page, |bundle| alone.install(|| write(bundle, &dest))).expect("a report");
        assert_eq!(contents(&dest), first);
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_page_that_cannot_be_rendered_publishes_nothing_and_loses_no_results() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        with_bundle(&page, |bundle| write(bundle, &dest)).expect("a report");
        let before = contents(&dest);
        let error = with_bundle(&broken, |bundle| write(bundle, &dest)).expect_err("a broken template");
        assert_eq!(error.to_string(), "index.html could not be rendered: templates/page.html: line 3");
        assert_eq!(contents(&dest), before, "the old report stands");
        let RenderError::Content { kept: Some(kept), .. } = &error else { unreachable!("the results are kept") };
        assert!(error.hint().contains("regrant-staging"));
        assert_eq!(contents(kept)["findings.csv"], before["findings.csv"]);
        assert!(contents(kept).contains_key("manifest.json") && !contents(kept).contains_key("index.html"));
        with_bundle(&page, |bundle| write(bundle, &dest)).expect("a report");
        assert!(!kept.exists(), "until the next run");
    }

    #[test]
    fn what_was_not_asked_for_is_not_there() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        with_bundle(&broken, |bundle| {
            let assessment = Assessment { changes: None, ..bundle.assessment.clone() };
            let (formats, mapping_files) = (Formats::none(), Vec::new());
            let assessment = &assessment;
            write(&Bundle { assessment, subjects: None, formats, mapping_files, html: None, ..*bundle }, &dest)
        })
        .expect("a report");
        let files: Vec<String> = contents(&dest).into_keys().collect();
        assert_eq!(
            files,
            ["assessment.json", "findings.csv", "findings.jsonl", "manifest.json", "rejected.csv", "run.toml"]
        );
    }

    #[test]
    fn a_mapping_cannot_be_written_outside_the_report() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        let error = with_bundle(&page, |bundle| {
            let outside = vec![("../../x.md".to_owned(), String::new())];
            write(&Bundle { mapping_files: outside, formats: Formats::none(), ..*bundle }, &dest)
        });
        assert!(matches!(error, Err(RenderError::Folder(FolderError::Escapes { .. }))));
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn formats_are_parsed_by_id_and_the_registry_is_sound() {
        assert_eq!(Formats::parse(["html, csv", "html"]).expect("known").ids(), ["csv", "html"]);
        assert_eq!(Formats::parse(["all"]).expect("known").ids().len(), FORMATS.len());
        assert_eq!(Formats::parse(Vec::<String>::new()).expect("nothing"), Formats::none());
        let error = Formats::parse(["pdf"]).expect_err("unknown");
        assert!(error.to_string().contains("pdf") && error.hint().contains("html"));
        let mut ids: Vec<&str> = FORMATS.iter().map(|format| format.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), FORMATS.len());
        assert!(FORMATS.iter().all(|format| !format.doc.is_empty()));
        assert!(
            FORMATS.iter().skip_while(|format| format.when != When::Asked).all(|format| format.when == When::Asked)
        );
    }
}
