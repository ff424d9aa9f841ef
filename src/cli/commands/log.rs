//! `pent log`.

use crate::app::log::{self, ChangeLine, LogEntry, Options, Report};
use crate::app::visual::{self, LineupOptions, Subjects};
use crate::base::size::{count, human_bytes};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::difference::write_problems;
use crate::cli::output::words::write_commit;
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::cli::visual::{PageArguments, write_place, write_states};
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// Most commits that a person is shown without asking for more.
const SHOWN: usize = 30;
/// Most versions of one film strip.
const STRIP_MAX: usize = 400;

/// See what happened, newest first
///
/// With a path it tells the story of that one asset, with its version numbers, through all its moves; with --visual
/// as a film strip, on a page for the browser.
/// People are shown the newest 30 commits unless they ask for another number; --json lists all.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this asset
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Begin at this revision: a name, the start of an id, @~3, logo.psd@40
    #[arg(short, long, value_name = "REVISION")]
    revision: Option<String>,
    /// Leave out everything that this revision has
    #[arg(long, value_name = "REVISION", conflicts_with = "path")]
    except: Option<String>,
    /// At most so many; 0 for all
    #[arg(short = 'n', long = "number", value_name = "NUMBER")]
    number: Option<usize>,
    /// Only by people whose name or address has this in it
    #[arg(long, value_name = "TEXT")]
    author: Option<String>,
    /// Only commits whose message has this in it
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Only since a day: 2026-03-01, yesterday, "2 weeks ago"
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Only until a day
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Every branch and draft, not only this one
    #[arg(long, conflicts_with_all = ["path", "revision"])]
    all: bool,
    /// Only this branch's own line, without what was merged into it
    #[arg(long, conflicts_with = "path")]
    first_parent: bool,
    #[command(flatten)]
    page: PageArguments,
}

impl Describe for Arguments {
    const NAME: &'static str = "log";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent log", what: "what happened lately" },
        Example { line: "pent log brand/logo.svg", what: "every version of one asset" },
        Example { line: "pent log --visual poster.psd", what: "its versions as a film strip" },
        Example { line: "pent log --since \"2 weeks ago\" --author anna", what: "what Anna did since then" },
        Example {
            line: "pent log -r draft/poster --except main",
            what: "what a draft has that main has not",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        if self.page.visual {
            return self.visual(context, &repository);
        }
        let limit = match self.number {
            Some(0) => None,
            Some(number) => Some(number),
            None if context.json() => None,
            None => Some(SHOWN),
        };
        let options = Options {
            path: self.path.map(|path| context.asset_path(&repository, &path)).transpose()?,
            revision: self.revision,
            except: self.except,
            limit,
            author: self.author,
            message: self.message,
            since: self.since,
            until: self.until,
            all: self.all,
            first_parent: self.first_parent,
            keyring: Some(context.keys_for_lists(&repository)?),
        };
        let report = log::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("log", &report, show)?;
        if report.more && self.number.is_none() {
            context.hint("there is more: pent log -n 0 shows everything");
        }
        Ok(ExitStatus::Done)
    }
}

impl Arguments {
    /// The film strip of one asset.
    fn visual(self, context: &mut Context, repository: &Repository) -> Result<ExitStatus, Failure> {
        let Some(path) = &self.path else {
            return Err(
                Failure::usage("a film strip is of one asset").hint("name it: pent log --visual poster.psd")
            );
        };
        let path = context.asset_path(repository, path)?;
        let limit = match self.number {
            Some(0) => STRIP_MAX,
            Some(number) => number.min(STRIP_MAX),
            None => SHOWN,
        };
        let edge = self.page.edge(limit);
        let page = self.page.page(context, repository, "log")?;
        let subjects = Subjects::History { path, revision: self.revision, limit };
        let options = LineupOptions { subjects, edge, page };
        let report =
            visual::lineup(repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("log-visual", &report, |page, report| {
            write_states(page, &report.states)?;
            write_problems(page, &report.without_picture)?;
            write_place(page, report.written.as_ref())
        })?;
        if report.more > 0 {
            let older = count(report.more, "older version is", "older versions are");
            context.hint(&format!("{older} not shown: -n takes another number"));
        }
        self.page.show(context, report.written.as_ref());
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.commits.is_empty() {
        return page.line("No commits.");
    }
    for entry in &report.commits {
        show_entry(page, entry)?;
    }
    Ok(())
}

fn show_entry(page: &mut Page<'_>, entry: &LogEntry) -> io::Result<()> {
    let Some(change) = &entry.change else { return write_commit(page, &entry.commit, "", "") };
    let version = change.version.map_or_else(|| format!("{}: ", change.what), |n| format!("Version {n}: "));
    write_commit(page, &entry.commit, &version, &facts(page, change))
}

/// What happened to the asset, with its size.
fn facts(page: &Page<'_>, change: &ChangeLine) -> String {
    let what = match (&change.before, &change.after) {
        (Some(before), Some(after)) if before.path != after.path => {
            format!("{} {} {} {}", change.what, before.path, page.arrow(), after.path)
        }
        _ => match change.copied_from.as_ref().and_then(|copied| copied.path.as_ref()) {
            Some(source) => format!("copied from {source}"),
            None => change.what.to_owned(),
        },
    };
    let size = change.after.as_ref().and_then(|entry| entry.size);
    let size = size.map(|size| format!(", {}", human_bytes(size))).unwrap_or_default();
    format!(", {what}{size}")
}
