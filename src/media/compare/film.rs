//! Where two films differ: their frames laid on each other, and a figure for each.
//!
//! Frames are compared small (a raster of cells that are averages), so that the same film packed in another
//! way is the same. Packing softens and shifts edges: a cell therefore counts by how far it lies outside of
//! what there is in the other frame at its place and in the eight cells around it. What packing changes
//! beyond that is estimated from the films themselves: the distance that only a few cells exceed in the
//! middle frame of all. A frame is other when enough cells that touch each other lie farther apart than
//! that and than what counts at all.

mod steps;

use crate::media::compare::Sensitivity;
use crate::media::compare::sound::SpanKind;
use serde::Serialize;
use steps::Step;

/// The longest side of a frame as it is compared, in cells.
pub const GRID_EDGE: u32 = 96;
/// Most frames of a film that are compared; longer ones are compared at fewer frames a second.
pub const FRAMES_MAX: u64 = 8_000;
/// Cells side by side that must differ before a frame is another one.
const CELLS_LEAST: u32 = 12;
/// Cells that lie beyond what packing alone changes in the middle frame of all, and how far beyond it others must lie.
const NOISE_CELLS: usize = 16;
const BEYOND_NOISE: f32 = 1.3;
/// What packing alone is taken to change at most, as part of the distance of black and white.
const NOISE_MAX: f32 = 0.06;
/// Pairs of frames by which that is estimated.
const NOISE_SAMPLES: usize = 400;
/// Frames that look the same between two spans that are told as one.
const BRIDGED: usize = 2;
/// Most spans that are told.
const SPANS_MAX: usize = 1000;
/// The distance of black and white, squared (Kotsarenko and Ramos 2010).
const DISTANCE_MAX: f32 = 35_215.0;

/// The frames of a film as they are compared.
#[derive(Debug, Clone)]
pub struct Frames {
    /// Cells across and down.
    pub size: (u32, u32),
    /// Frames a second.
    pub rate: f64,
    bytes: Vec<u8>,
}

impl Frames {
    /// None yet.
    pub fn new(size: (u32, u32), rate: f64) -> Self {
        Self { size, rate, bytes: Vec::new() }
    }

    fn length(&self) -> usize {
        (self.size.0 as usize * self.size.1 as usize * 3).max(1)
    }

    /// Adds one: red, green and blue of each cell. One of another size is passed over.
    pub fn push(&mut self, frame: &[u8]) {
        if frame.len() == self.length() {
            self.bytes.extend_from_slice(frame);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.length()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn frame(&self, number: usize) -> &[u8] {
        &self.bytes[number * self.length()..][..self.length()]
    }
}

/// How two films differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilmDiff {
    /// Frames a second at which they were compared.
    pub rate: f64,
    /// Length before, in seconds of what was compared.
    pub seconds_before: f64,
    /// Length after, in seconds of what was compared.
    pub seconds_after: f64,
    /// Whether both were compared to their ends.
    pub whole: bool,
    /// Pairs of frames that look the same.
    pub same_frames: u64,
    /// Pairs of frames that differ, frames that are new and frames that are gone.
    pub changed_frames: u64,
    /// What packing alone was taken to change, from 0 to 1 (black and white).
    pub noise: f64,
    /// What is new, gone or other, in the order in which it is seen.
    pub spans: Vec<FilmSpan>,
    /// A figure for each frame, in the order in which both are seen.
    pub frames: Vec<FrameScore>,
}

/// One frame of each film that were laid on each other, or one that has no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrameScore {
    /// Its number before, from 0; nothing for what is new.
    pub before: Option<u64>,
    /// Its number after, from 0; nothing for what is gone.
    pub after: Option<u64>,
    /// How far both are apart on average, from 0 to 1 (black and white); 1 without a counterpart.
    pub difference: f64,
    /// The part of the picture that changed, in percent; 100 without a counterpart.
    pub changed_percent: f64,
}

/// A span that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilmSpan {
    /// What happened.
    pub kind: SpanKind,
    /// From where to where before, in seconds; both the same for what is new.
    pub before: (f64, f64),
    /// From where to where after, in seconds; both the same for what is gone.
    pub after: (f64, f64),
    /// The same in frames: the first, and the one behind the last.
    pub frames_before: (u64, u64),
    /// The same after.
    pub frames_after: (u64, u64),
    /// The greatest difference of one frame.
    pub difference: f64,
    /// Where it differs, as parts of the width and height: left, top, width, height. Only of what is other.
    pub area: Option<[f64; 4]>,
    /// Its first entry in the list of frames, and the one behind its last.
    pub entries: (usize, usize),
}

/// The frames a second at which two films are compared, which have `rates` and last `seconds`.
pub fn common_rate(rates: [Option<f64>; 2], seconds: [f64; 2]) -> f64 {
    let known = rates.into_iter().flatten().filter(|rate| (0.01..=1000.0).contains(rate));
    let rate = known.fold(f64::INFINITY, f64::min);
    let rate = if rate.is_finite() { rate } else { 25.0 };
    let frames = seconds.into_iter().fold(0.0, f64::max) * rate;
    // Every second, third... frame of a long one.
    rate / (frames / FRAMES_MAX as f64).ceil().max(1.0)
}

/// Compares two films whose frames are of one size and rate.
pub fn compare_films(before: &Frames, after: &Frames, whole: bool, sensitivity: Sensitivity) -> FilmDiff {
    let path = if before.size == after.size { steps::path(before, after) } else { Vec::new() };
    let cells = before.size.0 as usize * before.size.1 as usize;
    let mut distances = vec![0.0; cells];
    let noise = noise(before, after, &path, &mut distances);
    let least = (sensitivity.threshold as f32).max((noise * BEYOND_NOISE).min(NOISE_MAX));
    let mut seen: Vec<Seen> = Vec::with_capacity(path.len());
    for step in &path {
        seen.push(match *step {
            Step::Pair(old, new) => {
                let (old, new) = (before.frame(old), after.frame(new));
                measure(old, new, before.size, &mut distances);
                Seen::pair(&distances, difference(old, new), before.size, least)
            }
            Step::Removed(_) | Step::Added(_) => Seen::lone(),
        });
    }
    let frames: Vec<FrameScore> =
        path.iter().zip(&seen).map(|(step, seen)| seen.score(*step, cells)).collect();
    let length = |frames: &Frames| thousandth(frames.len() as f64 / before.rate);
    FilmDiff {
        rate: thousandth(before.rate),
        seconds_before: length(before),
        seconds_after: length(after),
        whole,
        same_frames: seen.iter().filter(|it| !it.is_other).count() as u64,
        changed_frames: seen.iter().filter(|it| it.is_other).count() as u64,
        noise: ten_thousandth(noise),
        spans: spans(&path, &seen, before),
        frames,
    }
}

fn thousandth(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn ten_thousandth(value: f32) -> f64 {
    (f64::from(value) * 10_000.0).round() / 10_000.0
}

/// The distance of two colours, from 0 to 1.
fn distance([red, green, blue]: [f32; 3]) -> f32 {
    let y = 0.298_895_3 * red + 0.586_622_5 * green + 0.114_482_2 * blue;
    let i = 0.595_978 * red - 0.274_176_1 * green - 0.321_801_9 * blue;
    let q = 0.211_470_2 * red - 0.522_617_1 * green + 0.311_146_9 * blue;
    ((0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q) / DISTANCE_MAX).sqrt()
}

/// How far two frames are apart on average.
fn difference(one: &[u8], other: &[u8]) -> f32 {
    let squares = one.chunks_exact(3).zip(other.chunks_exact(3)).map(|(one, other)| {
        let far = distance([0, 1, 2].map(|at| f32::from(one[at]) - f32::from(other[at])));
        far * far
    });
    (squares.sum::<f32>() / (one.len() / 3).max(1) as f32).sqrt()
}

/// How far each cell of either frame lies outside of what the other has around its place: the greater of both.
fn measure(one: &[u8], other: &[u8], size: (u32, u32), into: &mut [f32]) {
    into.fill(0.0);
    for (frame, around) in [(one, Ranges::of(other, size)), (other, Ranges::of(one, size))] {
        for (cell, distance_there) in into.iter_mut().enumerate() {
            let outside = [0, 1, 2].map(|channel| {
                let at = cell * 3 + channel;
                let value = frame[at];
                let nearest = value.clamp(around.least[at], around.greatest[at]);
                f32::from(value) - f32::from(nearest)
            });
            *distance_there = distance_there.max(distance(outside));
        }
    }
}

/// The least and the greatest value of each channel in three by three cells.
struct Ranges {
    least: Vec<u8>,
    greatest: Vec<u8>,
}

impl Ranges {
    fn of(frame: &[u8], (width, _): (u32, u32)) -> Self {
        let row = width as usize * 3;
        let (least, greatest) = (spread(frame, 3, row, u8::min), spread(frame, 3, row, u8::max));
        Self {
            least: spread(&least, row, usize::MAX, u8::min),
            greatest: spread(&greatest, row, usize::MAX, u8::max),
        }
    }
}

/// Takes each value together with those that stand `step` before and behind it in the same run of `length`.
fn spread(values: &[u8], step: usize, length: usize, taken: fn(u8, u8) -> u8) -> Vec<u8> {
    let mut out = values.to_vec();
    for run in 0..values.len().div_ceil(length.min(values.len()).max(1)) {
        let from = run * length.min(values.len());
        let to = from.saturating_add(length).min(values.len());
        let (given, run) = (&values[from..to], &mut out[from..to]);
        for (at, value) in run.iter_mut().enumerate() {
            if let Some(before) = at.checked_sub(step) {
                *value = taken(*value, given[before]);
            }
            if let Some(behind) = given.get(at + step) {
                *value = taken(*value, *behind);
            }
        }
    }
    out
}

/// What packing alone changes: of the distance that a few cells exceed, the middle of all pairs.
fn noise(before: &Frames, after: &Frames, path: &[Step], distances: &mut [f32]) -> f32 {
    let pairs: Vec<(usize, usize)> = path
        .iter()
        .filter_map(|step| if let Step::Pair(old, new) = *step { Some((old, new)) } else { None })
        .collect();
    let mut found: Vec<f32> = Vec::new();
    for (old, new) in pairs.iter().step_by(pairs.len().div_ceil(NOISE_SAMPLES).max(1)) {
        measure(before.frame(*old), after.frame(*new), before.size, distances);
        let mut sorted = distances.to_vec();
        let at = sorted.len().saturating_sub(NOISE_CELLS);
        let (_, high, _) = sorted.select_nth_unstable_by(at, f32::total_cmp);
        found.push(*high);
    }
    if found.is_empty() {
        return 0.0;
    }
    let middle = found.len() / 2;
    *found.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// What was seen of one step.
struct Seen {
    is_other: bool,
    difference: f32,
    /// Cells that changed.
    changed: u32,
    /// Left, top, right, bottom of these, in cells.
    area: Option<[u32; 4]>,
}

impl Seen {
    fn lone() -> Self {
        Self { is_other: true, difference: 1.0, changed: u32::MAX, area: None }
    }

    fn pair(distances: &[f32], difference: f32, (width, height): (u32, u32), least: f32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let far = |x: usize, y: usize| distances[y * width + x] > least;
        let (mut changed, mut all, mut dense) = (0, None, None);
        for y in 0..height {
            for x in 0..width {
                if !far(x, y) {
                    continue;
                }
                let (rows, columns) = (y.saturating_sub(1)..=y + 1, x.saturating_sub(1)..=x + 1);
                let inside = |x: usize, y: usize| x < width && y < height && far(x, y);
                let around: usize =
                    rows.map(|row| columns.clone().filter(|column| inside(*column, row)).count()).sum();
                let beside = (x > 0 && far(x - 1, y)) || inside(x + 1, y);
                let above = (y > 0 && far(x, y - 1)) || inside(x, y + 1);
                // What stands alone is noise.
                if beside || above {
                    changed += 1;
                    all = Some(with_cell(all, x, y));
                }
                // What packing changes beside an edit lies in ones and twos; it counts itself.
                if around >= 4 {
                    dense = Some(with_cell(dense, x, y));
                }
            }
        }
        let area = dense.or(all);
        let is_other = changed >= CELLS_LEAST;
        Self { is_other, difference, changed, area: area.filter(|_| is_other) }
    }

    fn score(&self, step: Step, cells: usize) -> FrameScore {
        let (before, after) = step.numbers();
        let percent = match self.changed {
            u32::MAX => 100.0,
            changed => (f64::from(changed) * 10_000.0 / cells.max(1) as f64).round() / 100.0,
        };
        let difference = ten_thousandth(self.difference);
        FrameScore { before, after, difference, changed_percent: if self.is_other { percent } else { 0.0 } }
    }
}

/// An area that takes in one more cell: left, top, right and bottom.
fn with_cell(area: Option<[u32; 4]>, x: usize, y: usize) -> [u32; 4] {
    let (x, y) = (x as u32, y as u32);
    let [left, top, right, bottom] = area.unwrap_or([x, y, x + 1, y + 1]);
    [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]
}

/// Steps that differ as spans: what lies close together is one.
fn spans(path: &[Step], seen: &[Seen], frames: &Frames) -> Vec<FilmSpan> {
    // From which step to which, and what lies before each side of the first.
    let mut found: Vec<(usize, usize, [u64; 4])> = Vec::new();
    let (mut before, mut after) = (0, 0);
    for (number, (step, seen)) in path.iter().zip(seen).enumerate() {
        let (old, new) = step.numbers();
        let (next_before, next_after) = (before + u64::from(old.is_some()), after + u64::from(new.is_some()));
        if seen.is_other {
            match found.last_mut().filter(|last| number - last.1 <= BRIDGED) {
                Some(last) => (last.1, last.2[1], last.2[3]) = (number + 1, next_before, next_after),
                None => found.push((number, number + 1, [before, next_before, after, next_after])),
            }
        }
        (before, after) = (next_before, next_after);
    }
    found
        .into_iter()
        .take(SPANS_MAX)
        .map(|(from, to, [b0, b1, a0, a1])| {
            let seconds = |frame: u64| thousandth(frame as f64 / frames.rate);
            let seen = &seen[from..to];
            let kind = match (b1 - b0, a1 - a0) {
                (0, _) => SpanKind::Added,
                (_, 0) => SpanKind::Removed,
                _ => SpanKind::Changed,
            };
            FilmSpan {
                kind,
                before: (seconds(b0), seconds(b1)),
                after: (seconds(a0), seconds(a1)),
                frames_before: (b0, b1),
                frames_after: (a0, a1),
                difference: ten_thousandth(seen.iter().map(|it| it.difference).fold(0.0, f32::max)),
                area: area(seen, frames.size).filter(|_| kind == SpanKind::Changed),
                entries: (from, to),
            }
        })
        .collect()
}

/// Where frames differ, as parts of width and height.
fn area(seen: &[Seen], (width, height): (u32, u32)) -> Option<[f64; 4]> {
    let joined = |one: [u32; 4], other: [u32; 4]| {
        [one[0].min(other[0]), one[1].min(other[1]), one[2].max(other[2]), one[3].max(other[3])]
    };
    let [left, top, right, bottom] = seen.iter().filter_map(|it| it.area).reduce(joined)?;
    let (across, down) = (f64::from(width.max(1)), f64::from(height.max(1)));
    Some([
        thousandth(f64::from(left) / across),
        thousandth(f64::from(top) / down),
        thousandth(f64::from(right - left) / across),
        thousandth(f64::from(bottom - top) / down),
    ])
}

#[cfg(test)]
mod tests;
