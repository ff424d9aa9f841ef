//! `pent mv`.

use crate::app::mv;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::count;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::path::PathBuf;
/// Move or rename, and keep the history
///
/// You may as well move files in your file manager: moves are found by themselves. This is for when you rename and
/// edit at once.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to move: a file or a folder
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Where to: a new name, or a folder that is there
    #[arg(value_name = "TO")]
    to: PathBuf,
}

impl Describe for Arguments {
    const NAME: &'static str = "mv";
    const GROUP: Group = Group::Work;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent mv logo.svg brand/logo.svg", what: "move a file" },
        Example { line: "pent mv a.jpg shots", what: "move it into a folder" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let from = context.asset_path(&repository, &self.from)?;
        let to = context.asset_path(&repository, &self.to)?;
        let report = mv::run(&repository, &from, &to, context.clock(), context.monitor())?;
        context.print("mv", &report, |page, report| {
            let assets = match report.assets {
                0 | 1 => String::new(),
                many => format!(" with {}", count(many, "asset", "assets")),
            };
            page.line(format_args!("{} {} {}{assets}", report.from, page.arrow(), report.to))
        })?;
        Ok(ExitStatus::Done)
    }
}
