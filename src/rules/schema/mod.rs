//! The metadata schema of a repository: which fields there are and of what type, vocabularies, which
//! fields must be filled in where, what they are by default, and how files are to be named.
//!
//! It is a text in the worktree, `.pentschema.toml` (`docs/schema.md`), versioned like all work.

mod check;
mod names;
mod parse;
mod template;

pub use check::{Breach, Subject};
pub use names::{NameRule, NameStyle};
pub use template::TEMPLATE;

use crate::object::metadata::{FieldName, FieldValue, TermId};
use crate::rules::pattern::Pattern;
use std::collections::BTreeMap;

/// The file, at the top of the worktree.
pub const SCHEMA_FILE: &str = ".pentschema.toml";
/// Longest text of a schema, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// Most fields, vocabularies, and rules of each kind.
pub const ENTRIES_MAX: usize = 1_000;
/// Most terms of one vocabulary.
pub const TERMS_MAX: usize = 20_000;
/// Deepest nesting of terms.
pub const TERM_DEPTH_MAX: usize = 16;
/// Context of the ids of terms.
const TERM_CONTEXT: &str = "pentimento term v1";

/// Why text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(*line))]
pub struct SchemaError {
    /// The line, from 1, where one can be told.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

/// The place of an error, as the beginning of a sentence.
fn place(line: Option<usize>) -> String {
    line.map_or_else(|| format!("{SCHEMA_FILE}: "), |line| format!("line {line} of {SCHEMA_FILE}: "))
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// Several texts.
    Set,
    /// Terms of a vocabulary.
    Terms,
}

impl FieldType {
    /// Its name, as `meta set --type` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Set => "set",
            Self::Terms => "terms",
        }
    }

    /// Whether a value is of this type. A whole number is a decimal one too.
    pub const fn fits(self, value: &FieldValue) -> bool {
        matches!(
            (self, value),
            (Self::Text, FieldValue::Text(_))
                | (Self::Integer | Self::Decimal, FieldValue::Integer(_))
                | (Self::Decimal, FieldValue::Decimal { .. })
                | (Self::Boolean, FieldValue::Boolean(_))
                | (Self::Date, FieldValue::Date(_))
                | (Self::Set, FieldValue::Set(_))
                | (Self::Terms, FieldValue::Terms(_))
        )
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its type.
    pub kind: FieldType,
    /// What it is for.
    pub about: Option<String>,
    /// The only values that it takes, of a text or a set; any when empty.
    pub choices: Vec<String>,
    /// The vocabulary of its terms.
    pub vocabulary: Option<String>,
    /// Most characters of a text.
    pub longest: Option<usize>,
}

/// A term of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is called in the text of the schema; it never changes, so that renaming touches no asset.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Other names.
    pub also: Vec<String>,
    /// The key of the term above.
    pub under: Option<String>,
}

/// A controlled vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// What it is about.
    pub about: Option<String>,
    /// Terms by id.
    pub terms: BTreeMap<TermId, Term>,
    name: String,
}

/// What some files must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Which files.
    pub scope: Scope,
    /// The fields.
    pub fields: Vec<FieldName>,
}

/// What some files have unless somebody says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Which files.
    pub scope: Scope,
    /// Fields with their values, as people write them.
    pub values: BTreeMap<FieldName, String>,
}

/// Which files a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Their paths.
    pub paths: Pattern,
    /// Their types: formats, ends of names or families; any when empty.
    pub types: Vec<String>,
}

/// A schema that was read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// Fields by name.
    pub fields: BTreeMap<FieldName, Field>,
    /// Whether fields that are not named here may be used.
    pub open: bool,
    /// Vocabularies by name.
    pub vocabularies: BTreeMap<String, Vocabulary>,
    /// What must be filled in.
    pub required: Vec<Required>,
    /// What holds otherwise.
    pub defaults: Vec<Defaults>,
    /// How files are to be named.
    pub names: Vec<NameRule>,
}

impl Schema {
    /// Reads a schema.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        parse::parse(text)
    }

    /// The vocabulary of a field.
    pub fn vocabulary_of(&self, field: &FieldName) -> Option<&Vocabulary> {
        self.vocabularies.get(self.fields.get(field)?.vocabulary.as_ref()?)
    }

    /// The term of an id, whichever vocabulary has it.
    pub fn term(&self, id: TermId) -> Option<(&Vocabulary, &Term)> {
        self.vocabularies.values().find_map(|vocabulary| Some((vocabulary, vocabulary.terms.get(&id)?)))
    }
}

impl Vocabulary {
    /// The id of the term with a key.
    pub fn id_of(&self, key: &str) -> TermId {
        term_id(&self.name, key)
    }

    /// The term that people mean by a name, a key, another name, or a path such as `Europe/Harbour`.
    pub fn find(&self, text: &str) -> Option<TermId> {
        let wanted = text.trim().to_lowercase();
        let is_called = |term: &Term| {
            term.key == wanted
                || term.name.to_lowercase() == wanted
                || term.also.iter().any(|other| other.to_lowercase() == wanted)
        };
        let by_path = || self.terms.keys().find(|id| self.path_of(**id).to_lowercase() == wanted);
        let found = self.terms.iter().find(|(_, term)| is_called(term)).map(|(id, _)| id);
        found.or_else(by_path).copied()
    }

    /// A term's name behind those of the terms above, as `Europe/Harbour`.
    pub fn path_of(&self, id: TermId) -> String {
        let mut names = Vec::new();
        let mut next = self.terms.get(&id);
        while let Some(term) = next {
            names.push(term.name.as_str());
            next = term.under.as_ref().and_then(|under| self.terms.get(&self.id_of(under)));
            if names.len() > TERM_DEPTH_MAX {
                break;
            }
        }
        names.reverse();
        names.join("/")
    }
}

/// The id of a term: of its vocabulary and its key.
pub fn term_id(vocabulary: &str, key: &str) -> TermId {
    let mut hasher = blake3::Hasher::new_derive_key(TERM_CONTEXT);
    hasher
        .update(&(vocabulary.len() as u64).to_le_bytes())
        .update(vocabulary.as_bytes())
        .update(key.as_bytes());
    let mut id = [0; TermId::SIZE];
    hasher.finalize_xof().fill(&mut id);
    TermId::from_bytes(id)
}

#[cfg(test)]
mod tests;
