//! `pent init`.

use crate::app::init::{self, Options};
use crate::base::id::RepositoryId;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::place;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::path::PathBuf;

/// Begin keeping versions of a folder
///
/// The folder may be full of work already: nothing in it is touched. Everything that Pentimento keeps goes
/// into a folder called .pent beside your work.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder; it is made when missing, and is this one when you name none
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "init";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent init", what: "keep versions of this folder" },
        Example { line: "pent init ~/studio/harbour", what: "keep versions of another one" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let mut id = [0u8; RepositoryId::SIZE];
        getrandom::fill(&mut id).map_err(|error| {
            let error = std::io::Error::other(error.to_string());
            Failure::io("the system gave no random bytes for the repository's id", &error)
        })?;
        let folder = match self.folder {
            Some(folder) => context.folder().join(folder),
            None => context.folder().to_owned(),
        };
        let options = Options { folder, id: RepositoryId::from_bytes(id) };
        let report = init::run(&options)?;
        context.print("init", &report, |page, report| {
            page.line(format_args!("Versions of {} are kept from now on.", place(&report.root)))
        })?;
        if context.identity().ok().flatten().is_none() {
            context.hint("say who you are: pent config user.name \"Your Name\"");
        }
        if report.has_work {
            context.hint("keep what is there: pent commit -m \"First state\"");
        }
        Ok(ExitStatus::Done)
    }
}
