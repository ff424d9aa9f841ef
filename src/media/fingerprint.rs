//! What a picture looks like, in 256 bits: alike pictures share most of them, whatever their size, format
//! and compression.
//!
//! After PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019,
//! section "PDQ"; reference code in ThreatExchange): lightness, smoothed and brought to 64 × 64, its
//! lowest 16 × 16 frequencies without the mean, each against their median. Transparency is laid over white.

use crate::media::pixels::Pixels;
use std::f64::consts::PI;

/// The longest side of a picture from which a fingerprint is made; more detail does not show in it.
pub const EDGE: u32 = 512;
/// Side of the picture that is transformed.
const SIDE: usize = 64;
/// Frequencies that are looked at, each way.
const WAVES: usize = 16;
/// How much must go on in a picture, from 0 to 100: a plain area looks like every other one. The
/// authors of PDQ ask for 50 of 100 where a match has consequences; here a person looks.
const QUALITY_MIN: f64 = 20.0;

/// The fingerprint of a picture; `None` of one in which there is too little to recognise it by.
pub fn fingerprint(pixels: &Pixels) -> Option<[u64; 4]> {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    if width < 8 || height < 8 {
        return None;
    }
    let mut light: Vec<f64> = pixels.bytes.chunks_exact(4).map(lightness).collect();
    for _ in 0..2 {
        light = smooth(&light, width, height);
    }
    let small = pick(&light, width, height);
    if quality(&small) < QUALITY_MIN {
        return None;
    }
    let waves = transform(&small);
    let mut sorted = waves.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2 - 1];
    let mut bits = [0u64; 4];
    for (index, wave) in waves.iter().enumerate() {
        if *wave > median {
            bits[index / 64] |= 1 << (index % 64);
        }
    }
    Some(bits)
}

/// Lightness over white (ITU-R BT.601), from 0 to 255.
fn lightness(pixel: &[u8]) -> f64 {
    let light = 0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2]);
    let seen = f64::from(pixel[3]) / 255.0;
    light * seen + 255.0 * (1.0 - seen)
}

/// Averages over windows as wide as half of what becomes one pixel, along rows, then along columns.
fn smooth(light: &[f64], width: usize, height: usize) -> Vec<f64> {
    let mut rows = vec![0.0; light.len()];
    for (from, to) in light.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        average(from.iter().copied(), window(width), |at, value| to[at] = value);
    }
    let mut all = vec![0.0; light.len()];
    for column in 0..width {
        let line = (0..height).map(|row| rows[row * width + column]);
        average(line, window(height), |at, value| all[at * width + column] = value);
    }
    all
}

const fn window(side: usize) -> usize {
    side.div_ceil(2 * SIDE)
}

fn average(line: impl Iterator<Item = f64>, window: usize, mut put: impl FnMut(usize, f64)) {
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(line.scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        }))
        .collect();
    let length = sums.len() - 1;
    for at in 0..length {
        let (from, to) = (at.saturating_sub(window / 2), (at + window.div_ceil(2)).clamp(at + 1, length));
        put(at, (sums[to] - sums[from]) / (to - from) as f64);
    }
}

/// One value for each place of the small picture.
fn pick(light: &[f64], width: usize, height: usize) -> [[f64; SIDE]; SIDE] {
    let place = |index: usize, side: usize| ((2 * index + 1) * side / (2 * SIDE)).min(side - 1);
    std::array::from_fn(|row| {
        std::array::from_fn(|column| light[place(row, height) * width + place(column, width)])
    })
}

/// How much neighbours differ in all, from 0 to 100.
fn quality(small: &[[f64; SIDE]; SIDE]) -> f64 {
    let step = |left: f64, right: f64| ((left - right).abs() * 100.0 / 255.0).floor();
    let down = small.windows(2).flat_map(|rows| rows[0].iter().zip(&rows[1])).map(|(a, b)| step(*a, *b));
    let across = small.iter().flat_map(|row| row.windows(2)).map(|pair| step(pair[0], pair[1]));
    (down.chain(across).sum::<f64>() / 90.0).min(100.0)
}

/// The lowest frequencies of the two-dimensional cosine transform (DCT-II), without the mean.
fn transform(small: &[[f64; SIDE]; SIDE]) -> [f64; WAVES * WAVES] {
    let base: [[f64; SIDE]; WAVES] = std::array::from_fn(|wave| {
        std::array::from_fn(|at| (PI / 2.0 / SIDE as f64 * (wave + 1) as f64 * (2 * at + 1) as f64).cos())
    });
    let half: [[f64; SIDE]; WAVES] = std::array::from_fn(|wave| {
        std::array::from_fn(|column| (0..SIDE).map(|row| base[wave][row] * small[row][column]).sum())
    });
    std::array::from_fn(|index| {
        let (down, across) = (index / WAVES, index % WAVES);
        (0..SIDE).map(|column| half[down][column] * base[across][column]).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzz::Numbers;

    /// A picture of some discs.
    fn discs(width: u32, height: u32, seed: u64) -> Pixels {
        let mut numbers = Numbers::new(seed);
        let mut unit = || numbers.below(1000) as f64 / 1000.0;
        let discs: Vec<[f64; 6]> = (0..24).map(|_| std::array::from_fn(|_| unit())).collect();
        let mut bytes = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
                let inside = |d: &&[f64; 6]| (x - d[0]).hypot(y - d[1]) < 0.05 + d[2] * 0.2;
                let colour = discs.iter().rev().find(inside).map_or([0.9, 0.9, 0.9], |d| [d[3], d[4], d[5]]);
                bytes.extend(colour.map(|part| (part * 255.0) as u8));
                bytes.push(255);
            }
        }
        Pixels { width, height, bytes }
    }

    fn distance(left: &Pixels, right: &Pixels) -> u32 {
        let (left, right) = (fingerprint(left).expect("a print"), fingerprint(right).expect("a print"));
        left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum()
    }

    #[test]
    fn the_same_picture_smaller_darker_or_noisy_is_near_and_another_is_far() {
        for seed in 0..12 {
            let picture = discs(400, 300, seed);
            let smaller = picture.clone().resized(170, 130).expect("smaller");
            let mut darker = picture.clone();
            darker.bytes.iter_mut().for_each(|byte| *byte = (u16::from(*byte) * 4 / 5) as u8);
            darker.bytes.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
            let mut noisy = picture.clone();
            let mut numbers = Numbers::new(seed);
            noisy.bytes.iter_mut().for_each(|byte| *byte = byte.saturating_add(numbers.below(12) as u8));
            noisy.bytes.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
            for near in [&smaller, &darker, &noisy] {
                assert!(distance(&picture, near) <= 31, "{seed}: {}", distance(&picture, near));
            }
            assert!(distance(&picture, &discs(400, 300, seed + 100)) > 80);
        }
    }

    #[test]
    fn plain_areas_have_no_fingerprint_and_half_of_the_bits_are_set() {
        let plain = Pixels { width: 100, height: 100, bytes: [200, 100, 50, 255].repeat(10_000) };
        assert_eq!(fingerprint(&plain), None);
        let tiny = Pixels { width: 3, height: 3, bytes: vec![7; 36] };
        assert_eq!(fingerprint(&tiny), None);
        let bits = fingerprint(&discs(90, 700, 5)).expect("a print");
        assert_eq!(bits.iter().map(|part| part.count_ones()).sum::<u32>(), 128);
        // What cannot be seen does not count.
        let hidden = Pixels {
            width: 64,
            height: 64,
            bytes: discs(64, 64, 1).bytes.chunks(4).flat_map(|p| [p[0], p[1], p[2], 0]).collect(),
        };
        assert_eq!(fingerprint(&hidden), None);
    }
}
