//! `pent export`.

use crate::app::export::{self, Options};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{count, place};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::path::PathBuf;

/// Put a whole earlier state into a folder or an archive of its own
///
/// Your own files stay as they are. A name that ends in .tar or .tar.zst becomes an archive, any other a
/// folder, which must be new or empty.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which state: a name, the start of an id, @ for the newest
    #[arg(value_name = "REVISION")]
    revision: String,
    /// The folder or archive to make
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// Only these files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
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
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let options = Options {
            revision: self.revision,
            target: context.folder().join(&self.target),
            paths: context.asset_paths(&repository, &self.paths)?,
        };
        let report = export::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("export", &report, |page, report| {
            let files = count(report.files, "file", "files");
            page.line(format_args!("{files}, {}, are in {}.", human_bytes(report.bytes), place(&self.target)))
        })?;
        Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }
}
