//! `pent draft`.

use crate::app::draft::{self, BranchLine, ChangeReport, ListReport};
use crate::app::switch;
use crate::cli::commands::switch::go;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::{moment, subject};
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Try something without touching the main line
///
/// A draft is a line of work of its own. Go on in it for as long as you like; `pent merge` brings it home.
/// Without a command it lists the drafts and branches.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Begin a draft and go there; uncommitted work comes along
    New {
        /// What to call it
        #[arg(value_name = "NAME")]
        name: String,
        /// Begin at this revision instead of the newest commit
        #[arg(value_name = "REVISION")]
        revision: Option<String>,
        /// Only make it, and stay where you are
        #[arg(long)]
        stay: bool,
    },
    /// List drafts and branches
    List,
    /// Go to a draft; the same as `pent switch`
    Switch {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Give a draft another name
    Rename {
        /// What it is called
        #[arg(value_name = "OLD")]
        from: String,
        /// What to call it
        #[arg(value_name = "NEW")]
        to: String,
    },
    /// Remove a draft
    Delete {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
        /// Even when it has work that is nowhere else; `pent undo` brings it back
        #[arg(long)]
        force: bool,
    },
}

impl Describe for Arguments {
    const NAME: &'static str = "draft";
    const GROUP: Group = Group::BranchOut;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent draft new night-version", what: "begin a draft" },
        Example { line: "pent draft", what: "see all drafts" },
        Example { line: "pent draft delete night-version", what: "remove one" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.action.unwrap_or(Action::List) {
            Action::List => {
                let report = draft::list(&context.repository_to_read()?)?;
                context.print("draft-list", &report, show_list)?;
            }
            Action::New { name, revision: None, stay: false } => {
                let repository = context.repository()?;
                let report = switch::begin_draft(&repository, &name, context.clock(), context.monitor())?;
                context.print("switch", &report, |page, report| {
                    page.line(format_args!("{} begins here, and you are on it.", safe(&report.branch)))
                })?;
            }
            Action::New { name, revision, stay } => {
                let report =
                    draft::create(&context.repository()?, &name, revision.as_deref(), context.clock())?;
                context.print("draft-new", &report, |page, report| {
                    page.line(format_args!("{} begins here.", safe(&report.name)))
                })?;
                if stay {
                    context.hint(&format!("go there: pent switch {}", safe(&report.name)));
                } else {
                    return go(context, &report.name);
                }
            }
            Action::Switch { name } => return go(context, &name),
            Action::Rename { from, to } => {
                let report =
                    draft::rename(&context.repository()?, &from, &to, context.clock(), context.monitor())?;
                context.print("draft-rename", &report, show_rename)?;
            }
            Action::Delete { name, force } => {
                let report =
                    draft::delete(&context.repository()?, &name, force, context.clock(), context.monitor())?;
                context.print("draft-delete", &report, |page, report| {
                    page.line(format_args!("{} is gone. `pent undo` brings it back.", safe(&report.name)))
                })?;
            }
        }
        Ok(ExitStatus::Done)
    }
}

fn show_rename(page: &mut Page<'_>, report: &ChangeReport) -> io::Result<()> {
    let from = report.renamed_from.as_deref().unwrap_or_default();
    page.line(format_args!("{} is called {} now.", safe(from), safe(&report.name)))
}

fn show_list(page: &mut Page<'_>, report: &ListReport) -> io::Result<()> {
    let mut columns = Columns::default();
    for branch in &report.branches {
        let when = branch.time.as_ref().map(|time| page.dates.show(moment(time))).unwrap_or_default();
        columns.row([
            Cell::new(if branch.current { "*" } else { " " }),
            Cell::new(safe(&branch.name)).styled(BOLD),
            Cell::new(branch.subject.as_deref().map_or_else(|| "no commits yet".to_owned(), subject)),
            Cell::new(when).styled(DIM),
            Cell::new(waiting(branch)),
        ]);
    }
    columns.write(page)
}

/// Work that was set aside there when the worktree left.
fn waiting(branch: &BranchLine) -> String {
    match branch.shelved_paths {
        Some(paths) => format!("{} uncommitted, waiting there", count(paths, "path", "paths")),
        None => String::new(),
    }
}
