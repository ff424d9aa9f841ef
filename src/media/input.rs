//! The bytes of one file, for readers that jump about in it.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes that can be read from any place.
pub trait Source: Read + Seek + Send + Sync {}

impl<T: Read + Seek + Send + Sync> Source for T {}

/// A file's bytes and how many there are.
pub struct Input<'a> {
    source: &'a mut dyn Source,
    len: u64,
}

impl<'a> Input<'a> {
    /// Measures `source`.
    pub fn new(source: &'a mut dyn Source) -> io::Result<Self> {
        let len = source.seek(SeekFrom::End(0))?;
        Ok(Self { source, len })
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The same without its last bytes, as far as it is read through this.
    pub fn shortened(self, by: u64) -> Self {
        Self { len: self.len.saturating_sub(by), ..self }
    }

    /// At most `most` bytes from `offset` on; fewer where the file ends.
    pub fn read_at(&mut self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let there = self.len.saturating_sub(offset);
        let wanted = there.min(most as u64);
        self.source.seek(SeekFrom::Start(offset.min(self.len)))?;
        let mut bytes = Vec::with_capacity(wanted as usize);
        (&mut *self.source).take(wanted).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Exactly `count` bytes from `offset` on, or an error of the kind `UnexpectedEof`.
    pub fn exactly_at(&mut self, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read_at(offset, count)?;
        if bytes.len() == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The source, from its first byte on, for decoders that read it themselves.
    pub fn rewound(&mut self) -> io::Result<&mut dyn Source> {
        self.source.rewind()?;
        Ok(self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end_and_exact_ones_say_so() {
        let mut source = io::Cursor::new(b"0123456789".to_vec());
        let mut input = Input::new(&mut source).expect("measured");
        assert_eq!((input.len(), input.is_empty()), (10, false));
        assert_eq!(input.read_at(8, 100).expect("read"), b"89");
        assert_eq!(input.read_at(800, 100).expect("read"), b"");
        assert_eq!(input.exactly_at(2, 3).expect("read"), b"234");
        let short = input.exactly_at(8, 3).expect_err("too short");
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }
}
