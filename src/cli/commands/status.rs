//! `pent status`.

use crate::app::auto_lock::unlocked;
use crate::app::common::not_here::NotHere;
use crate::app::common::upstream::UpstreamLine;
use crate::app::status::{self, Options, Report, SpecialLine};
use crate::base::id::PersonId;
use crate::base::path::AssetPath;
use crate::base::size::{human_bytes, human_count};
use crate::cli::background::{fetch_when_due, lock_when_due};
use crate::cli::commands::lock::write_locks;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::{counts_text, write_changes, write_problems, write_undecided};
use crate::cli::output::files::write_paths;
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::Repository;
use crate::worktree::stat::SpecialKind;
use std::io;
use std::path::PathBuf;

/// See what changed since the last commit
///
/// Shows what is new, changed, moved and removed, what could not be read, and how many bytes a commit would
/// add: exactly while no more than 64 MB changed, else at most so many. Long lists are cut short; -v shows all.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only these files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Read all that changed, however large, to say exactly how much of it is new
    #[arg(long)]
    measure: bool,
    /// In a clone that leaves content on a remote: name every file whose content is not here
    #[arg(long)]
    not_here: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "status";
    const GROUP: Group = Group::Work;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent status", what: "what changed" },
        Example {
            line: "pent status brand --measure",
            what: "in one folder, and how many bytes would be new",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let person = context.person()?;
        let options = Options {
            paths: context.asset_paths(&repository, &self.paths)?,
            measure: self.measure,
            list_not_here: self.not_here,
            asking: Some((person, context.clock().now())),
        };
        fetch_when_due(context, &repository);
        let report = status::run(&repository, &options, context.monitor())?;
        context.print("status", &report, show)?;
        lock_what_is_begun(context, &repository, &report, person)?;
        if report.merge.as_ref().is_some_and(|merge| !merge.undecided.is_empty()) {
            context.hint("decide with pent resolve --ours, --theirs or --both, and the path");
        } else if report.merge.is_some() {
            context.hint("pent commit finishes the merge");
        } else if report.upstream.as_ref().is_some_and(|upstream| !upstream.newer.is_empty()) {
            context.hint("pent commit, then pent pull, before you go on: others changed the same files");
        } else if report.counts.total() > 0 && report.unfinished.is_none() {
            context.hint("keep it: pent commit -m \"What you did\"");
        } else if report.upstream.as_ref().is_some_and(|upstream| !upstream.available.is_empty()) {
            context.hint("bring them here: pent pull");
        }
        Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }
}

/// Under `lock.auto`, has what is changed here and should be locked be locked beside this command, and says so.
fn lock_what_is_begun(
    context: &mut Context,
    repository: &Repository,
    report: &Report,
    person: Option<PersonId>,
) -> Result<(), Failure> {
    if report.changes.is_empty() || !context.settings()?.truth("lock.auto")? {
        return Ok(());
    }
    let unlocked = unlocked(repository, &report.changes, person)?;
    if !unlocked.is_empty() {
        lock_when_due(repository);
        let files = count(unlocked.len() as u64, "changed file is", "changed files are");
        context.hint(&format!(
            "{files} not locked by you yet; that is tried in the background now: `pent locks` says what came of it"
        ));
    }
    Ok(())
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let branch = page.styles.paint(BOLD, safe(&report.branch));
    let before = if report.commit.is_none() { ", no commits yet" } else { "" };
    page.line(format_args!("On {branch}{before}."))?;
    if let Some(sparse) = &report.sparse {
        let shown = count(sparse.len() as u64, "path", "paths");
        page.remark(format_args!("Only a part of everything is here: {shown}."))?;
    }
    if let Some(not_here) = &report.not_here {
        write_not_here(page, not_here)?;
    }
    if report.withheld > 0 {
        let withheld = count(report.withheld, "file is", "files are");
        page.remark(format_args!("{withheld} withheld from you and not here."))?;
    }
    if let Some(verb) = &report.unfinished {
        let line = format_args!("A {} was cut off: what is below is half of it.", safe(verb));
        page.line(line)?;
        page.remark("The next command that changes files goes on where it stopped.")?;
    }
    if let Some(merge) = &report.merge {
        page.line(format_args!("{} is being merged in.", safe(&merge.name)))?;
        write_undecided(page, &merge.undecided)?;
    }
    if let Some(upstream) = &report.upstream {
        write_upstream(page, upstream)?;
    }
    if !report.locks.is_empty() {
        let heading = page.styles.paint(ACCENT, "Locked by others");
        page.line(format_args!("{heading} {}", page.styles.paint(DIM, report.locks.len())))?;
        write_locks(page, &report.locks)?;
    }
    write_changes(page, &report.changes)?;
    write_problems(page, &report.problems)?;
    for nested in &report.nested {
        page.remark(format_args!("{nested} is a repository of its own and is left alone."))?;
    }
    write_special(page, &report.special)?;
    page.line(summary(report))
}

/// Says once that pipes and the like are no work: `pipe and sock are no files and are left alone.`
fn write_special(page: &mut Page<'_>, special: &[SpecialLine]) -> io::Result<()> {
    match special {
        [] => Ok(()),
        [one] => page.remark(format_args!("{} is {} and is left alone.", one.path, kind_text(one.kind))),
        [one, other] => {
            page.remark(format_args!("{} and {} hold no work and are left alone.", one.path, other.path))
        }
        [one, rest @ ..] => page.remark(format_args!(
            "{} and {} more pipes, sockets and devices hold no work and are left alone.",
            one.path,
            human_count(rest.len() as u64)
        )),
    }
}

const fn kind_text(kind: SpecialKind) -> &'static str {
    match kind {
        SpecialKind::Fifo => "a pipe",
        SpecialKind::Socket => "a socket",
        SpecialKind::Device => "a device",
        SpecialKind::Unknown => "no file",
    }
}

/// Writes what of the newest commit is not here.
fn write_not_here(page: &mut Page<'_>, not_here: &NotHere) -> io::Result<()> {
    let more = if not_here.whole { "" } else { "more than " };
    let files = count(not_here.files, "file", "files");
    let bytes = human_bytes(not_here.bytes);
    if not_here.files == 0 && not_here.whole {
        return page
            .remark("Everything of this branch is here; what older versions need comes from the remote.");
    }
    page.remark(format_args!(
        "The content of {more}{files} ({bytes}) is not here: it comes from the remote when you ask for it."
    ))?;
    write_paths(page, &not_here.paths)
}

/// Writes how the branch stands to that of the remote.
fn write_upstream(page: &mut Page<'_>, upstream: &UpstreamLine) -> io::Result<()> {
    let name = safe(&upstream.name);
    let commits = |number| count(number, "commit", "commits");
    match (upstream.ahead, upstream.behind) {
        (0, 0) => {}
        (ahead, 0) => page.remark(format_args!("{} not yet on {name}.", commits(ahead)))?,
        (0, behind) => page.line(format_args!("{name} is {} further.", commits(behind)))?,
        (ahead, behind) => page.line(format_args!(
            "{} not yet on {name}, which has {} that are not here.",
            commits(ahead),
            commits(behind)
        ))?,
    }
    if !upstream.newer.is_empty() {
        let heading = page.styles.paint(ACCENT, "Newer on the remote, and changed here");
        page.line(format_args!("{heading} {}", page.styles.paint(DIM, upstream.newer.len())))?;
        write_paths(page, &upstream.newer)?;
    }
    let others: Vec<AssetPath> =
        upstream.available.iter().filter(|path| !upstream.newer.contains(path)).cloned().collect();
    if !others.is_empty() {
        let heading = page.styles.paint(ACCENT, "Newer versions available");
        page.line(format_args!("{heading} {}", page.styles.paint(DIM, others.len())))?;
        write_paths(page, &others)?;
    }
    Ok(())
}

/// What it comes to, in a sentence.
fn summary(report: &Report) -> String {
    if report.counts.total() == 0 {
        let files = count(report.unchanged_files, "file is", "files are");
        return match (report.commit, report.unchanged_files) {
            (None, 0) => "There is nothing to commit yet.".to_owned(),
            _ => format!("Nothing changed: {files} as committed."),
        };
    }
    let new = match (report.bytes, report.bytes_new_at_most) {
        (0, _) => String::new(),
        (bytes, 0) => format!("; {}, all of it here already", human_bytes(bytes)),
        (bytes, new) if report.measured && new == bytes => format!("; {}, all of it new", human_bytes(bytes)),
        (bytes, new) if report.measured => {
            format!("; {}, {} of it new", human_bytes(bytes), human_bytes(new))
        }
        (bytes, new) => format!("; {}, at most {} of it new", human_bytes(bytes), human_bytes(new)),
    };
    format!("{}{new}.", counts_text(&report.counts))
}
