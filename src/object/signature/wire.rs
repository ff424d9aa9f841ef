//! The encoding of the SSH protocols (RFC 4251, section 5): fixed integers, strings with a length.

/// The bytes end early, go on after the end, or say a length that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no well-formed SSH message")]
pub struct WireError;

/// Reads from bytes that anybody may have made; never beyond them, never more than a limit.
#[derive(Debug, Clone, Copy)]
pub struct WireReader<'a> {
    rest: &'a [u8],
}

impl<'a> WireReader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(WireError)?;
        self.rest = rest;
        Ok(head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A big-endian number of four bytes.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| WireError)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A string of at most `max` bytes.
    pub fn string(&mut self, max: usize) -> Result<&'a [u8], WireError> {
        let length = self.u32()? as usize;
        if length > max { Err(WireError) } else { self.take(length) }
    }

    /// A string of at most `max` bytes that is UTF-8.
    pub fn text(&mut self, max: usize) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.string(max)?).map_err(|_| WireError)
    }

    /// A number above zero of at most `max` bytes in its shortest form, without leading zeros.
    pub fn positive(&mut self, max: usize) -> Result<&'a [u8], WireError> {
        let bytes = self.string(max + 1)?;
        let number = match bytes {
            [0, high, ..] if *high >= 0x80 => &bytes[1..],
            [high, ..] if (1..0x80).contains(high) => bytes,
            _ => return Err(WireError),
        };
        if number.len() > max { Err(WireError) } else { Ok(number) }
    }

    /// Succeeds when every byte was read.
    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError) }
    }
}

/// Appends a string and its length.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a positive number, given without sign, in its shortest form.
pub fn put_positive(out: &mut Vec<u8>, number: &[u8]) {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let mut bytes = Vec::with_capacity(number.len() + 1);
    if number.get(start).is_some_and(|byte| *byte >= 0x80) {
        bytes.push(0);
    }
    bytes.extend_from_slice(&number[start..]);
    put_string(out, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_shortest_form_only() {
        for (bytes, number) in
            [(&[0, 0, 0, 1, 5][..], Some(&[5][..])), (&[0, 0, 0, 2, 0, 0x80][..], Some(&[0x80][..]))]
        {
            assert_eq!(WireReader::new(bytes).positive(2).ok(), number);
            let mut again = Vec::new();
            put_positive(&mut again, number.unwrap());
            assert_eq!(again, bytes);
        }
        for bad in [&[0, 0, 0, 0][..], &[0, 0, 0, 1, 0], &[0, 0, 0, 2, 0, 5], &[0, 0, 0, 1, 0x80]] {
            assert_eq!(WireReader::new(bad).positive(2), Err(WireError), "{bad:?}");
        }
        assert_eq!(WireReader::new(&[0, 0, 0, 3, 1, 2, 3]).positive(2), Err(WireError));
    }

    #[test]
    fn lengths_beyond_the_end_or_the_limit_are_refused() {
        assert_eq!(WireReader::new(&[0, 0, 0, 9, 1]).string(100), Err(WireError));
        assert_eq!(WireReader::new(&[0, 0, 0, 2, 1, 2]).string(1), Err(WireError));
        assert_eq!(WireReader::new(&[255, 255, 255, 255]).string(usize::MAX), Err(WireError));
        assert_eq!(WireReader::new(&[1]).finish(), Err(WireError));
    }
}
