//! What went wrong, as a person needs to hear it: what is safe, what failed, why, what to try.
//!
//! [`explain`] decides for every error of the library which exit code it gets and what to try next.

mod explain;

use crate::app::error::AppError;
use crate::cli::known_names::Unknown;
use crate::cli::output::{ACCENT, DIM, Styles};
use crate::cli::verb::Stopped;
use serde::Serialize;
use std::error::Error;
use std::io;

/// How a command ended. The numbers are a promise to scripts; `docs/commands.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done.
    Done,
    /// It was done, except for files that had problems or wait for a decision; each was named.
    Problems,
    /// The two sides differ, and the user asked to be told by the exit code.
    Different,
    /// The command line makes no sense.
    Usage,
    /// Something that was named is not there.
    NotFound,
    /// Going on would lose something, or a decision has to come first.
    Refused,
    /// The repository is damaged.
    Damaged,
    /// The disk or the system failed.
    Disk,
    /// The repository cannot be used by this program, this user, or right now.
    Unavailable,
    /// The user stopped it.
    Interrupted,
}

impl ExitStatus {
    /// All of them, by code.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Problems,
        Self::Different,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::Damaged,
        Self::Disk,
        Self::Unavailable,
        Self::Interrupted,
    ];

    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Problems | Self::Different => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Damaged => 5,
            Self::Disk => 6,
            Self::Unavailable => 7,
            Self::Interrupted => 130,
        }
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Problems => "problems",
            Self::Different => "different",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Disk => "disk",
            Self::Unavailable => "unavailable",
            Self::Interrupted => "interrupted",
        }
    }

    /// What it means, for the reference.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "All went well. Also when whoever read the output closed it early.",
            Self::Problems => {
                "It was done, except for some files: they could not be read, or wait for your decision. Each was named."
            }
            Self::Different => "There are differences, and you asked with `--exit-code` to be told so.",
            Self::Usage => "The command line or a setting makes no sense.",
            Self::NotFound => "Something you named is not there: a repository, a path, a revision, a draft.",
            Self::Refused => "Going on could lose something, or you have to decide something first.",
            Self::Damaged => "The repository is damaged; `pent fsck` tells more.",
            Self::Disk => "The disk is full, or the system could not read or write.",
            Self::Unavailable => {
                "The repository cannot be used now: another program holds it, or it needs a newer Pentimento."
            }
            Self::Interrupted => "You stopped it. What was reported as saved is saved.",
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    status: ExitStatus,
    message: String,
    reasons: Vec<String>,
    hints: Vec<String>,
    closed_pipe: bool,
    unknown: Option<Unknown>,
}

/// The shape of a failure under `--json`, on standard error.
#[derive(Serialize)]
struct FailureReport<'a> {
    schema: &'static str,
    kind: &'static str,
    exit_code: u8,
    message: &'a str,
    reasons: &'a [String],
    hints: &'a [String],
}

impl Failure {
    fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message, reasons: Vec::new(), hints: Vec::new(), closed_pipe: false, unknown: None }
    }

    /// The command line or a setting makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    /// Something that was named is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::NotFound, message)
    }

    /// Going on would lose something, or a decision has to come first.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Refused, message)
    }

    /// A file or a stream could not be read or written; a closed pipe is told apart.
    pub fn io(message: impl Into<String>, error: &io::Error) -> Self {
        let mut failure = Self::new(ExitStatus::Disk, message);
        failure.reasons.push(error.to_string());
        failure.closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }

    /// Adds something to try.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds something to try before all else.
    pub(super) fn hint_first(mut self, hint: String) -> Self {
        self.hints.insert(0, hint);
        self
    }

    /// The name that is not there, when that is what went wrong.
    pub(super) fn unknown(&self) -> Option<&Unknown> {
        self.unknown.as_ref()
    }

    /// Says what holds after the user stopped a command; other failures stay as they are.
    pub fn when_stopped(mut self, stopped: Stopped) -> Self {
        if self.status == ExitStatus::Interrupted {
            stopped.safe.clone_into(&mut self.message);
            self.reasons.clear();
            if self.hints.is_empty() {
                self.hints.extend(stopped.next.map(str::to_owned));
            }
        }
        self
    }

    /// What the process ends with. Whoever closed the output early had what it wanted.
    pub fn status(&self) -> ExitStatus {
        if self.closed_pipe { ExitStatus::Done } else { self.status }
    }

    /// Whether whoever read the output closed it.
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    /// What a person reads. `changes` says whether the verb can change anything; `None` when none
    /// was begun.
    pub fn to_text(&self, changes: Option<bool>, styles: Styles) -> String {
        let lead = match (changes, self.status) {
            (_, ExitStatus::Interrupted) => "Stopped",
            (Some(true), ExitStatus::Damaged | ExitStatus::Disk) => "What was saved before is safe",
            (Some(true), _) => "Nothing was changed",
            _ => "Sorry",
        };
        let mut text = format!("{}: {}", styles.paint(ACCENT, lead), self.message);
        for reason in self.reasons.iter().filter(|reason| !self.message.contains(reason.as_str())) {
            text.push_str(&format!("\n  {} {reason}", styles.paint(DIM, "because:")));
        }
        for hint in &self.hints {
            text.push_str(&format!("\n  {} {hint}", styles.paint(DIM, "try:")));
        }
        text
    }

    /// What a program reads.
    pub fn to_json(&self) -> String {
        let report = FailureReport {
            schema: "pent.failure/1",
            kind: self.status.name(),
            exit_code: self.status.code(),
            message: &self.message,
            reasons: &self.reasons,
            hints: &self.hints,
        };
        serde_json::to_string(&report).unwrap_or_else(|error| error.to_string())
    }
}

/// An error of the library, with its exit code, its causes and what to try.
impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let advice = explain::app(&error);
        Self {
            status: advice.status,
            message: shown(&error.to_string()),
            reasons: reasons(&error),
            hints: advice.hints,
            closed_pipe: is_closed_pipe(&error),
            unknown: explain::unknown(&error),
        }
    }
}

impl From<crate::repo::RepoError> for Failure {
    fn from(error: crate::repo::RepoError) -> Self {
        AppError::from(error).into()
    }
}

impl From<crate::repo::config::ConfigError> for Failure {
    fn from(error: crate::repo::config::ConfigError) -> Self {
        AppError::from(error).into()
    }
}

/// Writing results failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::io("the result could not be written out", &error)
    }
}

/// Whether an error comes from a reader that closed its end.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let cause = error.downcast_ref::<io::Error>();
        if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Why: of a move that the policy does not permit each thing that is missing, so that programs need not take the
/// message apart; of other errors what caused them.
fn reasons(error: &AppError) -> Vec<String> {
    match error {
        AppError::Refused(refusal) => {
            refusal.missing.iter().map(|missing| shown(&missing.to_string())).collect()
        }
        other => causes(other),
    }
}

/// What caused an error, outermost first, without what the error says itself.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = shown(&error.to_string());
    let mut reasons = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = shown(&cause.to_string());
        if !said.contains(&text) {
            reasons.push(text.clone());
        }
        said = text;
        next = cause.source();
    }
    reasons
}

/// Messages may carry names from anywhere.
fn shown(text: &str) -> String {
    crate::base::escape::terminal_lines(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_names_are_unique() {
        assert!(ExitStatus::ALL.is_sorted_by_key(|status| status.code()));
        let mut names: Vec<_> = ExitStatus::ALL.iter().map(|status| status.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ExitStatus::ALL.len());
    }

    #[test]
    fn a_failure_says_first_what_is_safe_then_why_then_what_to_try() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let failure =
            Failure::from(AppError::Io { action: "writing", path: "a.psd".into(), source }).hint("do this");
        let text = failure.to_text(Some(true), Styles::new(false));
        assert!(text.starts_with("What was saved before is safe: writing"), "{text}");
        assert!(text.contains("\n  because: permission denied"), "{text}");
        assert!(text.ends_with("\n  try: do this"), "{text}");
        assert_eq!(failure.status(), ExitStatus::Disk);
    }

    #[test]
    fn who_stops_a_command_hears_what_holds_and_what_comes_next() {
        let stopped = Stopped::of("no commit was made", "run it again");
        let failure = Failure::from(AppError::Cancelled).when_stopped(stopped);
        let text = failure.to_text(Some(true), Styles::new(false));
        assert_eq!(text, "Stopped: no commit was made\n  try: run it again");
        let other = Failure::refused("no").when_stopped(stopped);
        assert_eq!(other.to_text(Some(false), Styles::new(false)), "Sorry: no");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        let deep = AppError::from(crate::repo::content::ContentError::Write { source: pipe() });
        for failure in [Failure::from(pipe()), Failure::from(deep)] {
            assert!(failure.is_closed_pipe());
            assert_eq!(failure.status(), ExitStatus::Done);
        }
    }

    #[test]
    fn messages_cannot_drive_the_terminal() {
        let error = AppError::NameUnknown { kind: "draft", name: "a\x1b[2Jb".into() };
        let text = Failure::from(error).to_text(Some(false), Styles::new(false));
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
