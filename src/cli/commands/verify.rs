//! `pent verify`.

use crate::app::common::locate::Word;
use crate::app::verify::{self, CommitCheck, Options, Outcome, Report, Subject};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::words::{moment, person, subject};
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, place, safe};
use crate::cli::typed_words::read_words;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// See who vouches for a state, and whether that counts
///
/// Names a commit, a range of them (`main..draft/poster` for what the draft has that main has not), or an
/// asset: then it looks at the commit that made it what it is. A signature counts when it holds and its key
/// is known as the signer's, neither expired nor revoked. `--export` writes everything that somebody
/// without Pentimento needs to check it with `b3sum` and `ssh-keygen`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A revision, a range of revisions, or an asset; the newest commit when left out
    #[arg(value_name = "REVISION|RANGE|PATH")]
    what: Option<PathBuf>,
    /// The whole history
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Write statements, signatures and commits into this new folder
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "verify";
    const GROUP: Group = Group::Trust;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent verify", what: "who vouches for the newest commit" },
        Example { line: "pent verify main..draft/poster", what: "for everything that is new in a draft" },
        Example { line: "pent verify brand/logo.svg", what: "for an asset as it is" },
        Example { line: "pent verify v1 --export proof", what: "what a stranger needs to check it" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        // What is found out is kept where that can be written.
        let repository = context.repository().or_else(|_| context.repository_to_read())?;
        let subject = match &self.what {
            None if self.all => Subject::All,
            None => Subject::Commit(None),
            Some(word) => match range_of(word) {
                Some(range) => range,
                None => subject_of(read_words(context, &repository, std::slice::from_ref(word))?)?,
            },
        };
        let export = self.export.map(|folder| context.folder().join(folder));
        let options = Options { subject, keyring: context.known_keys(&repository)?, export };
        let report = verify::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("verify", &report, show)?;
        Ok(if report.totals.missing + report.totals.wrong == 0 {
            ExitStatus::Done
        } else {
            ExitStatus::Problems
        })
    }
}

/// `a..b`: what `b` has and `a` has not. Names of files and revisions may hold two dots only as `..` alone.
fn range_of(word: &std::path::Path) -> Option<Subject> {
    let (except, until) = word.to_str()?.split_once("..")?;
    if except.is_empty() || except.ends_with('/') || until.starts_with(['/', '.']) {
        return None;
    }
    let until = Some(until.to_owned()).filter(|text| !text.is_empty());
    Some(Subject::Range { except: except.to_owned(), until })
}

fn subject_of(words: Vec<Word>) -> Result<Subject, Failure> {
    match words.into_iter().next() {
        None => Ok(Subject::Commit(None)),
        Some(Word::Revision(text)) => Ok(Subject::Commit(Some(text))),
        Some(Word::Version { path, version }) => Ok(Subject::Version(path, version)),
        Some(Word::Path(path)) if path.is_root() => Ok(Subject::Commit(None)),
        Some(Word::Path(path)) => Ok(Subject::Asset(path)),
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for check in &report.commits {
        show_check(page, check)?;
    }
    if let [check] = report.commits.as_slice() {
        let verdict = match check.outcome {
            Outcome::Good => "It counts.",
            Outcome::Missing if check.is_landed() => {
                "The branch has it as the policy asks; what is missing was not asked for."
            }
            Outcome::Missing => "It does not count yet.",
            Outcome::Wrong => "Do not trust it.",
        };
        page.line(verdict)?;
    } else {
        let totals = &report.totals;
        let all = count(report.commits.len() as u64, "commit", "commits");
        page.line(format_args!(
            "{all}: {} in order, {} with something missing, {} with something wrong.",
            totals.good, totals.missing, totals.wrong
        ))?;
    }
    if let Some(folder) = &report.exported {
        page.line(format_args!(
            "What is needed to check it is in {}; begin with CHECK.txt there.",
            place(folder)
        ))?;
    }
    Ok(())
}

fn show_check(page: &mut Page<'_>, check: &CommitCheck) -> io::Result<()> {
    let commit = &check.commit;
    let style = if check.outcome == Outcome::Wrong { ACCENT } else { BOLD };
    let title = page.styles.paint(style, subject(&commit.message));
    let id = page.styles.paint(DIM, commit.id.short());
    let when = page.dates.show(moment(&commit.time));
    page.line(format_args!("{title}  {id}"))?;
    page.line(format_args!("    made by {}, {when}", person(&commit.author)))?;
    for part in &check.parts {
        let lead = match part.outcome {
            Outcome::Good => "",
            Outcome::Missing => "missing: ",
            Outcome::Wrong => "WRONG: ",
        };
        page.line(format_args!("    {lead}{}", safe(&part.sentence)))?;
    }
    Ok(())
}
