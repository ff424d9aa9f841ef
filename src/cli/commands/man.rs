//! `pent man`.

use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::place;
use crate::cli::reference;
use crate::cli::verb::{Describe, Example, Group, Verb};
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

/// Write the manual pages
///
/// With a folder it writes one page per command there. Without one it prints the main page.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to write to; it is made when missing
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    /// The pages that were written, by file name.
    pages: Vec<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "man";
    const GROUP: Group = Group::More;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent man | man -l -", what: "read the main page" },
        Example { line: "pent man ~/.local/share/man/man1", what: "install all pages for yourself" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let pages = reference::manual()?;
        let Some(folder) = self.folder else {
            if let Some((_, page)) = pages.iter().find(|(name, _)| name == "pent.1") {
                context.raw_output().lock().write_all(page)?;
            }
            return Ok(ExitStatus::Done);
        };
        let folder = context.folder().join(folder);
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::io(format!("{} cannot be made", place(&folder)), &error))?;
        for (name, page) in &pages {
            let path = folder.join(name);
            fs::write(&path, page)
                .map_err(|error| Failure::io(format!("{} cannot be written", place(&path)), &error))?;
        }
        let report = Report { pages: pages.into_iter().map(|(name, _)| name).collect() };
        context.print("man", &report, |page, report| {
            page.line(format_args!("{} manual pages are in {}.", report.pages.len(), place(&folder)))
        })?;
        Ok(ExitStatus::Done)
    }
}
