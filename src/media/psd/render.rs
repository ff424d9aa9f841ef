//! Pixels of one layer, and of the merged picture.

use super::channel::{Rows, Take, read_rows, to_bytes};
use super::layer::Bounds;
use super::{Document, LayerRecord, Mode, PsdError};
use crate::media::colour::lab;
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
    let outside = layer.mask.map_or(255, |mask| mask.outside);
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
    let mut canvas = Canvas::new(i64::from(left), i64::from(top), width, height)?;
    let mode = document.header.mode;
    let has_alpha = layer.channels.iter().any(|channel| channel.id == -1);
    if !has_alpha {
        canvas.pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
    }
    let mut fourth = if mode == Mode::Cmyk { vec![255; canvas.pixels.len() / 4] } else { Vec::new() };
    let rows = Rows { width, height, depth: document.header.depth, large: document.header.large };
    for channel in &layer.channels {
        let slot = match usize::try_from(channel.id) {
            Ok(colour) if colour < mode.colours() => colour,
            Err(_) if channel.id == -1 => 4,
            _ => continue,
        };
        let range = (channel.at, channel.at.saturating_add(channel.length));
        let mut line = Vec::new();
        read_rows(input, range, rows, 1, &mut |_, row, bytes| {
            to_bytes(bytes, rows.depth, width as usize, &mut line);
            put(&mut canvas, &mut fourth, mode, slot, row, &line);
            Ok(())
        })?;
    }
    finish_colours(&mut canvas, &fourth, mode, document.palette.as_deref());
    Ok(canvas)
}

/// A layer's mask as opacity, on the mask's own bounds; `None` when it has none that counts.
pub(super) fn render_mask(
    input: &mut Input<'_>,
    document: &Document,
    layer: &LayerRecord,
) -> Result<Option<(Bounds, Vec<u8>)>, PsdError> {
    let Some(mask) = layer.mask.filter(|mask| !mask.disabled) else { return Ok(None) };
    let Some(channel) = layer.channels.iter().find(|channel| channel.id == -2) else { return Ok(None) };
    let (width, height) = (mask.bounds.width(), mask.bounds.height());
    let canvas = Canvas::new(0, 0, width, height)?;
    let mut opacity = vec![mask.outside; canvas.pixels.len() / 4];
    let rows = Rows { width, height, depth: document.header.depth, large: document.header.large };
    let mut line = Vec::new();
    let range = (channel.at, channel.at.saturating_add(channel.length));
    read_rows(input, range, rows, 1, &mut |_, row, bytes| {
        to_bytes(bytes, rows.depth, width as usize, &mut line);
        let at = row as usize * width as usize;
        opacity[at..at + line.len()].copy_from_slice(&line);
        Ok(())
    })?;
    Ok(Some((mask.bounds, opacity)))
}

/// The merged picture, made smaller by a whole factor so that no side is longer than `edge`, by
/// averaging. Memory follows what comes out, not the document's size.
pub fn merged(input: &mut Input<'_>, document: &Document, edge: u32) -> Result<Canvas, PsdError> {
    let header = &document.header;
    let factor = header.width.max(header.height).div_ceil(edge.max(1)).max(1);
    let (width, height) = (header.width.div_ceil(factor), header.height.div_ceil(factor));
    let mut canvas = Canvas::new(0, 0, width, height)?;
    let mut fourth = if header.mode == Mode::Cmyk { vec![255; canvas.pixels.len() / 4] } else { Vec::new() };
    let alpha_plane = (document.merged_alpha && usize::from(header.channels) > header.mode.colours())
        .then_some(header.mode.colours() as u32);
    if alpha_plane.is_none() {
        canvas.pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
    }
    let colours = header.mode.colours().min(usize::from(header.channels)) as u32;
    // An average of palette numbers means nothing: there the first pixel of each square is taken.
    let averaged = !matches!(header.mode, Mode::Indexed);
    let mut sums = Sums { factor, width, count: 0, sums: vec![0; width as usize], averaged };
    let rows = Rows { width: header.width, height: header.height, depth: header.depth, large: header.large };
    let mut line = Vec::new();
    let planes = alpha_plane.map_or(colours, |plane| plane + 1);
    let range = (document.merged_at, input.len());
    read_planes(input, range, rows, (planes, u32::from(header.channels)), &mut |plane, row, bytes| {
        let slot = if Some(plane) == alpha_plane { 4 } else { plane as usize };
        to_bytes(bytes, rows.depth, rows.width as usize, &mut line);
        sums.add(&line);
        if (row + 1) % factor == 0 || row + 1 == rows.height {
            let smaller = sums.take(rows.width);
            put(&mut canvas, &mut fourth, header.mode, slot, row / factor, &smaller);
        }
        Ok(())
    })?;
    finish_colours(&mut canvas, &fourth, header.mode, document.palette.as_deref());
    Ok(canvas)
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
    fn add(&mut self, line: &[u8]) {
        if self.averaged || self.count == 0 {
            let factor = self.factor as usize;
            for (sum, square) in self.sums.iter_mut().zip(line.chunks(factor)) {
                *sum += if self.averaged {
                    square.iter().map(|value| u64::from(*value)).sum::<u64>()
                } else {
                    u64::from(square[0])
                };
            }
        }
        self.count += 1;
    }

    fn take(&mut self, line_width: u32) -> Vec<u8> {
        let (factor, width, count) = (self.factor, self.width, self.count.max(1));
        let smaller = self.sums.iter().enumerate().map(|(at, sum)| {
            let across = if at as u32 + 1 == width { line_width - at as u32 * factor } else { factor };
            let pixels = if self.averaged { u64::from(across) * u64::from(count) } else { 1 };
            ((sum + pixels / 2) / pixels) as u8
        });
        let smaller = smaller.collect();
        self.sums.fill(0);
        self.count = 0;
        smaller
    }
}

/// Puts one row of one channel into its place. Slot 4 is opacity.
fn put(canvas: &mut Canvas, fourth: &mut [u8], mode: Mode, slot: usize, row: u32, line: &[u8]) {
    let at = row as usize * canvas.width as usize;
    if mode == Mode::Cmyk && slot == 3 {
        fourth[at..at + line.len()].copy_from_slice(line);
        return;
    }
    let channel = if slot == 4 { 3 } else { slot };
    let pixels = canvas.pixels[at * 4..].chunks_exact_mut(4);
    pixels.zip(line).for_each(|(pixel, value)| pixel[channel] = *value);
}

/// Turns what was read into red, green and blue.
fn finish_colours(canvas: &mut Canvas, fourth: &[u8], mode: Mode, palette: Option<&[u8]>) {
    for (at, pixel) in canvas.pixels.chunks_exact_mut(4).enumerate() {
        match mode {
            Mode::Rgb => {}
            Mode::Bitmap | Mode::Gray | Mode::Duotone | Mode::Multichannel => {
                (pixel[1], pixel[2]) = (pixel[0], pixel[0]);
            }
            Mode::Indexed => {
                let number = usize::from(pixel[0]);
                let colour = |plane: usize| palette.and_then(|all| all.get(plane * 256 + number)).copied();
                for (plane, value) in pixel[..3].iter_mut().enumerate() {
                    *value = colour(plane).unwrap_or(0);
                }
            }
            // Ink is written as what it leaves of the paper's white.
            Mode::Cmyk => {
                let black = u32::from(fourth[at]);
                for value in &mut pixel[..3] {
                    *value = ((u32::from(*value) * black + 127) / 255) as u8;
                }
            }
            Mode::Lab => {
                let [red, green, blue] = lab([pixel[0], pixel[1], pixel[2]]);
                pixel[..3].copy_from_slice(&[red, green, blue]);
            }
        }
    }
}
