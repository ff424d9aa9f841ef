//! Time code of a film: the number of its first frame, as QuickTime keeps it (QuickTime File Format, "Timecode
//! Media"), in hours, minutes, seconds and frames (SMPTE ST 12-1).

use std::io;

use super::child;
use crate::media::boxes::{Numbers, Part, body};
use crate::media::input::Input;

/// The time code that a track tells; `None` when it is not one of time code. `descriptions` is what its table says
/// that samples are.
pub(super) fn read(input: &mut Input<'_>, table: &Part, descriptions: &[u8]) -> io::Result<Option<String>> {
    let Some(entry) = descriptions.get(8..).filter(|entry| entry.get(4..8) == Some(b"tmcd")) else {
        return Ok(None);
    };
    let first = match (child(input, table, b"stco")?, child(input, table, b"co64")?) {
        (Some(part), _) => offset(&body(input, &part)?, 4),
        (None, Some(part)) => offset(&body(input, &part)?, 8),
        (None, None) => None,
    };
    let Some(first) = first else { return Ok(None) };
    let sample = input.read_at(first, 4)?;
    let number = |bytes: &[u8], at: usize, count: usize| Numbers(bytes.get(at..)?).take(count);
    let told = || -> Option<String> {
        let flags = number(entry, 20, 4)?;
        let frames_a_second = number(entry, 32, 1)?;
        written(number(&sample, 0, 4)?, frames_a_second, flags & 1 == 1)
    };
    Ok(told())
}

fn offset(table: &[u8], bytes: usize) -> Option<u64> {
    let mut numbers = Numbers(table.get(4..)?);
    if numbers.take(4)? == 0 { None } else { numbers.take(bytes) }
}

/// A frame's number as people write it. Where numbers are dropped, the first of every minute but each tenth are.
fn written(number: u64, rate: u64, drops: bool) -> Option<String> {
    if rate == 0 {
        return None;
    }
    let number = if drops && rate.is_multiple_of(30) {
        let dropped = rate / 30 * 2;
        let in_ten_minutes = rate * 600 - dropped * 9;
        let (tens, rest) = (number / in_ten_minutes, number % in_ten_minutes);
        let minutes = rest.saturating_sub(dropped) / (in_ten_minutes / 10);
        number + 9 * dropped * tens + dropped * minutes
    } else {
        number
    };
    let (seconds, frames) = (number / rate, number % rate);
    let mark = if drops { ';' } else { ':' };
    Some(format!("{:02}:{:02}:{:02}{mark}{frames:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By FFmpeg's own arithmetic (`av_timecode_make_string`).
    #[test]
    fn numbers_become_time_code() {
        assert_eq!(written(0, 25, false).as_deref(), Some("00:00:00:00"));
        assert_eq!(written(90_000, 25, false).as_deref(), Some("01:00:00:00"));
        assert_eq!(written(1_799, 30, true).as_deref(), Some("00:00:59;29"));
        assert_eq!(written(1_800, 30, true).as_deref(), Some("00:01:00;02"));
        assert_eq!(written(17_982, 30, true).as_deref(), Some("00:10:00;00"));
        assert_eq!(written(107_892, 30, true).as_deref(), Some("01:00:00;00"));
        assert_eq!(written(1, 0, false), None);
    }
}
