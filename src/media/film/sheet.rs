//! Frames as pictures, and several of them on one sheet.

use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;

/// Frames on a sheet.
pub const SHEET_FRAMES: usize = COLUMNS * ROWS;
const COLUMNS: usize = 4;
const ROWS: usize = 4;
/// Room between frames, in pixels.
const GUTTER: u32 = 4;
/// The ground around them: a grey without hue, L* 18.
const GROUND: [u8; 4] = [45, 45, 45, 255];

/// Where frames stand on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Pixels across and down of each frame.
    pub frame: (u32, u32),
}

impl Layout {
    /// For frames of a size on a sheet that is at most `edge` pixels wide and high; `None` when there is
    /// nothing to see.
    pub fn new(width: u64, height: u64, edge: u32) -> Option<Self> {
        let room = (edge.saturating_sub(GUTTER * (COLUMNS as u32 - 1)) / COLUMNS as u32).max(1);
        size_within((width, height), room).map(|frame| Self { frame })
    }

    /// The sheet: as many rows as there are frames for.
    pub fn sheet(self, frames: &[Pixels]) -> Result<Pixels, DecodeError> {
        let none = || DecodeError::Damaged("no frame of it can be decoded".to_owned());
        let columns = frames.len().min(COLUMNS);
        let rows = frames.len().min(SHEET_FRAMES).div_ceil(COLUMNS);
        let side =
            |count: usize, length: u32| (count as u32 * length) + GUTTER * (count as u32).saturating_sub(1);
        let (width, height) = (side(columns, self.frame.0), side(rows, self.frame.1));
        if frames.iter().any(|frame| (frame.width, frame.height) != self.frame) || frames.is_empty() {
            return Err(none());
        }
        let mut bytes = GROUND.repeat(width as usize * height as usize);
        for (number, frame) in frames.iter().take(SHEET_FRAMES).enumerate() {
            let left = (number % COLUMNS) * (self.frame.0 + GUTTER) as usize;
            let top = (number / COLUMNS) * (self.frame.1 + GUTTER) as usize;
            let line = self.frame.0 as usize * 4;
            for (y, row) in frame.bytes.chunks_exact(line).enumerate() {
                let at = ((top + y) * width as usize + left) * 4;
                bytes[at..at + line].copy_from_slice(row);
            }
        }
        Pixels::new(width, height, bytes)
    }
}

/// A size cut down to `edge` at the same proportions; `None` for one that nothing can be drawn in.
pub fn size_within((width, height): (u64, u64), edge: u32) -> Option<(u32, u32)> {
    let longest = width.max(height);
    if width == 0 || height == 0 || longest > 65_536 {
        return None;
    }
    let edge = u64::from(edge.max(1));
    let side = |side: u64| {
        let scaled = if longest <= edge { side } else { (side * edge * 2 + longest) / (2 * longest) };
        scaled.max(1) as u32
    };
    Some((side(width), side(height)))
}

/// A frame of three bytes a pixel as a picture.
pub fn pixels((width, height): (u32, u32), frame: &[u8]) -> Result<Pixels, DecodeError> {
    let bytes = frame.chunks_exact(3).flat_map(|it| [it[0], it[1], it[2], 255]).collect();
    Pixels::new(width, height, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_stand_in_rows_with_room_between() {
        let layout = Layout::new(1920, 1080, 652).expect("a layout");
        assert_eq!(layout.frame, (160, 90));
        let frame = |tone: u8| pixels((160, 90), &vec![tone; 160 * 90 * 3]).expect("a frame");
        let sheet = layout.sheet(&(0..16).map(|it| frame(it * 10)).collect::<Vec<_>>()).expect("a sheet");
        assert_eq!((sheet.width, sheet.height), (652, 372));
        let at = |x: usize, y: usize| sheet.bytes[(y * 652 + x) * 4];
        assert_eq!((at(0, 0), at(162, 0), at(164, 0), at(651, 371)), (0, 45, 10, 150));
        let few = layout.sheet(&[frame(1), frame(2)]).expect("a sheet");
        assert_eq!((few.width, few.height), (324, 90));
        assert!(layout.sheet(&[]).is_err() && Layout::new(0, 10, 600).is_none());
    }
}
