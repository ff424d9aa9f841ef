//! Values of answers, as bytes.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::RepositoryId;
use crate::object::chunker::{ChunkerId, ChunkerParameters};
use crate::rules::pattern::Pattern;
use crate::sync::remote::{Description, Limits, Published};
use crate::sync::wire::request::{
    KEYS_MAX, decode_logs, decode_name, decode_target, encode_logs, flag, insert_next,
};
use std::collections::BTreeMap;

const VERSION: u8 = 1;
/// Most names of a remote.
const NAMES_MAX: usize = 1 << 20;
/// Most patterns of paths that somebody may not read.
const HIDDEN_MAX: usize = 256;
/// Shortest limit on parcels that makes sense, in bytes.
const PARCEL_BYTES_MIN: u64 = 2 << 20;
/// Most requests at a time that a client believes a remote to want.
const CONNECTIONS_MAX: usize = 64;

/// The one value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `describe`.
    Description(Description),
    /// To `have` and `holds`.
    Flags(Vec<bool>),
    /// To `publish`.
    Published(Published),
}

impl Answer {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Description(description) => {
                out.u8(1);
                encode_description(&mut out, description);
            }
            Self::Flags(flags) => {
                out.u8(2).uint(flags.len() as u64);
                for group in flags.chunks(8) {
                    let bit = |(place, set): (usize, &bool)| u8::from(*set) << place;
                    out.u8(group.iter().enumerate().map(bit).sum());
                }
            }
            Self::Published(published) => {
                out.u8(3).uint(published.mark);
                match published.follows {
                    None => out.u8(0),
                    Some(mark) => out.u8(1).uint(mark),
                };
            }
        }
        out.finish()
    }

    /// Reads exactly what [`Answer::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("answer", bytes);
        input.version(VERSION)?;
        let answer = match input.u8()? {
            1 => Self::Description(decode_description(&mut input)?),
            2 => Self::Flags(decode_flags(&mut input)?),
            3 => {
                let mark = input.uint()?;
                let follows = if flag(&mut input)? { Some(input.uint()?) } else { None };
                Self::Published(Published { mark, follows })
            }
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(answer)
    }
}

fn decode_flags(input: &mut Decoder<'_>) -> Result<Vec<bool>, DecodeError> {
    let count = input.count(KEYS_MAX)?;
    let bytes = input.raw(count.div_ceil(8))?;
    let flags: Vec<bool> = (0..count).map(|at| bytes[at / 8] >> (at % 8) & 1 == 1).collect();
    // The bits after the last are 0.
    let spare = bytes.last().is_some_and(|last| !count.is_multiple_of(8) && last >> (count % 8) != 0);
    if spare { Err(input.error(DecodeErrorKind::Value)) } else { Ok(flags) }
}

fn encode_description(out: &mut Encoder, description: &Description) {
    out.raw(description.repository.as_bytes()).raw(description.chunker.id().as_bytes());
    out.uint(description.epoch).uint(description.mark);
    let limits = &description.limits;
    out.uint(limits.keys_max as u64).uint(limits.chunks_max as u64);
    out.uint(limits.parcel_bytes_max).uint(limits.connections as u64);
    out.uint(description.refs.len() as u64);
    for (name, target) in &description.refs {
        out.bytes(name.as_str().as_bytes()).bytes(&target.encode());
    }
    encode_logs(out, &description.logs);
    out.uint(description.hidden.len() as u64);
    for pattern in &description.hidden {
        out.bytes(pattern.as_str().as_bytes());
    }
}

fn decode_description(input: &mut Decoder<'_>) -> Result<Description, DecodeError> {
    let repository = RepositoryId::from_bytes(input.array()?);
    let chunker = ChunkerParameters::decode(input.raw(ChunkerId::SIZE)?)?;
    let (epoch, mark) = (input.uint()?, input.uint()?);
    let limits = decode_limits(input)?;
    let mut refs = BTreeMap::new();
    for _ in 0..input.count(NAMES_MAX)? {
        let name = decode_name(input)?;
        let target = decode_target(input)?;
        insert_next(input, &mut refs, name, target)?;
    }
    let logs = decode_logs(input)?;
    let mut hidden = Vec::new();
    for _ in 0..input.count(HIDDEN_MAX)? {
        let pattern = Pattern::new(input.text(crate::rules::pattern::PATTERN_BYTES_MAX)?);
        hidden.push(pattern.map_err(|_| input.error(DecodeErrorKind::Value))?);
    }
    Ok(Description { repository, chunker, epoch, mark, refs, logs, limits, hidden })
}

/// Limits with which nobody could work are refused.
fn decode_limits(input: &mut Decoder<'_>) -> Result<Limits, DecodeError> {
    let wrong = |input: &Decoder<'_>| input.error(DecodeErrorKind::Value);
    let bounded = |input: &mut Decoder<'_>, min: usize, max: usize| {
        let value = usize::try_from(input.uint()?).map_err(|_| wrong(input))?;
        if (min..=max).contains(&value) { Ok(value) } else { Err(wrong(input)) }
    };
    let keys_max = bounded(input, 2, KEYS_MAX)?;
    let chunks_max = bounded(input, 1, KEYS_MAX)?;
    let parcel_bytes_max = input.uint()?;
    if !(PARCEL_BYTES_MIN..=32 << 20).contains(&parcel_bytes_max) {
        return Err(wrong(input));
    }
    let connections = bounded(input, 1, CONNECTIONS_MAX)?;
    Ok(Limits { keys_max, chunks_max, parcel_bytes_max, connections })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_one_encoding() {
        for count in [0, 1, 7, 8, 9, 300] {
            let flags: Vec<bool> = (0..count).map(|at| at % 3 == 0).collect();
            let bytes = Answer::Flags(flags.clone()).encode();
            assert_eq!(Answer::decode(&bytes), Ok(Answer::Flags(flags)));
        }
        assert_eq!(Answer::Flags(vec![true, false, true]).encode(), [1, 2, 3, 5]);
        assert!(Answer::decode(&[1, 2, 3, 13]).is_err(), "a bit after the last");
    }

    #[test]
    fn a_publication_has_its_frozen_bytes() {
        let published = Published { mark: 7, follows: Some(6) };
        assert_eq!(Answer::Published(published).encode(), [1, 3, 7, 1, 6]);
    }
}
