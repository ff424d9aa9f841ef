//! Which pixels of two pictures differ, and how much.
//!
//! The distance of two colours is that of Y. Kotsarenko and F. Ramos, "Measuring perceived color
//! difference using YIQ NTSC transmission color space in mobile applications", Programación
//! Matemática y Software 2 (2010). What is not opaque is looked at on white and on black, and the
//! greater distance counts: so a change of opacity alone is found, and one of colours that nobody
//! can see is not.

use super::antialias::is_edge;
use super::regions::{Region, regions};
use super::similarity::similarity;
use crate::media::pixels::Pixels;
use rayon::prelude::*;
use serde::Serialize;

/// The distance of black and white in this measure.
const DISTANCE_MAX: f32 = 35_215.0;

/// What counts as a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensitivity {
    /// Smallest distance of two colours that counts, from 0 (any) to 1 (black and white).
    pub threshold: f64,
    /// Whether edges that were only softened differently are left out.
    pub discount_antialiasing: bool,
}

impl Default for Sensitivity {
    /// About eight levels of brightness of 256: more than saving a JPEG file again changes, less than
    /// what people see at a glance.
    fn default() -> Self {
        Self { threshold: 0.03, discount_antialiasing: true }
    }
}

/// What was found out about one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing changed that can be seen.
    Same,
    /// It changed by less than what counts.
    Faint,
    /// It is the softened edge of something.
    Edge,
    /// It changed.
    Changed,
}

/// One verdict for each pixel, row by row.
#[derive(Debug, Clone)]
pub struct DifferenceMap {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The verdicts.
    pub verdicts: Vec<Verdict>,
}

/// How two pictures differ, in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PictureDiff {
    /// Pixels across of what was compared.
    pub width: u32,
    /// Pixels down of what was compared.
    pub height: u32,
    /// How many pixels changed.
    pub changed_pixels: u64,
    /// The same as part of all, in percent.
    pub changed_percent: f64,
    /// How many pixels changed by less than what counts.
    pub faint_pixels: u64,
    /// How many differ only as softened edges do.
    pub edge_pixels: u64,
    /// The greatest distance of two colours, from 0 to 1.
    pub greatest_distance: f64,
    /// How alike the pictures are to the eye, from 0 to 1: multi-scale structural similarity of
    /// brightness, and to a fifth each of the two axes of colour.
    pub similarity: f64,
    /// Whether opacity changed anywhere.
    pub alpha_changed: bool,
    /// Where pixels changed: boxes around what lies together, the largest first.
    pub regions: Vec<Region>,
}

/// Where two pictures of one size may differ: outside of it, all bytes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub left: usize,
    pub top: usize,
    /// The first column behind it.
    pub right: usize,
    /// The first row below it.
    pub bottom: usize,
}

impl Extent {
    /// `None` when they do not differ at all.
    pub fn of(before: &Pixels, after: &Pixels) -> Option<Self> {
        let length = before.width as usize * 4;
        let rows = || before.bytes.chunks_exact(length).zip(after.bytes.chunks_exact(length)).enumerate();
        let (top, _) = rows().find(|(_, (one, other))| one != other)?;
        let (mut left, mut right, mut bottom) = (length, 0, top + 1);
        for (number, (one, other)) in rows().skip(top).filter(|(_, (one, other))| one != other) {
            bottom = number + 1;
            // Only what would make it wider is looked at.
            if one[..left] != other[..left] {
                left = first_other(&one[..left], &other[..left]);
            }
            if one[right..] != other[right..] {
                right += last_other(&one[right..], &other[right..]) + 1;
            }
        }
        Some(Self { left: left / 4, top, right: right.div_ceil(4), bottom })
    }
}

fn first_other(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len())
}

fn last_other(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).rposition(|(one, other)| one != other).unwrap_or(0)
}

/// Pixels with what is often asked of them.
pub(super) struct Canvas<'p> {
    pub width: u32,
    pub height: u32,
    pub bytes: &'p [u8],
    /// The first row of which brightness is known.
    top: u32,
    /// Brightness on white, from 0 to 255, of the rows that may differ and those beside them.
    lumas: Vec<f32>,
}

impl<'p> Canvas<'p> {
    pub fn new(pixels: &'p Pixels, extent: Option<Extent>) -> Self {
        let length = pixels.width as usize * 4;
        let rows = extent.map_or(0..0, |it| {
            it.top.saturating_sub(1) * length..(it.bottom * length + length).min(pixels.bytes.len())
        });
        let top = (rows.start / length) as u32;
        let lumas = pixels.bytes[rows].par_chunks_exact(4).map(|pixel| {
            let [red, green, blue] = on_ground(pixel, 255.0);
            0.298_895_3 * red + 0.586_622_5 * green + 0.114_482_2 * blue
        });
        let (width, height) = (pixels.width, pixels.height);
        Self { width, height, bytes: &pixels.bytes, top, lumas: lumas.collect() }
    }

    fn at(&self, x: u32, y: u32) -> usize {
        y as usize * self.width as usize + x as usize
    }

    /// Brightness of a pixel in a row that may differ, or beside one.
    pub fn luma(&self, x: u32, y: u32) -> f32 {
        self.lumas[self.at(x, y - self.top)]
    }

    fn row(&self, y: u32) -> &[u8] {
        &self.bytes[self.at(0, y) * 4..self.at(0, y + 1) * 4]
    }

    pub fn pixel(&self, x: u32, y: u32) -> &[u8] {
        let at = self.at(x, y) * 4;
        &self.bytes[at..at + 4]
    }
}

/// Compares two pictures of one size.
pub fn compare(before: &Pixels, after: &Pixels, sensitivity: Sensitivity) -> (PictureDiff, DifferenceMap) {
    let (width, height) = (before.width.min(after.width), before.height.min(after.height));
    let extent = Extent::of(before, after);
    let (old, new) = (Canvas::new(before, extent), Canvas::new(after, extent));
    let least = DISTANCE_MAX * (sensitivity.threshold * sensitivity.threshold) as f32;
    let rows = (0..height).into_par_iter().map(|y| {
        if old.row(y) == new.row(y) {
            return Row { verdicts: vec![Verdict::Same; width as usize], ..Row::default() };
        }
        let mut row = Row { verdicts: Vec::with_capacity(width as usize), ..Row::default() };
        for x in 0..width {
            let (one, other) = (old.pixel(x, y), new.pixel(x, y));
            let distance = if one == other { 0.0 } else { distance(one, other) };
            row.alpha_changed |= one[3] != other[3];
            row.greatest = row.greatest.max(distance);
            row.verdicts.push(if distance == 0.0 {
                Verdict::Same
            } else if distance <= least {
                Verdict::Faint
            } else if sensitivity.discount_antialiasing
                && (is_edge(&old, &new, x, y) || is_edge(&new, &old, x, y))
            {
                Verdict::Edge
            } else {
                Verdict::Changed
            });
        }
        row
    });
    let rows: Vec<Row> = rows.collect();
    let mut map = DifferenceMap { width, height, verdicts: Vec::new() };
    let (mut greatest, mut alpha_changed) = (0.0f32, false);
    for row in rows {
        map.verdicts.extend(row.verdicts);
        greatest = greatest.max(row.greatest);
        alpha_changed |= row.alpha_changed;
    }
    let count = |wanted| map.verdicts.iter().filter(|verdict| **verdict == wanted).count() as u64;
    let changed_pixels = count(Verdict::Changed);
    let diff = PictureDiff {
        width,
        height,
        changed_pixels,
        changed_percent: percent(changed_pixels, u64::from(width) * u64::from(height)),
        faint_pixels: count(Verdict::Faint),
        edge_pixels: count(Verdict::Edge),
        greatest_distance: rounded(f64::from((greatest / DISTANCE_MAX).sqrt()), 1.0),
        similarity: rounded(extent.map_or(1.0, |extent| similarity(&old, &new, extent)), 1.0),
        alpha_changed,
        regions: regions(&map),
    };
    (diff, map)
}

#[derive(Default)]
struct Row {
    verdicts: Vec<Verdict>,
    greatest: f32,
    alpha_changed: bool,
}

/// A part in percent, to four places.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    rounded(part as f64 * 100.0 / whole.max(1) as f64, 100.0)
}

/// A figure to four places; but what is not quite nothing or the whole does not become it.
fn rounded(value: f64, whole: f64) -> f64 {
    let least = 0.0001;
    let near = (value / least).round() * least;
    let near = if value <= 0.0 {
        0.0
    } else if value >= whole {
        whole
    } else {
        near.clamp(least, whole - least)
    };
    (near / least).round() / 10_000.0
}

/// A pixel's colour on a grey ground.
pub(super) fn on_ground(pixel: &[u8], ground: f32) -> [f32; 3] {
    if pixel[3] == 255 {
        return [f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])];
    }
    let alpha = f32::from(pixel[3]) / 255.0;
    [pixel[0], pixel[1], pixel[2]].map(|value| ground + (f32::from(value) - ground) * alpha)
}

/// The distance of two pixels, squared, from 0 to [`DISTANCE_MAX`].
fn distance(one: &[u8], other: &[u8]) -> f32 {
    let opaque = one[3] == 255 && other[3] == 255;
    let on = |ground| distance_of(on_ground(one, ground), on_ground(other, ground));
    if opaque { on(255.0) } else { on(255.0).max(on(0.0)) }
}

fn distance_of(one: [f32; 3], other: [f32; 3]) -> f32 {
    let [red, green, blue] = [0, 1, 2].map(|channel| one[channel] - other[channel]);
    let y = 0.298_895_3 * red + 0.586_622_5 * green + 0.114_482_2 * blue;
    let i = 0.595_978 * red - 0.274_176_1 * green - 0.321_801_9 * blue;
    let q = 0.211_470_2 * red - 0.522_617_1 * green + 0.311_146_9 * blue;
    0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q
}

impl DifferenceMap {
    /// The picture of the difference: the newer one faded, and on it what changed in a colour that
    /// stands out, edges and faint changes in weaker ones.
    pub fn picture(&self, after: &Pixels) -> Pixels {
        let mut bytes = Vec::with_capacity(self.verdicts.len() * 4);
        for (verdict, pixel) in self.verdicts.iter().zip(after.bytes.chunks_exact(4)) {
            let [red, green, blue] = on_ground(pixel, 255.0);
            let luma = 0.298_895_3 * red + 0.586_622_5 * green + 0.114_482_2 * blue;
            let faded = (255.0 - (255.0 - luma) * 0.25) as u8;
            bytes.extend(match verdict {
                Verdict::Same => [faded, faded, faded, 255],
                Verdict::Faint => [faded, faded, (f32::from(faded) * 0.9) as u8, 255],
                Verdict::Edge => [240, 200, 90, 255],
                Verdict::Changed => [222, 0, 96, 255],
            });
        }
        Pixels { width: self.width, height: self.height, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, colour: [u8; 4]) -> Pixels {
        Pixels::new(width, height, colour.repeat((width * height) as usize)).expect("pixels")
    }

    fn fill(pixels: &mut Pixels, [left, top, width, height]: [u32; 4], colour: [u8; 4]) {
        for y in top..top + height {
            for x in left..left + width {
                let at = (y * pixels.width + x) as usize * 4;
                pixels.bytes[at..at + 4].copy_from_slice(&colour);
            }
        }
    }

    #[test]
    fn a_recoloured_region_is_found_where_it_is_and_nothing_else() {
        let before = plain(200, 100, [90, 120, 150, 255]);
        let mut after = before.clone();
        fill(&mut after, [40, 20, 30, 10], [150, 120, 90, 255]);
        fill(&mut after, [160, 80, 8, 8], [90, 120, 150, 128]);
        let (diff, map) = compare(&before, &after, Sensitivity::default());
        assert_eq!(diff.changed_pixels, 300 + 64);
        assert!((diff.changed_percent - 1.82).abs() < 1e-9, "{diff:?}");
        let boxes: Vec<_> = diff.regions.iter().map(|it| (it.x, it.y, it.width, it.height)).collect();
        assert_eq!(boxes, [(40, 20, 30, 10), (160, 80, 8, 8)]);
        assert!(diff.alpha_changed && diff.similarity < 1.0 && diff.similarity > 0.5, "{diff:?}");
        assert_eq!(map.verdicts.iter().filter(|verdict| **verdict != Verdict::Same).count(), 364);
        let picture = map.picture(&after);
        assert_eq!(&picture.bytes[(20 * 200 + 40) * 4..][..3], [222, 0, 96]);
    }

    #[test]
    fn hidden_colours_and_equal_pictures_do_not_differ() {
        let (one, other) = (plain(40, 40, [1, 2, 3, 0]), plain(40, 40, [200, 100, 3, 0]));
        let (diff, _) = compare(&one, &other, Sensitivity::default());
        assert_eq!((diff.changed_pixels, diff.faint_pixels), (0, 0));
        assert!((1.0 - diff.similarity).abs() < 1e-9 && diff.greatest_distance.abs() < 1e-9, "{diff:?}");
        assert!(diff.regions.is_empty() && !diff.alpha_changed);
    }

    #[test]
    fn likeness_sees_colours_too() {
        let red = plain(300, 200, [200, 20, 20, 255]);
        let (diff, _) = compare(&red, &plain(300, 200, [20, 20, 200, 255]), Sensitivity::default());
        // Brightness alone would say 0.978.
        assert!(diff.similarity < 0.975, "{diff:?}");
        let (diff, _) = compare(&red, &plain(300, 200, [201, 20, 20, 255]), Sensitivity::default());
        assert!(diff.similarity > 0.999 && diff.similarity < 1.0, "{diff:?}");
    }

    #[test]
    fn faint_changes_are_counted_and_not_reported() {
        let before = plain(50, 50, [100, 100, 100, 255]);
        let mut after = before.clone();
        fill(&mut after, [5, 5, 10, 10], [103, 102, 100, 255]);
        let (diff, _) = compare(&before, &after, Sensitivity::default());
        assert_eq!((diff.changed_pixels, diff.faint_pixels), (0, 100));
        let any = Sensitivity { threshold: 0.0, discount_antialiasing: false };
        assert_eq!(compare(&before, &after, any).0.changed_pixels, 100);
    }

    /// A slanted edge whose softening differs by half a pixel.
    #[test]
    fn an_edge_that_is_softened_differently_is_no_change() {
        let edge = |shift: f32| {
            let mut pixels = plain(64, 64, [255, 255, 255, 255]);
            for y in 0..64u32 {
                for x in 0..64u32 {
                    let inside = (y as f32 * 0.5 + 16.0 + shift - x as f32).clamp(0.0, 1.0);
                    let value = (255.0 - inside * 200.0) as u8;
                    fill(&mut pixels, [x, y, 1, 1], [value, value, value, 255]);
                }
            }
            pixels
        };
        let (diff, _) = compare(&edge(0.1), &edge(0.4), Sensitivity::default());
        assert_eq!(diff.changed_pixels, 0, "{diff:?}");
        assert!(diff.edge_pixels > 30, "{diff:?}");
        let strict = Sensitivity { discount_antialiasing: false, ..Sensitivity::default() };
        assert!(compare(&edge(0.1), &edge(0.4), strict).0.changed_pixels > 30);
    }
}
