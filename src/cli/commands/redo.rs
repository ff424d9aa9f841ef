//! `pent redo`.

use crate::app::undo::{self, Direction};
use crate::cli::commands::undo::show;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::status_of;
use crate::cli::verb::{Describe, Example, Group, Verb};

/// Do again what undo took back
#[derive(Debug, clap::Args)]
pub struct Arguments {}

impl Describe for Arguments {
    const NAME: &'static str = "redo";
    const GROUP: Group = Group::BringBack;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[Example { line: "pent redo", what: "do it again" }];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let report = undo::run(&repository, Direction::Redo, context.clock(), context.monitor())?;
        context.print("redo", &report, |page, report| show(page, report, "Done again", "undo"))?;
        Ok(status_of(&report.files))
    }
}
