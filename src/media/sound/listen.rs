//! What is taken note of while a sound is heard: how loud it is, its shape, and prints of its windows.

use base64ct::{Base64, Encoding as _};
use ebur128::{EbuR128, Mode};

use crate::media::facts::SoundPrint;

/// Something that hears: samples of all channels, one after the other.
pub(super) trait Ear {
    fn hear(&mut self, samples: &[f32], channels: usize, rate: u32);
}

/// Loudness by ITU-R BS.1770-4 and EBU R 128.
#[derive(Default)]
pub(super) struct Loudness {
    meter: Option<EbuR128>,
    peak: f32,
    /// Whether what comes cannot be measured together with what came.
    broken: bool,
}

impl Ear for Loudness {
    fn hear(&mut self, samples: &[f32], channels: usize, rate: u32) {
        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        self.peak = self.peak.max(peak);
        let mode = Mode::I | Mode::LRA | Mode::HISTOGRAM;
        let meter = match &mut self.meter {
            Some(meter) => meter,
            empty => match EbuR128::new(channels as u32, rate, mode) {
                Ok(meter) => empty.insert(meter),
                Err(_) => {
                    self.broken = true;
                    return;
                }
            },
        };
        let fits = meter.channels() == channels as u32 && meter.rate() == rate;
        self.broken |= !fits || meter.add_frames_f32(samples).is_err();
    }
}

impl Loudness {
    /// Loudness in LUFS, its range in LU, and the highest sample in dBFS.
    pub(super) fn measured(&self) -> (Option<f64>, Option<f64>, Option<f64>) {
        let tenth = |value: f64| value.is_finite().then(|| (value * 100.0).round() / 100.0);
        let meter = self.meter.as_ref().filter(|_| !self.broken);
        let loudness = meter.and_then(|meter| meter.loudness_global().ok()).and_then(tenth);
        let range = meter.and_then(|meter| meter.loudness_range().ok()).and_then(tenth);
        (loudness, range, tenth(20.0 * f64::from(self.peak).log10()))
    }
}

/// The least and greatest sample, and the sum of squares, of short spans of each channel.
#[derive(Default)]
pub(super) struct Shape {
    /// For each channel its spans.
    pub lanes: Vec<Vec<Span>>,
    /// Samples of one span.
    step: usize,
    /// Samples of the last span of each lane that have come.
    filled: usize,
}

/// A short span of one channel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub least: f32,
    pub greatest: f32,
    pub square: f32,
}

/// Most channels that are drawn.
const LANES_MAX: usize = 8;
/// Most spans of one lane; beyond, each two become one.
const SPANS_MAX: usize = 1 << 16;

impl Span {
    fn with(self, sample: f32) -> Self {
        Self {
            least: self.least.min(sample),
            greatest: self.greatest.max(sample),
            square: self.square + sample * sample,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
            square: self.square + other.square,
        }
    }
}

impl Shape {
    /// Samples of one span.
    pub(super) fn step(&self) -> usize {
        self.step.max(1)
    }
}

impl Ear for Shape {
    fn hear(&mut self, samples: &[f32], channels: usize, _: u32) {
        if self.lanes.is_empty() {
            self.lanes = vec![vec![Span::default()]; channels.min(LANES_MAX)];
            self.step = 64;
        }
        for frame in samples.chunks_exact(channels) {
            if self.filled == self.step {
                self.filled = 0;
                if self.lanes[0].len() >= SPANS_MAX {
                    for lane in &mut self.lanes {
                        *lane = lane
                            .chunks(2)
                            .map(|two| two.iter().copied().fold(Span::default(), Span::and))
                            .collect();
                    }
                    self.step *= 2;
                }
                self.lanes.iter_mut().for_each(|lane| lane.push(Span::default()));
            }
            for (lane, sample) in self.lanes.iter_mut().zip(frame) {
                if let Some(last) = lane.last_mut() {
                    *last = last.with(*sample);
                }
            }
            self.filled += 1;
        }
    }
}

/// Corner frequencies between the bands of a print, in Hz.
const CORNERS: [f32; 5] = [150.0, 400.0, 1000.0, 2500.0, 6000.0];
/// Bands of a print.
pub(super) const BANDS: usize = CORNERS.len() + 1;
/// Windows a second, at first.
const WINDOWS_A_SECOND: u32 = 20;
/// Most windows; beyond, each two become one.
const WINDOWS_MAX: usize = 12_000;
/// What counts as silence, in dB below the loudest that can be written.
const FLOOR_DB: f32 = 72.0;

/// Levels of a few bands in short windows, and a hash of all samples.
#[derive(Default)]
pub(super) struct Prints {
    hasher: blake3::Hasher,
    bytes: Vec<u8>,
    rate: u32,
    /// Windows that were put together to one, as a power of two.
    doubled: u32,
    /// Low passes of the corners, one after the other.
    passes: [f32; CORNERS.len()],
    factors: [f32; CORNERS.len()],
    sums: [f32; BANDS],
    count: u32,
    /// Mean squares of finished windows.
    windows: Vec<[f32; BANDS]>,
}

impl Ear for Prints {
    fn hear(&mut self, samples: &[f32], channels: usize, rate: u32) {
        if self.rate == 0 {
            self.rate = rate;
            self.factors = CORNERS.map(|corner| 1.0 - (-std::f32::consts::TAU * corner / rate as f32).exp());
            self.hasher.update(&rate.to_le_bytes()).update(&[channels as u8]);
        }
        self.bytes.clear();
        self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.hasher.update(&self.bytes);
        let window = (self.rate / WINDOWS_A_SECOND).max(1) << self.doubled.min(20);
        for frame in samples.chunks_exact(channels) {
            let sample = frame.iter().sum::<f32>() / channels as f32;
            self.take(sample);
            if self.count >= window {
                self.close();
            }
        }
    }
}

impl Prints {
    /// Splits a sample into bands: what each low pass leaves of the one above it.
    fn take(&mut self, sample: f32) {
        let mut above = sample;
        for (band, (pass, factor)) in self.passes.iter_mut().zip(self.factors).enumerate().rev() {
            *pass += factor * (above - *pass);
            let left = above - *pass;
            self.sums[band + 1] += left * left;
            above = *pass;
        }
        self.sums[0] += above * above;
        self.count += 1;
    }

    fn close(&mut self) {
        let count = self.count.max(1) as f32;
        self.windows.push(self.sums.map(|sum| sum / count));
        (self.sums, self.count) = ([0.0; BANDS], 0);
        if self.windows.len() >= WINDOWS_MAX {
            self.windows = self.windows.chunks(2).map(mean).collect();
            self.doubled += 1;
        }
    }

    /// The print; `None` when nothing was heard.
    pub(super) fn finish(mut self) -> Option<SoundPrint> {
        if self.rate == 0 {
            return None;
        }
        if self.count > 0 {
            self.close();
        }
        let level = |square: f32| {
            let db = (10.0 * square.max(1e-12).log10() + FLOOR_DB).clamp(0.0, FLOOR_DB);
            // Half a decibel a step.
            (db * 2.0).round() as u8
        };
        let levels: Vec<u8> = self.windows.iter().flatten().map(|square| level(*square)).collect();
        Some(SoundPrint {
            hash: self.hasher.finalize().to_hex().to_string(),
            window: f64::from(1u32 << self.doubled.min(20)) / f64::from(WINDOWS_A_SECOND),
            bands: BANDS as u32,
            levels: Base64::encode_string(&levels),
        })
    }
}

fn mean(windows: &[[f32; BANDS]]) -> [f32; BANDS] {
    let count = windows.len().max(1) as f32;
    std::array::from_fn(|band| windows.iter().map(|window| window[band]).sum::<f32>() / count)
}
