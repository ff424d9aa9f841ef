//! Compares the two states of a film: all frames small, and some of them large enough to be looked at.

use super::Options;
use super::state::Subject;
use crate::app::error::AppError;
use crate::media::compare::film::{FilmDiff, Frames, GRID_EDGE, common_rate, compare_films};
use crate::media::compare::{DifferenceMap, PictureDiff, align, compare};
use crate::media::film::sheet::{pixels, size_within};
use crate::media::pixels::Pixels;
use crate::media::worker::{FramePlan, WorkerError, Workers};
use std::ops::{ControlFlow, Range};

/// Seconds on the clock that reading a film from end to end may take.
const SECONDS_MAX: u64 = 900;
/// Most pairs of frames that a page has.
const MOMENTS_MAX: usize = 96;
/// The longest side of these, in pixels.
const MOMENT_EDGE: u32 = 640;
/// How good their JPEG files are.
const QUALITY: u8 = 88;
/// Entries around the ends of a span that are shown in any case.
const AROUND: usize = 1;

/// By how much an area is made larger on each side before others are held against it, as part of width and height.
const AREA_MARGIN: f64 = 0.01;

/// What was found.
pub(super) struct FilmLook {
    pub diff: FilmDiff,
    pub moments: Vec<Moment>,
    /// What differs in the pair of frames that differ most, with the later one.
    pub worst: Option<(DifferenceMap, Pixels)>,
}

/// A pair of frames that can be looked at.
pub(super) struct Moment {
    /// Its place in the list of frames of the comparison.
    pub entry: usize,
    /// JPEG files of before and after.
    pub pictures: [Option<Vec<u8>>; 2],
    /// How they differ, when the frames are other.
    pub picture: Option<PictureDiff>,
}

/// Compares; the reason is told when the films cannot be read.
pub(super) fn look_at_films(
    before: &Subject,
    after: &Subject,
    workers: &Workers,
    options: &Options,
) -> Result<Result<FilmLook, String>, AppError> {
    let Some(grid) = after.film_size(GRID_EDGE).or_else(|| before.film_size(GRID_EDGE)) else {
        return Ok(Err("there is no picture in it".to_owned()));
    };
    let timing = |side: &Subject| side.facts.timing.clone().unwrap_or_default();
    let (old, new) = (timing(before), timing(after));
    let rate = common_rate([old.frame_rate, new.frame_rate], [old.seconds, new.seconds]);
    let (one, other) =
        rayon::join(|| small(before, workers, grid, rate), || small(after, workers, grid, rate));
    let ((one, one_whole), (other, other_whole)) = match (one?, other?) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
    };
    let diff = compare_films(&one, &other, one_whole && other_whole, options.sensitivity);
    let mut look = FilmLook { diff, moments: Vec::new(), worst: None };
    if options.page.is_some() || options.png.is_some() || options.strip.is_some() {
        let entries = chosen(&look.diff);
        if let Err(reason) = look.look_closer([before, after], workers, options, (rate, &entries))? {
            return Ok(Err(reason));
        }
    }
    Ok(Ok(look))
}

/// Where a range begins and how long it is, as far as it lies in another.
fn within(range: Range<u32>, limits: &Range<u32>) -> (u32, u32) {
    let (from, to) = (range.start.max(limits.start), range.end.min(limits.end));
    (from, to.saturating_sub(from))
}

/// All frames of a film, small.
fn small(
    side: &Subject,
    workers: &Workers,
    size: (u32, u32),
    rate: f64,
) -> Result<Result<(Frames, bool), String>, AppError> {
    let most = crate::media::compare::film::FRAMES_MAX * 2;
    let plan = FramePlan { size, rate: Some(rate), numbers: None, start: 0.0, most, seconds: SECONDS_MAX };
    let mut frames = Frames::new(size, rate);
    let played = side.ask(|file, format| {
        workers.frames(file, format, &plan, &mut |frame| {
            frames.push(frame);
            ControlFlow::Continue(())
        })
    })?;
    Ok(match played {
        Ok(_) if frames.is_empty() => Err("no frame of it can be decoded".to_owned()),
        Ok(played) => Ok((frames, played.whole)),
        Err(reason) => Err(reason),
    })
}

/// The pairs that are shown: all when they are few, else some of every span and even steps between.
fn chosen(diff: &FilmDiff) -> Vec<usize> {
    let count = diff.frames.len();
    if count <= MOMENTS_MAX {
        return (0..count).collect();
    }
    let mut entries = std::collections::BTreeSet::new();
    let half = MOMENTS_MAX / 2;
    entries.extend((0..half).map(|number| number * (count - 1) / (half - 1)));
    let each = (half / diff.spans.len().max(1)).max(1);
    for span in &diff.spans {
        let (from, to) = (span.entries.0.saturating_sub(AROUND), (span.entries.1 + AROUND).min(count));
        let (length, steps) = (to - from, each.min(to - from));
        // One alone is taken from the middle.
        entries.extend((0..steps).map(|number| from + (2 * number + 1) * length / (2 * steps)));
        if entries.len() >= MOMENTS_MAX {
            break;
        }
    }
    entries.into_iter().take(MOMENTS_MAX).collect()
}

impl FilmLook {
    /// Leaves out what of areas lies outside of where the span differs: there only the packing does.
    fn keep_to_span(&self, entry: usize, found: &mut PictureDiff) {
        let mut spans = self.diff.spans.iter();
        let span = spans.find(|span| (span.entries.0..span.entries.1).contains(&entry));
        let Some([left, top, width, height]) = span.and_then(|span| span.area) else { return };
        let (across, down) = (found.width, found.height);
        let pixels = |part: f64, side: u32| (part.clamp(0.0, 1.0) * f64::from(side)).round() as u32;
        let columns = pixels(left - AREA_MARGIN, across)..pixels(left + width + AREA_MARGIN, across);
        let rows = pixels(top - AREA_MARGIN, down)..pixels(top + height + AREA_MARGIN, down);
        for region in &mut found.regions {
            (region.x, region.width) = within(region.x..region.x + region.width, &columns);
            (region.y, region.height) = within(region.y..region.y + region.height, &rows);
        }
        found.regions.retain(|region| region.width > 0 && region.height > 0);
    }

    /// Gets the chosen pairs large enough to be looked at, and compares those that differ pixel by pixel.
    fn look_closer(
        &mut self,
        sides: [&Subject; 2],
        workers: &Workers,
        options: &Options,
        (rate, entries): (f64, &[usize]),
    ) -> Result<Result<(), String>, AppError> {
        let edge = MOMENT_EDGE.min(options.edge);
        let number = |entry: &usize, side: usize| {
            let frame = self.diff.frames[*entry];
            if side == 0 { frame.before } else { frame.after }
        };
        let wanted =
            |side: usize| -> Vec<u64> { entries.iter().filter_map(|entry| number(entry, side)).collect() };
        let (old, new) = rayon::join(
            || large(sides[0], workers, rate, &wanted(0), edge),
            || large(sides[1], workers, rate, &wanted(1), edge),
        );
        let (old, new) = match (old?, new?) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
        };
        let (mut old, mut new) = (old.into_iter(), new.into_iter());
        let mut worst = 0;
        for entry in entries {
            let frame = self.diff.frames[*entry];
            let before = frame.before.and_then(|_| old.next());
            let after = frame.after.and_then(|_| new.next());
            let jpeg = |side: &Option<Pixels>| side.as_ref().map(|it| it.jpeg(QUALITY)).transpose();
            let pictures = [jpeg(&before).map_err(undrawn)?, jpeg(&after).map_err(undrawn)?];
            let mut picture = None;
            if let (Some(before), Some(after), true) = (before, after, frame.changed_percent > 0.0) {
                let aligned = align(before, after).map_err(undrawn)?;
                let (mut found, map) = compare(&aligned.before, &aligned.after, options.sensitivity);
                self.keep_to_span(*entry, &mut found);
                if found.changed_pixels > worst {
                    worst = found.changed_pixels;
                    self.worst = Some((map, aligned.after));
                }
                picture = Some(found);
            }
            self.moments.push(Moment { entry: *entry, pictures, picture });
        }
        Ok(Ok(()))
    }
}

fn undrawn(error: crate::media::decoder::DecodeError) -> AppError {
    AppError::NotDrawn { reason: error.to_string() }
}

/// Frames by their numbers, at most `edge` pixels wide and high.
fn large(
    side: &Subject,
    workers: &Workers,
    rate: f64,
    numbers: &[u64],
    edge: u32,
) -> Result<Result<Vec<Pixels>, String>, AppError> {
    let (Some(size), Some(_)) = (side.film_size(edge), numbers.first()) else { return Ok(Ok(Vec::new())) };
    let most = numbers.len() as u64;
    let numbers = Some(numbers.to_vec());
    let plan = FramePlan { size, rate: Some(rate), numbers, start: 0.0, most, seconds: SECONDS_MAX };
    let mut frames = Vec::new();
    let played = side.ask(|file, format| -> Result<_, WorkerError> {
        workers.frames(file, format, &plan, &mut |frame| match pixels(size, frame) {
            Ok(frame) => {
                frames.push(frame);
                ControlFlow::Continue(())
            }
            Err(_) => ControlFlow::Break(()),
        })
    })?;
    Ok(played.map(|_| frames))
}

impl Subject {
    /// The size of its frames, at most `edge` pixels wide and high.
    fn film_size(&self, edge: u32) -> Option<(u32, u32)> {
        let picture = self.facts.picture.as_ref()?;
        size_within((picture.width, picture.height), edge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::compare::film::{FilmSpan, FrameScore};
    use crate::media::compare::sound::SpanKind;

    fn diff(count: usize, spans: &[(usize, usize)]) -> FilmDiff {
        let frame = |at: usize| FrameScore {
            before: Some(at as u64),
            after: Some(at as u64),
            difference: 0.0,
            changed_percent: 0.0,
        };
        let span = |entries: &(usize, usize)| FilmSpan {
            kind: SpanKind::Changed,
            before: (0.0, 0.0),
            after: (0.0, 0.0),
            frames_before: (0, 0),
            frames_after: (0, 0),
            difference: 0.1,
            area: None,
            entries: *entries,
        };
        FilmDiff {
            rate: 25.0,
            seconds_before: 1.0,
            seconds_after: 1.0,
            whole: true,
            same_frames: 0,
            changed_frames: 0,
            noise: 0.0,
            spans: spans.iter().map(span).collect(),
            frames: (0..count).map(frame).collect(),
        }
    }

    #[test]
    fn areas_end_where_the_span_does() {
        assert_eq!(within(10..50, &(20..40)), (20, 20));
        assert_eq!(within(10..15, &(20..40)).1, 0);
        assert_eq!(within(25..30, &(20..40)), (25, 5));
    }

    #[test]
    fn every_span_has_a_moment_and_there_are_never_too_many() {
        assert_eq!(chosen(&diff(10, &[])), (0..10).collect::<Vec<_>>());
        let long = chosen(&diff(5000, &[(700, 703), (4000, 4400)]));
        assert!(long.len() <= MOMENTS_MAX && long.contains(&0) && long.contains(&4999), "{long:?}");
        assert!((700..703).all(|entry| long.contains(&entry)), "{long:?}");
        assert!(long.iter().filter(|entry| (4000..4400).contains(*entry)).count() > 20, "{long:?}");
        let many: Vec<(usize, usize)> = (0..300).map(|at| (at * 10, at * 10 + 2)).collect();
        assert!(chosen(&diff(5000, &many)).len() <= MOMENTS_MAX);
    }
}
