//! The command line: arguments become options, one use case runs, its report is printed.
//!
//! [`environment`] is the one place that reads what surrounds the process. [`verb`] says what a
//! command is and [`commands`] lists them all. Results go to standard output through [`output`];
//! progress, warnings and hints go to standard error.

pub mod arguments;
pub mod commands;
mod completion;
pub mod context;
pub mod editor;
pub mod environment;
pub mod failure;
mod interrupt;
mod known_names;
pub mod output;
pub mod paths;
pub mod progress;
pub mod reference;
pub mod reviewing;
mod secret;
pub mod typed_words;
pub mod verb;

use crate::cli::arguments::GlobalArguments;
use crate::cli::context::Context;
use crate::cli::environment::Environment;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Styles;
use clap::FromArgMatches as _;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

/// Runs the program for the arguments and the environment of this process.
pub fn main() -> ExitCode {
    if let Some(code) = serve_as_decoder() {
        return code;
    }
    // What a damaged database makes the one who reads it do is told as an error, with advice.
    crate::store::quiet_guarded_panics();
    if let Some(code) = answer_shell() {
        return code;
    }
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(failure) => return report_failure(&failure, None, false, false),
    };
    let matches = match arguments::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refuse_arguments(&error),
    };
    let globals = match GlobalArguments::from_arg_matches(&matches) {
        Ok(globals) => globals,
        Err(error) => return refuse_arguments(&error),
    };
    let Some((name, verb_matches)) = matches.subcommand() else {
        return refuse_arguments(&arguments::command().error(
            clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            "say what to do; `pent --help` lists it all",
        ));
    };
    let Some(entry) = commands::VERBS.iter().find(|entry| entry.name == name) else {
        return ExitCode::from(ExitStatus::Usage.code());
    };
    let json = globals.json;
    let styles = Styles::for_errors(&environment, globals.color);
    let status = Context::new(environment, globals).and_then(|mut context| {
        let status = (entry.run)(verb_matches, &mut context);
        context.finish();
        status.map_err(|failure| context.remind(failure))
    });
    match status {
        Ok(status) => ExitCode::from(status.code()),
        Err(failure) => {
            let failure = failure.when_stopped(entry.when_stopped);
            report_failure(&failure, Some(entry.changes), json, styles.enabled())
        }
    }
}

/// Becomes a decoder when this program called itself to be one. Comes before anything else, so that
/// a decoder knows nothing of the person, the folder and the environment.
fn serve_as_decoder() -> Option<ExitCode> {
    // Words of a request are plain; other arguments may be no text at all.
    let arguments = std::env::args_os().skip(1).map(|word| word.into_string().unwrap_or_default());
    let arguments: Vec<String> = arguments.collect();
    if !crate::media::worker::is_request(&arguments) {
        return None;
    }
    let served = std::io::stdin().as_fd().try_clone_to_owned().and_then(|file| {
        let mut file = std::fs::File::from(file);
        crate::media::worker::serve(&arguments, &mut file, &mut std::io::stdout().lock())
    });
    Some(ExitCode::from(if matches!(served, Ok(true)) { 0 } else { ExitStatus::Damaged.code() }))
}

/// Tells a shell how a line may go on, when it is the shell that asks.
fn answer_shell() -> Option<ExitCode> {
    let shell = environment::asking_shell()?;
    let folder = std::env::current_dir().unwrap_or_default();
    let answer = completion::answer(&shell, std::env::args_os().collect(), &folder);
    // Whoever pressed Tab wants no words on what went wrong.
    let _ = std::io::stdout().write_all(&answer.unwrap_or_default());
    Some(ExitCode::from(ExitStatus::Done.code()))
}

/// Shows help, the version, or what is wrong with the arguments.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    // Help goes to standard output; when nobody reads on, there is nothing more to do.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { ExitStatus::Usage.code() } else { ExitStatus::Done.code() })
}

fn report_failure(failure: &Failure, changes: Option<bool>, json: bool, color: bool) -> ExitCode {
    if !failure.is_closed_pipe() {
        let text = if json { failure.to_json() } else { failure.to_text(changes, Styles::new(color)) };
        // Without a standard error the exit code still says it.
        let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    }
    ExitCode::from(failure.status().code())
}
