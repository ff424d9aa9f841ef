//! Exact bytes of the transaction log: its header, its pieces, and the changes in a piece.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::store::compress;
use crate::store::pack::block::Codec;
use crate::store::settings::StoreSettings;
use crate::store::space::{SETTINGS_KEY, Space};

/// Length of the header of a file in bytes.
pub(crate) const HEADER_BYTES: usize = 64;
/// Length of the header of a piece in bytes.
pub(crate) const PIECE_HEADER_BYTES: usize = 64;
/// Raw bytes at which a piece is closed.
pub(crate) const PIECE_BYTES: usize = 1 << 20;
/// Most bytes of one record, its key included.
pub(crate) const RECORD_BYTES_MAX: usize = 64 << 20;
/// Most raw bytes of a piece: a record of the greatest length behind others.
pub(crate) const PIECE_RAW_MAX: usize = RECORD_BYTES_MAX + PIECE_BYTES + 64;

const MAGIC: &[u8; 8] = b"PENTTLOG";
pub(crate) const PIECE_MAGIC: &[u8; 4] = b"PTXP";
const VERSION: u16 = 1;
/// Room for the settings in the header.
const SETTINGS_BYTES_MAX: usize = 32;
/// Where what the checksum of a header covers ends.
const HEADER_SUM_AT: usize = 56;
/// Where the checksum of a piece begins.
const PIECE_SUM_AT: usize = 32;
const PIECE_CONTEXT: &str = "pentimento transaction log piece v1";

const FLAG_LAST: u8 = 1;
const FLAG_BASE: u8 = 2;
const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Stands where the tag of a space stands, for the settings of the store.
pub(crate) const SETTINGS_TAG: u8 = 0;

/// What is wrong with bytes of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    #[error("it does not begin as a log does")]
    Header,
    #[error("it is of a kind that this program does not know")]
    Unknown,
    #[error("it ends too early")]
    Ends,
    #[error("no piece begins here")]
    Piece,
    #[error("the checksum of a piece differs")]
    Checksum,
    #[error("a piece is missing before this one")]
    Order,
    #[error("the changes in a piece cannot be read")]
    Change,
}

/// The first bytes of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub generation: u64,
    pub settings: StoreSettings,
}

impl Header {
    /// Writes it. Flags and the encryption scheme are zero in format 1.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let settings = self.settings.encode();
        let length = settings.len().min(SETTINGS_BYTES_MAX);
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[14..16].copy_from_slice(&(length as u16).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..24 + length].copy_from_slice(&settings[..length]);
        let sum = blake3::hash(&bytes[..HEADER_SUM_AT]);
        bytes[HEADER_SUM_AT..].copy_from_slice(&sum.as_bytes()[..8]);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, LogFault> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(LogFault::Header)?;
        let sum = blake3::hash(&bytes[..HEADER_SUM_AT]);
        if &bytes[..8] != MAGIC || bytes[HEADER_SUM_AT..] != sum.as_bytes()[..8] {
            return Err(LogFault::Header);
        }
        if bytes[8..10] != VERSION.to_le_bytes() || bytes[10..14] != [0; 4] {
            return Err(LogFault::Unknown);
        }
        let length = usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
        let room = &bytes[24..HEADER_SUM_AT];
        let settings = room.get(..length).and_then(|bytes| StoreSettings::decode(bytes).ok());
        let settings = settings.filter(|_| room[length..].iter().all(|byte| *byte == 0));
        let generation = long_at(bytes, 16);
        settings.map(|settings| Self { generation, settings }).ok_or(LogFault::Unknown)
    }
}

fn long_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

fn word_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// What stands in front of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PieceHeader {
    pub codec: Codec,
    /// Whether the transaction ends with this piece.
    pub is_last: bool,
    /// Whether it is part of the first transaction of its file.
    pub is_base: bool,
    /// Number of the transaction.
    pub transaction: u64,
    /// Number of the piece in its transaction, from 0.
    pub number: u32,
    pub raw_length: u32,
    pub stored_length: u32,
    /// How many changes are in it.
    pub changes: u32,
}

impl PieceHeader {
    /// Writes it, with the checksum of itself, of the number of its file and of what follows.
    pub(crate) fn encode(&self, generation: u64, payload: &[u8]) -> [u8; PIECE_HEADER_BYTES] {
        let mut bytes = [0; PIECE_HEADER_BYTES];
        bytes[..4].copy_from_slice(PIECE_MAGIC);
        bytes[4] = u8::from(self.codec == Codec::Zstd);
        bytes[5] = u8::from(self.is_last) * FLAG_LAST + u8::from(self.is_base) * FLAG_BASE;
        bytes[8..16].copy_from_slice(&self.transaction.to_le_bytes());
        let words = [self.number, self.raw_length, self.stored_length, self.changes];
        for (slot, word) in bytes[16..PIECE_SUM_AT].chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        let sum = checksum(generation, &bytes[..PIECE_SUM_AT], payload);
        bytes[PIECE_SUM_AT..].copy_from_slice(&sum);
        bytes
    }

    /// Reads it; that the checksum is right is for [`is_whole`] to say.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, LogFault> {
        let bytes: &[u8; PIECE_HEADER_BYTES] = bytes.first_chunk().ok_or(LogFault::Ends)?;
        if &bytes[..4] != PIECE_MAGIC {
            return Err(LogFault::Piece);
        }
        let codec = match bytes[4] {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            _ => return Err(LogFault::Piece),
        };
        let header = Self {
            codec,
            is_last: bytes[5] & FLAG_LAST != 0,
            is_base: bytes[5] & FLAG_BASE != 0,
            transaction: long_at(bytes, 8),
            number: word_at(bytes, 16),
            raw_length: word_at(bytes, 20),
            stored_length: word_at(bytes, 24),
            changes: word_at(bytes, 28),
        };
        let fits = header.raw_length as usize <= PIECE_RAW_MAX
            && match codec {
                Codec::Raw => header.stored_length == header.raw_length,
                Codec::Zstd => header.stored_length < header.raw_length,
            };
        let is_known = bytes[5] <= FLAG_LAST + FLAG_BASE && bytes[6..8] == [0; 2];
        if fits && is_known { Ok(header) } else { Err(LogFault::Piece) }
    }

    /// The changes as they were before they were packed.
    pub(crate) fn unpack(&self, payload: Vec<u8>) -> Result<Vec<u8>, LogFault> {
        match self.codec {
            Codec::Raw => Ok(payload),
            Codec::Zstd => {
                let mut raw = Vec::new();
                compress::unpack(&payload, self.raw_length as usize, &mut raw)
                    .map_err(|_| LogFault::Change)?;
                Ok(raw)
            }
        }
    }
}

fn checksum(generation: u64, header: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(PIECE_CONTEXT);
    hasher.update(&generation.to_le_bytes()).update(header).update(payload);
    *hasher.finalize().as_bytes()
}

/// Whether a piece is what was written of it, into the file of that number.
pub(crate) fn is_whole(generation: u64, header: &[u8; PIECE_HEADER_BYTES], payload: &[u8]) -> bool {
    checksum(generation, &header[..PIECE_SUM_AT], payload) == header[PIECE_SUM_AT..]
}

/// One change of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// The settings of the store.
    Settings(&'a [u8]),
    /// A key got a value.
    Put { space: Space, key: &'a [u8], value: &'a [u8] },
    /// A key was taken away.
    Delete { space: Space, key: &'a [u8] },
}

/// Writes that a key got a value. `tag` is that of a space, or [`SETTINGS_TAG`].
pub(crate) fn put(into: &mut Encoder, tag: u8, key: &[u8], value: &[u8]) {
    into.u8(PUT).u8(tag).bytes(key).bytes(value);
}

/// Writes that a key was taken away.
pub(crate) fn delete(into: &mut Encoder, tag: u8, key: &[u8]) {
    into.u8(DELETE).u8(tag).bytes(key);
}

/// Goes through the raw bytes of a piece that says to have `count` changes.
pub(crate) fn each_change<'a>(
    raw: &'a [u8],
    count: u32,
    each: &mut dyn FnMut(Change<'a>),
) -> Result<(), DecodeError> {
    let mut input = Decoder::new("transaction log", raw);
    for _ in 0..count {
        let kind = input.u8()?;
        let tag = input.u8()?;
        let space = Space::of_tag(tag);
        let key = input.bytes(RECORD_BYTES_MAX)?;
        each(match (kind, space) {
            (PUT, None) if tag == SETTINGS_TAG && key == SETTINGS_KEY.as_bytes() => {
                Change::Settings(input.bytes(RECORD_BYTES_MAX)?)
            }
            (PUT, Some(space)) => Change::Put { space, key, value: input.bytes(RECORD_BYTES_MAX)? },
            (DELETE, Some(space)) => Change::Delete { space, key },
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        });
    }
    input.finish()
}
