//! `pent tag`.

use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::app::tag::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::{moment, person, subject};
use crate::cli::output::{BOLD, DIM, Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::refs::RefName;
use std::io;

/// Give a state a name that stays
///
/// Without a name it lists the tags. A tag never moves: use it for what went to print, to the client, to the web.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The name to give
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// To this revision instead of the newest commit
    #[arg(value_name = "REVISION", requires = "name")]
    revision: Option<String>,
    /// Why, in your words; you sign it with your name
    #[arg(short, long, value_name = "TEXT", requires = "name")]
    message: Option<String>,
    /// Remove the tag of that name; the state itself stays
    #[arg(long, requires = "name", conflicts_with_all = ["revision", "message"])]
    delete: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "tag";
    const GROUP: Group = Group::BranchOut;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent tag print-2026-03 -m \"Sent to the printer\"", what: "name the newest state" },
        Example { line: "pent tag first-idea @~12", what: "name an earlier one" },
        Example { line: "pent tag first-idea --delete", what: "take a name away" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let deletes = self.delete;
        let (repository, options) = match self.name {
            None => (context.repository_to_read()?, Options::List),
            Some(name) if deletes => (context.repository()?, Options::Delete { name }),
            Some(name) => {
                let identity = if self.message.is_some() { Some(context.require_identity()?) } else { None };
                let (revision, message) = (self.revision, self.message);
                (context.repository()?, Options::Set { name, revision, message, identity })
            }
        };
        let authority = match &options {
            Options::Set { name, .. } | Options::Delete { name } => {
                let (name, identity) = (RefName::tag(name).map_err(AppError::from)?, context.identity()?);
                context.authority(&repository, &name, identity.as_ref())?
            }
            Options::List => None,
        };
        let writer = authority.as_ref().map(SigningAs::writer);
        let report = tag::run_as(&repository, options, writer, context.clock())?;
        context.print("tag", &report, |page, report| show(page, report, deletes))?;
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report, deletes: bool) -> io::Result<()> {
    if let Some(name) = &report.changed {
        let set = report.tags.iter().find(|tag| tag.name == name.name());
        return match (deletes, set) {
            (true, _) => page.line(format_args!("The tag {name} is gone; the state it named stays.")),
            (false, Some(tag)) => page.line(format_args!("{name} names {} from now on.", tag.commit.short())),
            (false, None) => Ok(()),
        };
    }
    if report.tags.is_empty() {
        return page.line("No tags.");
    }
    let mut columns = Columns::default();
    for tag in &report.tags {
        let by = match (&tag.by, &tag.time) {
            (Some(by), Some(time)) => format!("{}, {}", person(by), page.dates.show(moment(time))),
            _ => String::new(),
        };
        columns.row([
            Cell::new(safe(&tag.name)).styled(BOLD),
            Cell::new(tag.commit.short()).styled(DIM),
            Cell::new(tag.message.as_deref().map(subject).unwrap_or_default()),
            Cell::new(by).styled(DIM),
        ]);
    }
    columns.write(page)
}
