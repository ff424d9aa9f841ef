//! How both ends of a pipe begin: each says which versions of the protocol it speaks.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder};

/// What both begin with.
pub const MAGIC: &[u8; 8] = b"PENTWIRE";
/// Length of a greeting in bytes.
pub const GREETING_BYTES: usize = 12;
/// The oldest version that this program speaks.
pub const OLDEST: u16 = 1;
/// The newest version that this program speaks.
pub const NEWEST: u16 = 1;

/// The versions that one end speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// The oldest.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

impl Greeting {
    /// What this program speaks.
    pub const OURS: Self = Self { oldest: OLDEST, newest: NEWEST };

    /// The bytes.
    pub fn encode(self) -> [u8; GREETING_BYTES] {
        let mut bytes = [0; GREETING_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&self.oldest.to_le_bytes());
        bytes[10..].copy_from_slice(&self.newest.to_le_bytes());
        bytes
    }

    /// Reads a greeting.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("greeting", bytes);
        if input.raw(MAGIC.len())? != MAGIC {
            return Err(input.error(DecodeErrorKind::Tag));
        }
        let oldest = u16::from_le_bytes(input.array()?);
        let newest = u16::from_le_bytes(input.array()?);
        if oldest > newest {
            return Err(input.error(DecodeErrorKind::Value));
        }
        input.finish()?;
        Ok(Self { oldest, newest })
    }

    /// The version that both speak, if there is one.
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_speak_the_newest_that_both_know_or_nothing() {
        let speaks = |oldest, newest| Greeting { oldest, newest };
        assert_eq!(speaks(1, 3).common(speaks(2, 5)), Some(3));
        assert_eq!(speaks(1, 1).common(speaks(2, 5)), None);
        assert_eq!(speaks(4, 5).common(speaks(1, 3)), None);
        let ours = Greeting::OURS;
        assert_eq!(&ours.encode(), b"PENTWIRE\x01\0\x01\0", "these bytes are written down");
        assert_eq!(Greeting::decode(&ours.encode()), Ok(ours));
    }
}
