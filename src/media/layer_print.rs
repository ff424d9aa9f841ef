//! Pixels of one layer: where they lie, and their fingerprint.

use crate::media::decoder::DecodeError;
use crate::media::facts::Print;
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Pixels that lie somewhere in a document.
pub struct Sheet<'p> {
    /// From the left side of the document, in pixels.
    pub left: i64,
    /// From its top.
    pub top: i64,
    /// The pixels.
    pub pixels: &'p Pixels,
}

impl Sheet<'_> {
    /// The pixels on a canvas as large as the document; what lies outside is cut off.
    pub fn on_canvas(&self, width: u64, height: u64) -> Result<Pixels, DecodeError> {
        if width == 0 || height == 0 || width.saturating_mul(height) > PIXELS_MAX {
            return Err(DecodeError::TooLarge("the document is too large for a preview".to_owned()));
        }
        let mut bytes = vec![0; (width * height * 4) as usize];
        let end = self.left.saturating_add(i64::from(self.pixels.width));
        let (from, to) = (self.left.clamp(0, width as i64), end.clamp(0, width as i64));
        for (row, line) in self.pixels.bytes.chunks_exact(self.pixels.width as usize * 4).enumerate() {
            let y = self.top.saturating_add(row as i64);
            if y < 0 || y >= height as i64 || from >= to {
                continue;
            }
            let at = (y as usize * width as usize + from as usize) * 4;
            let part = &line[(from - self.left) as usize * 4..(to - self.left) as usize * 4];
            bytes[at..at + part.len()].copy_from_slice(part);
        }
        Pixels::new(width as u32, height as u32, bytes)
    }
}

/// A fingerprint without transparent borders and hidden colours, of four bytes a pixel in rows of `width`
/// pixels, whose first stands at `left` and `top` of the document.
pub fn print((left_edge, top_edge): (i64, i64), width: u32, pixels: &[u8]) -> Print {
    let rows = || pixels.chunks_exact(width.max(1) as usize * 4);
    let is_seen = |pixel: &[u8]| pixel[3] != 0;
    let any = |row: &[u8]| row.chunks_exact(4).any(is_seen);
    let (Some(top), Some(bottom)) = (rows().position(any), rows().rposition(any)) else {
        return Print { hash: String::new(), bounds: (left_edge, top_edge, 0, 0), mask: None };
    };
    let left = rows().filter_map(|row| row.chunks_exact(4).position(is_seen)).min().unwrap_or(0);
    let right = rows().filter_map(|row| row.chunks_exact(4).rposition(is_seen)).max().unwrap_or(0);
    let (wide, high) = ((right - left + 1) as u64, (bottom - top + 1) as u64);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&wide.to_le_bytes()).update(&high.to_le_bytes());
    let mut line = Vec::new();
    for row in rows().skip(top).take(high as usize) {
        line.clear();
        for pixel in row[left * 4..=right * 4 + 3].chunks_exact(4) {
            line.extend_from_slice(if is_seen(pixel) { pixel } else { &[0; 4] });
        }
        hasher.update(&line);
    }
    let bounds = (left_edge + left as i64, top_edge + top as i64, wide, high);
    Print { hash: hasher.finalize().to_hex().to_string(), bounds, mask: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_and_hidden_colours_do_not_count() {
        let dot = |width: u32, at: usize, hidden: u8| {
            let mut bytes = [hidden, hidden, hidden, 0].repeat(width as usize * 3);
            bytes[at * 4..at * 4 + 4].copy_from_slice(&[1, 2, 3, 255]);
            print((10, 20), width, &bytes)
        };
        let (one, other) = (dot(3, 4, 0), dot(5, 11, 99));
        assert_eq!(one.hash, other.hash);
        assert_eq!((one.bounds, other.bounds), ((11, 21, 1, 1), (11, 22, 1, 1)));
        assert_eq!(print((0, 0), 2, &[7, 7, 7, 0, 9, 9, 9, 0]).hash, "");
    }

    #[test]
    fn what_lies_outside_of_the_document_is_cut_off() {
        let pixels = Pixels::new(2, 2, (1..=16).collect()).expect("pixels");
        let canvas = Sheet { left: -1, top: 1, pixels: &pixels }.on_canvas(2, 2).expect("a canvas");
        assert_eq!(canvas.bytes, [0, 0, 0, 0, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 0]);
        let away = Sheet { left: 50, top: 0, pixels: &pixels }.on_canvas(2, 2).expect("a canvas");
        assert_eq!(away.bytes, [0; 16]);
    }
}
