//! `pent config`.

use crate::app::common::read_only::follow;
use crate::app::config::{self, Change, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{DIM, Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::config::Scope;
use std::io;

/// Say who you are and how you like things
///
/// Without a name it lists every setting and where it comes from. With a name it shows that one; with a
/// name and a value it sets it. Your own settings hold for all repositories on this machine; a
/// repository's settings hold only there and go first, except for those that are yours alone.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which setting, for example user.name
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// What to set it to
    #[arg(value_name = "VALUE", requires = "name", allow_hyphen_values = true)]
    value: Option<String>,
    /// Remove the setting
    #[arg(long, requires = "name", conflicts_with = "value")]
    unset: bool,
    /// Change it for this repository only
    #[arg(long, requires = "name", conflicts_with = "everywhere")]
    here: bool,
    /// Change it for all repositories on this machine
    #[arg(long, requires = "name")]
    everywhere: bool,
    /// List everything that can be set, with what it is for
    #[arg(long, conflicts_with = "name")]
    keys: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "config";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent config user.name \"Anna Lind\"", what: "your name, as others see it" },
        Example {
            line: "pent config user.email anna@studio.example --here",
            what: "another address for this job",
        },
        Example { line: "pent config --keys", what: "everything that can be set" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        if (self.here || self.everywhere) && self.value.is_none() && !self.unset {
            return Err(Failure::usage("--here and --everywhere say where to change a setting")
                .hint("name a value as well, or --unset"));
        }
        let describe = self.keys;
        let report = config::run(context.config_paths(), &self.options())?;
        let is_of_locks = |change: &Change| change.name.starts_with("lock.");
        if report.changed.as_ref().is_some_and(is_of_locks) {
            follow(&context.repository()?, context.monitor())?;
        }
        context.print("config", &report, |page, report| match (&report.changed, describe) {
            (Some(_), _) => show_change(page, report),
            (None, true) => show_keys(page, report),
            (None, false) => show_settings(page, report),
        })?;
        Ok(ExitStatus::Done)
    }
}

impl Arguments {
    fn options(self) -> Options {
        let scope = match (self.here, self.everywhere) {
            (true, _) => Some(Scope::Repository),
            (_, true) => Some(Scope::Person),
            _ => None,
        };
        match (self.name, self.value) {
            (None, _) if self.keys => Options::Describe,
            (None, _) => Options::List,
            (Some(name), _) if self.unset => Options::Unset { name, scope },
            (Some(name), Some(value)) => Options::Set { name, value, scope },
            (Some(name), None) => Options::Get { name },
        }
    }
}

fn show_change(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let Some(change) = &report.changed else { return Ok(()) };
    let (name, scope) = (safe(&change.name), change.scope);
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if before == after => {
            page.line(format_args!("{name} is {} already ({scope}).", safe(after)))
        }
        (Some(before), Some(after)) => {
            page.line(format_args!("{name} is {} now, it was {} ({scope}).", safe(after), safe(before)))
        }
        (None, Some(after)) => page.line(format_args!("{name} is {} now ({scope}).", safe(after))),
        (Some(before), None) => page.line(format_args!("{name} is no longer {} ({scope}).", safe(before))),
        (None, None) => page.line(format_args!("{name} was not set ({scope}).")),
    }
}

/// One setting that was asked for prints its bare value, for scripts.
fn show_settings(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if let [only] = report.settings.as_slice() {
        return only.value.as_ref().map_or(Ok(()), |value| page.line(safe(value)));
    }
    let mut columns = Columns::default();
    for line in &report.settings {
        let value = line.value.as_deref().map_or_else(|| Cell::new("-"), |value| Cell::new(safe(value)));
        let origin = match (line.scope, &line.value) {
            (Some(scope), _) if line.known => scope.to_string(),
            (Some(scope), _) => format!("{scope}, unknown to this version"),
            (None, Some(_)) => "by default".to_owned(),
            (None, None) => "not set".to_owned(),
        };
        columns.row([Cell::new(safe(&line.name)), value, Cell::new(origin).styled(DIM)]);
    }
    columns.write(page)
}

fn show_keys(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for (index, line) in report.settings.iter().enumerate() {
        if index > 0 {
            page.gap()?;
        }
        page.heading(&line.name)?;
        page.line(format_args!("  {}", line.about.unwrap_or_default()))?;
        page.remark(format_args!("  Takes {}.", line.takes.as_deref().unwrap_or_default()))?;
    }
    Ok(())
}
