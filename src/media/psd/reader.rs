//! Big-endian numbers from one range of a file, never beyond its end.

use std::io;

use super::PsdError;
use crate::media::input::Input;

/// How much is read ahead, in bytes.
const WINDOW: usize = 64 * 1024;

/// A place in a file, and where the range that it belongs to ends.
pub(super) struct Reader<'r, 'a> {
    input: &'r mut Input<'a>,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'r, 'a> Reader<'r, 'a> {
    /// Reads `input` from `at` up to `end`, or to its own end when that comes first.
    pub fn new(input: &'r mut Input<'a>, at: u64, end: u64) -> Self {
        let end = end.min(input.len());
        Self { input, at, end, window: Vec::new(), window_at: 0 }
    }

    /// The place.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Bytes up to the end of the range.
    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Moves to a place of the same range.
    pub fn go_to(&mut self, at: u64) -> Result<(), PsdError> {
        if at > self.end {
            return Err(PsdError::Short);
        }
        self.at = at;
        Ok(())
    }

    /// Passes `count` bytes.
    pub fn skip(&mut self, count: u64) -> Result<(), PsdError> {
        self.go_to(self.at.checked_add(count).ok_or(PsdError::Short)?)
    }

    /// The next `count` bytes; `most` bounds what may be asked for.
    pub fn bytes(&mut self, count: u64, most: usize) -> Result<Vec<u8>, PsdError> {
        if count > most as u64 {
            return Err(PsdError::TooLarge);
        }
        if count > self.left() {
            return Err(PsdError::Short);
        }
        let bytes = if count as usize > WINDOW {
            self.input.exactly_at(self.at, count as usize)?
        } else {
            self.fill(count as usize)?;
            let from = (self.at - self.window_at) as usize;
            self.window[from..from + count as usize].to_vec()
        };
        self.at += count;
        Ok(bytes)
    }

    /// The next bytes, as many as the array has.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], PsdError> {
        if N as u64 > self.left() {
            return Err(PsdError::Short);
        }
        self.fill(N)?;
        let from = (self.at - self.window_at) as usize;
        let mut out = [0; N];
        out.copy_from_slice(&self.window[from..from + N]);
        self.at += N as u64;
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, PsdError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, PsdError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Result<i16, PsdError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, PsdError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32, PsdError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A length: 64 bits in the large form of the format, else 32.
    pub fn length(&mut self, large: bool) -> Result<u64, PsdError> {
        if large { Ok(u64::from_be_bytes(self.array()?)) } else { Ok(u64::from(self.u32()?)) }
    }

    /// A text of at most 255 bytes with its length before it, padded to a multiple of `pad`.
    pub fn pascal(&mut self, pad: u64) -> Result<Vec<u8>, PsdError> {
        let length = u64::from(self.u8()?);
        let text = self.bytes(length, 255)?;
        let over = (length + 1) % pad;
        if over != 0 {
            self.skip(pad - over)?;
        }
        Ok(text)
    }

    fn fill(&mut self, count: usize) -> Result<(), io::Error> {
        let from = self.at.checked_sub(self.window_at);
        let there = from.is_some_and(|from| from + count as u64 <= self.window.len() as u64);
        if !there {
            self.window = self.input.exactly_at(self.at, (self.left().min(WINDOW as u64)) as usize)?;
            self.window_at = self.at;
        }
        Ok(())
    }
}
