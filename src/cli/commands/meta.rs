//! `pent meta`.

use crate::app::meta::{self, Change, Report};
use crate::app::sidecars::{self, ExportReport, ImportOptions, ImportReport};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::write_problems;
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::paths::worktree_path;
use crate::cli::verb::{Describe, Example, Group, Verb};
use serde::Serialize;
use std::io;
use std::path::PathBuf;

/// Say things about assets: title, rights, price, anything
///
/// What you say is versioned with the asset and costs no copy of it, however large it is. It waits for the next
/// commit like any other change.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show what is said about assets
    Get {
        /// Which assets
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Set a field
    Set {
        /// Which field: lower-case letters, digits, '-', '_', groups parted by '.'
        #[arg(value_name = "FIELD")]
        field: String,
        /// What to set it to
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
        /// Which assets
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// What kind of value: text, integer, decimal, boolean, date or set; else the kind that it has, or text
        #[arg(long = "type", value_name = "KIND")]
        kind: Option<String>,
    },
    /// Remove a field
    Unset {
        /// Which field
        #[arg(value_name = "FIELD")]
        field: String,
        /// Which assets
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Write XMP sidecars for other programs: photo.jpg.xmp beside photo.jpg
    Export {
        /// Only at or below these; everything when you name none
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Into this folder instead, as for files that were exported there
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
    /// Take over what XMP sidecars say: photo.jpg.xmp or photo.xmp
    Import {
        /// Only at or below these; everything when you name none
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Also what is set already, and labels that are not in the sidecar go
        #[arg(long)]
        replace: bool,
        /// Also what is written in the files themselves
        #[arg(long)]
        embedded: bool,
    },
    /// Say that a file is an asset that was elsewhere, so that it keeps that one's history
    Adopt {
        /// The file as it is called now
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// The asset as it was called
        #[arg(value_name = "OLD-PATH")]
        other: PathBuf,
        /// Where the old path is to be looked up; the newest commit when you name none
        #[arg(short, long, value_name = "REVISION")]
        revision: Option<String>,
    },
}

#[derive(Serialize)]
struct AdoptReport {
    /// The file.
    path: crate::base::path::AssetPath,
    /// The asset that it is.
    asset: crate::base::id::AssetId,
}

impl Describe for Arguments {
    const NAME: &'static str = "meta";
    const GROUP: Group = Group::Describe;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent meta set title \"Harbour at dawn\" harbour.psd", what: "give it a title" },
        Example { line: "pent meta set rights.until 2027-03-01 harbour.psd --type date", what: "note a day" },
        Example { line: "pent meta export photo", what: "sidecars for other programs" },
        Example { line: "pent meta get harbour.psd", what: "see what is said about it" },
        Example {
            line: "pent meta adopt harbour-final.psd harbour.psd",
            what: "keep the history after a rename and an edit",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.action {
            Action::Get { paths } => {
                let repository = context.repository_to_read()?;
                let paths = context.asset_paths(&repository, &paths)?;
                let report = meta::get(&repository, &paths)?;
                context.print("meta-get", &report, show)?;
            }
            Action::Set { field, value, paths, kind } => {
                let change = Change::Set { field, text: value, kind };
                apply(context, "meta-set", &paths, &[change])?;
            }
            Action::Unset { field, paths } => {
                apply(context, "meta-unset", &paths, &[Change::Unset { field }])?;
            }
            Action::Export { paths, to } => {
                let repository = context.repository_to_read()?;
                let paths = context.asset_paths(&repository, &paths)?;
                let to = to.map(|folder| context.folder().join(folder));
                let report = sidecars::export(&repository, &paths, to.as_deref(), context.monitor())?;
                context.print("meta-export", &report, show_exported)?;
                return Ok(problems(report.problems.is_empty()));
            }
            Action::Import { paths, replace, embedded } => {
                let repository = context.repository()?;
                let paths = context.asset_paths(&repository, &paths)?;
                let options = ImportOptions { replace, embedded };
                let (clock, monitor) = (context.clock(), context.monitor());
                let report =
                    sidecars::import(&repository, &paths, options, &context.workers()?, clock, monitor)?;
                context.print("meta-import", &report, show_imported)?;
                return Ok(problems(report.problems.is_empty()));
            }
            Action::Adopt { path, other, revision } => {
                let repository = context.repository()?;
                let path = context.asset_path(&repository, &path)?;
                let other = context.asset_path(&repository, &other)?;
                let asset = meta::adopt(
                    &repository,
                    &path,
                    &other,
                    revision.as_deref(),
                    context.clock(),
                    context.monitor(),
                )?;
                context.print("meta-adopt", &AdoptReport { path, asset }, |page, report| {
                    page.line(format_args!("{} goes on with the history of {other}.", report.path))
                })?;
            }
        }
        Ok(ExitStatus::Done)
    }
}

fn problems(none: bool) -> ExitStatus {
    if none { ExitStatus::Done } else { ExitStatus::Problems }
}

fn show_exported(page: &mut Page<'_>, report: &ExportReport) -> io::Result<()> {
    page.line(format_args!("{} written.", count(report.written.len() as u64, "sidecar", "sidecars")))?;
    if report.silent > 0 {
        page.remark(format_args!("  Of {} nothing is said.", count(report.silent, "asset", "assets")))?;
    }
    write_problems(page, &report.problems)
}

fn show_imported(page: &mut Page<'_>, report: &ImportReport) -> io::Result<()> {
    for line in &report.assets {
        let set: Vec<String> =
            line.set.iter().map(|(name, text)| format!("{name} = {}", safe(text))).collect();
        page.line(format_args!("{}  {}", page.styles.paint(BOLD, &line.path), set.join(", ")))?;
    }
    if report.assets.is_empty() {
        page.line(format_args!("Nothing new in {}.", count(report.looked, "file", "files")))?;
    } else {
        page.remark("It waits for the next commit.")?;
    }
    write_problems(page, &report.problems)
}

/// Changes what is said about assets, and shows it.
pub(super) fn apply(
    context: &mut Context,
    schema: &str,
    paths: &[PathBuf],
    changes: &[Change],
) -> Result<(), Failure> {
    let repository = context.repository()?;
    let paths = context.asset_paths(&repository, paths)?;
    let root = repository.root().to_owned();
    let exists = |path: &crate::base::path::AssetPath| {
        worktree_path(&root, path).is_some_and(|place| place.symlink_metadata().is_ok())
    };
    let report = meta::change(&repository, &paths, changes, &exists, context.clock(), context.monitor())?;
    context.print(schema, &report, show)
}

pub(super) fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for asset in &report.assets {
        let pending = page.styles.paint(DIM, if asset.pending { "  (not committed yet)" } else { "" });
        let path = page.styles.paint(BOLD, &asset.path);
        page.line(format_args!("{path}{pending}"))?;
        let mut columns = Columns::indented(2);
        for (name, field) in &asset.fields {
            columns.row([Cell::new(name.as_str()).styled(DIM), Cell::new(safe(&field.text))]);
        }
        if asset.fields.is_empty() {
            page.remark("  nothing is said about it")?;
        }
        columns.write(page)?;
    }
    Ok(())
}
