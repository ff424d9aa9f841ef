//! Lays two pictures of perhaps different sizes on each other.

use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;
use serde::Serialize;

/// How two pictures were laid on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// They are of one size.
    Same,
    /// They have the same proportions: the larger was made as small as the other.
    Scaled,
    /// They have other proportions: their top left corners were laid on each other.
    TopLeft,
}

/// Two pictures of one size.
#[derive(Debug)]
pub struct Aligned {
    /// The older.
    pub before: Pixels,
    /// The newer.
    pub after: Pixels,
    /// What was done to them.
    pub alignment: Alignment,
}

/// Brings two pictures to one size.
pub fn align(before: Pixels, after: Pixels) -> Result<Aligned, DecodeError> {
    let (one, other) = ((before.width, before.height), (after.width, after.height));
    if one == other {
        return Ok(Aligned { before, after, alignment: Alignment::Same });
    }
    if has_same_proportions(one, other) {
        let (width, height) = if one.0 < other.0 { one } else { other };
        let (before, after) = (before.resized(width, height)?, after.resized(width, height)?);
        return Ok(Aligned { before, after, alignment: Alignment::Scaled });
    }
    let (width, height) = (one.0.max(other.0), one.1.max(other.1));
    let (before, after) = (before.on_canvas(width, height)?, after.on_canvas(width, height)?);
    Ok(Aligned { before, after, alignment: Alignment::TopLeft })
}

/// Whether one size is the other times a factor, as far as whole pixels can tell.
fn has_same_proportions(one: (u32, u32), other: (u32, u32)) -> bool {
    let (small, large) = if one.0 < other.0 { (one, other) } else { (other, one) };
    let height = f64::from(large.1) * f64::from(small.0) / f64::from(large.0);
    small.0 < large.0 && small.1 < large.1 && (height - f64::from(small.1)).abs() <= 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32) -> Pixels {
        Pixels::new(width, height, [9, 8, 7, 255].repeat((width * height) as usize)).expect("pixels")
    }

    #[test]
    fn sizes_become_one() {
        let sizes = |one, other| {
            let aligned = align(one, other).expect("aligned");
            assert_eq!(aligned.before.bytes.len(), aligned.after.bytes.len());
            (aligned.alignment, aligned.after.width, aligned.after.height)
        };
        assert_eq!(sizes(plain(4, 3), plain(4, 3)), (Alignment::Same, 4, 3));
        assert_eq!(sizes(plain(80, 60), plain(40, 30)), (Alignment::Scaled, 40, 30));
        assert_eq!(sizes(plain(40, 30), plain(40, 50)), (Alignment::TopLeft, 40, 50));
        assert_eq!(sizes(plain(50, 30), plain(40, 50)), (Alignment::TopLeft, 50, 50));
    }
}
