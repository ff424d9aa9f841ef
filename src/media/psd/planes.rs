//! Samples on their way to red, green, blue and opacity.
//!
//! Where the channels are colours of their own, their bytes go to the canvas as they come. Where a colour is made
//! of several - inks, L*a*b*, what is mixed with white - all are kept in 16 bits until the last one is there, so
//! that nothing is rounded twice.

use super::channel::{Meaning, to_byte, to_bytes, to_words};
use super::render::Canvas;
use super::{Mode, PsdError};
use crate::media::colour::{Inks, curved, lab_of};

/// The greatest sample.
const WHOLE: f32 = 65_535.0;
/// Pixels that are turned at a time.
const STEP: usize = 64 << 10;

/// Which channel a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A colour, by its number.
    Colour(usize),
    /// Opacity.
    Opacity,
}

/// Rows of samples, and the picture that they become.
pub(super) struct Planes<'p> {
    canvas: Canvas,
    mode: Mode,
    depth: u16,
    palette: Option<&'p [u8]>,
    mixed: Mixed,
    inks: Option<&'p Inks>,
    /// All colours, then opacity where there is one; empty where bytes go to the canvas at once.
    words: Vec<Vec<u16>>,
    bytes: Vec<u8>,
    line: Vec<u16>,
}

impl<'p> Planes<'p> {
    /// For what stands in a document in a mode, of so many bits. `opacity` says whether there is such a channel, and
    /// `mixed` whether colours were mixed with white where it is not full.
    pub fn new(
        mut canvas: Canvas,
        (mode, depth): (Mode, u16),
        palette: Option<&'p [u8]>,
        opacity: bool,
        mixed: Mixed,
    ) -> Self {
        if !opacity {
            canvas.pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
        }
        let unmixes = mixed == Mixed::WithWhite && opacity && !matches!(mode, Mode::Indexed | Mode::Bitmap);
        let planes = if unmixes || matches!(mode, Mode::Cmyk | Mode::Lab) {
            mode.colours() + usize::from(opacity)
        } else {
            0
        };
        let count = canvas.pixels.len() / 4;
        // Inks that are missing leave the paper white.
        let words = vec![vec![if mode == Mode::Cmyk { u16::MAX } else { 0 }; count]; planes];
        Self { canvas, mode, depth, palette, mixed, inks: None, words, bytes: Vec::new(), line: Vec::new() }
    }

    /// The same with what a profile says of inks.
    pub fn with_inks(self, inks: Option<&'p Inks>) -> Self {
        Self { inks, ..self }
    }

    /// Whether rows are wanted in 16 bits.
    pub fn is_deep(&self) -> bool {
        !self.words.is_empty()
    }

    /// Takes a row as it stands in the file.
    pub fn put(&mut self, slot: Slot, row: u32, bytes: &[u8]) {
        let width = self.canvas.width as usize;
        // The lines are lent out while rows are put, and kept for the next.
        let (mut words, mut levels) = (std::mem::take(&mut self.line), std::mem::take(&mut self.bytes));
        if self.is_deep() {
            to_words(bytes, self.depth, width, &mut words);
            self.put_words(slot, row, &words);
        } else {
            let meaning = if slot == Slot::Opacity { Meaning::Share } else { Meaning::Colour };
            to_bytes(bytes, self.depth, width, meaning, &mut levels);
            self.put_bytes(slot, row, &levels);
        }
        (self.line, self.bytes) = (words, levels);
    }

    /// Takes a row in 16 bits.
    pub fn put_words(&mut self, slot: Slot, row: u32, line: &[u16]) {
        let at = row as usize * self.canvas.width as usize;
        let plane = match slot {
            Slot::Colour(number) => self.words.get_mut(number),
            Slot::Opacity => self.words.last_mut(),
        };
        if let Some(places) = plane.and_then(|plane| plane.get_mut(at..at + line.len())) {
            places.copy_from_slice(line);
        }
    }

    /// Takes a row in bytes.
    pub fn put_bytes(&mut self, slot: Slot, row: u32, line: &[u8]) {
        let at = row as usize * self.canvas.width as usize;
        let channel = match slot {
            Slot::Colour(number) => number,
            Slot::Opacity => 3,
        };
        let pixels = self.canvas.pixels[at * 4..].chunks_exact_mut(4);
        pixels.zip(line).for_each(|(pixel, value)| pixel[channel] = *value);
    }

    /// The picture.
    pub fn finish(mut self) -> Result<Canvas, PsdError> {
        if self.is_deep() {
            let mut pixels = std::mem::take(&mut self.canvas.pixels);
            let mut inks = Vec::new();
            for (step, part) in pixels.chunks_mut(STEP * 4).enumerate() {
                inks.clear();
                for (at, pixel) in part.chunks_exact_mut(4).enumerate() {
                    let (samples, share) = self.samples(step * STEP + at);
                    pixel[..3].copy_from_slice(&colour(samples, self.mode, self.depth));
                    pixel[3] = to_byte(share);
                    if self.inks.is_some() {
                        inks.extend(samples.map(|left| 255 - (left / WHOLE * 255.0).round() as u8));
                    }
                }
                if let Some(light) = self.inks.and_then(|profile| profile.apply(&inks)) {
                    let pairs = part.chunks_exact_mut(4).zip(light.chunks_exact(3));
                    pairs.for_each(|(pixel, light)| pixel[..3].copy_from_slice(light));
                }
            }
            self.canvas.pixels = pixels;
        }
        self.spread();
        Ok(self.canvas)
    }

    /// The samples of a pixel without white mixed in, and how opaque it is.
    fn samples(&self, at: usize) -> ([f32; 4], u16) {
        let colours = self.mode.colours().min(4);
        let share = self.words.get(self.mode.colours()).map_or(u16::MAX, |plane| plane[at]);
        let mut samples = [0u16; 4];
        for (sample, plane) in samples.iter_mut().zip(&self.words[..colours]) {
            *sample = plane[at];
        }
        let samples = match self.mixed {
            Mixed::WithWhite if share != u16::MAX => unmixed(samples, share, white(self.mode, self.depth)),
            _ => samples.map(f32::from),
        };
        (samples, share)
    }

    /// What one channel of bytes says in all three.
    fn spread(&mut self) {
        let pixels = self.canvas.pixels.chunks_exact_mut(4);
        match self.mode {
            Mode::Bitmap | Mode::Gray | Mode::Duotone | Mode::Multichannel => {
                pixels.for_each(|pixel| (pixel[1], pixel[2]) = (pixel[0], pixel[0]));
            }
            Mode::Indexed => {
                let palette = self.palette;
                pixels.for_each(|pixel| {
                    let number = usize::from(pixel[0]);
                    let of = |plane: usize| palette.and_then(|all| all.get(plane * 256 + number)).copied();
                    for (plane, value) in pixel[..3].iter_mut().enumerate() {
                        *value = of(plane).unwrap_or(0);
                    }
                });
            }
            Mode::Rgb | Mode::Cmyk | Mode::Lab => {}
        }
    }
}

/// Whether colours have white mixed into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mixed {
    /// They are as they are.
    No,
    /// As much as they are not opaque: so the merged picture is written.
    WithWhite,
}

/// White in the samples of a mode. Its colours of L*a*b* are in the middle, which is another number in each depth.
fn white(mode: Mode, depth: u16) -> [u16; 4] {
    let middle = if depth == 8 { 128 * 257 } else { 0x8000 };
    if mode == Mode::Lab { [u16::MAX, middle, middle, 0] } else { [u16::MAX; 4] }
}

/// Takes the white out: what was written is colour × share + white × (1 - share).
fn unmixed(samples: [u16; 4], share: u16, white: [u16; 4]) -> [f32; 4] {
    if share == 0 {
        return samples.map(f32::from);
    }
    let whole = WHOLE / f32::from(share);
    std::array::from_fn(|at| {
        let white = f32::from(white[at]);
        (white + (f32::from(samples[at]) - white) * whole).clamp(0.0, WHOLE)
    })
}

/// Red, green and blue.
fn colour(samples: [f32; 4], mode: Mode, depth: u16) -> [u8; 3] {
    let [one, two, three, four] = samples;
    let level = |value: f32| (value / WHOLE * 255.0).round() as u8;
    match mode {
        // Ink is written as what it leaves of the paper's white.
        Mode::Cmyk => [one, two, three].map(|ink| level(ink * four / WHOLE)),
        Mode::Lab => {
            // With 16 bits the middle is 32,768, with 8 it is 128, and a step of both is the same.
            let middle = if depth == 8 { (257.0, 128.0) } else { (256.0, 128.0) };
            let around = |value: f32| value / middle.0 - middle.1;
            lab_of([one / WHOLE * 100.0, around(two), around(three)])
        }
        _ if depth == 32 => [one, two, three].map(|light| curved(light / WHOLE)),
        _ => [one, two, three].map(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(mode: Mode, depth: u16, samples: &[u16]) -> [u8; 4] {
        let canvas = Canvas::new(0, 0, 1, 1).expect("a canvas");
        let opacity = samples.len() > mode.colours();
        let mut planes = Planes::new(canvas, (mode, depth), None, opacity, Mixed::WithWhite);
        for (number, sample) in samples.iter().enumerate() {
            let slot = if number == mode.colours() { Slot::Opacity } else { Slot::Colour(number) };
            planes.put_words(slot, 0, &[*sample]);
        }
        let pixels = planes.finish().expect("a picture").pixels;
        [pixels[0], pixels[1], pixels[2], pixels[3]]
    }

    #[test]
    fn the_white_of_every_mode_is_taken_out() {
        // Black, one half of it: written as middle grey.
        assert_eq!(one(Mode::Rgb, 16, &[32_768, 32_768, 32_768, 32_767]), [0, 0, 0, 127]);
        assert_eq!(one(Mode::Gray, 16, &[32_768, 32_767]), [0, 0, 0, 127]);
        assert_eq!(one(Mode::Rgb, 32, &[32_768, 32_768, 32_768, 32_767]), [0, 0, 0, 127]);
        assert_eq!(one(Mode::Cmyk, 8, &[65_535, 65_535, 65_535, 128 * 257, 127 * 257]), [0, 0, 0, 127]);
        let half = [128 * 257, 128 * 257, 128 * 257, 127 * 257];
        assert_eq!(one(Mode::Lab, 8, &half), [0, 0, 0, 127]);
        assert_eq!(one(Mode::Rgb, 8, &[65_535, 65_535, 65_535, 0])[3], 0);
    }

    #[test]
    fn greys_of_lab_are_grey_in_both_depths() {
        for (depth, middle) in [(8, 128 * 257), (16, 0x8000)] {
            for lightness in (0..=u16::MAX).step_by(257 * 17) {
                let [red, green, blue, _] = one(Mode::Lab, depth, &[lightness, middle, middle]);
                assert_eq!((red, blue), (green, green), "{depth} bits, {lightness}");
            }
        }
    }

    #[test]
    fn inks_are_rounded_once() {
        // 0.5 of 0.5 is a quarter: 63.75 levels; rounded twice it is 64 of a number that is none.
        assert_eq!(one(Mode::Cmyk, 16, &[32_768, 0, 65_535, 32_768])[..3], [64, 0, 128]);
    }
}
