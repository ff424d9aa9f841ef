//! Where two sounds differ, and by how much one is louder.
//!
//! Prints of windows are laid on each other as texts are: the cheapest way to make one sequence of the
//! other by keeping, changing, leaving out and putting in windows (S. Needleman, C. Wunsch, 1970). A
//! sound that is only louder is told as that.

use crate::media::facts::{Facts, Sound, SoundPrint};
use base64ct::{Base64, Encoding as _};
use serde::Serialize;

/// Most pairs of windows that are looked at; longer sounds are looked at in longer windows.
const PAIRS_MAX: usize = 16_000_000;
/// How far two windows may be apart, in half decibels on average, and still sound the same.
const SAME: f32 = 5.0;
/// How far apart two windows are that have nothing to do with each other.
const FAR: f32 = 20.0;
/// What it costs to leave a window out or to put one in, as part of the cost of a wholly other one.
const GAP: f32 = 0.55;
/// Spans that are shorter, in windows, and between which fewer lie, are one or none.
const LEAST: usize = 2;
/// Most spans that are told.
const SPANS_MAX: usize = 1000;
/// A difference in loudness that is heard, in LU.
const HEARD: f64 = 0.3;

/// How two sounds differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundDiff {
    /// Whether all samples are the same: at most the packing changed.
    pub same_samples: bool,
    /// Length before, in seconds.
    pub seconds_before: f64,
    /// Length after, in seconds.
    pub seconds_after: f64,
    /// By how many LU it is louder, less than 0 when it is quieter; nothing when that is not known.
    pub louder: Option<f64>,
    /// Whether all of it sounds the same but louder or quieter.
    pub only_loudness: bool,
    /// What is new, gone or other, in the order in which it is heard.
    pub spans: Vec<SoundSpan>,
}

/// A span that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundSpan {
    /// What happened.
    pub kind: SpanKind,
    /// From where to where before, in seconds; both the same for what is new.
    pub before: (f64, f64),
    /// From where to where after, in seconds; both the same for what is gone.
    pub after: (f64, f64),
}

/// What happened to a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It sounds otherwise.
    Changed,
}

/// Windows of levels, one row each.
struct Windows {
    rows: Vec<Vec<u8>>,
    /// Seconds of one.
    length: f64,
}

impl Windows {
    fn read(print: &SoundPrint) -> Option<Self> {
        let levels = Base64::decode_vec(&print.levels).ok()?;
        let bands = usize::try_from(print.bands).ok().filter(|bands| (1..=64).contains(bands))?;
        let rows: Vec<Vec<u8>> = levels.chunks_exact(bands).map(<[u8]>::to_vec).collect();
        let sound = print.window.is_finite() && print.window > 0.001 && !rows.is_empty();
        sound.then_some(Self { rows, length: print.window })
    }

    /// The same in windows of twice the length.
    fn doubled(&self) -> Self {
        let pair = |two: &[Vec<u8>]| -> Vec<u8> {
            let last = two.last().map_or(&[][..], Vec::as_slice);
            two[0].iter().zip(last).map(|(one, other)| one.midpoint(*other)).collect()
        };
        Self { rows: self.rows.chunks(2).map(pair).collect(), length: self.length * 2.0 }
    }
}

/// Compares two sounds; `None` when there are not two to compare.
pub fn compare_sounds(before: &Facts, after: &Facts) -> Option<SoundDiff> {
    let (old, new) = (before.sound.as_ref()?, after.sound.as_ref()?);
    let (one, other) = (old.print.as_ref()?, new.print.as_ref()?);
    let length = |facts: &Facts| facts.timing.as_ref().map_or(0.0, |timing| timing.seconds);
    let mut diff = SoundDiff {
        same_samples: one.hash == other.hash,
        seconds_before: thousandth(length(before)),
        seconds_after: thousandth(length(after)),
        louder: louder(old, new),
        only_loudness: false,
        spans: Vec::new(),
    };
    if diff.same_samples {
        return Some(diff);
    }
    let (mut one, mut other) = (Windows::read(one)?, Windows::read(other)?);
    while one.length < other.length * 0.99 {
        one = one.doubled();
    }
    while other.length < one.length * 0.99 {
        other = other.doubled();
    }
    diff.spans = spans(&one, &other, 0.0);
    // In half decibels.
    let gain = diff.louder.filter(|gain| gain.abs() >= HEARD).map(|gain| gain as f32 * 2.0);
    if let Some(gain) = gain.filter(|_| !diff.spans.is_empty()) {
        let levelled = spans(&one, &other, gain);
        if amount(&levelled) < amount(&diff.spans) * 0.5 {
            diff.spans = levelled;
            diff.only_loudness = diff.spans.is_empty();
        }
    }
    Some(diff)
}

fn louder(old: &Sound, new: &Sound) -> Option<f64> {
    Some(((new.loudness? - old.loudness?) * 10.0).round() / 10.0)
}

fn thousandth(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn amount(spans: &[SoundSpan]) -> f64 {
    spans.iter().map(|span| (span.before.1 - span.before.0).max(span.after.1 - span.after.0)).sum()
}

/// How far two windows are apart, when the second is louder by `gain` as a whole. Silence stays silence.
fn distance(one: &[u8], other: &[u8], gain: f32) -> f32 {
    let apart = |(one, other): (&u8, &u8)| {
        let expected = if *one == 0 { 0.0 } else { (f32::from(*one) + gain).max(0.0) };
        (expected - f32::from(*other)).abs()
    };
    one.iter().zip(other).map(apart).sum::<f32>() / one.len().max(1) as f32
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Same,
    Changed,
    Removed,
    Added,
}

fn spans(one: &Windows, other: &Windows, gain: f32) -> Vec<SoundSpan> {
    let is_same = |a: &Vec<u8>, b: &Vec<u8>| distance(a, b, gain) <= SAME;
    let shorter = one.rows.len().min(other.rows.len());
    let head = one.rows.iter().zip(&other.rows).take_while(|(a, b)| is_same(a, b)).count();
    let tails = one.rows.iter().rev().zip(other.rows.iter().rev()).take(shorter - head);
    let tail = tails.take_while(|(a, b)| is_same(a, b)).count();
    let (old, new) = (&one.rows[head..one.rows.len() - tail], &other.rows[head..other.rows.len() - tail]);
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return spans(&one.doubled(), &other.doubled(), gain);
    }
    let mut steps = vec![Step::Same; head];
    steps.extend(path(old, new, gain));
    steps.extend(vec![Step::Same; tail]);
    gathered(&steps, one.length)
}

/// The cheapest way from one sequence of windows to another.
fn path(old: &[Vec<u8>], new: &[Vec<u8>], gain: f32) -> Vec<Step> {
    let width = new.len() + 1;
    let mut taken = vec![Step::Added; (old.len() + 1) * width];
    let mut costs: Vec<f32> = (0..width).map(|at| at as f32 * GAP).collect();
    for (y, one) in old.iter().enumerate() {
        let mut corner = costs[0];
        costs[0] += GAP;
        taken[(y + 1) * width] = Step::Removed;
        for (x, other) in new.iter().enumerate() {
            let apart = distance(one, other, gain);
            let across = corner + (apart / FAR).min(1.0);
            let (removed, added) = (costs[x + 1] + GAP, costs[x] + GAP);
            let (cost, step) = if across <= removed && across <= added {
                (across, if apart <= SAME { Step::Same } else { Step::Changed })
            } else if removed <= added {
                (removed, Step::Removed)
            } else {
                (added, Step::Added)
            };
            corner = costs[x + 1];
            costs[x + 1] = cost;
            taken[(y + 1) * width + x + 1] = step;
        }
    }
    let (mut y, mut x) = (old.len(), new.len());
    let mut steps = Vec::with_capacity(y.max(x));
    while y > 0 || x > 0 {
        let step = if y == 0 { Step::Added } else { taken[y * width + x] };
        steps.push(step);
        y -= usize::from(step != Step::Added);
        x -= usize::from(step != Step::Removed);
    }
    steps.reverse();
    steps
}

/// Steps as spans: what lies close together is one, and what is over at once is none.
fn gathered(steps: &[Step], length: f64) -> Vec<SoundSpan> {
    // From where to where in windows, before and after.
    let mut spans: Vec<[usize; 4]> = Vec::new();
    let (mut before, mut after) = (0, 0);
    for step in steps {
        let (old, new) = (usize::from(*step != Step::Added), usize::from(*step != Step::Removed));
        if *step != Step::Same {
            match spans.last_mut().filter(|last| before - last[1] <= LEAST && after - last[3] <= LEAST) {
                Some(last) => (last[1], last[3]) = (before + old, after + new),
                None => spans.push([before, before + old, after, after + new]),
            }
        }
        before += old;
        after += new;
    }
    let seconds = |windows: usize| thousandth(windows as f64 * length);
    spans
        .into_iter()
        .map(|[b0, b1, a0, a1]| (b1 - b0, a1 - a0, [b0, b1, a0, a1]))
        .filter(|(old, new, _)| old.max(new) > &LEAST)
        .map(|(old, new, [b0, b1, a0, a1])| SoundSpan {
            kind: match (old, new) {
                // What is changed at its edges only was cut there.
                (old, new) if new > 3 * old.max(1) && old <= LEAST => SpanKind::Added,
                (old, new) if old > 3 * new.max(1) && new <= LEAST => SpanKind::Removed,
                _ => SpanKind::Changed,
            },
            before: (seconds(b0), seconds(b1)),
            after: (seconds(a0), seconds(a1)),
        })
        .take(SPANS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::facts::Timing;

    /// A sound of windows in one band, each of a level.
    fn sound(levels: &[u8], loudness: f64) -> Facts {
        let hash = format!("{levels:?}");
        let print = SoundPrint { hash, window: 0.5, bands: 1, levels: Base64::encode_string(levels) };
        let seconds = levels.len() as f64 / 2.0;
        Facts {
            timing: Some(Timing { seconds, ..Timing::default() }),
            sound: Some(Sound { loudness: Some(loudness), print: Some(print), ..Sound::default() }),
            ..Facts::default()
        }
    }

    fn tune(from: u32, count: u32) -> Vec<u8> {
        (0..count).map(|at| (20 + (at * 37 + from * 53) % 90) as u8).collect()
    }

    /// A span as one value.
    type Told = (SpanKind, (f64, f64), (f64, f64));

    fn told(before: &[u8], after: &[u8]) -> Vec<Told> {
        let diff = compare_sounds(&sound(before, -20.0), &sound(after, -20.0)).expect("two sounds");
        diff.spans.into_iter().map(|span| (span.kind, span.before, span.after)).collect()
    }

    #[test]
    fn what_is_new_gone_and_other_is_found_where_it_is() {
        let (a, b, c) = (tune(1, 40), tune(7, 10), tune(3, 40));
        let whole = [a.clone(), b.clone(), c.clone()].concat();
        let without = [a.clone(), c.clone()].concat();
        let other = [a, tune(20, 10), c].concat();
        assert_eq!(told(&whole, &whole), []);
        assert_eq!(told(&whole, &without), [(SpanKind::Removed, (20.0, 25.0), (20.0, 20.0))]);
        assert_eq!(told(&without, &whole), [(SpanKind::Added, (20.0, 20.0), (20.0, 25.0))]);
        let changed = told(&whole, &other);
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!(changed[0].0, SpanKind::Changed);
        assert!((changed[0].1.0 - 20.0).abs() < 1.1 && (changed[0].1.1 - 25.0).abs() < 1.1, "{changed:?}");
    }

    #[test]
    fn a_louder_sound_is_that_and_nothing_else() {
        let quiet = tune(1, 60);
        let loud: Vec<u8> = quiet.iter().map(|level| level + 12).collect();
        let diff = compare_sounds(&sound(&quiet, -23.0), &sound(&loud, -17.0)).expect("two sounds");
        assert_eq!((diff.louder, diff.only_loudness, diff.spans.len()), (Some(6.0), true, 0));
        assert!(!diff.same_samples);
    }

    #[test]
    fn nonsense_of_a_decoder_is_no_sound() {
        let mut broken = sound(&[1, 2, 3], -20.0);
        if let Some(print) = broken.sound.as_mut().and_then(|sound| sound.print.as_mut()) {
            print.bands = 0;
        }
        assert_eq!(compare_sounds(&broken, &sound(&[1, 2], -20.0)), None);
    }
}
