//! How the tables of a packed scene are packed: blocks of LZ4 in a frame of their own, and whole numbers as
//! differences in one, two or four bytes.
//!
//! Sources: LZ4 block format (Y. Collet, 2011 to 2020); OpenUSD, `pxr/base/tf/fastCompression.cpp` and
//! `pxr/usd/sdf/integerCoding.cpp`.

/// Unpacks at most `most` bytes; `None` when there are more, or when they are damaged.
pub(super) fn unpack(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let (blocks, mut rest) = packed.split_first()?;
    let mut out = Vec::new();
    if *blocks == 0 {
        block(rest, &mut out, most)?;
        return Some(out);
    }
    for _ in 0..*blocks {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
        block(behind.get(..length)?, &mut out, most)?;
        rest = &behind[length..];
    }
    Some(out)
}

/// Adds what one block holds, which looks back into itself only.
fn block(packed: &[u8], out: &mut Vec<u8>, most: usize) -> Option<()> {
    let start = out.len();
    let mut rest = packed;
    loop {
        let (token, behind) = rest.split_first()?;
        rest = behind;
        let plain = length(usize::from(token >> 4), &mut rest)?;
        let room = most - out.len();
        out.extend(rest.get(..plain).filter(|plain| plain.len() <= room)?);
        rest = &rest[plain..];
        if rest.is_empty() {
            return Some(());
        }
        let (back, behind) = rest.split_first_chunk::<2>()?;
        rest = behind;
        let back = usize::from(u16::from_le_bytes(*back));
        let mut again = length(usize::from(token & 15), &mut rest)? + 4;
        if back == 0 || back > out.len() - start || again > most - out.len() {
            return None;
        }
        // What is repeated may be part of what repeats it.
        while again > 0 {
            let (from, count) = (out.len() - back, again.min(back));
            out.extend_from_within(from..from + count);
            again -= count;
        }
    }
}

/// A length whose first four bits were full goes on in bytes until one is not.
fn length(first: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut length = first;
    if first == 15 {
        loop {
            let (more, behind) = rest.split_first()?;
            *rest = behind;
            length += usize::from(*more);
            if *more != u8::MAX {
                break;
            }
        }
    }
    Some(length)
}

/// Most bytes that so many numbers take before they are packed.
pub(super) fn coded_max(count: usize) -> usize {
    4 + count.div_ceil(4) + count * 4
}

/// Whole numbers: the commonest difference, two bits for each that say how its own is written, and those that
/// are written.
pub(super) fn numbers(coded: &[u8], count: usize) -> Option<Vec<u32>> {
    let (common, behind) = coded.split_first_chunk::<4>()?;
    let common = i32::from_le_bytes(*common);
    let codes = behind.get(..count.div_ceil(4))?;
    let mut rest = &behind[codes.len()..];
    let mut numbers = Vec::with_capacity(count);
    let mut value = 0i32;
    for at in 0..count {
        let difference = match (codes[at / 4] >> (at % 4 * 2)) & 3 {
            0 => common,
            1 => i32::from(i8::from_le_bytes(taken(&mut rest)?)),
            2 => i32::from(i16::from_le_bytes(taken(&mut rest)?)),
            _ => i32::from_le_bytes(taken(&mut rest)?),
        };
        value = value.wrapping_add(difference);
        numbers.push(value as u32);
    }
    Some(numbers)
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_repeat_what_they_have_and_lie_in_vain() {
        // "ab", eleven bytes of what stands two before, and a sign.
        let packed = b"\0\x27ab\x02\0\x10!";
        assert_eq!(unpack(packed, 64).as_deref(), Some(&b"ababababababa!"[..]));
        assert_eq!(unpack(packed, 13), None, "more than there may be");
        assert_eq!(unpack(b"\0\x27ab\x03\0\x10!", 64), None, "before the beginning");
        assert_eq!(unpack(b"\0\x27ab\x00\0\x10!", 64), None, "of itself");
        assert_eq!(unpack(b"\0\xf7ab", 64), None, "cut off");
        assert_eq!(unpack(b"\x02\x02\0\0\0\x10a\x03\0\0\0\x20bc", 64).as_deref(), Some(&b"abc"[..]));
    }

    #[test]
    fn numbers_are_differences_of_three_widths() {
        // 5, 6, 6 - 100 = -94, -94 + 1000 = 906: 5 and 1 are not the commonest, which is 1.
        let coded = [&1i32.to_le_bytes()[..], &[0b10_01_00_01], &[5, 156], &1000i16.to_le_bytes()].concat();
        assert_eq!(numbers(&coded, 4), Some(vec![5, 6, -94i32 as u32, 906]));
        assert_eq!(numbers(&coded[..6], 4), None);
    }
}
