//! Why a request failed, as bytes: the errors that a caller can do something about keep their shape.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{CommitId, RepositoryId};
use crate::repo::refs::RefName;
use crate::sync::error::SyncError;
use crate::sync::remote::Kind;
use crate::sync::wire::request::{decode_commit, decode_name, encode_commit};

const VERSION: u8 = 1;
/// Longest text in a fault, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// Most reasons of a refusal.
const REASONS_MAX: usize = 64;
/// What a file's content is called when it is missing.
const CONTENT: &str = "the content of file";

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A name points elsewhere.
    Moved { name: RefName, expected: Option<CommitId>, actual: Option<CommitId> },
    /// Objects were dropped since.
    Outdated,
    /// The rules do not allow a name to move so.
    Refused { name: RefName, reasons: Vec<String> },
    /// Something that was promised is not there.
    Missing { kind: String, id: String },
    /// Whoever asks may not do that; the text says what.
    NotAllowed { what: String },
    /// There is no repository.
    Nothing,
    /// What was sent cannot be right, or is more than is taken.
    TurnedDown { what: String, detail: String },
    /// There is too much to do; ask again after so many seconds.
    Busy { seconds: u64 },
    /// Something failed there.
    Failed { detail: String },
    /// It is another repository.
    OtherRepository { found: RepositoryId },
    /// Nobody knows who asks: sign in first.
    SignIn { detail: String },
    /// A log grew.
    LogMoved { name: String },
    /// A log is not taken.
    LogRefused { reason: String },
    /// There is no room for what was sent.
    NoRoom { detail: String },
}

impl Fault {
    /// What a caller is told of an error. Where files lie on this machine is not told.
    pub fn of(error: &SyncError) -> Self {
        match error {
            SyncError::Moved { name, expected, actual } => {
                Self::Moved { name: name.clone(), expected: *expected, actual: *actual }
            }
            SyncError::LogMoved { name } => Self::LogMoved { name: short(name) },
            SyncError::LogRefused(reason) => Self::LogRefused { reason: short(reason) },
            SyncError::NoRoom { detail } => Self::NoRoom { detail: short(detail) },
            SyncError::NoRoomHere { detail, .. } => Self::NoRoom { detail: short(detail) },
            SyncError::Outdated => Self::Outdated,
            SyncError::Refused { name, reasons } => {
                let reasons = reasons.iter().take(REASONS_MAX).map(|reason| short(reason)).collect();
                Self::Refused { name: name.clone(), reasons }
            }
            SyncError::Missing { kind, id } => Self::Missing { kind: short(kind), id: short(id) },
            SyncError::NotAllowed { what } => Self::NotAllowed { what: short(what) },
            SyncError::Nothing { .. } => Self::Nothing,
            SyncError::Invalid { what, detail } => {
                Self::TurnedDown { what: short(what), detail: short(detail) }
            }
            SyncError::Busy { .. } => Self::Busy { seconds: 1 },
            SyncError::OtherRepository { expected, .. } => Self::OtherRepository { found: *expected },
            SyncError::Failed { detail, .. } => Self::Failed { detail: short(detail) },
            SyncError::SignIn { detail, .. } => Self::SignIn { detail: short(detail) },
            SyncError::TurnedDown { what, detail } => {
                Self::TurnedDown { what: short(what), detail: short(detail) }
            }
            SyncError::NotForward { name } => {
                Self::Refused { name: name.clone(), reasons: vec![short(&error.to_string())] }
            }
            _ => Self::Failed { detail: public_detail(error) },
        }
    }

    /// The error that the caller sees.
    pub fn into_error(self, address: &str) -> SyncError {
        match self {
            Self::Moved { name, expected, actual } => SyncError::Moved { name, expected, actual },
            Self::Outdated => SyncError::Outdated,
            Self::Refused { name, reasons } => SyncError::Refused { name, reasons },
            Self::Missing { kind, id } => SyncError::Missing { kind: kind_name(&kind), id },
            Self::NotAllowed { what } => SyncError::NotAllowed { what },
            Self::Nothing => SyncError::Nothing { address: address.to_owned() },
            Self::TurnedDown { what, detail } => SyncError::TurnedDown { what, detail },
            Self::Busy { seconds } => SyncError::Unreachable {
                address: address.to_owned(),
                detail: format!("it has too much to do and asks to come back in {seconds} s"),
            },
            Self::Failed { detail } => SyncError::Failed { address: address.to_owned(), detail },
            Self::OtherRepository { found } => {
                SyncError::OtherRepository { expected: RepositoryId::from_bytes([0; 16]), found }
            }
            Self::SignIn { detail } => SyncError::SignIn { address: address.to_owned(), detail },
            Self::LogMoved { name } => SyncError::LogMoved { name },
            Self::LogRefused { reason } => SyncError::LogRefused(reason),
            Self::NoRoom { detail } => SyncError::NoRoom { detail },
        }
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Moved { name, expected, actual } => {
                out.u8(1).bytes(name.as_str().as_bytes());
                encode_commit(&mut out, *expected);
                encode_commit(&mut out, *actual);
            }
            Self::Outdated => put(&mut out, 2, &[]),
            Self::Refused { name, reasons } => {
                out.u8(3).bytes(name.as_str().as_bytes()).uint(reasons.len() as u64);
                for reason in reasons {
                    out.bytes(reason.as_bytes());
                }
            }
            Self::Missing { kind, id } => put(&mut out, 4, &[kind, id]),
            Self::NotAllowed { what } => put(&mut out, 5, &[what]),
            Self::Nothing => put(&mut out, 6, &[]),
            Self::TurnedDown { what, detail } => put(&mut out, 7, &[what, detail]),
            Self::Busy { seconds } => {
                out.u8(8).uint(*seconds);
            }
            Self::Failed { detail } => put(&mut out, 9, &[detail]),
            Self::OtherRepository { found } => {
                out.u8(10).raw(found.as_bytes());
            }
            Self::SignIn { detail } => put(&mut out, 11, &[detail]),
            Self::LogMoved { name } => put(&mut out, 12, &[name]),
            Self::LogRefused { reason } => put(&mut out, 13, &[reason]),
            Self::NoRoom { detail } => put(&mut out, 14, &[detail]),
        }
        out.finish()
    }

    /// Reads exactly what [`Fault::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("fault", bytes);
        input.version(VERSION)?;
        let fault = match input.u8()? {
            1 => Self::Moved {
                name: decode_name(&mut input)?,
                expected: decode_commit(&mut input)?,
                actual: decode_commit(&mut input)?,
            },
            2 => Self::Outdated,
            3 => {
                let name = decode_name(&mut input)?;
                let mut reasons = Vec::new();
                for _ in 0..input.count(REASONS_MAX)? {
                    reasons.push(text(&mut input)?);
                }
                Self::Refused { name, reasons }
            }
            4 => Self::Missing { kind: text(&mut input)?, id: text(&mut input)? },
            5 => Self::NotAllowed { what: text(&mut input)? },
            6 => Self::Nothing,
            7 => Self::TurnedDown { what: text(&mut input)?, detail: text(&mut input)? },
            8 => Self::Busy { seconds: input.uint()? },
            9 => Self::Failed { detail: text(&mut input)? },
            10 => Self::OtherRepository { found: RepositoryId::from_bytes(input.array()?) },
            11 => Self::SignIn { detail: text(&mut input)? },
            12 => Self::LogMoved { name: text(&mut input)? },
            13 => Self::LogRefused { reason: text(&mut input)? },
            14 => Self::NoRoom { detail: text(&mut input)? },
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(fault)
    }
}

fn put(out: &mut Encoder, tag: u8, texts: &[&String]) {
    out.u8(tag);
    for text in texts {
        out.bytes(text.as_bytes());
    }
}

fn text(input: &mut Decoder<'_>) -> Result<String, DecodeError> {
    input.text(TEXT_BYTES_MAX).map(str::to_owned)
}

/// A text that fits into a fault.
fn short(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// What of other errors is told.
fn public_detail(error: &SyncError) -> String {
    match error {
        SyncError::Repo(_) | SyncError::Content(_) | SyncError::Io { .. } | SyncError::Bucket(_) => {
            "its repository could not be read or written; whoever runs it finds the reason there".to_owned()
        }
        other => short(&other.to_string()),
    }
}

/// The standing name of a kind.
fn kind_name(text: &str) -> &'static str {
    let kinds = Kind::ALL.iter().map(|kind| kind.name());
    kinds.chain([CONTENT]).find(|name| *name == text).unwrap_or("an object")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_can_act_on_survives() {
        let name = || RefName::branch("main").expect("a name");
        let id = CommitId::from_bytes([3; 32]);
        let there_and_back = |error: SyncError| {
            let bytes = Fault::of(&error).encode();
            Fault::decode(&bytes).expect("a fault").into_error("there")
        };
        let moved = there_and_back(SyncError::Moved { name: name(), expected: None, actual: Some(id) });
        assert!(matches!(moved, SyncError::Moved { actual: Some(found), .. } if found == id));
        assert!(matches!(there_and_back(SyncError::Outdated), SyncError::Outdated));
        let refused = there_and_back(SyncError::Refused { name: name(), reasons: vec!["no".into()] });
        assert!(matches!(refused, SyncError::Refused { reasons, .. } if reasons == ["no"]));
        let missing = there_and_back(SyncError::Missing { kind: "tree", id: "x".into() });
        assert!(matches!(missing, SyncError::Missing { kind: "tree", .. }));
        let barred = there_and_back(SyncError::NotAllowed { what: "push".into() });
        assert!(matches!(barred, SyncError::NotAllowed { what } if what == "push"));
        let grown = there_and_back(SyncError::LogMoved { name: "shared".into() });
        assert!(matches!(grown, SyncError::LogMoved { name } if name == "shared"));
        let log = there_and_back(SyncError::LogRefused("rolled back".into()));
        assert!(matches!(log, SyncError::LogRefused(reason) if reason == "rolled back"));
    }

    #[test]
    fn where_files_lie_is_not_told() {
        let source = std::io::Error::other("gone");
        let path = std::path::PathBuf::from("/srv/secret/place");
        let fault = Fault::of(&SyncError::Io { action: "writing", path, source });
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }
}
