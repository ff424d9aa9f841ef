//! `pent label`.

use crate::app::error::AppError;
use crate::app::meta::{self, Change};
use crate::cli::commands::meta::{apply, show};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::path::PathBuf;

/// Stick free words on assets
///
/// Labels are versioned with the asset and cost no copy of it. They wait for the next commit like any other
/// change. Without --add and --remove it shows what is said about the assets.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which assets
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Add a label; several with commas or by repeating it
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    add: Vec<String>,
    /// Remove a label
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    remove: Vec<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "label";
    const GROUP: Group = Group::Describe;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent label harbour.psd --add spring,cover", what: "add two labels" },
        Example {
            line: "pent label shots/a.jpg shots/b.jpg --remove unsorted",
            what: "remove one from several assets",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        if self.add.is_empty() && self.remove.is_empty() {
            let repository = context.repository_to_read()?;
            let paths = context.asset_paths(&repository, &self.paths)?;
            let report = match meta::get(&repository, &paths) {
                Err(AppError::NotInRevision { path }) if paths.len() > 1 => {
                    context.hint(&format!("if {path} is a label: pent label {} --add {path}", paths[0]));
                    return Err(AppError::NotInRevision { path }.into());
                }
                report => report?,
            };
            context.print("label", &report, show)?;
        } else {
            apply(context, "label", &self.paths, &[Change::Labels { add: self.add, remove: self.remove }])?;
        }
        Ok(ExitStatus::Done)
    }
}
