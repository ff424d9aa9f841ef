//! `pent preview`.

use crate::app::thumb::Kind;
use crate::cli::commands::thumb::Drawing;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};

/// See a large picture of a file, or save it
///
/// As large as the file has it, up to 2048 pixels a side, or as --edge says: a sheet of frames of a film, a waveform
/// as wide as a screen of a sound, the first page of a document. `pent thumb` is for small pictures. With --to the
/// picture is saved: as a JPEG file where the name ends in .jpg, else as a PNG file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    drawing: Drawing,
    /// The longest side, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=16384))]
    edge: u32,
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
        self.drawing.run(context, Self::NAME, Kind::Preview, self.edge)
    }
}
