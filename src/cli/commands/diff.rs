//! `pent diff`.

use crate::app::common::locate::Word;
use crate::app::diff::{self, Detail, Options, Point, Report, Side};
use crate::app::status::Counts;
use crate::base::size::{human_bytes, human_count};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::changes::counts_text;
use crate::cli::output::difference::{Ranges, write_files, write_lines, write_problems};
use crate::cli::output::words::subject;
use crate::cli::typed_words::read_words;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// See what differs, between any two states
///
/// Without a revision it compares your files with the newest commit; with one, your files with that; with two,
/// the first with the second. A version of one asset, such as logo.svg@3, is a revision of that asset alone.
/// Text is shown line by line, anything else by how many bytes are new and how many are shared.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Up to two revisions or versions, and the files and folders to look at
    #[arg(value_name = "REVISION|PATH")]
    words: Vec<PathBuf>,
    /// Only in numbers, one line for each file
    #[arg(long, visible_alias = "stat", conflicts_with = "names")]
    summary: bool,
    /// Only which files, without reading them
    #[arg(long)]
    names: bool,
    /// How many unchanged lines to show around a change of text
    #[arg(short = 'U', long, value_name = "LINES", default_value_t = 3)]
    context: u32,
    /// List which ranges of bytes differ
    #[arg(long, conflicts_with_all = ["summary", "names"])]
    ranges: bool,
    /// End with exit code 1 when anything differs
    #[arg(long)]
    exit_code: bool,
    /// Files and folders, whatever they are called
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "diff";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent diff", what: "what you changed since the last commit" },
        Example { line: "pent diff main~3 main brand", what: "what happened in one folder" },
        Example { line: "pent diff logo.svg@3 logo.svg@5", what: "two versions of one file" },
        Example { line: "pent diff logo.svg@3", what: "an earlier version and the file as it is now" },
        Example { line: "pent diff main draft/poster --summary", what: "what a draft changes, in numbers" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let words = read_words(context, &repository, &self.words)?;
        let mut options = Options {
            paths: context.asset_paths(&repository, &self.paths)?,
            detail: self.detail(),
            context_lines: self.context,
            ..Options::default()
        };
        for word in words {
            let point = match word {
                Word::Revision(text) => Point::Revision(text),
                Word::Version { path, version } => Point::Version { path, version },
                Word::Path(path) => {
                    options.paths.push(path);
                    continue;
                }
            };
            let free = [&mut options.before, &mut options.after].into_iter().find(|side| side.is_none());
            *free.ok_or_else(too_many)? = Some(point);
        }
        let report = diff::run(&repository, &options, context.clock(), context.monitor())?;
        let ranges = if self.ranges { Ranges::Listed } else { Ranges::Counted };
        context.print("diff", &report, |page, report| show(page, report, options.detail, ranges))?;
        Ok(match (report.problems.is_empty(), report.files.is_empty()) {
            (false, _) => ExitStatus::Problems,
            (true, false) if self.exit_code => ExitStatus::Different,
            _ => ExitStatus::Done,
        })
    }
}

impl Arguments {
    fn detail(&self) -> Detail {
        match (self.names, self.summary) {
            (true, _) => Detail::Names,
            (_, true) => Detail::Summary,
            _ => Detail::Content,
        }
    }
}

fn too_many() -> Failure {
    Failure::usage("there are more than two revisions to compare")
        .hint("put -- before files and folders that are called like a revision")
}

fn show(page: &mut Page<'_>, report: &Report, detail: Detail, ranges: Ranges) -> io::Result<()> {
    let sides = format!("{} {} {}", side(&report.before), page.arrow(), side(&report.after));
    if report.files.is_empty() && report.problems.is_empty() {
        return page.line(format_args!("Nothing differs: {sides}."));
    }
    page.remark(sides)?;
    if detail == Detail::Content {
        write_files(page, &report.files, ranges)?;
    } else {
        write_lines(page, &report.files)?;
    }
    write_problems(page, &report.problems)?;
    page.gap()?;
    page.line(totals_text(&report.totals))
}

/// A side of the comparison in a few words.
fn side(side: &Side) -> String {
    match side {
        Side::Nothing => "nothing".to_owned(),
        Side::Worktree => "your files".to_owned(),
        Side::Commit { commit } => format!("{} ({})", commit.id.short(), subject(&commit.message)),
        Side::Asset { path, version: Some(version), .. } => format!("{path}@{version}"),
        Side::Asset { path, version: None, commit } => format!("{path} in {}", commit.id.short()),
    }
}

/// What it comes to, in a sentence.
pub(super) fn totals_text(totals: &diff::Totals) -> String {
    let diff::Totals { added: new, changed, moved, removed, described, .. } = *totals;
    let mut text = counts_text(&Counts { new, changed, moved, removed, described });
    if totals.lines_added + totals.lines_removed > 0 {
        let (added, removed) = (human_count(totals.lines_added), human_count(totals.lines_removed));
        text.push_str(&format!("; lines: +{added} -{removed}"));
    }
    if totals.bytes_compared > 0 {
        let (new, of) = (human_bytes(totals.bytes_new), human_bytes(totals.bytes_compared));
        text.push_str(&format!("; bytes: {new} new of {of}"));
    }
    text.push('.');
    text
}
