//! The first bytes of a pack.

use crate::base::id::PackId;
use crate::store::error::Damage;

/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"PENTPACK";
const VERSION: u16 = 1;

/// Why a header could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// It is no header, or damaged.
    Damaged(Damage),
    /// It is one, of a kind that this program does not know: another version, encryption, or
    /// objects named otherwise than by their content.
    Unknown,
}

/// Writes the header of a pack.
///
/// Flags, encryption scheme, naming scheme, key id and the reserved bytes are zero in format 1.
pub fn encode(id: PackId) -> [u8; HEADER_BYTES] {
    let mut bytes = [0u8; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..32].copy_from_slice(id.as_bytes());
    let sum = blake3::hash(&bytes[..56]);
    bytes[56..].copy_from_slice(&sum.as_bytes()[..8]);
    bytes
}

/// Reads the header of a pack.
pub fn decode(bytes: &[u8]) -> Result<PackId, HeaderError> {
    let damaged = HeaderError::Damaged(Damage::PackHeader);
    let bytes: &[u8; HEADER_BYTES] =
        bytes.get(..HEADER_BYTES).and_then(|b| b.try_into().ok()).ok_or(damaged)?;
    if &bytes[..8] != MAGIC || bytes[56..] != blake3::hash(&bytes[..56]).as_bytes()[..8] {
        return Err(damaged);
    }
    let known = bytes[8..10] == VERSION.to_le_bytes()
        && bytes[10..16].iter().all(|byte| *byte == 0)
        && bytes[32..56].iter().all(|byte| *byte == 0);
    if !known {
        return Err(HeaderError::Unknown);
    }
    PackId::from_slice(&bytes[16..32]).ok_or(damaged)
}
