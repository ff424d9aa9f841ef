//! `pent thumb`.

use crate::app::thumb::{self, Kind, Options, Report};
use crate::cli::commands::info::Which;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::terminal_picture::Protocol;
use crate::cli::output::{Page, place};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// See a small picture of a file, or save it
///
/// A terminal that shows pictures gets one, any other a drawing of coloured characters. With --to the picture is
/// saved: as a JPEG file where the name ends in .jpg, else as a PNG file. `pent preview` makes larger ones.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    drawing: Drawing,
    /// The longest side, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=8192))]
    edge: u32,
}

/// What is drawn, and where it goes.
#[derive(Debug, clap::Args)]
pub(super) struct Drawing {
    #[command(flatten)]
    which: Which,
    /// Save it here, as a file that is not there yet
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// How the terminal is given the picture, when it is not known for what it can do; also into a pipe
    #[arg(long = "as", value_name = "PROTOCOL")]
    protocol: Option<Protocol>,
}

impl Describe for Arguments {
    const NAME: &'static str = "thumb";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent thumb poster.psd", what: "a look at it in the terminal" },
        Example {
            line: "pent thumb poster.psd@3 --to poster-3.png --edge 1024",
            what: "version 3 as a PNG file",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        self.drawing.run(context, Self::NAME, Kind::Thumb, self.edge)
    }
}

impl Drawing {
    /// Draws on the terminal, or saves with a longest side of `edge` pixels.
    pub(super) fn run(
        self,
        context: &mut Context,
        verb: &'static str,
        kind: Kind,
        edge: u32,
    ) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let subject = self.which.options(context, &repository)?;
        let drawn = self.to.is_none() && !context.json();
        // Who names a protocol knows what stands at the other end.
        if drawn && self.protocol.is_none() && !io::stdout().is_terminal() {
            return Err(Failure::usage("a picture can only be drawn on a terminal")
                .hint("save it with --to, or say with --as what is to read it"));
        }
        let protocol = self.protocol.unwrap_or_else(|| Protocol::of(context.terminal()));
        let edge = match kind {
            _ if !drawn => edge,
            Kind::Thumb => protocol.edge(),
            Kind::Preview => protocol.edge().saturating_mul(2).min(edge),
        };
        let options = Options { subject, edge, kind };
        let report =
            thumb::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        if let Some(to) = &self.to {
            save(&report, &context.folder().join(to))?;
        }
        context
            .print(verb, &report, |page, report| write_report(page, report, self.to.as_deref(), protocol))?;
        Ok(ExitStatus::Done)
    }
}

/// Quality of JPEG files, from 1 to 100.
const QUALITY: u8 = 90;

/// Saves a picture in a file that is not there yet, in the form that its name asks for.
fn save(report: &Report, to: &Path) -> Result<(), Failure> {
    let extension = to.extension().map(|it| it.to_string_lossy().to_ascii_lowercase());
    let bytes = match extension.as_deref() {
        Some("jpg" | "jpeg") => report.pixels.jpeg(QUALITY),
        _ => report.pixels.png(),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
    file.write_all(&bytes.map_err(io::Error::other)?)?;
    Ok(())
}

fn write_report(
    page: &mut Page<'_>,
    report: &Report,
    to: Option<&Path>,
    protocol: Protocol,
) -> io::Result<()> {
    match to {
        Some(to) => {
            page.line(format_args!("Saved {}: {} × {} pixels.", place(to), report.width, report.height))
        }
        None => protocol.draw(page, &report.pixels),
    }
}
