//! Frames: what everything travels in.

use std::io::{self, Read, Write};

/// Length of a frame's header in bytes.
pub const HEADER_BYTES: usize = 5;
/// Longest request in bytes: a parcel and what is said about it.
pub const REQUEST_BYTES_MAX: usize = (33 << 20) + 4096;
/// Longest value in bytes: a description of a great many names.
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// Longest bundle in bytes: one with an object of the greatest length.
pub const BUNDLE_BYTES_MAX: usize = 80 << 20;
/// Longest block in bytes.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Longest fault in bytes.
pub const FAULT_BYTES_MAX: usize = 1 << 20;
/// How much memory a length that only claims to be one can cost, in bytes.
const TRUSTED_BYTES: usize = 64 << 10;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A request.
    Request,
    /// The one value of an answer.
    Value,
    /// A bundle of objects.
    Bundle,
    /// A block with chunks.
    Block,
    /// The answer is complete.
    End,
    /// The request failed; nothing follows.
    Fault,
    /// Nothing yet; it is being worked on.
    Wait,
}

impl FrameKind {
    const ALL: [Self; 7] =
        [Self::Request, Self::Value, Self::Bundle, Self::Block, Self::End, Self::Fault, Self::Wait];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Value => 2,
            Self::Bundle => 3,
            Self::Block => 4,
            Self::End => 5,
            Self::Fault => 6,
            Self::Wait => 7,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Longest payload in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Request => REQUEST_BYTES_MAX,
            Self::Value => VALUE_BYTES_MAX,
            Self::Bundle => BUNDLE_BYTES_MAX,
            Self::Block => BLOCK_BYTES_MAX,
            Self::End | Self::Wait => 0,
            Self::Fault => FAULT_BYTES_MAX,
        }
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: FrameKind,
    /// The bytes.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame.
    pub const fn new(kind: FrameKind, payload: Vec<u8>) -> Self {
        Self { kind, payload }
    }

    /// The frame that ends an answer.
    pub const fn end() -> Self {
        Self::new(FrameKind::End, Vec::new())
    }

    /// Its header.
    pub fn header(kind: FrameKind, length: usize) -> [u8; HEADER_BYTES] {
        let length = (length as u32).to_le_bytes();
        [kind.number(), length[0], length[1], length[2], length[3]]
    }

    /// Writes it.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write(out, self.kind, &self.payload)
    }
}

/// Writes a frame.
pub fn write(out: &mut dyn Write, kind: FrameKind, payload: &[u8]) -> io::Result<()> {
    out.write_all(&Frame::header(kind, payload.len()))?;
    out.write_all(payload)
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the bytes end early")]
    Truncated,
    /// Something that no program of ours writes.
    #[error("a frame of kind {kind} and {length} bytes")]
    Header { kind: u8, length: u32 },
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a frame; `None` when the bytes end where one would begin. Memory grows with what arrives and
/// not with what a header says.
pub fn read(input: &mut dyn Read) -> Result<Option<Frame>, FrameError> {
    let mut header = [0u8; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match input.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [number, length @ ..] = header;
    let length = u32::from_le_bytes(length);
    let kind = FrameKind::from_number(number).filter(|kind| length as usize <= kind.bytes_max());
    let Some(kind) = kind else { return Err(FrameError::Header { kind: number, length }) };
    let mut payload = Vec::with_capacity((length as usize).min(TRUSTED_BYTES));
    let count = input.take(u64::from(length)).read_to_end(&mut payload)?;
    if count == length as usize { Ok(Some(Frame { kind, payload })) } else { Err(FrameError::Truncated) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_what_is_cut_short_is_told_apart_from_an_end() {
        let frames = [Frame::new(FrameKind::Bundle, vec![7; 300]), Frame::end()];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes).expect("written"));
        let mut input = bytes.as_slice();
        for frame in &frames {
            assert_eq!(read(&mut input).expect("a frame").as_ref(), Some(frame));
        }
        assert!(read(&mut input).expect("the end").is_none());
        for length in 1..305 {
            let outcome = read(&mut &bytes[..length]);
            assert!(matches!(outcome, Err(FrameError::Truncated)), "{length}");
        }
    }

    #[test]
    fn lengths_that_no_writer_writes_are_refused_before_anything_is_read() {
        for header in [[9, 0, 0, 0, 0], [5, 1, 0, 0, 0], [1, 255, 255, 255, 255], [4, 0, 0, 0, 2]] {
            assert!(matches!(read(&mut header.as_slice()), Err(FrameError::Header { .. })), "{header:?}");
        }
    }
}
