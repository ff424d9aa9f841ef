//! Frames: what everything travels in.

use std::cmp::Ordering;
use std::io::{self, IoSlice, Read, Write};

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
/// How much memory a length that only claims to be one can cost, in bytes: what nearly every block has.
const TRUSTED_BYTES: usize = 128 << 10;

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
    write_parts(out, kind, &[], payload)
}

/// Writes a frame whose payload stands in two places.
pub fn write_parts(out: &mut dyn Write, kind: FrameKind, first: &[u8], rest: &[u8]) -> io::Result<()> {
    let head = [&Frame::header(kind, first.len() + rest.len()), first].concat();
    // In one piece as far as it goes: a few bytes by themselves wake the reader for nothing.
    let mut written = loop {
        match out.write_vectored(&[IoSlice::new(&head), IoSlice::new(rest)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => break written?,
        }
    };
    for part in [&head, rest] {
        out.write_all(part.get(written..).unwrap_or_default())?;
        written = written.saturating_sub(part.len());
    }
    Ok(())
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the bytes end early")]
    Truncated,
    /// Something follows where nothing may.
    #[error("more than one frame")]
    Longer,
    /// Something that no program of ours writes.
    #[error("a frame of kind {kind} and {length} bytes")]
    Header { kind: u8, length: u32 },
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a frame; `None` when the bytes end where one would begin. Nothing is set aside for what only a header
/// speaks of.
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
    let (kind, length) = read_header(header)?;
    let trusted = length.min(TRUSTED_BYTES);
    let mut payload = Vec::with_capacity(trusted);
    let mut count = Read::take(&mut *input, trusted as u64).read_to_end(&mut payload)?;
    if count == trusted && length > trusted {
        // Whoever has sent that much has the rest too; growing step by step would copy it again and again.
        payload.reserve_exact(length - trusted);
        count += Read::take(&mut *input, (length - trusted) as u64).read_to_end(&mut payload)?;
    }
    if count == length { Ok(Some(Frame { kind, payload })) } else { Err(FrameError::Truncated) }
}

/// The one frame that some bytes are, where they lie.
pub fn only(bytes: &[u8]) -> Result<(FrameKind, &[u8]), FrameError> {
    let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FrameError::Truncated)?;
    let (kind, length) = read_header(*header)?;
    match payload.len().cmp(&length) {
        Ordering::Less => Err(FrameError::Truncated),
        Ordering::Equal => Ok((kind, payload)),
        Ordering::Greater => Err(FrameError::Longer),
    }
}

/// What a header says: the kind of the frame, and the length of its payload in bytes.
fn read_header([number, length @ ..]: [u8; HEADER_BYTES]) -> Result<(FrameKind, usize), FrameError> {
    let length = u32::from_le_bytes(length);
    let kind = FrameKind::from_number(number).filter(|kind| length as usize <= kind.bytes_max());
    kind.map(|kind| (kind, length as usize)).ok_or(FrameError::Header { kind: number, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_what_is_cut_short_is_told_apart_from_an_end() {
        let long = Frame::new(FrameKind::Request, (0..TRUSTED_BYTES * 3 + 5).map(|at| at as u8).collect());
        let mut bytes = Vec::new();
        long.write(&mut bytes).expect("written");
        assert_eq!(read(&mut bytes.as_slice()).expect("a frame"), Some(long));
        for cut in [TRUSTED_BYTES, TRUSTED_BYTES + 5, TRUSTED_BYTES + 6, bytes.len() - 1] {
            assert!(matches!(read(&mut &bytes[..cut]), Err(FrameError::Truncated)), "{cut}");
        }
        let frames = [Frame::new(FrameKind::Bundle, vec![7; 300]), Frame::end()];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes).expect("written"));
        let mut input = bytes.as_slice();
        for frame in &frames {
            assert_eq!(read(&mut input).expect("a frame").as_ref(), Some(frame));
        }
        assert!(read(&mut input).expect("the end").is_none());
        let one = [&Frame::header(FrameKind::Value, 2), &b"ab"[..]].concat();
        assert!(matches!(only(&one), Ok((FrameKind::Value, b"ab"))));
        assert!(matches!(only(&one[..6]), Err(FrameError::Truncated)));
        assert!(matches!(only(&[&one[..], b"c"].concat()), Err(FrameError::Longer)));
        for length in 1..305 {
            let outcome = read(&mut &bytes[..length]);
            assert!(matches!(outcome, Err(FrameError::Truncated)), "{length}");
        }
    }

    /// Takes a few bytes at a time, and is interrupted now and then.
    struct Slow(Vec<u8>, usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let taken = bytes.len().min(7);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_in_two_pieces_is_the_same_frame_however_little_is_taken_at_a_time() {
        for (first, rest) in [(0, 0), (0, 30), (3, 0), (2, 1), (9, 200)] {
            let payload: Vec<u8> = (0..first + rest).map(|at| at as u8).collect();
            let mut slow = Slow(Vec::new(), 0);
            write_parts(&mut slow, FrameKind::Request, &payload[..first], &payload[first..])
                .expect("written");
            let frame = read(&mut slow.0.as_slice()).expect("a frame").expect("a frame");
            assert_eq!(frame, Frame::new(FrameKind::Request, payload));
        }
    }

    #[test]
    fn lengths_that_no_writer_writes_are_refused_before_anything_is_read() {
        for header in [[9, 0, 0, 0, 0], [5, 1, 0, 0, 0], [1, 255, 255, 255, 255], [4, 0, 0, 0, 2]] {
            assert!(matches!(read(&mut header.as_slice()), Err(FrameError::Header { .. })), "{header:?}");
        }
    }
}
