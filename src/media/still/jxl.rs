//! The size that a JPEG XL codestream begins with (ISO/IEC 18181-1, "SizeHeader").

/// Pixels across and down; `None` when this is no codestream.
pub(super) fn size(codestream: &[u8]) -> Option<(u64, u64)> {
    let mut bits = Bits { bytes: codestream.strip_prefix(b"\xff\x0a")?, at: 0 };
    let is_small = bits.take(1)? == 1;
    let side = |bits: &mut Bits<'_>| -> Option<u64> {
        if is_small {
            return Some((bits.take(5)? + 1) * 8);
        }
        let width = [9, 13, 18, 30][bits.take(2)? as usize];
        Some(bits.take(width)? + 1)
    };
    let height = side(&mut bits)?;
    let width = match bits.take(3)? {
        0 => side(&mut bits)?,
        1 => height,
        2 => height * 12 / 10,
        3 => height * 4 / 3,
        4 => height * 3 / 2,
        5 => height * 16 / 9,
        6 => height * 5 / 4,
        _ => height * 2,
    };
    Some((width, height))
}

/// Bits, the least of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u64> {
        let mut number = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u64::from((byte >> (self.at % 8)) & 1) << bit;
            self.at += 1;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_their_forms() {
        // Small: 8 times (2 + 1) down, as wide as high.
        assert_eq!(size(b"\xff\x0a\x45\x00"), Some((24, 24)));
        // Large: 300 - 1 in nine bits, then 2 to 1.
        let bits: u32 = (299 << 3) | (7 << 12);
        assert_eq!(size(&[&b"\xff\x0a"[..], &bits.to_le_bytes()].concat()), Some((600, 300)));
        assert_eq!(size(b"\xff\xd8\xff"), None);
        assert_eq!(size(b"\xff\x0a"), None);
    }
}
