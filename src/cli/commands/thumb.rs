//! `pent thumb`.

use crate::app::thumb::{self, Options, Report};
use crate::cli::commands::info::{Which, workers};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, place};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::media::pixels::Pixels;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// Longest side of a picture on a terminal, in pixels; two stand above each other in a character.
const TERMINAL_EDGE: u32 = 72;

/// See a small picture of a file, or save it
///
/// On a terminal the picture is drawn with coloured characters. With --to it is saved as a PNG file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Save it here, as a PNG file that is not there yet
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The longest side, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=8192))]
    edge: u32,
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
        let repository = context.repository_to_read()?;
        let subject = self.which.options(context, &repository)?;
        let drawn = self.to.is_none() && !context.json();
        if drawn && !io::stdout().is_terminal() {
            return Err(Failure::usage("a picture can only be drawn on a terminal").hint("save it with --to"));
        }
        let edge = if drawn { TERMINAL_EDGE } else { self.edge };
        let options = Options { subject, edge };
        let report = thumb::run(&repository, &options, &workers()?, context.clock(), context.monitor())?;
        if let Some(to) = &self.to {
            let to = context.folder().join(to);
            let mut file = OpenOptions::new().write(true).create_new(true).open(&to)?;
            file.write_all(&png(&report.pixels)?)?;
        }
        context.print("thumb", &report, |page, report| write_report(page, report, self.to.as_deref()))?;
        Ok(ExitStatus::Done)
    }
}

fn write_report(page: &mut Page<'_>, report: &Report, to: Option<&std::path::Path>) -> io::Result<()> {
    match to {
        Some(to) => {
            page.line(format_args!("Saved {}: {} × {} pixels.", place(to), report.width, report.height))
        }
        None => draw(page, &report.pixels),
    }
}

fn png(pixels: &Pixels) -> Result<Vec<u8>, Failure> {
    use image::ImageEncoder as _;
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let colours = image::ExtendedColorType::Rgba8;
    encoder.write_image(&pixels.bytes, pixels.width, pixels.height, colours).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Draws with half blocks: the upper pixel in the colour of the text, the lower one behind it.
fn draw(page: &mut Page<'_>, pixels: &Pixels) -> io::Result<()> {
    let at = |x: u32, y: u32| -> Option<[u8; 3]> {
        let from = (y as usize * pixels.width as usize + x as usize) * 4;
        let pixel = pixels.bytes.get(from..from + 4)?;
        (pixel[3] >= 128).then_some([pixel[0], pixel[1], pixel[2]])
    };
    for y in (0..pixels.height).step_by(2) {
        let mut line = String::new();
        for x in 0..pixels.width {
            let lower = if y + 1 < pixels.height { at(x, y + 1) } else { None };
            // Writing to a string does not fail.
            let _ = match (at(x, y), lower) {
                (Some([r, g, b]), Some([lr, lg, lb])) => {
                    write!(line, "\x1b[38;2;{r};{g};{b};48;2;{lr};{lg};{lb}m▀")
                }
                (Some([r, g, b]), None) => write!(line, "\x1b[0;38;2;{r};{g};{b}m▀"),
                (None, Some([r, g, b])) => write!(line, "\x1b[0;38;2;{r};{g};{b}m▄"),
                (None, None) => write!(line, "\x1b[0m "),
            };
        }
        page.line(format_args!("{line}\x1b[0m"))?;
    }
    Ok(())
}
