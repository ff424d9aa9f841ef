//! `pent show`.

use crate::app::common::locate::Word;
use crate::app::diff::Detail;
use crate::app::show::{self, AssetReport, CommitReport, Options, Report, Subject};
use crate::app::tag::TagLine;
use crate::base::size::{human_bytes, human_share};
use crate::cli::commands::diff::totals_text;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::dates::full;
use crate::cli::output::difference::{Ranges, write_files, write_lines, write_problems};
use crate::cli::output::words::{moment, names, person, signature_words, subject};
use crate::cli::output::{BOLD, DIM, Page, count, safe, safe_lines};
use crate::cli::typed_words::read_words;
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// Look at one commit, tag or asset closely
///
/// Of a commit it shows who, when, why and what changed; of a tag its words too. Of an asset, as some revision
/// has it, it shows the version, size, identity and what is said about it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A revision or a tag, a path, or a version such as logo.svg@3; the newest commit when you name none
    #[arg(value_name = "REVISION|PATH", num_args = 0..=2)]
    words: Vec<PathBuf>,
    /// Show what changed in full, not only in numbers
    #[arg(long, conflicts_with = "names")]
    diff: bool,
    /// Show only which files changed, without reading them
    #[arg(long)]
    names: bool,
    /// Write the Git commit or annotated tag that it was made from, byte for byte
    #[arg(long, conflicts_with_all = ["diff", "names", "only"])]
    original: bool,
    /// Of what a commit changed, only what lies here
    #[arg(long, value_name = "PATH")]
    only: Vec<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "show";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent show", what: "the newest commit" },
        Example { line: "pent show main~2 --diff", what: "what an earlier one changed, in full" },
        Example { line: "pent show logo.svg@3", what: "version 3 of an asset" },
        Example { line: "pent show sent-to-print poster.psd", what: "an asset as a tag has it" },
        Example { line: "pent show 1f3a9c0 --original", what: "a commit as Git has it, found by its Git id" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let subject = subject_of(read_words(context, &repository, &self.words)?)?;
        if self.original {
            return write_original(context, &repository, &subject);
        }
        let detail = match (self.diff, self.names) {
            (true, _) => Detail::Content,
            (_, true) => Detail::Names,
            _ => Detail::Summary,
        };
        let paths = context.asset_paths(&repository, &self.only)?;
        let keyring = Some(context.keys_for_lists(&repository)?);
        let options = Options { subject, detail, paths, context_lines: 3, keyring };
        let report = show::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("show", &report, |page, report| match report {
            Report::Commit(commit) => write_commit(page, commit, detail),
            Report::Asset(asset) => write_asset(page, asset),
        })?;
        Ok(match &report {
            Report::Commit(commit) if !commit.changes.problems.is_empty() => ExitStatus::Problems,
            _ => ExitStatus::Done,
        })
    }
}

/// Sends the Git object to another program, as `git cat-file` would.
fn write_original(
    context: &mut Context,
    repository: &Repository,
    subject: &Subject,
) -> Result<ExitStatus, Failure> {
    let Subject::Commit(revision) = subject else {
        return Err(Failure::usage("only commits and tags have an original").hint("name a revision or a tag"));
    };
    let bytes = show::original(repository, revision.as_deref(), context.clock())?;
    io::Write::write_all(&mut context.raw_output(), &bytes)?;
    Ok(ExitStatus::Done)
}

fn subject_of(words: Vec<Word>) -> Result<Subject, Failure> {
    let mut words = words.into_iter();
    match (words.next(), words.next()) {
        (None, _) => Ok(Subject::Commit(None)),
        (Some(Word::Revision(text)), None) => Ok(Subject::Commit(Some(text))),
        (Some(Word::Version { path, version }), None) => Ok(Subject::Version { path, version }),
        (Some(Word::Path(path)), None) => Ok(Subject::Asset { path, revision: None }),
        (Some(Word::Revision(text)), Some(Word::Path(path)))
        | (Some(Word::Path(path)), Some(Word::Revision(text))) => {
            Ok(Subject::Asset { path, revision: Some(text) })
        }
        _ => Err(Failure::usage("one thing at a time: a revision, an asset, or an asset in a revision")
            .hint("`pent diff` compares two")),
    }
}

fn write_commit(page: &mut Page<'_>, report: &CommitReport, detail: Detail) -> io::Result<()> {
    if let Some(tag) = &report.tag {
        write_tag(page, tag)?;
    }
    let commit = &report.commit;
    let title = page.styles.paint(BOLD, subject(&commit.message));
    page.line(format_args!("{title}{}", names(&commit.names)))?;
    let body: Vec<&str> =
        commit.message.trim_end().lines().skip(1).skip_while(|line| line.is_empty()).collect();
    if !body.is_empty() {
        page.gap()?;
        page.line(safe_lines(&body.join("\n")))?;
        page.gap()?;
    }
    let mut columns = Columns::indented(2);
    let mut row = |name: &str, text: String| columns.row([Cell::new(name).styled(DIM), Cell::new(text)]);
    row("by", format!("{}, {}", person(&commit.author), full(moment(&commit.time))));
    if let Some(committer) = &report.committer {
        row("kept by", format!("{}, {}", person(&committer.person), full(moment(&committer.time))));
    }
    for signature in &commit.signatures {
        row("signed", signature_words(signature));
    }
    row("commit", commit.id.to_string());
    if let Some(git) = &commit.git {
        row("in Git", git.to_string());
    }
    for (number, parent) in commit.parents.iter().enumerate() {
        row(if number == 0 { "after" } else { "merged" }, parent.short());
    }
    columns.write(page)?;
    write_changes(page, report, detail)
}

fn write_tag(page: &mut Page<'_>, tag: &TagLine) -> io::Result<()> {
    let name = page.styles.paint(BOLD, safe(&tag.name));
    let by = tag.by.as_ref().map(|line| format!(", set by {}", person(line))).unwrap_or_default();
    let when = tag.time.as_ref().map(|time| format!(", {}", full(moment(time)))).unwrap_or_default();
    page.line(format_args!("Tag {name}{by}{when}"))?;
    if let Some(message) = &tag.message {
        page.line(safe_lines(message.trim_end()))?;
    }
    page.gap()
}

fn write_changes(page: &mut Page<'_>, report: &CommitReport, detail: Detail) -> io::Result<()> {
    let changes = &report.changes;
    if changes.files.is_empty() {
        page.gap()?;
        let than = if report.against.is_some() { "what was there before" } else { "nothing" };
        return page.line(format_args!("No file differs from {than}."));
    }
    if detail == Detail::Content {
        write_files(page, &changes.files, Ranges::Counted)?;
    } else {
        page.gap()?;
        write_lines(page, &changes.files)?;
    }
    write_problems(page, &changes.problems)?;
    page.gap()?;
    page.line(totals_text(&changes.totals))
}

fn write_asset(page: &mut Page<'_>, report: &AssetReport) -> io::Result<()> {
    let version = match report.version {
        Some(version) if version == report.versions => format!("version {version}"),
        Some(version) => format!("version {version} of {}", report.versions),
        None => kind(report).to_owned(),
    };
    page.line(format_args!("{}  {version}", page.styles.paint(BOLD, &report.entry.path)))?;
    let mut columns = Columns::indented(2);
    let mut row = |name: &str, text: String| columns.row([Cell::new(name).styled(DIM), Cell::new(text)]);
    if let Some(commit) = &report.commit {
        row("since", format!("{} ({})", subject(&commit.message), commit.id.short()));
        row("by", format!("{}, {}", person(&commit.author), full(moment(&commit.time))));
    }
    if let Some(source) = report.copied_from.as_ref().and_then(|copied| copied.path.as_ref()) {
        row("copy of", source.to_string());
    }
    if let Some(size) = report.entry.size {
        row("size", size_text(report, size));
    }
    if let Some(shared) = &report.shared {
        let share = human_share(shared.bytes_shared, shared.bytes_shared + shared.bytes_new);
        let new = human_bytes(shared.bytes_new);
        row("new", format!("{new}; {share} shared with version {}", shared.version));
    }
    if let Some(folder) = report.folder {
        let (files, folders) =
            (count(folder.files, "file", "files"), count(folder.folders, "folder", "folders"));
        row("holds", format!("{files}, {folders}, {}", human_bytes(folder.bytes)));
    }
    if let Some(file) = report.entry.file {
        row("b3sum", file.to_string());
    }
    if let Some(foreign) = &report.entry.foreign {
        let is_commit = report.entry.kind == "submodule";
        row(if is_commit { "commit" } else { "known as" }, foreign.clone());
    }
    if let Some(asset) = report.entry.asset {
        row("asset", asset.to_string());
    }
    for (name, field) in &report.fields {
        row(name.as_str(), safe(&field.text));
    }
    columns.write(page)
}

fn kind(report: &AssetReport) -> &'static str {
    match report.entry.kind {
        "directory" => "folder",
        "symlink" => "link",
        "foreign" => "known only by another system's hash",
        "submodule" => "submodule: a commit of another Git repository",
        _ => "file",
    }
}

fn size_text(report: &AssetReport, size: u64) -> String {
    let exact = if size < 1000 {
        String::new()
    } else {
        format!(" ({} bytes)", crate::base::size::human_count(size))
    };
    let chunks = report.chunks.filter(|chunks| *chunks > 1);
    let chunks = chunks.map(|chunks| format!(" in {}", count(chunks, "chunk", "chunks"))).unwrap_or_default();
    let run = if report.entry.executable { ", may be run" } else { "" };
    format!("{}{exact}{chunks}{run}", human_bytes(size))
}
