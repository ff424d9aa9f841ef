//! `pent info`.

mod embedded;
mod family;

use crate::app::common::locate::Word;
use crate::app::info::{self, Options, Report};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::typed_words::read_words;
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::media::facts::{Facts, Layer, LayerKind, Picture};
use crate::media::format::Family;
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// Most layers that are listed; `--json` has them all.
const LAYERS_SHOWN: usize = 40;

/// See what a file is: its kind, size, colours, layers
///
/// The kind is told by the file's content, never by its name alone. Without a version or a revision this is the
/// file as it lies in your folder now.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
}

// What is written above a part of the arguments would become the help of the whole, so this is none.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The file, or a version of it such as poster.psd@3
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// As of this revision instead
    #[arg(short, long, value_name = "REVISION")]
    revision: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "info";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent info poster.psd", what: "its size, colours and layers" },
        Example { line: "pent info poster.psd@3", what: "the same of version 3" },
        Example {
            line: "pent info --json photo.tif -r sent-to-print",
            what: "for a script, as a tag has it",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let options = self.which.options(context, &repository)?;
        let report =
            info::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("info", &report, write_report)?;
        Ok(if report.fault.is_some() { ExitStatus::Problems } else { ExitStatus::Done })
    }
}

impl Which {
    /// The file, when it lies outside of the repository.
    pub(super) fn outside(&self, context: &Context, repository: &Repository) -> Option<PathBuf> {
        let path = context.folder().join(&self.path);
        let is_outside = self.revision.is_none() && context.asset_path(repository, &self.path).is_err();
        Some(path).filter(|path| is_outside && path.is_file())
    }

    /// What the words on the command line mean.
    pub(super) fn options(self, context: &Context, repository: &Repository) -> Result<Options, Failure> {
        let Self { path, revision } = self;
        if revision.is_some() {
            return Ok(Options { subject: Word::Path(context.asset_path(repository, &path)?), revision });
        }
        let words = read_words(context, repository, std::slice::from_ref(&path))?;
        let subject = match words.into_iter().next() {
            // A file may be called like a branch; here only files are meant.
            Some(Word::Revision(_)) | None => Word::Path(context.asset_path(repository, &path)?),
            Some(word) => word,
        };
        Ok(Options { subject, revision: None })
    }
}

fn write_report(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let facts = &report.facts;
    page.line(format_args!("{}  {}", page.styles.paint(BOLD, &report.path), safe(&facts.format_name)))?;
    let mut columns = Columns::indented(2);
    let mut row = |name: &str, text: String| columns.row([Cell::new(name).styled(DIM), Cell::new(text)]);
    row("size", human_bytes(report.size));
    if let Some(picture) = &facts.picture {
        let what = match facts.family {
            Some(Family::Document) => "page",
            Some(Family::Vector) => "drawing",
            _ => "picture",
        };
        picture_rows(picture, what, &mut row);
    }
    family::rows(facts, &mut row);
    if !report.missing.is_empty() {
        row("not there", family::several(report.missing.iter().map(|name| safe(name))));
    }
    row("media type", safe(&facts.mime));
    if let Some(id) = report.file {
        row("b3sum", id.to_string());
    }
    if let Some(fault) = &report.fault {
        row("not read", safe(fault));
    }
    if facts.content_credentials {
        row("credentials", "content credentials (C2PA) are in it".to_owned());
    }
    for note in &facts.notes {
        row("note", safe(note));
    }
    embedded::rows(&facts.embedded, &mut columns);
    columns.write(page)?;
    for sidecar in &report.sidecars {
        embedded::write(page, &sidecar.fields, format!("Beside it, in {}", sidecar.path))?;
        if let Some(fault) = &sidecar.fault {
            page.remark(format_args!("  {} could not be read: {}", sidecar.path, safe(fault)))?;
        }
    }
    write_layers(page, facts)
}

fn picture_rows(picture: &Picture, what: &str, row: &mut dyn FnMut(&str, String)) {
    row(what, family::size(picture, what));
    let mut colours: Vec<String> = Vec::new();
    colours.extend(picture.colour_space.as_deref().map(safe));
    colours.extend(picture.depth.map(|depth| format!("{depth} bits a channel")));
    colours.extend(picture.alpha.map(|alpha| if alpha { "with transparency" } else { "opaque" }.to_owned()));
    if !colours.is_empty() {
        row("colours", colours.join(", "));
    }
    if let Some((across, _)) = picture.resolution.filter(|_| what == "picture") {
        row("resolution", format!("{} dots per inch", across.round()));
    }
    if let Some(frames) = picture.frames {
        row("frames", frames.to_string());
    }
}

fn write_layers(page: &mut Page<'_>, facts: &Facts) -> io::Result<()> {
    // Pages are told by their number.
    if facts.layers.is_empty() || facts.layers.iter().all(|layer| layer.kind == LayerKind::Page) {
        return Ok(());
    }
    page.gap()?;
    let (one, many) = match (facts.layers.first().map(|layer| layer.kind), facts.family) {
        (Some(LayerKind::Page), _) => ("page", "pages"),
        (Some(LayerKind::Glyph), _) => ("glyph", "glyphs"),
        (_, Some(Family::Vector)) => ("element", "elements"),
        _ => ("layer", "layers"),
    };
    page.heading(count(facts.layers.len() as u64, one, many))?;
    let mut columns = Columns::indented(2);
    for layer in facts.layers.iter().take(LAYERS_SHOWN) {
        let name = format!("{}{}", "  ".repeat(layer.depth.min(20) as usize), safe(&layer.name));
        columns.row([Cell::new(name), Cell::new(layer_text(layer)).styled(DIM)]);
    }
    columns.write(page)?;
    match facts.layers.len().checked_sub(LAYERS_SHOWN) {
        Some(more @ 1..) => page.remark(format_args!("and {more} more; --json lists them all")),
        _ => Ok(()),
    }
}

fn layer_text(layer: &Layer) -> String {
    let kind = match layer.kind {
        LayerKind::Pixels => "",
        LayerKind::Group => "group",
        LayerKind::Text => "text",
        LayerKind::Shape => "shape",
        LayerKind::Placed => "placed document",
        LayerKind::Adjustment => "adjustment",
        LayerKind::Page => "page",
        LayerKind::Glyph => "glyph",
    };
    let mut words: Vec<String> = Vec::new();
    if !kind.is_empty() {
        words.push(kind.to_owned());
    }
    if !layer.visible {
        words.push("hidden".to_owned());
    }
    if layer.blend != "normal" && layer.blend != "pass through" {
        words.push(safe(&layer.blend));
    }
    if layer.opacity < 0.999 {
        words.push(format!("{}%", (layer.opacity * 100.0).round()));
    }
    if layer.masked {
        words.push("masked".to_owned());
    }
    words.join(", ")
}
