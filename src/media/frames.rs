//! How many frames a picture that moves has and how long it takes, and how many pages a TIFF file has: told by
//! the containers alone (GIF89a 1990; PNG third edition 2025, animation chunks; WebP container 2012; TIFF 6.0).

use std::io;

use crate::media::format::Format;
use crate::media::input::Input;

/// Longest file whose frames are counted, in bytes.
const BYTES_MAX: u64 = 256 << 20;
/// Most frames or pages that are counted.
const COUNT_MAX: u64 = 1_000_000;

/// What a container says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moving {
    /// Frames.
    pub frames: u64,
    /// Seconds that they are shown in all.
    pub seconds: f64,
    /// Whether a frame has transparent pixels; only GIF tells it here.
    pub transparent: Option<bool>,
}

/// What there is to tell of a picture; `None` for formats in which nothing moves.
pub fn of(input: &mut Input<'_>, format: &Format) -> io::Result<Option<Moving>> {
    Ok(match format.id {
        "gif" if input.len() <= BYTES_MAX => gif(&input.read_at(0, BYTES_MAX as usize)?),
        "png" => Some(png(input)?),
        "webp" => Some(webp(input)?),
        _ => None,
    })
}

/// Blocks one after the other; what is cut off ends the count.
fn gif(bytes: &[u8]) -> Option<Moving> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3usize << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut found = Moving { transparent: Some(false), ..Moving::default() };
    let (mut hundredths, mut clear) = (0u64, false);
    while let Some(kind) = bytes.get(at) {
        match kind {
            0x21 => {
                if let (Some(0xf9), Some(block)) = (bytes.get(at + 1), bytes.get(at + 3..at + 6)) {
                    hundredths += u64::from(u16::from_le_bytes([block[1], block[2]]));
                    clear = block[0] & 1 == 1;
                }
                at = behind_blocks(bytes, at + 2);
            }
            0x2c => {
                let Some(flags) = bytes.get(at + 9) else { break };
                found.frames += 1;
                found.transparent = Some(found.transparent == Some(true) || clear);
                at = behind_blocks(bytes, at + 11 + table(*flags));
            }
            _ => break,
        }
        if found.frames >= COUNT_MAX {
            break;
        }
    }
    found.seconds = hundredths as f64 / 100.0;
    Some(found)
}

/// Passes blocks that each begin with their length, up to an empty one.
fn behind_blocks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(length) = bytes.get(at).filter(|length| **length > 0) {
        at += 1 + usize::from(*length);
    }
    at + 1
}

fn png(input: &mut Input<'_>) -> io::Result<Moving> {
    let mut found = Moving::default();
    let mut at = 8;
    for _ in 0..COUNT_MAX {
        let head = input.read_at(at, 36)?;
        let Some(kind) = head.get(4..8) else { break };
        let length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        match kind {
            b"fcTL" => {
                found.frames += 1;
                if let Some(delay) = head.get(28..32) {
                    let (above, below) =
                        (u16::from_be_bytes([delay[0], delay[1]]), u16::from_be_bytes([delay[2], delay[3]]));
                    found.seconds += f64::from(above) / f64::from(if below == 0 { 100 } else { below });
                }
            }
            b"IEND" => break,
            _ => {}
        }
        at += 12 + length;
    }
    Ok(found)
}

fn webp(input: &mut Input<'_>) -> io::Result<Moving> {
    let mut found = Moving::default();
    let mut at = 12;
    for _ in 0..COUNT_MAX {
        let head = input.read_at(at, 24)?;
        let Some(length) = head.get(4..8) else { break };
        let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
        if let (true, Some(time)) = (head.starts_with(b"ANMF"), head.get(20..23)) {
            found.frames += 1;
            found.seconds += f64::from(u32::from_le_bytes([time[0], time[1], time[2], 0])) / 1000.0;
        }
        at += 8 + length + length % 2;
    }
    Ok(found)
}

/// How many directories a TIFF file has, one for each page; those that only hang on others do not count.
pub fn pages(input: &mut Input<'_>) -> io::Result<u64> {
    let head = input.read_at(0, 16)?;
    let big_endian = head.starts_with(b"MM");
    let number = |bytes: &[u8]| {
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    };
    let large = head.get(2..4).is_some_and(|it| number(it) == 43);
    let (first, count_bytes, entry_bytes, offset_bytes) = if large { (8, 8, 20, 8) } else { (4, 2, 12, 4) };
    let mut at = head.get(first..first + offset_bytes).map_or(0, number);
    let mut seen = Vec::new();
    while at != 0 && !seen.contains(&at) && seen.len() < 10_000 {
        let count = input.read_at(at, count_bytes)?;
        if count.len() < count_bytes {
            break;
        }
        seen.push(at);
        let Some(table) = number(&count).checked_mul(entry_bytes) else { break };
        let Some(next) = at.checked_add(count_bytes as u64 + table) else { break };
        let next = input.read_at(next, offset_bytes)?;
        at = if next.len() < offset_bytes { 0 } else { number(&next) };
    }
    Ok(seen.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::format;
    use std::io::Cursor;

    fn told(bytes: Vec<u8>, format: &Format) -> Moving {
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("measured");
        of(&mut input, format).expect("read").expect("something")
    }

    #[test]
    fn frames_and_their_times_are_counted() {
        let mut gif = b"GIF89a\x01\0\x01\0\0\0\0".to_vec();
        for (delay, flags) in [(10u8, 0u8), (25, 1)] {
            gif.extend([0x21, 0xf9, 4, flags, delay, 0, 0, 0]);
            gif.extend([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 1, 9, 0]);
        }
        gif.push(0x3b);
        let whole = told(gif.clone(), &format::GIF);
        assert_eq!((whole.frames, whole.transparent), (2, Some(true)));
        assert!((whole.seconds - 0.35).abs() < 1e-9);
        assert_eq!(
            told(gif[..40].to_vec(), &format::GIF).frames,
            1,
            "what is cut is counted as far as it goes"
        );
        let chunk = |kind: &[u8], content: &[u8]| {
            [&(content.len() as u32).to_be_bytes()[..], kind, content, &[0; 4]].concat()
        };
        let frame = |delay: [u8; 4]| chunk(b"fcTL", &[&[0; 20][..], &delay, &[0, 0]].concat());
        let png =
            [b"\x89PNG\r\n\x1a\n".to_vec(), frame([0, 1, 0, 4]), frame([0, 50, 0, 0]), chunk(b"IEND", b"")]
                .concat();
        let png = told(png, &format::PNG);
        assert_eq!(png.frames, 2);
        assert!((png.seconds - 0.75).abs() < 1e-9);
        let webp = [&b"RIFF\0\0\0\0WEBPANMF\x10\0\0\0"[..], &[0; 12], &[100, 0, 0, 0]].concat();
        let webp = told(webp, &format::WEBP);
        assert!(webp.frames == 1 && (webp.seconds - 0.1).abs() < 1e-9);
    }

    #[test]
    fn pages_that_lead_in_a_circle_end() {
        let page = |next: u32| [&[0u8, 0][..], &next.to_le_bytes()].concat();
        let bytes = [&b"II*\0\x08\0\0\0"[..], &page(14), &page(8)].concat();
        let mut source = Cursor::new(bytes);
        assert_eq!(pages(&mut Input::new(&mut source).expect("measured")).expect("read"), 2);
    }
}
