//! `pent export`.

use crate::app::export::{self, Options};
use crate::app::export_git;
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, place, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::import::git::export::{ExportWish, LfsRule};
use std::io;
use std::path::PathBuf;

/// Most lines of a list that are shown at once.
const LINES_SHOWN: usize = 20;

/// Put an old state into a folder or archive, or all into Git
///
/// Your own files stay as they are. A name that ends in .tar or .tar.zst becomes an archive, any other a
/// folder, which must be new or empty. A revision that is called git is written git~0.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    to: Option<To>,
    /// Which state: a name, the start of an id, @ for the newest
    #[arg(value_name = "REVISION", required = true)]
    revision: Option<String>,
    /// The folder or archive to make
    #[arg(value_name = "TARGET", required = true)]
    target: Option<PathBuf>,
    /// Only these files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write labels and fields of each file beside it, for other programs (photo.jpg.xmp)
    #[arg(long)]
    sidecars: bool,
    /// Write labels and fields into the copies themselves: JPEG, PNG, WebP, TIFF and PDF files
    #[arg(long)]
    embed: bool,
}

#[derive(Debug, clap::Subcommand)]
enum To {
    /// History as a bare Git repository that `git clone` takes
    ///
    /// Commits that came from Git have the ids there that they had, as long as nothing before them was changed.
    Git {
        /// The folder to make: new, empty, or an earlier export that nobody has worked in, which it replaces
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Only branches and tags with this name; * stands for any part. May be given several times
        #[arg(long, value_name = "NAME")]
        branches: Vec<String>,
        /// Put files of at least so many bytes into Git LFS (such as 10MB)
        #[arg(long, value_name = "SIZE", value_parser = parse_size)]
        lfs_above: Option<u64>,
        /// Put files that fit into Git LFS; * stands for any part of a name, a slash for a folder
        #[arg(long, value_name = "PATTERN", num_args = 1..)]
        lfs: Vec<String>,
    },
}

/// Reads a size: a number of bytes, with kB, MB or GB behind it where that is shorter.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        _ => return Err("write a size such as 10MB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a size such as 10MB".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is more than any file has".to_owned())
}

impl Describe for Arguments {
    const NAME: &'static str = "export";
    const GROUP: Group = Group::BringBack;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent export v1 ../harbour-v1", what: "everything as it was at a tag, in a folder" },
        Example {
            line: "pent export @ ~/harbour.tar brand",
            what: "the newest state of one folder, in an archive",
        },
        Example {
            line: "pent export sent-to-print ~/print --sidecars",
            what: "for another program, with what is said of each file",
        },
        Example {
            line: "pent export v2 ~/press --embed",
            what: "for others, with rights and titles in the files",
        },
        Example {
            line: "pent export git ../harbour.git --lfs-above 10MB",
            what: "all history as a Git repository, large files in Git LFS",
        },
    ];
    const WHEN_STOPPED: Stopped = Stopped::of(
        "a folder or archive that was begun is not whole, a Git repository is not there; nothing else changed",
        "remove what was begun, then the same command again",
    );
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match (self.to, self.revision, self.target) {
            (Some(To::Git { folder, branches, lfs_above, lfs }), ..) => {
                let lfs = LfsRule { above: lfs_above, patterns: lfs, native: Vec::new() };
                to_git(context, &folder, ExportWish { names: branches, lfs })
            }
            (None, Some(revision), Some(target)) => {
                let embed = self.embed.then(|| context.workers()).transpose()?;
                let options = Options { revision, target, paths: Vec::new(), sidecars: self.sidecars, embed };
                to_folder(context, options, &self.paths)
            }
            (None, ..) => Err(Failure::usage("name a revision and where to put it")),
        }
    }
}

fn to_folder(context: &mut Context, options: Options, paths: &[PathBuf]) -> Result<ExitStatus, Failure> {
    let repository = context.repository_to_read()?;
    let paths = context.asset_paths(&repository, paths)?;
    let target = options.target.clone();
    let options = Options { target: context.folder().join(&target), paths, ..options };
    let report = export::run(&repository, &options, context.clock(), context.monitor())?;
    context.print("export", &report, |page, report| {
        let files = count(report.files, "file", "files");
        page.line(format_args!("{files}, {}, are in {}.", human_bytes(report.bytes), place(&target)))?;
        if report.sidecars > 0 {
            let stand = count(report.sidecars, "sidecar stands", "sidecars stand");
            page.line(format_args!("{stand} beside them."))?;
        }
        if report.embedded > 0 {
            let have = count(report.embedded, "copy has", "copies have");
            page.line(format_args!(
                "{have} labels and fields inside: the bytes are not those of the commit."
            ))?;
        }
        if report.not_embedded > 0 {
            let take = count(report.not_embedded, "file takes", "files take");
            page.line(format_args!("{take} no fields in; --sidecars writes them beside it."))?;
        }
        Ok(())
    })?;
    Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
}

fn to_git(context: &mut Context, folder: &std::path::Path, wish: ExportWish) -> Result<ExitStatus, Failure> {
    let repository = context.repository_to_read()?;
    let options = export_git::Options { target: context.folder().join(folder), wish };
    let report = export_git::run(&repository, &options, context.monitor())?;
    context.print("export-git", &report, |page, report| show_git(page, report, folder))?;
    context.hint(&format!("work with it: git clone {}", place(folder)));
    let exported = &report.exported;
    let whole = exported.missing_blobs + exported.missing_lfs == 0 && exported.left_out.is_empty();
    Ok(if whole { ExitStatus::Done } else { ExitStatus::Problems })
}

fn show_git(page: &mut Page<'_>, report: &export_git::Report, folder: &std::path::Path) -> io::Result<()> {
    let exported = &report.exported;
    let commits = count(exported.commits, "commit is", "commits are");
    let names = count(exported.names.len() as u64, "name", "names");
    page.line(format_args!("{commits} in {}, under {names}.", place(folder)))?;
    if exported.commits_same > 0 {
        let same =
            count(exported.commits_same, "commit has the id that it", "commits have the ids that they");
        page.line(format_args!("{same} had in Git."))?;
    }
    if exported.commits_changed > 0 {
        let changed = count(exported.commits_changed, "commit", "commits");
        page.line(format_args!(
            "{changed} that came from Git had to change; their signatures are left out."
        ))?;
    }
    if exported.lfs_files > 0 {
        let files = count(exported.lfs_files, "file is", "files are");
        page.line(format_args!("{files} in Git LFS ({}).", human_bytes(exported.lfs_bytes)))?;
    }
    let missing = exported.missing_blobs + exported.missing_lfs;
    if missing > 0 {
        let files = count(missing, "file is", "files are");
        page.line(format_args!("The content of {files} not at hand, here as there."))?;
    }
    for left in exported.left_out.iter().take(LINES_SHOWN) {
        page.line(format_args!("  {} was left out: {}", safe(&left.name), left.reason))?;
    }
    let more = exported.left_out.len().saturating_sub(LINES_SHOWN);
    if more > 0 {
        page.line(format_args!("  ... and {more} more; --json lists all"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
        assert_eq!(parse_size("7"), Ok(7));
        assert!(parse_size("ten").is_err());
        assert!(parse_size("99999999999GB").is_err());
    }
}
