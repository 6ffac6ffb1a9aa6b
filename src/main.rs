//! Regrant's command line: parses, runs, prints, and says with its exit code how it went. Nothing else prints or exits.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use clap::{CommandFactory, FromArgMatches};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use regrant::cli::{Cli, Show, Verb};
use regrant::run::Progress;
use regrant::verbs::{self, Said, VerbError, layout};

/// The version, and the commit where it is known: `REGRANT_COMMIT` when this file was compiled, else what a source archive was
/// given along (see `build.rs`). Only this line has it: reports name the version, so that two builds of it write the same bytes.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let known =
        option_env!("REGRANT_COMMIT").or(option_env!("REGRANT_SOURCE_COMMIT")).filter(|commit| !commit.is_empty());
    format!("{} (commit {})", env!("CARGO_PKG_VERSION"), known.unwrap_or("unknown"))
});

fn main() -> ExitCode {
    let matches = Cli::command().version(VERSION.as_str()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    #[allow(clippy::disallowed_methods, reason = "the one look at the clock: what as_of falls back to")]
    let started = chrono::Utc::now().timestamp() * regrant::time::SECOND;
    // Results go out whole; a reader such as `head` that leaves early takes nothing from what was written to disk.
    match run(cli, started) {
        Ok(said) => {
            for note in said.notes {
                print(&mut io::stderr(), &format!("{note}\n"));
            }
            print(&mut io::stdout(), &said.text);
            ExitCode::from(said.code)
        }
        Err(message) => {
            print(&mut io::stderr(), &format!("error: {}\n", layout::shown_lines(&message)));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, started: i64) -> Result<Said, String> {
    let said = |result: Result<String, VerbError>| result.map(Said::plain);
    let result = match cli.verb {
        Verb::Audit(args) if args.explain_input.is_some() => {
            let path = args.explain_input.as_deref().unwrap_or(std::path::Path::new(""));
            said(verbs::sample::explain_input(path, &args.house))
        }
        Verb::Audit(args) => {
            threads(args.terms.threads)?;
            let (bar, progress) = progress(if args.terms.quiet { Show::Never } else { args.terms.progress });
            let result = verbs::audit::audit(&args, started, &progress);
            bar.finish_and_clear();
            result
        }
        Verb::Publish(args) => {
            threads(args.terms.threads)?;
            if let Some(limit) = args.time_limit {
                std::thread::spawn(move || give_up_after(limit));
            }
            let (bar, progress) = progress(if args.terms.quiet { Show::Never } else { args.terms.progress });
            let outside = verbs::publish::Outside { now: &now, hook: &hook };
            let result = verbs::publish::publish(&args, started, &outside, &progress);
            bar.finish_and_clear();
            result
        }
        Verb::Hunt(args) => {
            threads(args.threads)?;
            let (bar, progress) = progress(if args.quiet { Show::Never } else { args.progress });
            let result = verbs::hunt::hunt(&args, started, &progress);
            bar.finish_and_clear();
            result
        }
        Verb::Replay(args) => {
            threads(args.threads)?;
            verbs::replay::replay(&args, &progress(Show::Never).1)
        }
        Verb::Sample(args) => said(verbs::draw::draw_sample(&args)),
        Verb::Demo(args) => {
            threads(args.threads)?;
            verbs::demo::demo(&args, started, &progress(Show::Never).1)
        }
        Verb::Diff(args) => said(verbs::diff::diff(&args)),
        Verb::Verify(args) => verbs::verify::verify(&args),
        Verb::Render(args) => verbs::render::render(&args),
        Verb::Explain(args) => said(verbs::explain::explain(&args)),
        Verb::List(args) => said(verbs::list::list(&args)),
        Verb::Lint(args) => said(verbs::lint::lint(&args, started)),
        Verb::Plan(args) => {
            threads(args.threads)?;
            let (bar, progress) = progress(args.progress);
            let result = verbs::plan::plan(&args, started, &progress);
            bar.finish_and_clear();
            said(result)
        }
        Verb::Facts(args) => {
            threads(args.threads)?;
            let (bar, progress) = progress(if args.quiet { Show::Never } else { args.progress });
            let result = verbs::facts::facts(&args, started, &progress);
            bar.finish_and_clear();
            result
        }
        Verb::Sql(args) => said(verbs::sql::sql(&args, started)),
        Verb::Map(args) => said(verbs::map::map(&args)),
        Verb::Version => Ok(Said::plain(format!("regrant {}\n", VERSION.as_str()))),
        Verb::Completions(args) => {
            // Into memory first: the generators panic when nobody reads on.
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "regrant", &mut script);
            Ok(Said::plain(String::from_utf8_lossy(&script).into_owned()))
        }
        Verb::Man => {
            let made = manual();
            let page = made.map_err(|e| format!("the manual cannot be made: {e}\n  help: see `regrant --help`"))?;
            Ok(Said::plain(String::from_utf8_lossy(&page).into_owned()))
        }
    };
    result.map_err(|error| error.to_string())
}

fn threads(asked: Option<std::num::NonZeroUsize>) -> Result<(), String> {
    let Some(threads) = asked else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
    pool.map_err(|error| format!("{threads} threads cannot be started: {error}\n  help: ask for fewer"))
}

/// Microseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "how long a run took is told to monitoring, and to nothing else")]
fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Ends the process: whatever it was at, a site is as the last run left it.
#[allow(clippy::exit, reason = "the run itself may be waiting for a disk that does not answer")]
fn give_up_after(limit: std::time::Duration) {
    std::thread::sleep(limit);
    let message = format!(
        "error: not done after {} s (--time-limit)\n  help: the site is as the last run left it; what this one began is \
         removed by the next\n",
        limit.as_secs()
    );
    print(&mut io::stderr(), &message);
    std::process::exit(1);
}

/// Runs a command by the shell, with `input` as its standard input.
fn hook(command: &str, input: &[u8]) -> Result<(), String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut child = std::process::Command::new(shell)
        .args([flag, command])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .map_err(|error| format!("{shell} cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not care for the changes closes its input; its code tells whether it is content.
        let _nobody_reads = stdin.write_all(input);
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    if ended.success() { Ok(()) } else { Err(format!("it ended with {ended}")) }
}

/// One page for the program and one for each verb, in one text.
fn manual() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands() {
        let name = format!("regrant-{}", verb.get_name());
        clap_mangen::Man::new(verb.clone().display_name(name)).render(&mut page)?;
    }
    Ok(page)
}

/// A bar of the bytes that are read, or nothing.
fn progress(show: Show) -> (ProgressBar, Progress) {
    let terminal = io::stderr().is_terminal();
    if show == Show::Never || (show == Show::Auto && !terminal) {
        return (ProgressBar::hidden(), Arc::new(|_, _| ()));
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg:8} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    let drawn = bar.clone();
    let tell = move |done: u64, total: u64| {
        drawn.set_length(total);
        drawn.set_position(done);
        drawn.set_message(if done < total { "reading" } else { "judging" });
        // A log has no use for a bar, but somebody asked to see that it moves.
        if !terminal && done >= total {
            print(&mut io::stderr(), &format!("read {done} of {total} bytes\n"));
        }
    };
    (bar, Arc::new(tell))
}

/// A reader that went away is no fault of ours, and nobody is left to be told.
fn print(to: &mut dyn Write, text: &str) {
    let _nobody_reads = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
