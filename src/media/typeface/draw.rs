//! Draws glyphs: a specimen of a typeface, one glyph alone, and a fingerprint of its curves.

use resvg::tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};
use skrifa::instance::{Location, LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider as _};

use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;

/// Longest side of a picture of one glyph, in pixels.
pub(super) const GLYPH_EDGE: u32 = 640;
/// Longest side of a specimen, in pixels.
pub(super) const SPECIMEN_EDGE: u32 = 2048;
/// Most axes whose ends are looked at for a fingerprint.
const AXES_MAX: usize = 6;
/// A specimen's lines: the parts of its width and height that they may take, and what they say.
const LINES: [(f32, f32, &str); 4] = [
    (0.86, 0.36, "Hamburg"),
    (0.86, 0.13, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    (0.86, 0.13, "abcdefghijklmnopqrstuvwxyz"),
    (0.86, 0.13, "0123456789 &!?@ «äöß» €$£"),
];
/// Paper and ink of a specimen.
const PAPER: [u8; 3] = [250, 250, 250];
const INK: [u8; 3] = [24, 24, 24];

/// A path of tiny-skia, with what is up turned down.
struct Curves(PathBuilder);

impl OutlinePen for Curves {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, -y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, -y);
    }
    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.0.quad_to(cx, -cy, x, -y);
    }
    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.0.cubic_to(ax, -ay, bx, -by, x, -y);
    }
    fn close(&mut self) {
        self.0.close();
    }
}

fn path(font: &FontRef<'_>, glyph: GlyphId) -> Option<Path> {
    let mut curves = Curves(PathBuilder::new());
    let settings = DrawSettings::unhinted(Size::unscaled(), LocationRef::default());
    font.outline_glyphs().get(glyph)?.draw(settings, &mut curves).ok()?;
    curves.0.finish()
}

/// Glyphs in a row, in the units of the typeface.
struct Row {
    paths: Vec<(f32, Path)>,
    width: f32,
}

impl Row {
    fn of(font: &FontRef<'_>, glyphs: impl IntoIterator<Item = GlyphId>) -> Self {
        let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
        let mut row = Self { paths: Vec::new(), width: 0.0 };
        for glyph in glyphs {
            row.paths.extend(path(font, glyph).map(|path| (row.width, path)));
            row.width += metrics.advance_width(glyph).filter(|it| it.is_finite()).unwrap_or(0.0).max(0.0);
        }
        row
    }

    fn draw(&self, canvas: &mut Pixmap, scale: f32, left: f32, baseline: f32) {
        for (x, path) in &self.paths {
            let place = Transform::from_row(scale, 0.0, 0.0, scale, left + x * scale, baseline);
            canvas.fill_path(path, &ink(), FillRule::Winding, place, None);
        }
    }
}

fn ink() -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(INK[0], INK[1], INK[2], 255);
    paint.anti_alias = true;
    paint
}

fn sheet(width: u32, height: u32) -> Result<Pixmap, DecodeError> {
    let mut canvas = Pixmap::new(width, height)
        .ok_or_else(|| DecodeError::TooLarge("the specimen is too large".to_owned()))?;
    canvas.fill(Color::from_rgba8(PAPER[0], PAPER[1], PAPER[2], 255));
    Ok(canvas)
}

fn finished(canvas: Pixmap) -> Result<Pixels, DecodeError> {
    let (width, height) = (canvas.width(), canvas.height());
    Pixels::new(width, height, canvas.take_demultiplied())
}

/// A sheet with a word, both alphabets and figures; of a typeface without Latin letters, with the first
/// that it has.
pub(super) fn specimen(font: &FontRef<'_>, edge: u32) -> Result<Pixels, DecodeError> {
    let (width, height) = (edge.max(16), (edge * 3 / 4).max(12));
    let mut canvas = sheet(width, height)?;
    let charmap = font.charmap();
    let has_latin = "Hamburgefonsiv".chars().all(|letter| charmap.map(letter).is_some());
    if !has_latin {
        signs(font, &mut canvas);
        return finished(canvas);
    }
    let metrics = font.metrics(Size::unscaled(), LocationRef::default());
    let tall = (metrics.ascent - metrics.descent).max(1.0);
    let rows = LINES.map(|(wide, high, text)| {
        (wide, high, Row::of(font, text.chars().filter_map(|letter| charmap.map(letter))))
    });
    let left = width as f32 * 0.07;
    // The alphabets stand in one size, that of the widest.
    let fit = |(wide, high, row): &(f32, f32, Row)| {
        (width as f32 * wide / row.width.max(1.0)).min(height as f32 * high / tall)
    };
    let small = rows[1..].iter().map(fit).fold(f32::INFINITY, f32::min);
    let (wide_gap, gap) = (height as f32 * 0.05, height as f32 * 0.02);
    let all = tall * (fit(&rows[0]) + 3.0 * small) + wide_gap + 2.0 * gap;
    let mut top = (height as f32 - all).max(0.0) / 2.0;
    for (number, line) in rows.iter().enumerate() {
        let scale = if number == 0 { fit(line) } else { small };
        line.2.draw(&mut canvas, scale, left, top + metrics.ascent * scale);
        top += tall * scale + if number == 0 { wide_gap } else { gap };
    }
    finished(canvas)
}

/// The first signs of a typeface on a grid.
fn signs(font: &FontRef<'_>, canvas: &mut Pixmap) {
    const COLUMNS: u32 = 8;
    const ROWS: u32 = 6;
    let (width, height) = (canvas.width() as f32, canvas.height() as f32);
    let mut glyphs: Vec<GlyphId> = font.charmap().mappings().map(|(_, glyph)| glyph).collect();
    if glyphs.is_empty() {
        glyphs =
            (1..font.metrics(Size::unscaled(), LocationRef::default()).glyph_count).map(Into::into).collect();
    }
    glyphs.dedup();
    let drawn = glyphs.into_iter().filter_map(|glyph| path(font, glyph));
    for (number, path) in drawn.take((COLUMNS * ROWS) as usize).enumerate() {
        let (column, row) = (number as u32 % COLUMNS, number as u32 / COLUMNS);
        let cell = (width * 0.9 / COLUMNS as f32, height * 0.9 / ROWS as f32);
        let at = (width * 0.05 + cell.0 * column as f32, height * 0.05 + cell.1 * row as f32);
        centred(canvas, &path, path.bounds(), at, (cell.0 * 0.66, cell.1 * 0.66), cell);
    }
}

/// Draws a path in the middle of a cell, as large as `room` allows.
fn centred(
    canvas: &mut Pixmap,
    path: &Path,
    bounds: Rect,
    at: (f32, f32),
    room: (f32, f32),
    cell: (f32, f32),
) {
    let scale = (room.0 / bounds.width().max(1.0)).min(room.1 / bounds.height().max(1.0));
    let left = at.0 + (cell.0 - bounds.width() * scale) / 2.0 - bounds.left() * scale;
    let top = at.1 + (cell.1 - bounds.height() * scale) / 2.0 - bounds.top() * scale;
    let place = Transform::from_row(scale, 0.0, 0.0, scale, left, top);
    canvas.fill_path(path, &ink(), FillRule::Winding, place, None);
}

/// One glyph as it stands on its line: two versions of it lie on each other.
pub(super) fn glyph(font: &FontRef<'_>, glyph: GlyphId, edge: u32) -> Result<Pixels, DecodeError> {
    let metrics = font.metrics(Size::unscaled(), LocationRef::default());
    let tall = (metrics.ascent - metrics.descent).max(1.0);
    let mut canvas = sheet(edge.max(1), edge.max(1))?;
    let row = Row::of(font, [glyph]);
    let scale = edge as f32 * 0.8 / tall.max(row.width);
    let left = (edge as f32 - row.width * scale) / 2.0;
    row.draw(&mut canvas, scale, left, edge as f32 * 0.1 + metrics.ascent * scale);
    finished(canvas)
}

/// A fingerprint of the glyph's curves and of its width, also at the ends of the axes of a variable
/// typeface.
pub(super) fn hash(font: &FontRef<'_>, glyph: GlyphId) -> String {
    let axes = font.axes();
    let mut places = vec![Location::default()];
    for axis in axes.iter().take(AXES_MAX) {
        for end in [axis.min_value(), axis.max_value()] {
            if (end - axis.default_value()).abs() > f32::EPSILON {
                places.push(axes.location([(axis.tag(), end)]));
            }
        }
    }
    let mut strokes = Strokes(blake3::Hasher::new());
    for place in &places {
        let metrics = font.glyph_metrics(Size::unscaled(), place);
        strokes.note(0, &[metrics.advance_width(glyph).unwrap_or(0.0)]);
        if let Some(outline) = font.outline_glyphs().get(glyph) {
            // One that cannot be drawn is the same as another that cannot.
            let _ = outline.draw(DrawSettings::unhinted(Size::unscaled(), place), &mut strokes);
        }
    }
    strokes.0.finalize().to_hex().to_string()
}

/// Takes note of curves, to a sixteenth of a unit.
struct Strokes(blake3::Hasher);

impl Strokes {
    fn note(&mut self, kind: u8, numbers: &[f32]) {
        self.0.update(&[kind]);
        for number in numbers {
            self.0.update(&((number * 16.0).round() as i64).to_le_bytes());
        }
    }
}

impl OutlinePen for Strokes {
    fn move_to(&mut self, x: f32, y: f32) {
        self.note(1, &[x, y]);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.note(2, &[x, y]);
    }
    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.note(3, &[cx, cy, x, y]);
    }
    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.note(4, &[ax, ay, bx, by, x, y]);
    }
    fn close(&mut self) {
        self.note(5, &[]);
    }
}
