//! Draws the shape of a sound: a lane for each channel, the reach of its samples light and their mean
//! power dark.

use super::listen::{Shape, Span};
use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;

/// Paper, the reach of samples, and their power.
const PAPER: [u8; 4] = [250, 250, 250, 255];
const REACH: [u8; 4] = [150, 150, 150, 255];
const POWER: [u8; 4] = [36, 36, 36, 255];
/// The line of silence.
const MIDDLE: [u8; 4] = [214, 214, 214, 255];
/// How much wider than high the picture is.
const ASPECT: u32 = 3;

/// A picture with its longest side of `edge` pixels.
pub(super) fn draw(shape: &Shape, edge: u32) -> Result<Pixels, DecodeError> {
    let width = edge.clamp(16, 4096);
    let lanes = shape.lanes.len().max(1) as u32;
    let height = (width / ASPECT).max(lanes);
    let mut bytes = PAPER.repeat(width as usize * height as usize);
    for (number, spans) in shape.lanes.iter().enumerate() {
        let (top, bottom) = (height * number as u32 / lanes, height * (number as u32 + 1) / lanes);
        let middle = top.midpoint(bottom);
        let room = (bottom - top) as f32 * 0.46;
        for x in 0..width {
            let span = over(spans, x, width);
            let count = (spans.len().div_ceil(width as usize).max(1) * shape.step()) as f32;
            let power = (span.square / count).sqrt().min(1.0);
            let reach = |value: f32| (value.clamp(-1.0, 1.0) * room).round() as i64;
            let mut paint = |from: i64, to: i64, colour: [u8; 4]| {
                for y in from.min(to)..=from.max(to) {
                    let y = (i64::from(middle) + y).clamp(i64::from(top), i64::from(bottom) - 1) as usize;
                    let at = (y * width as usize + x as usize) * 4;
                    bytes[at..at + 4].copy_from_slice(&colour);
                }
            };
            paint(0, 0, MIDDLE);
            // Up is less.
            let (low, high) = (-reach(span.greatest), -reach(span.least));
            if (low, high) != (0, 0) {
                paint(low, high, REACH);
                paint((-reach(power)).max(low), reach(power).min(high), POWER);
            }
        }
    }
    Pixels::new(width, height, bytes)
}

/// The spans that one column stands for, together.
fn over(spans: &[Span], x: u32, width: u32) -> Span {
    let place = |x: u32| (u64::from(x) * spans.len() as u64 / u64::from(width)) as usize;
    let (from, to) = (place(x), place(x + 1));
    let several = &spans[from.min(spans.len())..to.min(spans.len())];
    match (several, spans.get(from)) {
        ([], Some(one)) => *one,
        _ => several.iter().copied().fold(Span::default(), Span::and),
    }
}
