//! What the commands share that write a page of pictures.

use crate::app::visual::page_edges;
use crate::app::visual::{StateLine, VisualDiff, Written, default_place};
use crate::base::local_path::LocalPath;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::difference::write_text;
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::media::compare::film::{FilmDiff, FilmSpan};
use crate::media::compare::layers::{LayerChange, LayerEdit};
use crate::media::compare::sound::{SoundDiff, SoundSpan, SpanKind};
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// Most spans of sound and of films that are listed; `--json` has all of them.
const SPANS_SHOWN: usize = 20;

/// Options of a page of pictures.
#[derive(Debug, clap::Args)]
pub struct PageArguments {
    /// Show pictures: write a page to look at in the browser
    #[arg(long)]
    pub visual: bool,
    /// Write the page here, as a file that is not there yet
    #[arg(long, value_name = "FILE", requires = "visual")]
    out: Option<PathBuf>,
    /// Do not open the page
    #[arg(long, requires = "visual")]
    no_open: bool,
    /// The longest side at which pictures are looked at, in pixels
    #[arg(long, value_name = "PIXELS", requires = "visual", value_parser = clap::value_parser!(u32).range(16..=8000))]
    edge: Option<u32>,
}

impl PageArguments {
    /// The page to write: where the person says, else beside the repository's files; none for a
    /// program that did not name one.
    pub fn page(
        &self,
        context: &Context,
        repository: &Repository,
        verb: &str,
    ) -> Result<Option<PathBuf>, Failure> {
        match &self.out {
            Some(out) => {
                let page = context.folder().join(out);
                if page.symlink_metadata().is_ok() {
                    return Err(Failure::refused(format!("{} is there already", LocalPath(page)))
                        .hint("name a file that is not there yet"));
                }
                Ok(Some(page))
            }
            None if context.json() => Ok(None),
            None => Ok(Some(default_place(repository, verb, context.clock())?)),
        }
    }

    /// Whether the person said where the page goes.
    pub fn is_placed(&self) -> bool {
        self.out.is_some()
    }

    /// The longest side of one of a number of pictures.
    pub fn edge(&self, pictures: usize) -> u32 {
        self.edge.unwrap_or_else(|| page_edges(pictures))
    }

    /// Opens what was written, where a person can look at it.
    pub fn show(&self, context: &mut Context, written: Option<&Written>) {
        if let Some(written) = written.filter(|_| !self.no_open) {
            context.open_page(&written.page);
        }
    }
}

/// Says where the page is.
pub fn write_place(page: &mut Page<'_>, written: Option<&Written>) -> io::Result<()> {
    let Some(written) = written else { return Ok(()) };
    page.gap()?;
    page.line(format_args!("Look at it in a browser: {}", written.page))
}

/// One line for each asset, and one for each of its layers that changed.
pub fn write_files(page: &mut Page<'_>, files: &[VisualDiff]) -> io::Result<()> {
    for file in files {
        page.line(format_args!("{}  {}", page.styles.paint(BOLD, &file.path), what(file)))?;
        let mut columns = Columns::indented(2);
        for difference in file.sound.iter().flat_map(|sound| &sound.spans).take(SPANS_SHOWN) {
            let (time, mut what) = span(difference);
            if file.film.is_some() {
                what = format!("sound: {what}");
            }
            columns.row([Cell::new(time), Cell::new(what).styled(DIM)]);
        }
        for difference in file.film.iter().flat_map(|film| &film.spans).take(SPANS_SHOWN) {
            let (time, what) = film_span(difference);
            columns.row([Cell::new(time), Cell::new(what).styled(DIM)]);
        }
        for layer in &file.layers {
            let edits: Vec<String> = layer.edits.iter().map(edit).collect();
            columns.row([Cell::new(layer_name(layer)), Cell::new(edits.join(", ")).styled(DIM)]);
        }
        for fact in &file.facts {
            let side = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), safe);
            let change = format!("{} {} {}", side(&fact.before), page.arrow(), side(&fact.after));
            columns.row([Cell::new(safe(&fact.name)), Cell::new(change).styled(DIM)]);
        }
        columns.write(page)?;
        if let Some(text) = &file.text {
            page.remark("  its text:")?;
            write_text(page, text)?;
        }
        for note in &file.notes {
            page.remark(format_args!("  {}", safe(note)))?;
        }
    }
    Ok(())
}

fn what(file: &VisualDiff) -> String {
    match (&file.film, &file.sound) {
        (Some(film), Some(sound)) => {
            return format!("{}; its sound: {}", what_is_seen(film), what_is_heard(sound));
        }
        (Some(film), None) => return what_is_seen(film),
        (None, Some(sound)) => return what_is_heard(sound),
        (None, None) => {}
    }
    let Some(picture) = &file.picture else {
        return match (file.kinds.added, file.kinds.removed) {
            (true, _) => "new",
            (_, true) => "removed",
            _ => "changed",
        }
        .to_owned();
    };
    if picture.changed_pixels == 0 {
        return if picture.faint_pixels + picture.edge_pixels > 0 {
            "looks the same: only faint differences".to_owned()
        } else {
            "looks the same".to_owned()
        };
    }
    let areas = count(picture.regions.len() as u64, "area", "areas");
    format!("{}% changed in {areas}, likeness {}", picture.changed_percent, picture.similarity)
}

fn what_is_heard(sound: &SoundDiff) -> String {
    let louder = sound
        .louder
        .filter(|value| *value != 0.0)
        .map(|value| format!("{:.1} LU {}", value.abs(), if value > 0.0 { "louder" } else { "quieter" }));
    let spans = count(sound.spans.len() as u64, "span", "spans");
    match louder {
        _ if sound.same_samples => "sounds the same: every sample is".to_owned(),
        Some(louder) if sound.only_loudness => format!("the same sound, {louder}"),
        Some(louder) if !sound.spans.is_empty() => format!("{spans} changed, {louder}"),
        _ if !sound.spans.is_empty() => format!("{spans} changed"),
        _ => "sounds the same".to_owned(),
    }
}

fn what_is_seen(film: &FilmDiff) -> String {
    if film.spans.is_empty() {
        return "looks the same from end to end".to_owned();
    }
    let spans = count(film.spans.len() as u64, "span", "spans");
    format!(
        "{spans} changed, {} of {}",
        film.changed_frames,
        count(film.frames.len() as u64, "frame", "frames")
    )
}

fn film_span(span: &FilmSpan) -> (String, String) {
    let time = |(from, to): (f64, f64)| format!("{} to {}", clock(from), clock(to));
    let frames = |(from, to): (u64, u64)| count(to - from, "frame", "frames");
    match span.kind {
        SpanKind::Added => (time(span.after), format!("new, {}", frames(span.frames_after))),
        SpanKind::Removed => {
            (time(span.before), format!("gone (as it was before), {}", frames(span.frames_before)))
        }
        SpanKind::Changed => {
            let area = span.area.map_or(String::new(), |[left, top, width, height]| {
                let part = |value: f64| (value * 100.0).round();
                let (right, bottom) = (part(left + width), part(top + height));
                format!(", {} to {right}% across, {} to {bottom}% down", part(left), part(top))
            });
            (time(span.after), format!("looks otherwise, {}{area}", frames(span.frames_after)))
        }
    }
}

/// A moment of something that plays.
fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn span(span: &SoundSpan) -> (String, String) {
    let time = |(from, to): (f64, f64)| format!("{} to {}", clock(from), clock(to));
    match span.kind {
        SpanKind::Added => (time(span.after), "new".to_owned()),
        SpanKind::Removed => (time(span.before), "gone (as it was before)".to_owned()),
        SpanKind::Changed => (time(span.after), "sounds otherwise".to_owned()),
    }
}

fn layer_name(layer: &LayerChange) -> String {
    let mut names: Vec<String> = layer.groups.iter().map(|name| safe(name)).collect();
    names.push(safe(&layer.name));
    names.join(" / ")
}

fn edit(edit: &LayerEdit) -> String {
    let part = |value: f64| format!("{}%", (value * 100.0).round());
    match edit {
        LayerEdit::Added => "added".into(),
        LayerEdit::Removed => "removed".into(),
        LayerEdit::Renamed { before } => format!("renamed from {}", safe(before)),
        LayerEdit::Moved { x, y } => format!("moved by {x}, {y} pixels"),
        LayerEdit::Reordered => "moved in the stack".into(),
        LayerEdit::Regrouped { before } if before.is_empty() => "was in no group".into(),
        LayerEdit::Regrouped { before } => {
            format!("was in {}", before.iter().map(|name| safe(name)).collect::<Vec<_>>().join(" / "))
        }
        LayerEdit::Opacity { before, after } => format!("opacity {} to {}", part(*before), part(*after)),
        LayerEdit::Blend { before, after } => format!("{} to {}", safe(before), safe(after)),
        LayerEdit::Visibility { visible } => if *visible { "shown" } else { "hidden" }.into(),
        LayerEdit::Text { before, after } => {
            let line = |text: &str| safe(&text.trim().replace('\n', " "));
            format!("\"{}\" to \"{}\"", line(before), line(after))
        }
        LayerEdit::Pixels { regions } if regions.is_empty() => "redrawn".into(),
        LayerEdit::Pixels { regions } => {
            format!("redrawn in {}", count(regions.len() as u64, "area", "areas"))
        }
        LayerEdit::Mask => "other mask".into(),
        LayerEdit::Effects => "other effects".into(),
        LayerEdit::Clipping { clipped: true } => "clipped to the layer below".into(),
        LayerEdit::Clipping { clipped: false } => "clipped no more".into(),
    }
}

/// One line for each state.
pub fn write_states(page: &mut Page<'_>, states: &[StateLine]) -> io::Result<()> {
    let mut columns = Columns::indented(0);
    for state in states {
        let version = match (state.version, &state.commit) {
            (Some(version), _) => format!("version {version}"),
            (None, Some(commit)) => commit.id.short().clone(),
            (None, None) => "as it is now".to_owned(),
        };
        let size = match (state.width, state.height) {
            (Some(width), Some(height)) => format!("{width} × {height} pixels"),
            _ => String::new(),
        };
        columns.row([
            Cell::new(version),
            Cell::new(state.path.to_string()),
            Cell::new(size).styled(DIM),
            Cell::new(crate::base::size::human_bytes(state.size)).styled(DIM),
        ]);
    }
    columns.write(page)
}
