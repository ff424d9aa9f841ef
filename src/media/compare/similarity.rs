//! How alike two pictures are to the eye.
//!
//! Source: Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image
//! quality assessment", Asilomar Conference on Signals, Systems and Computers 2003, with the window
//! and constants of Z. Wang et al., "Image quality assessment: from error visibility to structural
//! similarity", IEEE Transactions on Image Processing 13 (2004). Small pictures have fewer scales.

use super::picture::{Canvas, on_ground};
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

/// From 0 to 1; 1 for equal pictures.
pub(super) fn similarity(before: &Canvas<'_>, after: &Canvas<'_>) -> f64 {
    let parts = PLANES.iter().map(|(weights, middle, share)| {
        let plane = |canvas: &Canvas<'_>| {
            let (width, height) = (canvas.width as usize, canvas.height as usize);
            let values = canvas.bytes.par_chunks_exact(4).map(|pixel| {
                let [red, green, blue] = on_ground(pixel, 255.0);
                weights[0] * red + weights[1] * green + weights[2] * blue + middle
            });
            let mut plane = Plane { width, height, values: values.collect() };
            let edge = if *middle > 0.0 { EDGE_MAX / 2 } else { EDGE_MAX };
            while plane.width.max(plane.height) > edge {
                plane = plane.halved();
            }
            plane
        };
        share * alike(plane(before), plane(after))
    });
    parts.sum::<f64>().clamp(0.0, 1.0)
}

fn alike(mut one: Plane, mut other: Plane) -> f64 {
    if one.values == other.values {
        return 1.0;
    }
    let mut factors = Vec::new();
    for (scale, weight) in WEIGHTS.iter().enumerate() {
        let last = scale + 1 == WEIGHTS.len() || one.width.min(one.height) < 4 * REACH;
        let (structure, whole) = means(&one, &other);
        factors.push((if last { whole } else { structure }, *weight));
        if last {
            break;
        }
        (one, other) = (one.halved(), other.halved());
    }
    let weights: f64 = factors.iter().map(|(_, weight)| weight).sum();
    // A negative correlation is no likeness at all.
    factors
        .iter()
        .map(|(factor, weight)| factor.max(0.0).powf(weight / weights))
        .product::<f64>()
        .clamp(0.0, 1.0)
}

/// The mean of contrast and structure alone, and with brightness.
fn means(one: &Plane, other: &Plane) -> (f64, f64) {
    let (mean_one, mean_other) = (one.blurred(), other.blurred());
    let (square_one, square_other) = (one.times(one).blurred(), other.times(other).blurred());
    let product = one.times(other).blurred();
    let sums = (0..one.values.len()).into_par_iter().map(|at| {
        let (mu, nu) = (mean_one.values[at], mean_other.values[at]);
        let (sigma, tau) = (square_one.values[at] - mu * mu, square_other.values[at] - nu * nu);
        let covariance = product.values[at] - mu * nu;
        let structure = (2.0 * covariance + C2) / (sigma + tau + C2);
        let brightness = (2.0 * mu * nu + C1) / (mu * mu + nu * nu + C1);
        (f64::from(structure), f64::from(structure * brightness))
    });
    let (structure, whole) = sums.reduce(|| (0.0, 0.0), |one, other| (one.0 + other.0, one.1 + other.1));
    let count = one.values.len().max(1) as f64;
    (structure / count, whole / count)
}

impl Plane {
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

    fn times(&self, other: &Self) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(one, other)| one * other).collect();
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
        let values = (0..self.values.len()).into_par_iter().map(|at| {
            let here = place(at);
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
