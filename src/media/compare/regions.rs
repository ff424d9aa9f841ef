//! Boxes around changed pixels that lie together.

use super::picture::{DifferenceMap, Verdict};
use serde::Serialize;

/// Most boxes that are told; where there are more, what lies near each other becomes one.
const REGIONS_MAX: usize = 48;
/// Cells along the longest side at first: what lies within two cells belongs together.
const CELLS: u32 = 256;

/// A box around changed pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Its left edge, in pixels of what was compared.
    pub x: u32,
    /// Its top edge.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Changed pixels in it.
    pub changed_pixels: u64,
}

impl Region {
    fn joined(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        let changed_pixels = self.changed_pixels + other.changed_pixels;
        Self { x, y, width: right - x, height: bottom - y, changed_pixels }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// Finds the boxes, the one with most changed pixels first.
pub(super) fn regions(map: &DifferenceMap) -> Vec<Region> {
    let mut cell = map.width.max(map.height).div_ceil(CELLS).max(1);
    loop {
        let mut found = merged(connected(map, cell));
        if found.len() <= REGIONS_MAX {
            found.sort_by_key(|region| (std::cmp::Reverse(region.changed_pixels), region.y, region.x));
            return found;
        }
        cell *= 2;
    }
}

/// Joins cells with changed pixels that lie within two cells of each other.
fn connected(map: &DifferenceMap, cell: u32) -> Vec<Region> {
    let (columns, rows) = (map.width.div_ceil(cell) as usize, map.height.div_ceil(cell) as usize);
    let mut cells: Vec<Option<Region>> = vec![None; columns * rows];
    for (y, row) in (0u32..).zip(map.verdicts.chunks(map.width.max(1) as usize)) {
        for (x, _) in (0u32..).zip(row).filter(|(_, verdict)| **verdict == Verdict::Changed) {
            let one = Region { x, y, width: 1, height: 1, changed_pixels: 1 };
            let slot = &mut cells[(y / cell) as usize * columns + (x / cell) as usize];
            *slot = Some(slot.map_or(one, |region| region.joined(one)));
        }
    }
    let mut found = Vec::new();
    for start in 0..cells.len() {
        let Some(mut region) = cells[start].take() else { continue };
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            let (x, y) = (at % columns, at / columns);
            for row in y.saturating_sub(2)..=(y + 2).min(rows - 1) {
                for column in x.saturating_sub(2)..=(x + 2).min(columns - 1) {
                    if let Some(other) = cells[row * columns + column].take() {
                        region = region.joined(other);
                        open.push(row * columns + column);
                    }
                }
            }
        }
        found.push(region);
    }
    found
}

/// Joins boxes that overlap, until none does.
fn merged(mut regions: Vec<Region>) -> Vec<Region> {
    if regions.len() > 8 * REGIONS_MAX {
        // There are too many in any case.
        return regions;
    }
    let mut settled: Vec<Region> = Vec::new();
    while let Some(mut region) = regions.pop() {
        while let Some(at) = settled.iter().position(|other| other.overlaps(&region)) {
            region = region.joined(settled.swap_remove(at));
        }
        settled.push(region);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_together_is_one_box_and_many_become_few() {
        let mut map = DifferenceMap { width: 512, height: 512, verdicts: vec![Verdict::Same; 512 * 512] };
        let mut mark = |x: usize, y: usize| map.verdicts[y * 512 + x] = Verdict::Changed;
        [(10, 10), (13, 11), (300, 40)].into_iter().for_each(|(x, y)| mark(x, y));
        let found = regions(&map);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], Region { x: 10, y: 10, width: 4, height: 2, changed_pixels: 2 });
        let mut map = DifferenceMap { width: 512, height: 512, verdicts: vec![Verdict::Same; 512 * 512] };
        for at in (0..512 * 512).step_by(997) {
            map.verdicts[at] = Verdict::Changed;
        }
        let found = regions(&map);
        assert!(!found.is_empty() && found.len() <= REGIONS_MAX, "{}", found.len());
        assert_eq!(found.iter().map(|region| region.changed_pixels).sum::<u64>(), 263);
    }
}
