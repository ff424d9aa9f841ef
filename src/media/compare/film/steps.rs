//! Lays the frames of two films on each other, as texts are: the cheapest way to make one sequence of the other by
//! keeping, changing, leaving out and putting in frames (S. Needleman, C. Wunsch 1970). Long films are first
//! laid on each other at half their frames, and then only near that way (S. Salvador, P. Chan, "FastDTW: Toward
//! Accurate Dynamic Time Warping in Linear Time and Space", 2007).

use super::Frames;

/// Most pairs that are all looked at.
const PAIRS_MAX: usize = 1_000_000;
/// Frames on either side of the coarse way.
const REACH: usize = 12;
/// Cells that become one, across and down.
const BLOCK: usize = 4;
/// How far apart frames are that have nothing to do with each other, in levels.
const FAR: f32 = 48.0;
/// What it costs to leave a frame out or to put one in, as part of the cost of a wholly other one.
const GAP: f32 = 0.55;

/// One step of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame before and the one after that stands for it.
    Pair(usize, usize),
    /// A frame that is gone.
    Removed(usize),
    /// A frame that is new.
    Added(usize),
}

impl Step {
    /// The numbers before and after.
    pub(super) fn numbers(self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Pair(old, new) => (Some(old as u64), Some(new as u64)),
            Self::Removed(old) => (Some(old as u64), None),
            Self::Added(new) => (None, Some(new as u64)),
        }
    }
}

/// Frames made smaller still, one row each.
type Rows = Vec<Vec<f32>>;

/// The cheapest way.
pub(super) fn path(before: &Frames, after: &Frames) -> Vec<Step> {
    way(&rows(before), &rows(after))
}

fn rows(frames: &Frames) -> Rows {
    (0..frames.len()).map(|number| small(frames.frame(number), frames.size)).collect()
}

/// Averages of blocks of cells.
fn small(frame: &[u8], (width, height): (u32, u32)) -> Vec<f32> {
    let (width, height) = (width as usize, height as usize);
    let (columns, lines) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
    let mut sums = vec![0.0; columns * lines * 3];
    let mut counts = vec![0.0f32; columns * lines];
    for (at, cell) in frame.chunks_exact(3).enumerate() {
        let block = (at / width / BLOCK) * columns + at % width / BLOCK;
        counts[block] += 1.0;
        for (sum, value) in sums[block * 3..].iter_mut().zip(cell) {
            *sum += f32::from(*value);
        }
    }
    sums.iter().enumerate().map(|(at, sum)| sum / counts[at / 3].max(1.0)).collect()
}

/// How far two frames are apart, from 0 to 1.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    let squares: f32 = one.iter().zip(other).map(|(one, other)| (one - other) * (one - other)).sum();
    ((squares / one.len().max(1) as f32).sqrt() / FAR).min(1.0)
}

fn halved(rows: &Rows) -> Rows {
    let mean = |two: &[Vec<f32>]| -> Vec<f32> {
        let last = &two[two.len() - 1];
        two[0].iter().zip(last).map(|(one, other)| f32::midpoint(*one, *other)).collect()
    };
    rows.chunks(2).map(mean).collect()
}

fn way(old: &Rows, new: &Rows) -> Vec<Step> {
    let all = vec![(0, new.len()); old.len() + 1];
    if old.len().saturating_mul(new.len()) <= PAIRS_MAX {
        return cheapest(old, new, &all);
    }
    let coarse = way(&halved(old), &halved(new));
    cheapest(old, new, &near(&coarse, old.len(), new.len()))
}

/// The places that lie near a way at half the frames: for each number of frames before, from which to which
/// number of frames after.
fn near(coarse: &[Step], old: usize, new: usize) -> Vec<(usize, usize)> {
    let mut bands = vec![(new, 0); old + 1];
    let (mut before, mut after) = (0, 0);
    let mut reach = |before: usize, after: usize| {
        for band in
            &mut bands[(2 * before).saturating_sub(REACH).min(old)..=(2 * before + 2 + REACH).min(old)]
        {
            band.0 = band.0.min((2 * after).saturating_sub(REACH));
            band.1 = band.1.max((2 * after + 2 + REACH).min(new));
        }
    };
    reach(0, 0);
    for step in coarse {
        let (is_old, is_new) = step.numbers();
        before += usize::from(is_old.is_some());
        after += usize::from(is_new.is_some());
        reach(before, after);
    }
    // Both corners belong to it whatever rounding did.
    bands[0].0 = 0;
    if let Some(last) = bands.last_mut() {
        last.1 = new;
    }
    bands
}

/// The cheapest way that stays within the bands.
fn cheapest(old: &Rows, new: &Rows, bands: &[(usize, usize)]) -> Vec<Step> {
    const ACROSS: u8 = 0;
    const REMOVED: u8 = 1;
    const ADDED: u8 = 2;
    let mut taken: Vec<Vec<u8>> = Vec::with_capacity(bands.len());
    let mut above: Vec<f32> = Vec::new();
    let mut above_from = 0;
    for (y, (from, to)) in bands.iter().copied().enumerate() {
        let mut costs = vec![f32::INFINITY; (to + 1).saturating_sub(from)];
        let mut steps = vec![ADDED; costs.len()];
        for x in from..=to {
            let at_above = |x: usize| x.checked_sub(above_from).and_then(|at| above.get(at)).copied();
            let mut best = if x == 0 && y == 0 { (0.0, ACROSS) } else { (f32::INFINITY, ADDED) };
            if y > 0
                && x > 0
                && let Some(corner) = at_above(x - 1)
            {
                best = (corner + apart(&old[y - 1], &new[x - 1]), ACROSS);
            }
            if let Some(up) = at_above(x).filter(|up| y > 0 && up + GAP < best.0) {
                best = (up + GAP, REMOVED);
            }
            if x > from && costs[x - 1 - from] + GAP < best.0 {
                best = (costs[x - 1 - from] + GAP, ADDED);
            }
            (costs[x - from], steps[x - from]) = best;
        }
        taken.push(steps);
        (above, above_from) = (costs, from);
    }
    let (mut y, mut x) = (old.len(), new.len());
    let mut way = Vec::with_capacity(y.max(x));
    while y > 0 || x > 0 {
        let step = x.checked_sub(bands[y].0).and_then(|at| taken[y].get(at)).copied();
        match step {
            Some(ACROSS) if y > 0 && x > 0 => {
                (y, x) = (y - 1, x - 1);
                way.push(Step::Pair(y, x));
            }
            Some(ADDED) if x > 0 => {
                x -= 1;
                way.push(Step::Added(x));
            }
            _ if y > 0 => {
                y -= 1;
                way.push(Step::Removed(y));
            }
            _ => {
                x -= 1;
                way.push(Step::Added(x));
            }
        }
    }
    way.reverse();
    way
}
