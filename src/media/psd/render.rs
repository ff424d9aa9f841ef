//! Pixels of one layer, and of the merged picture.

use super::channel::{Meaning, Rows, Take, read_rows, to_bytes, to_words};
use super::layer::Bounds;
use super::planes::{Mixed, Planes, Slot};
use super::{Document, Header, LayerRecord, Mode, PsdError};
use crate::media::input::Input;

/// Most pixels of one canvas: what may be held at once.
const CANVAS_PIXELS_MAX: u64 = 200_000_000;

/// Pixels as red, green, blue and opacity, not multiplied, with a place on the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    /// Left edge on the document.
    pub left: i64,
    /// Top edge on the document.
    pub top: i64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Four bytes a pixel, row by row.
    pub pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas of transparent pixels.
    pub fn new(left: i64, top: i64, width: u32, height: u32) -> Result<Self, PsdError> {
        let count = u64::from(width) * u64::from(height);
        if count > CANVAS_PIXELS_MAX {
            return Err(PsdError::TooLarge);
        }
        Ok(Self { left, top, width, height, pixels: vec![0; count as usize * 4] })
    }

    /// The pixel at a place of the document; transparent beyond the edges.
    pub fn at(&self, x: i64, y: i64) -> [u8; 4] {
        let (column, row) = (x - self.left, y - self.top);
        if column < 0 || row < 0 || column >= i64::from(self.width) || row >= i64::from(self.height) {
            return [0; 4];
        }
        let at = (row as usize * self.width as usize + column as usize) * 4;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2], self.pixels[at + 3]]
    }

    /// Puts another canvas in its place on this one; what lies beyond the edges is left out.
    pub fn put(&mut self, other: &Self) {
        let left = self.left.max(other.left);
        let right = (self.left + i64::from(self.width)).min(other.left + i64::from(other.width));
        let top = self.top.max(other.top);
        let bottom = (self.top + i64::from(self.height)).min(other.top + i64::from(other.height));
        if left >= right {
            return;
        }
        let start = |canvas: &Self, y: i64| {
            ((y - canvas.top) as usize * canvas.width as usize + (left - canvas.left) as usize) * 4
        };
        let length = (right - left) as usize * 4;
        for y in top..bottom {
            let (to, from) = (start(self, y), start(other, y));
            self.pixels[to..to + length].copy_from_slice(&other.pixels[from..from + length]);
        }
    }
}

/// BLAKE3 of a layer's mask with its place, in hexadecimal digits; `None` when it has none that counts.
pub fn mask_hash(
    input: &mut Input<'_>,
    document: &Document,
    layer: &LayerRecord,
) -> Result<Option<String>, PsdError> {
    let Some((bounds, opacity)) = render_mask(input, document, layer)? else { return Ok(None) };
    let outside = layer.mask.map_or(255, |mask| mask.dense(mask.outside));
    // Rows and columns that say what the outside says in any case are written by some programs only.
    let width = bounds.width() as usize;
    let counts = |value: &u8| *value != outside;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[outside]);
    for (row, line) in opacity.chunks_exact(width.max(1)).enumerate() {
        let (Some(first), Some(last)) = (line.iter().position(counts), line.iter().rposition(counts)) else {
            continue;
        };
        let (x, y) = (i64::from(bounds.left) + first as i64, i64::from(bounds.top) + row as i64);
        hasher.update(&x.to_le_bytes()).update(&y.to_le_bytes()).update(&line[first..=last]);
    }
    Ok(Some(hasher.finalize().to_hex().to_string()))
}

/// The pixels of one layer, its mask not applied. Empty for one without pixels.
pub fn render_layer(
    input: &mut Input<'_>,
    document: &Document,
    layer: &LayerRecord,
) -> Result<Canvas, PsdError> {
    let Bounds { left, top, .. } = layer.bounds;
    let (width, height) = (layer.bounds.width(), layer.bounds.height());
    let canvas = Canvas::new(i64::from(left), i64::from(top), width, height)?;
    let Header { mode, depth, large, .. } = document.header;
    let has_opacity = layer.channels.iter().any(|channel| channel.id == -1);
    let planes = Planes::new(canvas, (mode, depth), document.palette.as_deref(), has_opacity, Mixed::No);
    let mut planes = planes.with_inks(document.inks.as_ref());
    let rows = Rows { width, height, depth, large };
    for channel in &layer.channels {
        let slot = match usize::try_from(channel.id) {
            Ok(colour) if colour < mode.colours() => Slot::Colour(colour),
            Err(_) if channel.id == -1 => Slot::Opacity,
            _ => continue,
        };
        let range = (channel.at, channel.at.saturating_add(channel.length));
        read_rows(input, range, rows, 1, &mut |_, row, bytes| {
            planes.put(slot, row, bytes);
            Ok(())
        })?;
    }
    planes.finish()
}

/// A layer's mask as opacity, on the mask's own bounds; `None` when it has none that counts.
pub(super) fn render_mask(
    input: &mut Input<'_>,
    document: &Document,
    layer: &LayerRecord,
) -> Result<Option<(Bounds, Vec<u8>)>, PsdError> {
    let Some(mask) = layer.needed_mask().filter(|mask| !mask.disabled) else { return Ok(None) };
    let Some(channel) = layer.channels.iter().find(|channel| channel.id == -2) else { return Ok(None) };
    let (width, height) = (mask.bounds.width(), mask.bounds.height());
    let canvas = Canvas::new(0, 0, width, height)?;
    let mut opacity = vec![mask.dense(mask.outside); canvas.pixels.len() / 4];
    let rows = Rows { width, height, depth: document.header.depth, large: document.header.large };
    let mut line = Vec::new();
    let range = (channel.at, channel.at.saturating_add(channel.length));
    read_rows(input, range, rows, 1, &mut |_, row, bytes| {
        to_bytes(bytes, rows.depth, width as usize, Meaning::Share, &mut line);
        let at = row as usize * width as usize;
        let places = opacity[at..].iter_mut();
        places.zip(&line).for_each(|(place, level)| *place = mask.dense(*level));
        Ok(())
    })?;
    Ok(Some((mask.bounds, opacity)))
}

/// The merged picture, made smaller by a whole factor so that no side is longer than `edge`, by
/// averaging. Memory follows what comes out, not the document's size.
pub fn merged(input: &mut Input<'_>, document: &Document, edge: u32) -> Result<Canvas, PsdError> {
    let Header { mode, depth, large, channels, width: wide, height: high } = document.header;
    let factor = wide.max(high).div_ceil(edge.max(1)).max(1);
    let (width, height) = (wide.div_ceil(factor), high.div_ceil(factor));
    let canvas = Canvas::new(0, 0, width, height)?;
    let opacity =
        (document.merged_alpha && usize::from(channels) > mode.colours()).then_some(mode.colours() as u32);
    let palette = document.palette.as_deref();
    let made = Planes::new(canvas, (mode, depth), palette, opacity.is_some(), Mixed::WithWhite);
    let mut made = made.with_inks(document.inks.as_ref());
    let colours = mode.colours().min(usize::from(channels)) as u32;
    // An average of palette numbers means nothing: there the first pixel of each square is taken.
    let averaged = mode != Mode::Indexed;
    let mut sums = Sums { factor, width, count: 0, sums: vec![0; width as usize], averaged };
    let rows = Rows { width: wide, height: high, depth, large };
    let (mut bytes_line, mut words_line) = (Vec::new(), Vec::new());
    let planes = opacity.map_or(colours, |plane| plane + 1);
    let range = (document.merged_at, input.len());
    let is_deep = made.is_deep();
    read_planes(input, range, rows, (planes, u32::from(channels)), &mut |plane, row, bytes| {
        let slot = if Some(plane) == opacity { Slot::Opacity } else { Slot::Colour(plane as usize) };
        if is_deep {
            to_words(bytes, depth, wide as usize, &mut words_line);
            sums.add(&words_line);
        } else {
            to_bytes(bytes, depth, wide as usize, Meaning::Colour, &mut bytes_line);
            sums.add(&bytes_line);
        }
        if (row + 1) % factor == 0 || row + 1 == high {
            if is_deep {
                made.put_words(slot, row / factor, &sums.take(wide, |average| average as u16));
            } else {
                made.put_bytes(slot, row / factor, &sums.take(wide, |average| average as u8));
            }
        }
        Ok(())
    })?;
    made.finish()
}

/// Reads the first `wanted` of `all` planes that stand one after the other.
fn read_planes(
    input: &mut Input<'_>,
    range: (u64, u64),
    rows: Rows,
    (wanted, all): (u32, u32),
    take: &mut Take<'_>,
) -> Result<(), PsdError> {
    // Packed rows have the lengths of all planes before them, so all are announced; what comes
    // after the wanted ones ends the reading by an error of our own.
    let mut ended = false;
    let result = read_rows(input, range, rows, all, &mut |plane, row, bytes| {
        if plane >= wanted {
            ended = true;
            return Err(PsdError::Damaged);
        }
        take(plane, row, bytes)
    });
    if ended { Ok(()) } else { result }
}

/// Averages squares of pixels, row by row.
struct Sums {
    factor: u32,
    width: u32,
    count: u32,
    sums: Vec<u64>,
    averaged: bool,
}

impl Sums {
    fn add<T: Copy + Into<u64>>(&mut self, line: &[T]) {
        if self.averaged || self.count == 0 {
            let factor = self.factor as usize;
            for (sum, square) in self.sums.iter_mut().zip(line.chunks(factor)) {
                *sum += if self.averaged {
                    square.iter().map(|value| (*value).into()).sum::<u64>()
                } else {
                    square[0].into()
                };
            }
        }
        self.count += 1;
    }

    fn take<T>(&mut self, line_width: u32, narrow: impl Fn(u64) -> T) -> Vec<T> {
        let (factor, width, count) = (self.factor, self.width, self.count.max(1));
        let smaller = self.sums.iter().enumerate().map(|(at, sum)| {
            let across = if at as u32 + 1 == width { line_width - at as u32 * factor } else { factor };
            let pixels = if self.averaged { u64::from(across) * u64::from(count) } else { 1 };
            narrow((sum + pixels / 2) / pixels)
        });
        let smaller = smaller.collect();
        self.sums.fill(0);
        self.count = 0;
        smaller
    }
}
