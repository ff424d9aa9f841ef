//! `pent diff`.

use crate::app::common::locate::Word;
use crate::app::diff::{self, Detail, Options, Point, Report, Side};
use crate::app::status::Counts;
use crate::app::visual::{self, LineupOptions, Subjects};
use crate::base::local_path::LocalPath;
use crate::base::size::{human_bytes, human_count};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::counts_text;
use crate::cli::output::difference::{Ranges, write_files, write_lines, write_problems};
use crate::cli::output::terminal_picture::Protocol;
use crate::cli::output::words::subject;
use crate::cli::output::{Page, safe};
use crate::cli::typed_words::read_words;
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::cli::visual::{PageArguments, write_files as write_pictures, write_place, write_states};
use crate::media::compare::Sensitivity;
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// See what differs, between any two states
///
/// Without a revision it compares your files with the newest commit; with one, your files with that; with two,
/// the first with the second. A version of one asset, such as logo.svg@3, is a revision of that asset alone.
/// Text is shown line by line, anything else by how many bytes are new and how many are shared.
///
/// With --visual it shows pictures: one page for the browser, which needs no network, with the two states side by
/// side, under a divider, on each other, in turn, and what differs between them; of layered documents it tells the
/// layers that changed.
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
    #[command(flatten)]
    page: PageArguments,
    /// Save a picture of what differs in one asset, as a PNG file that is not there yet
    #[arg(long, value_name = "FILE", requires = "visual")]
    png: Option<PathBuf>,
    /// The smallest distance of two colours that counts, from 0 (any) to 1 (black and white)
    #[arg(long, value_name = "DISTANCE", requires = "visual", default_value = "0.03", value_parser = threshold)]
    threshold: f64,
    /// Count edges that are only softened differently, too
    #[arg(long, requires = "visual")]
    edges: bool,
    /// Put all the files and versions named side by side, whatever assets they are
    #[arg(long, requires = "visual", conflicts_with_all = ["png", "edges"])]
    together: bool,
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
        Example { line: "pent diff --visual poster.psd@3 poster.psd@5", what: "two versions to look at" },
        Example {
            line: "pent diff --visual --together a.png b.png logo.svg@2",
            what: "any files and versions side by side",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let words = read_words(context, &repository, &self.words)?;
        if self.together {
            return self.together(context, &repository, words);
        }
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
        if self.page.visual {
            return self.visual(context, &repository, options);
        }
        let mut report = diff::run(&repository, &options, context.clock(), context.monitor())?;
        if options.detail == Detail::Content {
            let workers = context.workers()?;
            diff::add_texts(&repository, &mut report, options.context_lines, &workers, context.monitor())?;
        }
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
    fn visual(
        self,
        context: &mut Context,
        repository: &Repository,
        asked: Options,
    ) -> Result<ExitStatus, Failure> {
        let png = self.png.as_ref().map(|png| context.folder().join(png));
        if let Some(png) = png.as_ref().filter(|png| png.symlink_metadata().is_ok()) {
            return Err(Failure::refused(format!("{} is there already", LocalPath(png.clone()))));
        }
        let sensitivity = Sensitivity { threshold: self.threshold, discount_antialiasing: !self.edges };
        // Who wants one file with the difference does not ask for a page.
        let page = match (&png, self.page.is_placed()) {
            (Some(_), false) => None,
            _ => self.page.page(context, repository, "diff")?,
        };
        let options = visual::Options {
            before: asked.before,
            after: asked.after,
            paths: asked.paths,
            edge: self.page.edge(2),
            sensitivity,
            page,
            strip: context.draws_pixels().map(Protocol::edge),
            png,
        };
        let outcome =
            visual::run(repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        let report = &outcome.report;
        let drawn = context.draws_pixels().zip(outcome.strip.as_ref());
        context.print("diff-visual", report, |page, report| {
            show_pictures(page, report)?;
            drawn.map_or(Ok(()), |(protocol, strip)| protocol.draw(page, strip))
        })?;
        self.page.show(context, report.written.as_ref());
        let is_same = report.files.is_empty() && report.without_picture.is_empty();
        Ok(if self.exit_code && !is_same { ExitStatus::Different } else { ExitStatus::Done })
    }

    fn together(
        self,
        context: &mut Context,
        repository: &Repository,
        words: Vec<Word>,
    ) -> Result<ExitStatus, Failure> {
        if words.len() < 2 {
            return Err(Failure::usage("there is nothing to put side by side")
                .hint("name two files or versions, or more"));
        }
        let edge = self.page.edge(words.len());
        let page = self.page.page(context, repository, "together")?;
        let options = LineupOptions { subjects: Subjects::Named(words), edge, page };
        let report =
            visual::lineup(repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("diff-together", &report, |page, report| {
            write_states(page, &report.states)?;
            write_problems(page, &report.without_picture)?;
            write_place(page, report.written.as_ref())
        })?;
        self.page.show(context, report.written.as_ref());
        Ok(if report.without_picture.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }

    fn detail(&self) -> Detail {
        match (self.names, self.summary) {
            (true, _) => Detail::Names,
            (_, true) => Detail::Summary,
            _ => Detail::Content,
        }
    }
}

fn threshold(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("it is not between 0 and 1".to_owned()) }
}

fn show_pictures(page: &mut Page<'_>, report: &visual::Report) -> io::Result<()> {
    let sides = format!("{} {} {}", side(&report.before), page.arrow(), side(&report.after));
    if report.files.is_empty() && report.without_picture.is_empty() {
        return page.line(format_args!("Nothing differs: {sides}."));
    }
    page.remark(sides)?;
    write_pictures(page, &report.files)?;
    if !report.without_picture.is_empty() {
        page.gap()?;
        page.heading("Nothing to see; `pent diff` says how these differ")?;
        for line in &report.without_picture {
            page.remark(format_args!("  {}: {}", line.path, safe(&line.message)))?;
        }
    }
    if let Some(png) = &report.png {
        page.line(format_args!("Saved what differs: {png}"))?;
    }
    write_place(page, report.written.as_ref())
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
