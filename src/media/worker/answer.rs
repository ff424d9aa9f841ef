//! What a child says, byte by byte: a tag, and what belongs to it up to the end.

use crate::media::embedding::{EDITS_MAX, Edit};
use crate::media::facts::Facts;
use crate::media::format;
use crate::media::light::Light;
use crate::media::pixels::Pixels;
use crate::media::still::coded::{Codec, Coded, Colours};

/// Longest reason of a fault, in bytes.
const REASON_MAX: usize = 1000;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Facts.
    Facts(Box<Facts>),
    /// A picture.
    Picture(Pixels),
    /// A picture as numbers of light.
    Light(Light),
    /// A picture as it is coded in the file.
    Coded(Coded),
    /// How to put a packet into the file.
    Edits(Vec<Edit>),
    /// The format has no picture to give.
    NoPicture,
    /// The file is at fault, and why.
    Fault(String),
}

/// Why bytes are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// They have no known form.
    #[error("it has no known form")]
    Form,
    /// It answers another question.
    #[error("it answers another question")]
    Kind,
    /// There is too much of it.
    #[error("it is too long")]
    TooLong,
}

impl Answer {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Facts(facts) => {
                let mut bytes = vec![1];
                // Facts are plain values: numbers that JSON cannot hold become null and are refused.
                bytes.extend(serde_json::to_vec(facts).unwrap_or_default());
                bytes
            }
            Self::Picture(pixels) => sized(2, (pixels.width, pixels.height), &pixels.bytes),
            Self::Light(light) => sized(5, (light.width, light.height), &light.bytes),
            Self::Edits(edits) => {
                let mut bytes = vec![6];
                for edit in edits {
                    bytes.extend(edit.at.to_le_bytes());
                    bytes.extend(edit.removed.to_le_bytes());
                    bytes.extend((edit.inserted.len() as u32).to_le_bytes());
                    bytes.extend(&edit.inserted);
                }
                bytes
            }
            Self::Coded(coded) => coded_bytes(coded),
            Self::NoPicture => vec![3],
            Self::Fault(reason) => {
                let mut bytes = vec![4];
                let end = (0..=reason.len().min(REASON_MAX)).rev().find(|end| reason.is_char_boundary(*end));
                bytes.extend(&reason.as_bytes()[..end.unwrap_or(0)]);
                bytes
            }
        }
    }

    /// Reads bytes of a child that may have been taken over by the file it read.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnswerError> {
        let (tag, rest) = bytes.split_first().ok_or(AnswerError::Form)?;
        match tag {
            1 => {
                let facts: Facts = serde_json::from_slice(rest).map_err(|_| AnswerError::Form)?;
                if format::by_id(&facts.format).is_none() {
                    return Err(AnswerError::Form);
                }
                Ok(Self::Facts(Box::new(facts)))
            }
            5 => {
                let (width, height, rest) = size(rest)?;
                Light::new(width, height, rest.to_vec()).map(Self::Light).map_err(|_| AnswerError::Form)
            }
            2 => {
                let (width, height, rest) = size(rest)?;
                Pixels::new(width, height, rest.to_vec()).map(Self::Picture).map_err(|_| AnswerError::Form)
            }
            6 => edits(rest).map(Self::Edits).ok_or(AnswerError::Form),
            7 => coded(rest).filter(Coded::is_sound).map(Self::Coded).ok_or(AnswerError::Form),
            3 if rest.is_empty() => Ok(Self::NoPicture),
            4 if rest.len() <= REASON_MAX => {
                Ok(Self::Fault(std::str::from_utf8(rest).map_err(|_| AnswerError::Form)?.to_owned()))
            }
            _ => Err(AnswerError::Form),
        }
    }
}

/// A tag, a size, and what has it.
fn sized(tag: u8, (width, height): (u32, u32), content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + content.len());
    bytes.push(tag);
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend(content);
    bytes
}

fn coded_bytes(coded: &Coded) -> Vec<u8> {
    let Coded { codec, tile, grid, size, orientation, colours, stream } = coded;
    let mut bytes = Vec::with_capacity(40 + stream.len());
    let colours = colours.map_or([0; 3], |it| [1, it.matrix, u8::from(it.is_full)]);
    bytes.extend([7, u8::from(*codec == Codec::Av1), *orientation]);
    bytes.extend(colours);
    for number in [tile.0, tile.1, grid.0, grid.1, size.0, size.1] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(stream);
    bytes
}

fn coded(bytes: &[u8]) -> Option<Coded> {
    let ([codec, orientation, is_told, matrix, is_full], rest) = bytes.split_first_chunk::<5>()?;
    let (numbers, stream) = rest.split_first_chunk::<24>()?;
    let pair = |at: usize| {
        let number =
            |at: usize| numbers[at..at + 4].iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
        (number(at), number(at + 4))
    };
    let codec = [Codec::H265, Codec::Av1].get(usize::from(*codec)).copied()?;
    let colours = match (is_told, is_full) {
        (0, 0) if *matrix == 0 => None,
        (1, 0 | 1) => Some(Colours { matrix: *matrix, is_full: *is_full == 1 }),
        _ => return None,
    };
    let (tile, grid, size) = (pair(0), pair(8), pair(16));
    Some(Coded { codec, tile, grid, size, orientation: *orientation, colours, stream: stream.to_vec() })
}

/// Edits one after the other, as many as a file may have.
fn edits(mut bytes: &[u8]) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    while !bytes.is_empty() {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (removed, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (inserted, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if edits.len() >= EDITS_MAX {
            return None;
        }
        edits.push(Edit {
            at: u64::from_le_bytes(*at),
            removed: u64::from_le_bytes(*removed),
            inserted: inserted.to_vec(),
        });
        bytes = rest;
    }
    Some(edits)
}

fn size(bytes: &[u8]) -> Result<(u32, u32, &[u8]), AnswerError> {
    let (width, rest) = bytes.split_first_chunk::<4>().ok_or(AnswerError::Form)?;
    let (height, rest) = rest.split_first_chunk::<4>().ok_or(AnswerError::Form)?;
    Ok((u32::from_le_bytes(*width), u32::from_le_bytes(*height), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_nonsense_does_not() {
        let facts = Facts { format: "png".into(), ..Facts::default() };
        let pixels = Pixels::new(1, 2, vec![7; 8]).expect("pixels");
        let coded = Coded {
            codec: Codec::Av1,
            tile: (64, 32),
            grid: (2, 3),
            size: (100, 96),
            orientation: 6,
            colours: Some(Colours { matrix: 9, is_full: true }),
            stream: vec![1, 2, 3],
        };
        for answer in [
            Answer::Facts(Box::new(facts)),
            Answer::Picture(pixels),
            Answer::Light(Light::new(2, 1, vec![5; 16]).expect("light")),
            Answer::Edits(vec![Edit { at: 7, removed: 1, inserted: vec![1, 2] }; 2]),
            Answer::Coded(coded.clone()),
            Answer::Coded(Coded { colours: None, codec: Codec::H265, ..coded }),
            Answer::NoPicture,
            Answer::Fault("it is cut".into()),
        ] {
            assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }
        for bytes in [
            &b""[..],
            b"\x01{}",
            b"\x01nonsense",
            b"\x02\x01\0\0\0\xff\xff\xff\xff",
            b"\x03x",
            b"\x04\xff",
            b"\x05\xff\xff\xff\xff\x01\0\0\0",
            b"\x06\x01",
            b"\x07",
            // A turn that there is not, no tiles, a picture larger than its tiles, and no stream.
            b"\x07\0\x09\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0s",
            b"\x07\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0s",
            b"\x07\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0s",
            b"\x07\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0",
            b"\x09",
        ] {
            assert!(Answer::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
