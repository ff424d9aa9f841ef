//! How alike two pictures are to the eye.
//!
//! Source: Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image
//! quality assessment", Asilomar Conference on Signals, Systems and Computers 2003, with the window
//! and constants of Z. Wang et al., "Image quality assessment: from error visibility to structural
//! similarity", IEEE Transactions on Image Processing 13 (2004). Small pictures have fewer scales.

use super::picture::{Canvas, Extent, on_ground};
use rayon::prelude::*;

/// The weights of the scales, the finest first.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// Stabilise the quotients: (0.01 * 255)^2 and (0.03 * 255)^2.
const C1: f32 = 6.5025;
const C2: f32 = 58.5225;
/// Longest side that is looked at, in pixels; larger pictures are halved first.
const EDGE_MAX: usize = 1600;
/// Half of the window, without its middle.
const REACH: usize = 5;

/// Brightness, row by row.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// Brightness and the two axes of colour (YIQ), each with what it counts for. The axes of colour are laid
/// around the middle grey, and looked at in half the size, as the eye does.
const PLANES: [([f32; 3], f32, f64); 3] = [
    ([0.298_895_3, 0.586_622_5, 0.114_482_2], 0.0, 0.6),
    ([0.595_978, -0.274_176_1, -0.321_801_9], 128.0, 0.2),
    ([0.211_470_2, -0.522_617_1, 0.311_146_9], 128.0, 0.2),
];

/// From 0 to 1; 1 for equal pictures. Only what lies so near to `extent` that it is seen together with it is
/// computed: elsewhere, both are the same, and as alike as can be.
pub(super) fn similarity(before: &Canvas<'_>, after: &Canvas<'_>, extent: Extent) -> f64 {
    let whole = (before.width as usize, before.height as usize);
    let parts = PLANES.iter().map(|(weights, middle, share)| {
        let edge = if *middle > 0.0 { EDGE_MAX / 2 } else { EDGE_MAX };
        let halvings = (0..32).find(|count| whole.0.max(whole.1).div_ceil(1 << count) <= edge).unwrap_or(0);
        let part = around(extent, halvings, whole);
        let plane = |canvas: &Canvas<'_>| {
            let mut plane = Plane::of(canvas, part, |[red, green, blue]| {
                weights[0] * red + weights[1] * green + weights[2] * blue + middle
            });
            for _ in 0..halvings {
                plane = plane.halved();
            }
            plane
        };
        let (width, height) = whole;
        let whole = (width.div_ceil(1 << halvings), height.div_ceil(1 << halvings));
        share * alike(plane(before), plane(after), whole)
    });
    parts.sum::<f64>().clamp(0.0, 1.0)
}

/// The part of a picture that is looked at when `extent` differs and it is halved so often before its first scale:
/// at the coarsest scale, every window that sees the extent lies in it. It begins and ends where pixels of that
/// scale do.
fn around(extent: Extent, halvings: usize, (width, height): (usize, usize)) -> Extent {
    let coarsest = 1usize << (halvings + WEIGHTS.len() - 1);
    let margin = 2 * REACH * coarsest;
    let before = |side: usize| side.saturating_sub(margin) / coarsest * coarsest;
    let behind = |side: usize, end: usize| (side + margin).next_multiple_of(coarsest).min(end);
    Extent {
        left: before(extent.left),
        top: before(extent.top),
        right: behind(extent.right, width),
        bottom: behind(extent.bottom, height),
    }
}

/// How alike two planes are that stand for pictures of the size `whole`, and show all in which these differ.
fn alike(mut one: Plane, mut other: Plane, mut whole: (usize, usize)) -> f64 {
    if one.values == other.values {
        return 1.0;
    }
    let mut factors = Vec::new();
    for (scale, weight) in WEIGHTS.iter().enumerate() {
        let last = scale + 1 == WEIGHTS.len() || whole.0.min(whole.1) < 4 * REACH;
        let (structure, both) = means(&one, &other, whole.0 * whole.1);
        factors.push((if last { both } else { structure }, *weight));
        if last {
            break;
        }
        (one, other) = (one.halved(), other.halved());
        whole = (whole.0.div_ceil(2), whole.1.div_ceil(2));
    }
    let weights: f64 = factors.iter().map(|(_, weight)| weight).sum();
    // A negative correlation is no likeness at all.
    factors
        .iter()
        .map(|(factor, weight)| factor.max(0.0).powf(weight / weights))
        .product::<f64>()
        .clamp(0.0, 1.0)
}

/// The mean of contrast and structure alone, and with brightness, of `count` pixels, of which those that are not
/// here are the same.
fn means(one: &Plane, other: &Plane, count: usize) -> (f64, f64) {
    let (mean_one, mean_other) = (one.blurred(), other.blurred());
    let squares = one.with(other, |one, other| one * one + other * other).blurred();
    let product = one.with(other, |one, other| one * other).blurred();
    let sums = (0..one.values.len()).into_par_iter().map(|at| {
        let (mu, nu) = (mean_one.values[at], mean_other.values[at]);
        // Put together so that what is equal is exactly that, whatever is rounded.
        let spread = squares.values[at] - (mu * mu + nu * nu);
        let covariance = product.values[at] - mu * nu;
        let structure = (2.0 * covariance + C2) / (spread + C2);
        let brightness = (2.0 * mu * nu + C1) / (mu * mu + nu * nu + C1);
        (f64::from(structure), f64::from(structure * brightness))
    });
    let (structure, both) = sums.reduce(|| (0.0, 0.0), |one, other| (one.0 + other.0, one.1 + other.1));
    let same = count.saturating_sub(one.values.len()) as f64;
    let count = count.max(1) as f64;
    ((structure + same) / count, (both + same) / count)
}

impl Plane {
    /// What colours on white become, within a part of a picture.
    fn of(canvas: &Canvas<'_>, part: Extent, value: impl Fn([f32; 3]) -> f32 + Sync) -> Self {
        let (width, height) = (part.right - part.left, part.bottom - part.top);
        let length = canvas.width as usize * 4;
        let rows = canvas.bytes[part.top * length..part.bottom * length].par_chunks_exact(length);
        let pixels = rows.flat_map_iter(|row| row[part.left * 4..part.right * 4].chunks_exact(4));
        Self { width, height, values: pixels.map(|pixel| value(on_ground(pixel, 255.0))).collect() }
    }

    /// Averages of two by two pixels.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = [2 * y, (2 * y + 1).min(self.height - 1)].map(|row| &self.values[row * self.width..]);
            for x in 0..width {
                let columns = [2 * x, (2 * x + 1).min(self.width - 1)];
                values.push(rows.iter().flat_map(|row| columns.map(|column| row[column])).sum::<f32>() / 4.0);
            }
        }
        Self { width, height, values }
    }

    fn with(&self, other: &Self, both: impl Fn(f32, f32) -> f32) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(one, other)| both(*one, *other)).collect();
        Self { width: self.width, height: self.height, values }
    }

    /// Averages over a round window of 11 pixels (Gaussian, deviation 1.5); at the borders over what
    /// of it is there.
    fn blurred(&self) -> Self {
        let across = self.pass(1, self.width, |at| at % self.width);
        across.pass(self.width, self.height, |at| at / self.width)
    }

    fn pass(&self, stride: usize, length: usize, place: impl Fn(usize) -> usize + Sync) -> Self {
        let weights: [f32; REACH + 1] = std::array::from_fn(|away| (-((away * away) as f32) / 4.5).exp());
        let total = weights[0] + 2.0 * weights[1..].iter().sum::<f32>();
        let values = (0..self.values.len()).into_par_iter().map(|at| {
            let here = place(at);
            if here >= REACH && here + REACH < length {
                let pair = |away: usize| {
                    let step = away * stride;
                    weights[away] * (self.values[at - step] + self.values[at + step])
                };
                let around = pair(1) + pair(2) + pair(3) + pair(4) + pair(5);
                return (weights[0] * self.values[at] + around) / total;
            }
            let (mut sum, mut weight) = (self.values[at] * weights[0], weights[0]);
            for (away, share) in weights.iter().enumerate().skip(1) {
                if here >= away {
                    sum += self.values[at - away * stride] * share;
                    weight += share;
                }
                if here + away < length {
                    sum += self.values[at + away * stride] * share;
                    weight += share;
                }
            }
            sum / weight
        });
        Self { width: self.width, height: self.height, values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::pixels::Pixels;

    fn textured(width: u32, height: u32) -> Pixels {
        let value = |x: u32, y: u32| ((x * 37 + y * 91) ^ (x * y / 7)) as u8;
        let bytes = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [value(x, y), value(y, x), value(x + y, x), 255]));
        Pixels::new(width, height, bytes.collect()).expect("pixels")
    }

    #[test]
    fn what_is_far_from_a_change_need_not_be_looked_at() {
        // Larger than the first scale, so that it is halved before, and with odd sides.
        for (width, height) in [(1203, 701), (1801, 77)] {
            let before = textured(width, height);
            let mut after = before.clone();
            for y in 40..52 {
                for x in 1000..1011 {
                    let at = ((y * width + x) * 4) as usize;
                    after.bytes[at] ^= 0x7f;
                    after.bytes[at + 1] ^= 0x31;
                }
            }
            let extent = Extent::of(&before, &after).expect("a difference");
            let (left, top, right, bottom) = (extent.left, extent.top, extent.right, extent.bottom);
            assert_eq!([left, top, right, bottom], [1000, 40, 1011, 52]);
            let all = Extent { left: 0, top: 0, right: width as usize, bottom: height as usize };
            let of = |extent| {
                similarity(&Canvas::new(&before, Some(extent)), &Canvas::new(&after, Some(extent)), extent)
            };
            let (near, whole) = (of(extent), of(all));
            assert!(whole < 0.999_995 && (near - whole).abs() < 1e-9, "{near} {whole}");
        }
        assert_eq!(Extent::of(&textured(9, 9), &textured(9, 9)), None);
    }
}
