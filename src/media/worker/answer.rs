//! What a child says, byte by byte: a tag, and what belongs to it up to the end.

use crate::media::facts::Facts;
use crate::media::format;
use crate::media::pixels::Pixels;

/// Longest reason of a fault, in bytes.
const REASON_MAX: usize = 1000;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Facts.
    Facts(Box<Facts>),
    /// A picture.
    Picture(Pixels),
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
            Self::Picture(pixels) => {
                let mut bytes = Vec::with_capacity(9 + pixels.bytes.len());
                bytes.push(2);
                bytes.extend(pixels.width.to_le_bytes());
                bytes.extend(pixels.height.to_le_bytes());
                bytes.extend(&pixels.bytes);
                bytes
            }
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
            2 => {
                let (width, rest) = rest.split_first_chunk::<4>().ok_or(AnswerError::Form)?;
                let (height, rest) = rest.split_first_chunk::<4>().ok_or(AnswerError::Form)?;
                let (width, height) = (u32::from_le_bytes(*width), u32::from_le_bytes(*height));
                Pixels::new(width, height, rest.to_vec()).map(Self::Picture).map_err(|_| AnswerError::Form)
            }
            3 if rest.is_empty() => Ok(Self::NoPicture),
            4 if rest.len() <= REASON_MAX => {
                Ok(Self::Fault(std::str::from_utf8(rest).map_err(|_| AnswerError::Form)?.to_owned()))
            }
            _ => Err(AnswerError::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_nonsense_does_not() {
        let facts = Facts { format: "png".into(), ..Facts::default() };
        let pixels = Pixels::new(1, 2, vec![7; 8]).expect("pixels");
        for answer in [
            Answer::Facts(Box::new(facts)),
            Answer::Picture(pixels),
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
            b"\x09",
        ] {
            assert!(Answer::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
