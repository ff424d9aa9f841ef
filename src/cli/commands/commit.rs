//! `pent commit`.

use crate::app::auto_lock::before_commit;
use crate::app::commit::{self, Options, Report};
use crate::app::common::author;
use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::app::lock::{LEASE_MS, Locking};
use crate::app::near_copies::{self, Budget};
use crate::app::status;
use crate::base::id::PersonId;
use crate::base::path::AssetPath;
use crate::base::size::{human_bytes, human_share};
use crate::catalog::likeness::Fingerprint;
use crate::cli::background::fetch_when_due;
use crate::cli::commands::schema::write_breaches;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::{counts_text, write_changes, write_problems};
use crate::cli::output::damage::write_lost_packs;
use crate::cli::output::words::subject;
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::repo::Repository;
use crate::repo::date::parse_date;
use crate::repo::people::Identity;
use crate::rules::portable::TwinKind;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Keep everything as it is now, for good
///
/// There is nothing to prepare: it keeps every new, changed, moved and removed file, or only the paths that you
/// name. It says how much of it was new; what the repository has already is never stored twice.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only these files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What you did, in your words; the first line is shown in lists
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Who did it, when it was not you: "Anna Lind <anna@example.org>"
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// When it was done, when that is not now: 2026-03-01, yesterday
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// Sign it with your key; `pent config commit.sign true` does so always
    #[arg(short = 'S', long, overrides_with = "no_sign")]
    sign: bool,
    /// Do not sign it, whatever the setting says
    #[arg(long)]
    no_sign: bool,
    /// Do not lock what you changed, although `lock.auto` says so
    #[arg(long)]
    no_lock: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "commit";
    const GROUP: Group = Group::Work;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent commit -m \"Softer shadow on the harbour\"", what: "keep everything" },
        Example { line: "pent commit -m \"New logo\" brand", what: "keep only what changed in one folder" },
    ];
    const WHEN_STOPPED: Stopped = Stopped::of(
        "no commit was made, and your files are as they were",
        "the same command again, when it suits you",
    );
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        fetch_when_due(context, &repository);
        let paths = context.asset_paths(&repository, &self.paths)?;
        commit::refuse_unknown(&repository, &paths)?;
        let looks = match context.settings()?.text("commit.likeness")?.as_deref() {
            Some("true") => tell_near_copies(context, &repository, &paths, Asked::Yes)?,
            Some("terminal") if context.can_ask() => {
                tell_near_copies(context, &repository, &paths, Asked::No)?
            }
            _ => Vec::new(),
        };
        let identity = context.identity_or_ask()?;
        let author = self.author.as_deref().map(|text| named_author(&repository, text)).transpose()?;
        let now = context.clock().now();
        let date = self.date.as_deref().map(|text| parse_date(text, now)).transpose()?;
        let message = match self.message {
            Some(message) => Some(message),
            None => message_by_hand(context, &repository, &paths)?,
        };
        let signs = self.sign || (!self.no_sign && context.settings()?.truth("commit.sign")?);
        let signing = match &identity {
            Some(identity) if signs => Some(Arc::new(context.signing(identity)?)),
            _ => None,
        };
        if let (Some(identity), false) = (&identity, self.no_lock) {
            lock_first(context, &repository, &paths, identity)?;
        }
        let branch = repository.view()?.branch()?.clone();
        let authority = context.authority(&repository, &branch, identity.as_ref())?;
        let writer = authority.as_ref().map(SigningAs::writer);
        let options = Options { message, paths, identity, author, date, signing };
        let report = commit::run_as(&repository, &options, writer, context.clock(), context.monitor())?;
        // Without it, later copies are told after the next search only.
        let _ = near_copies::remember(&repository, &looks);
        context.print("commit", &report, show)?;
        Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }
}

/// Under `lock.auto`, locks what the commit changes and should be locked. Without a way to the remote the
/// work is kept here all the same.
fn lock_first(
    context: &mut Context,
    repository: &Repository,
    paths: &[AssetPath],
    identity: &Identity,
) -> Result<(), Failure> {
    if !context.settings()?.truth("lock.auto")? {
        return Ok(());
    }
    let locked = {
        let (reach, signing) = (context.reach(), context.signing_when_needed(Some(identity)));
        let (clock, monitor) = (context.clock(), context.monitor());
        let locking = Locking { repository, signing: &signing, reach: &reach, clock, monitor };
        before_commit(&locking, paths, identity.id, LEASE_MS)
    };
    match locked {
        Ok(Some(report)) => {
            let count = count(report.locks.len() as u64, "file", "files");
            context.announce(&format!("Locked {count}."));
        }
        Ok(None) => {}
        Err(AppError::Sync(error)) => {
            context.warn(&format!("nothing was locked, and others may change it too: {error}"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Whether somebody asked to be told of near copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

/// Under `commit.likeness`, says before anything is stored which new pictures look like others, and where that
/// was asked for and somebody can answer, asks. What keeps it from looking keeps nobody from committing. Gives what
/// the pictures look like.
fn tell_near_copies(
    context: &mut Context,
    repository: &Repository,
    paths: &[AssetPath],
    asked: Asked,
) -> Result<Vec<(AssetPath, Fingerprint)>, Failure> {
    let budget = if asked == Asked::Yes { Budget::ASKED } else { Budget::UNASKED };
    let workers = context.workers()?;
    let found = match near_copies::before_commit(repository, paths, budget, &workers, context.monitor()) {
        Ok(found) => found,
        Err(AppError::Cancelled) => return Err(AppError::Cancelled.into()),
        Err(_) if asked == Asked::No => return Ok(Vec::new()),
        Err(error) => {
            context.warn(&format!("nobody looked whether new pictures look like others: {error}"));
            return Ok(Vec::new());
        }
    };
    for copy in found.copies.iter().take(SHOWN_MAX) {
        let others: Vec<String> = copy.like.iter().take(3).map(ToString::to_string).collect();
        context.warn(&format!("{} looks like {}, which is here already", copy.path, others.join(", ")));
    }
    if found.copies.len() > SHOWN_MAX {
        context.warn(&format!("{} more look like others", found.copies.len() - SHOWN_MAX));
    }
    if found.left > 0 && asked == Asked::Yes {
        let left = count(found.left, "new picture was", "new pictures were");
        context.warn(&format!(
            "{left} not looked at for lack of time; `pent duplicates --near` finds copies later"
        ));
    }
    if !found.copies.is_empty() && asked == Asked::Yes && context.can_ask() {
        context.confirm("Keep them all the same?")?;
    }
    Ok(found.prints)
}

fn named_author(repository: &Repository, text: &str) -> Result<Identity, Failure> {
    let mut id = [0u8; PersonId::SIZE];
    getrandom::fill(&mut id).map_err(|error| {
        Failure::io("the system gave no random bytes for a new id", &io::Error::other(error.to_string()))
    })?;
    Ok(author::find(repository, text, PersonId::from_bytes(id))?)
}

/// Asks for a message where somebody can answer; a merge has one of its own, and nothing needs none.
fn message_by_hand(
    context: &mut Context,
    repository: &Repository,
    paths: &[AssetPath],
) -> Result<Option<String>, Failure> {
    let look = status::Options { paths: paths.to_vec(), ..status::Options::default() };
    let report = status::run(repository, &look, context.monitor())?;
    if report.merge.is_some() || report.counts.total() == 0 {
        return Ok(None);
    }
    let question = format!("{}. What did you do?", counts_text(&report.counts));
    match context.ask(&question)? {
        Some(answer) if !answer.is_empty() => Ok(Some(answer)),
        _ => Err(Failure::usage("a commit needs a few words on what you did")
            .hint("pent commit -m \"What you did\"")),
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if let Some(commit) = &report.commit {
        let title = page.styles.paint(BOLD, subject(&commit.message));
        let id = page.styles.paint(DIM, commit.id.short());
        page.line(format_args!("Committed to {}: {title}  {id}", safe(&report.branch)))?;
        if page.verbose > 0 {
            write_changes(page, &report.changes)?;
        }
        if report.counts.total() > 0 {
            page.line(format_args!("{}{}", counts_text(&report.counts), bytes_text(report)))?;
        }
        if let Some(key) = &report.signed {
            page.line(format_args!("Signed with the key {key}."))?;
        }
    } else if report.problems.is_empty() {
        page.line("Nothing changed since the last commit.")?;
    } else {
        page.line("Nothing was committed.")?;
    }
    for twins in report.twins.iter().take(SHOWN_MAX) {
        let paths: Vec<String> = twins.paths.iter().map(ToString::to_string).collect();
        let system = unlike(twins.kind);
        page.line(format_args!("On systems that {system}, these are one file: {}", paths.join(", ")))?;
    }
    if report.twins.len() > SHOWN_MAX {
        page.line(format_args!("... and {} more such groups.", report.twins.len() - SHOWN_MAX))?;
    }
    for lock in report.locked.iter().take(SHOWN_MAX) {
        let holder = safe(&lock.holder);
        page.line(format_args!("{} is locked by {holder}: a push of it is refused meanwhile.", lock.path))?;
    }
    write_breaches(page, &report.breaches, BREACHES_SHOWN)?;
    write_lost_packs(page, report.lost_packs)?;
    if let Some(fault) = &report.schema_fault {
        page.line(format_args!("The schema was not asked: {}", safe(fault)))?;
    }
    write_problems(page, &report.problems)
}

/// Lines on what does not fit the schema.
const BREACHES_SHOWN: usize = 5;

/// Groups of names, and locks, that are shown.
const SHOWN_MAX: usize = 5;

/// What a system does on which names of a kind are one.
fn unlike(kind: TwinKind) -> &'static str {
    match kind {
        TwinKind::Case => "do not tell upper from lower case",
        TwinKind::Normalisation => "compose accented letters in one way only",
        TwinKind::Trimmed => "drop dots, blanks or invisible characters from names",
    }
}

/// How much of it was new: `: 1.80 GB, 6.20 MB new, 99.7% shared with what was here`.
fn bytes_text(report: &Report) -> String {
    let (bytes, new) = (report.bytes, report.bytes_new);
    if bytes == 0 {
        return ".".to_owned();
    }
    let shared = bytes.saturating_sub(new);
    let share = if shared == 0 {
        String::new()
    } else {
        format!(", {} shared with what was here", human_share(shared, bytes))
    };
    format!(": {}, {} new{share}.", human_bytes(bytes), human_bytes(new))
}
