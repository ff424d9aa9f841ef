//! The metadata of one asset: typed fields that are versioned beside its content.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
pub use crate::base::id::TermId;

use crate::base::id::MetadataId;
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Version of the encoding.
const VERSION: u8 = 1;
/// Most fields of one asset.
pub const FIELDS_MAX: usize = 4096;
/// Longest field name, in bytes.
pub const FIELD_NAME_BYTES_MAX: usize = 128;
/// Longest text value, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Most members of a set.
pub const SET_MAX: usize = 65_536;
/// Name of the field that holds the labels.
pub const LABELS_FIELD: &str = "labels";

/// Why text is no field name or value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error(
        "a field name has 1 to {FIELD_NAME_BYTES_MAX} lower-case letters, digits, '-', '_' or '.', found {0:?}"
    )]
    FieldName(String),
    #[error("{text:?} is no {kind}")]
    Value { kind: &'static str, text: String },
}

/// The name of a field: lower-case letters, digits, `-`, `_`, and `.` between groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FieldName(String);

impl FieldName {
    /// Checks and takes a name.
    pub fn new(name: &str) -> Result<Self, MetadataError> {
        let fits = (1..=FIELD_NAME_BYTES_MAX).contains(&name.len())
            && name.split('.').all(|group| {
                !group.is_empty()
                    && group.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            });
        if fits { Ok(Self(name.to_owned())) } else { Err(MetadataError::FieldName(name.to_owned())) }
    }

    /// The field that holds the labels.
    pub fn labels() -> Self {
        Self(LABELS_FIELD.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "kebab-case")]
pub enum FieldValue {
    /// Any text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number, exact: `mantissa` × 10^-`scale`, without trailing zeros.
    Decimal { mantissa: i64, scale: u8 },
    /// Yes or no.
    Boolean(bool),
    /// A day: days since 1970-01-01.
    Date(i32),
    /// A moment: milliseconds since 1970-01-01T00:00:00Z.
    Moment(i64),
    /// A set of texts; merges member by member.
    Set(BTreeSet<String>),
    /// A set of vocabulary terms by id, so that renaming a term touches no asset.
    Terms(BTreeSet<TermId>),
}

/// All fields of one asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata {
    /// Fields by name.
    pub fields: BTreeMap<FieldName, FieldValue>,
}

impl Metadata {
    /// Whether no field is set; such metadata is stored as none at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The labels, sorted.
    pub fn labels(&self) -> BTreeSet<String> {
        match self.fields.get(&FieldName::labels()) {
            Some(FieldValue::Set(labels)) => labels.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// Replaces the labels; an empty set removes the field.
    pub fn set_labels(&mut self, labels: BTreeSet<String>) {
        if labels.is_empty() {
            self.fields.remove(&FieldName::labels());
        } else {
            self.fields.insert(FieldName::labels(), FieldValue::Set(labels));
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.uint(self.fields.len() as u64);
        for (name, value) in &self.fields {
            out.bytes(name.as_str().as_bytes());
            encode_value(&mut out, value);
        }
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("metadata", bytes);
        input.version(VERSION)?;
        let mut fields: BTreeMap<FieldName, FieldValue> = BTreeMap::new();
        for _ in 0..input.count(FIELDS_MAX)? {
            let name = FieldName::new(input.text(FIELD_NAME_BYTES_MAX)?)
                .map_err(|_| input.error(DecodeErrorKind::Name))?;
            if fields.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(input.error(DecodeErrorKind::Order));
            }
            let value = decode_value(&mut input)?;
            fields.insert(name, value);
        }
        input.finish()?;
        Ok(Self { fields })
    }

    /// The id that follows from the canonical bytes.
    pub fn id(&self) -> MetadataId {
        MetadataId::from_bytes(hash_object(ObjectKind::Metadata, &self.encode()))
    }
}

fn encode_value(out: &mut Encoder, value: &FieldValue) {
    match value {
        FieldValue::Text(text) => out.u8(1).bytes(text.as_bytes()),
        FieldValue::Integer(number) => out.u8(2).int(*number),
        FieldValue::Decimal { mantissa, scale } => out.u8(3).int(*mantissa).u8(*scale),
        FieldValue::Boolean(truth) => out.u8(4).u8(u8::from(*truth)),
        FieldValue::Date(days) => out.u8(5).int(i64::from(*days)),
        FieldValue::Moment(unix_ms) => out.u8(6).int(*unix_ms),
        FieldValue::Set(members) => {
            out.u8(7).uint(members.len() as u64);
            members.iter().fold(out, |out, member| out.bytes(member.as_bytes()))
        }
        FieldValue::Terms(terms) => {
            out.u8(8).uint(terms.len() as u64);
            terms.iter().fold(out, |out, term| out.raw(term.as_bytes()))
        }
    };
}

fn decode_value(input: &mut Decoder<'_>) -> Result<FieldValue, DecodeError> {
    Ok(match input.u8()? {
        1 => FieldValue::Text(input.text(TEXT_BYTES_MAX)?.to_owned()),
        2 => FieldValue::Integer(input.int()?),
        3 => {
            let (mantissa, scale) = (input.int()?, input.u8()?);
            if scale == 0 || scale > 18 || mantissa % 10 == 0 {
                return Err(input.error(DecodeErrorKind::Value));
            }
            FieldValue::Decimal { mantissa, scale }
        }
        4 => match input.u8()? {
            0 => FieldValue::Boolean(false),
            1 => FieldValue::Boolean(true),
            _ => return Err(input.error(DecodeErrorKind::Value)),
        },
        5 => FieldValue::Date(i32::try_from(input.int()?).map_err(|_| input.error(DecodeErrorKind::Value))?),
        6 => FieldValue::Moment(input.int()?),
        7 => FieldValue::Set(decode_set(input, |input| Ok(input.text(TEXT_BYTES_MAX)?.to_owned()))?),
        8 => FieldValue::Terms(decode_set(input, |input| Ok(TermId::from_bytes(input.array()?)))?),
        _ => return Err(input.error(DecodeErrorKind::Tag)),
    })
}

fn decode_set<T: Ord>(
    input: &mut Decoder<'_>,
    member: impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<BTreeSet<T>, DecodeError> {
    let mut set: BTreeSet<T> = BTreeSet::new();
    for _ in 0..input.count(SET_MAX)? {
        let value = member(input)?;
        if set.last().is_some_and(|last| *last >= value) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        set.insert(value);
    }
    if set.is_empty() {
        return Err(input.error(DecodeErrorKind::Value));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let mut metadata = Metadata::default();
        metadata.set_labels(BTreeSet::from(["approved".to_owned(), "spring".to_owned()]));
        let fields = [
            ("title", FieldValue::Text("Harbour".into())),
            ("count", FieldValue::Integer(-3)),
            ("price", FieldValue::Decimal { mantissa: 1999, scale: 2 }),
            ("rights.model-release", FieldValue::Boolean(true)),
            ("shot", FieldValue::Date(20_500)),
            ("seen", FieldValue::Moment(1_772_381_999_123)),
            ("subject", FieldValue::Terms(BTreeSet::from([TermId::from_bytes([5; 16])]))),
        ];
        for (name, value) in fields {
            metadata.fields.insert(FieldName::new(name).expect("a valid name"), value);
        }
        metadata
    }

    #[test]
    fn metadata_decodes_to_itself_and_has_its_frozen_id() {
        let metadata = sample();
        assert_eq!(Metadata::decode(&metadata.encode()), Ok(metadata.clone()));
        assert_eq!(
            metadata.id().to_string(),
            "cfd7644c1c3ab85d88edd05a07bb8f8fa4b6979c243c8b31b7220aa640ce87a7"
        );
    }

    #[test]
    fn field_names_are_plain() {
        for bad in ["", "Title", "a..b", ".a", "a b", "é"] {
            assert!(FieldName::new(bad).is_err(), "{bad:?}");
        }
    }
}
