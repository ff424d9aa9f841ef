//! `pent preview`.

use crate::app::thumb::{self, Kind, Options};
use crate::cli::commands::info::Which;
use crate::cli::commands::thumb::{save, write_report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::terminal_picture::Protocol;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

/// See a large picture of a file, or save it
///
/// As large as the file has it, up to 2048 pixels a side, or as --edge says: a sheet of frames of a film, a waveform
/// as wide as a screen of a sound, the first page of a document. `pent thumb` is for small pictures. With --to the
/// picture is saved: as a JPEG file where the name ends in .jpg, else as a PNG file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Save it here, as a file that is not there yet
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The longest side, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=16384))]
    edge: u32,
    /// How the terminal is given the picture, when it is not known for what it can do; also into a pipe
    #[arg(long = "as", value_name = "PROTOCOL")]
    protocol: Option<Protocol>,
}

impl Describe for Arguments {
    const NAME: &'static str = "preview";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent preview poster.psd", what: "a large look at it in the terminal" },
        Example { line: "pent preview teaser.mov --to teaser.jpg", what: "a sheet of its frames as a file" },
        Example { line: "pent preview poster.psd@3 --to poster-3.png", what: "version 3 as a PNG file" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let subject = self.which.options(context, &repository)?;
        let drawn = self.to.is_none() && !context.json();
        // Who names a protocol knows what stands at the other end.
        if drawn && self.protocol.is_none() && !io::stdout().is_terminal() {
            return Err(Failure::usage("a picture can only be drawn on a terminal")
                .hint("save it with --to, or say with --as what is to read it"));
        }
        let protocol = self.protocol.unwrap_or_else(|| Protocol::of(context.terminal()));
        let edge = if drawn { protocol.edge().saturating_mul(2).min(self.edge) } else { self.edge };
        let options = Options { subject, edge, kind: Kind::Preview };
        let report =
            thumb::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        if let Some(to) = &self.to {
            save(&report, &context.folder().join(to))?;
        }
        context.print("preview", &report, |page, report| {
            write_report(page, report, self.to.as_deref(), protocol)
        })?;
        Ok(ExitStatus::Done)
    }
}
