//! What people ask for.
//!
//! ```text
//! logo label:approved type:psd width:>3000 by:anna since:2026-01 text:"spring sale" in:brand/**
//! ```
//!
//! Words that stand beside each other must all be there; `OR` between two means either, `-` or `NOT`
//! before one means without, brackets group. `docs/search.md` lists the keys.

mod error;
mod lex;
mod parse;
mod value;

pub use error::{QueryError, QueryProblem};
pub use parse::{KEYS, Key, KeyKind, Known, parse};

use crate::rules::pattern::Pattern;
use std::ops::Bound;

/// Longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 4096;
/// Most terms of one query.
pub const TERMS_MAX: usize = 64;
/// Deepest nesting of brackets and negations.
pub const DEPTH_MAX: usize = 16;

/// A question that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The text as it was written.
    pub text: String,
    /// What it comes to.
    pub node: Node,
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// All of these; everything when there are none.
    All(Vec<Node>),
    /// Any of these.
    Any(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// Words, somewhere or in one place.
    Words { place: Place, phrase: Phrase },
    /// A tag: a value of a key, whole.
    Tag { key: String, value: TagValue },
    /// A number of a key within bounds.
    Number { key: String, from: Bound<f64>, to: Bound<f64> },
    /// A path.
    Path(Pattern),
}

impl Node {
    /// Whether the question has words, by which finds can be ranked.
    pub fn has_words(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::has_words),
            Self::Words { .. } => true,
            Self::Not(_) | Self::Tag { .. } | Self::Number { .. } | Self::Path(_) => false,
        }
    }
}

/// The key of the dates of a field; its numbers stand under its own name. No name of a field has the sign.
pub fn date_key(name: &str) -> String {
    format!("{name}\u{2}date")
}

/// Where words are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// Everywhere but in comments.
    Uncommented,
    /// In the name.
    Name,
    /// In the text of the file.
    Text,
    /// In comments.
    Comment,
    /// In a field of metadata, or in another thing that has a name: `font`, `layer`, `title`.
    Field(String),
}

/// Words that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The words, folded; at least one.
    pub words: Vec<String>,
    /// Whether the last is only the beginning of one.
    pub open: bool,
}

/// The value of a tag, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagValue {
    /// Exactly this.
    Is(String),
    /// Whatever begins so.
    Begins(String),
}

impl TagValue {
    /// Whether a value fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => wanted == value,
            Self::Begins(wanted) => value.starts_with(wanted.as_str()),
        }
    }
}
