//! The canonical codec: the only way by which bytes that are hashed, signed or stored come about.
//!
//! Integers are LEB128 in their shortest form or fixed little-endian, byte strings carry their
//! length in front, sequences their count. A [`Decoder`] refuses whatever an [`Encoder`] would not
//! have written, so that one value has exactly one encoding.

/// Why bytes could not be decoded, and at which offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset} of {object}")]
pub struct DecodeError {
    /// What was being decoded, for example `tree`.
    pub object: &'static str,
    /// Offset in bytes from the start of the object.
    pub offset: usize,
    /// What was wrong.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes can fail to be a canonical encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    #[error("the bytes end early")]
    Truncated,
    #[error("bytes follow the end")]
    TrailingBytes,
    #[error("a number is not in its shortest form or too large")]
    Number,
    #[error("a length exceeds its limit")]
    Limit,
    #[error("an unknown version")]
    Version,
    #[error("an unknown tag")]
    Tag,
    #[error("text is not UTF-8")]
    Text,
    #[error("a name that may not stand there")]
    Name,
    #[error("entries out of order or repeated")]
    Order,
    #[error("a value that a writer would not write")]
    Value,
}

/// Builds a canonical encoding.
#[derive(Debug, Default, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Starts with the version byte that every encoding opens with.
    pub fn with_version(version: u8) -> Self {
        Self { bytes: vec![version] }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Appends an unsigned integer as LEB128.
    pub fn uint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }

    /// Appends a signed integer: zigzag, then LEB128.
    pub fn int(&mut self, value: i64) -> &mut Self {
        self.uint(((value << 1) ^ (value >> 63)) as u64)
    }

    /// Appends bytes of a length that both sides know.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a length and that many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.uint(bytes.len() as u64).raw(bytes)
    }

    /// How many bytes have been written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished encoding.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads a canonical encoding and refuses everything else.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    object: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Decoder<'a> {
    /// Starts reading an object of the named kind.
    pub fn new(object: &'static str, bytes: &'a [u8]) -> Self {
        Self { object, bytes, offset: 0 }
    }

    /// An error of the given kind at the place reached so far.
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { object: self.object, offset: self.offset, kind }
    }

    /// Reads the version byte and insists on `expected`.
    pub fn version(&mut self, expected: u8) -> Result<(), DecodeError> {
        let start = self.clone();
        if self.u8()? == expected { Ok(()) } else { Err(start.error(DecodeErrorKind::Version)) }
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.raw(1).map(|bytes| bytes[0])
    }

    /// Reads an unsigned LEB128 integer in its shortest form.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        let start = self.clone();
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(start.error(DecodeErrorKind::Number));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(start.error(DecodeErrorKind::Number));
                }
                return Ok(value);
            }
        }
        Err(start.error(DecodeErrorKind::Number))
    }

    /// Reads a signed integer.
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        let value = self.uint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads exactly `length` bytes.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.offset..];
        if rest.len() < length {
            return Err(self.error(DecodeErrorKind::Truncated));
        }
        self.offset += length;
        Ok(&rest[..length])
    }

    /// Reads exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0u8; N];
        array.copy_from_slice(self.raw(N)?);
        Ok(array)
    }

    /// Reads a length of at most `limit`, then that many bytes.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.count(limit)?;
        self.raw(length)
    }

    /// Reads a length of at most `limit`, then that many bytes of UTF-8.
    pub fn text(&mut self, limit: usize) -> Result<&'a str, DecodeError> {
        let start = self.clone();
        std::str::from_utf8(self.bytes(limit)?).map_err(|_| start.error(DecodeErrorKind::Text))
    }

    /// Reads a count of at most `limit`.
    pub fn count(&mut self, limit: usize) -> Result<usize, DecodeError> {
        let start = self.clone();
        let value = self.uint()?;
        usize::try_from(value)
            .ok()
            .filter(|count| *count <= limit)
            .ok_or_else(|| start.error(DecodeErrorKind::Limit))
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Insists that nothing is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingBytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(unsigned: u64, signed: i64) {
            let mut encoder = Encoder::default();
            encoder.uint(unsigned).int(signed);
            let bytes = encoder.finish();
            let mut decoder = Decoder::new("test", &bytes);
            prop_assert_eq!(decoder.uint(), Ok(unsigned));
            prop_assert_eq!(decoder.int(), Ok(signed));
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn a_number_that_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut decoder = Decoder::new("test", &bytes);
            if let Ok(value) = decoder.uint() {
                let mut encoder = Encoder::default();
                encoder.uint(value);
                let used = bytes.len() - decoder.remaining();
                prop_assert_eq!(encoder.finish(), &bytes[..used]);
            }
        }
    }

    #[test]
    fn longer_forms_of_a_number_are_refused() {
        let mut decoder = Decoder::new("test", &[0x80, 0x00]);
        assert_eq!(decoder.uint().map_err(|e| e.kind), Err(DecodeErrorKind::Number));
    }
}
