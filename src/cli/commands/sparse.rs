//! `pent sparse`.

use crate::app::sparse::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::files::{status_of, write_files, write_paths};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Have only a part of everything in your folder
///
/// Without a command it lists the parts. Work that is not committed is never removed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with the parts.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Have these files and folders, and no longer everything
    Add {
        /// Which
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Put these away; they stay in the repository
    Remove {
        /// Which
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// List the parts
    List,
    /// Have everything again
    All,
    /// Have nothing: for a repository that others push to
    None,
}

impl Describe for Arguments {
    const NAME: &'static str = "sparse";
    const GROUP: Group = Group::More;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent sparse add brand shots/2026", what: "have these folders" },
        Example { line: "pent sparse remove shots/2026", what: "put one away" },
        Example { line: "pent sparse all", what: "have everything again" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let changes = !matches!(self.action, None | Some(Action::List));
        let repository = if changes { context.repository()? } else { context.repository_to_read()? };
        let options = match &self.action {
            None | Some(Action::List) => Options::List,
            Some(Action::Add { paths }) => Options::Add(context.asset_paths(&repository, paths)?),
            Some(Action::Remove { paths }) => Options::Remove(context.asset_paths(&repository, paths)?),
            Some(Action::All) => Options::All,
            Some(Action::None) => Options::Nothing,
        };
        let report = sparse::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("sparse", &report, show)?;
        Ok(status_of(&report.files))
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    match &report.shown {
        None => page.line("The folder has everything.")?,
        Some(paths) if paths.is_empty() => page.line("The folder has nothing.")?,
        Some(paths) => {
            page.line("The folder has these parts:")?;
            write_paths(page, paths)?;
        }
    }
    if !report.still_here.is_empty() {
        page.line("These stay, since they have work that is not committed:")?;
        write_paths(page, &report.still_here)?;
    }
    write_files(page, &report.files)
}
