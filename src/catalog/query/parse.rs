//! From signs to what has to hold.

use crate::base::time::Timestamp;
use crate::catalog::query::error::{QueryError, QueryProblem};
use crate::catalog::query::lex::{Sign, SignKind, Term, signs};
use crate::catalog::query::value::{Measure, bounds, field_bounds, is_comparison};
use crate::catalog::query::{
    DEPTH_MAX, Node, Phrase, Place, QUERY_BYTES_MAX, Query, TERMS_MAX, TagValue, date_key,
};
use crate::catalog::words::{fold, whole_words};
use crate::rules::pattern::Pattern;
use std::ops::Bound;

/// How the value of a key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Words in one place.
    Words,
    /// A value as a whole; `*` at its end leaves it open.
    Tag,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A number, with comparisons.
    Number(Measure),
    /// A pattern of paths.
    Path,
    /// The earliest moment.
    Since,
    /// The latest moment.
    Until,
}

/// A key that every repository knows.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// What stands before the colon.
    pub name: &'static str,
    /// How what follows is read.
    pub kind: KeyKind,
    /// An example.
    pub example: &'static str,
    /// What it means.
    pub about: &'static str,
}

const fn key(name: &'static str, kind: KeyKind, example: &'static str, about: &'static str) -> Key {
    Key { name, kind, example, about }
}

/// All of them, in the order of the help.
pub const KEYS: &[Key] = &[
    key("name", KeyKind::Words, "name:logo", "words in the name of the file"),
    key("in", KeyKind::Path, "in:brand/**", "a folder, or a pattern of paths"),
    key("type", KeyKind::Tag, "type:psd", "format, end of the name or family: psd, jpeg, image, video, font"),
    key("label", KeyKind::Tag, "label:approved", "a label"),
    key("by", KeyKind::Tag, "by:anna", "whoever changed it last: a word of the name, the address or the id"),
    key("since", KeyKind::Since, "since:2026-01", "changed at that time or later"),
    key("until", KeyKind::Until, "until:2026-03-31", "changed at that time or earlier"),
    key("changed", KeyKind::Number(Measure::Moment), "changed:2026-02", "when it was changed last"),
    key("on", KeyKind::Tag, "on:draft/poster", "changed on that branch, or standing on the main one"),
    key("text", KeyKind::Words, "text:\"spring sale\"", "words in the file itself"),
    key("comment", KeyKind::Words, "comment:logo", "words in comments"),
    key("font", KeyKind::Words, "font:helvetica", "a font that it uses or is"),
    key("layer", KeyKind::Words, "layer:background", "the name of a layer"),
    key("width", KeyKind::Number(Measure::Plain), "width:>3000", "pixels across"),
    key("height", KeyKind::Number(Measure::Plain), "height:<=1080", "pixels down"),
    key("size", KeyKind::Number(Measure::Size), "size:>20MB", "bytes"),
    key("length", KeyKind::Number(Measure::Duration), "length:>1m30s", "how long it plays"),
    key("pages", KeyKind::Number(Measure::Plain), "pages:2..8", "pages of a document"),
    key("layers", KeyKind::Number(Measure::Plain), "layers:>10", "how many layers"),
    key(
        "shape",
        KeyKind::Choice(&["landscape", "portrait", "square"]),
        "shape:portrait",
        "landscape, portrait or square",
    ),
    key("color", KeyKind::Tag, "color:cmyk", "the colour space"),
    key("has", KeyKind::Tag, "has:rights.until", "has that field; or label, text, comment, alpha"),
    key("asset", KeyKind::Tag, "asset:0f3a*", "an asset by its id"),
    key("file", KeyKind::Tag, "file:9b1c*", "a content by its id, as b3sum prints it"),
];

/// The fields of metadata that a repository knows beside [`KEYS`].
pub trait Known {
    /// Whether some asset has that field, or a schema names it.
    fn has_field(&self, name: &str) -> bool;
    /// All of them, to tell which was perhaps meant.
    fn fields(&self) -> Vec<String>;
}

/// Reads a question as asked at `now`.
pub fn parse(text: &str, known: &dyn Known, now: Timestamp) -> Result<Query, QueryError> {
    let refuse = |at, problem| QueryError { text: text.to_owned(), at, problem };
    if text.len() > QUERY_BYTES_MAX {
        // The text itself would drown what is said about it.
        return Err(QueryError { text: String::new(), at: 0, problem: QueryProblem::TooLong });
    }
    let signs = signs(text)?;
    let terms = signs.iter().filter(|sign| matches!(sign.kind, SignKind::Term(_)));
    if let Some(extra) = terms.clone().nth(TERMS_MAX) {
        return Err(refuse(extra.at, QueryProblem::TooManyTerms));
    }
    let end = text.chars().count();
    let mut parser = Parser { text, signs: &signs, next: 0, end, known, now };
    let node = if signs.is_empty() { Node::All(Vec::new()) } else { parser.any(0)? };
    match parser.peek() {
        None => Ok(Query { text: text.to_owned(), node }),
        Some(sign) => Err(refuse(sign.at, QueryProblem::StrayBracket)),
    }
}

struct Parser<'a> {
    text: &'a str,
    signs: &'a [Sign],
    next: usize,
    end: usize,
    known: &'a dyn Known,
    now: Timestamp,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Sign> {
        self.signs.get(self.next)
    }

    fn refuse(&self, at: usize, problem: QueryProblem) -> QueryError {
        QueryError { text: self.text.to_owned(), at, problem }
    }

    /// Groups parted by OR.
    fn any(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all(depth)?];
        while self.peek().is_some_and(|sign| sign.kind == SignKind::Or) {
            self.next += 1;
            nodes.push(self.all(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    /// What stands beside each other.
    fn all(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.one(depth)?];
        loop {
            match self.peek().map(|sign| &sign.kind) {
                Some(SignKind::And) => {
                    self.next += 1;
                    nodes.push(self.one(depth)?);
                }
                Some(SignKind::Not | SignKind::Open | SignKind::Term(_)) => nodes.push(self.one(depth)?),
                Some(SignKind::Or | SignKind::Close) | None => break,
            }
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, QueryError> {
        let Some(sign) = self.peek() else { return Err(self.refuse(self.end, QueryProblem::Missing)) };
        if depth >= DEPTH_MAX {
            return Err(self.refuse(sign.at, QueryProblem::TooDeep));
        }
        self.next += 1;
        match &sign.kind {
            SignKind::Not => Ok(Node::Not(Box::new(self.one(depth + 1)?))),
            SignKind::Open => {
                let node = self.any(depth + 1)?;
                match self.peek().map(|sign| &sign.kind) {
                    Some(SignKind::Close) => {
                        self.next += 1;
                        Ok(node)
                    }
                    _ => Err(self.refuse(sign.at, QueryProblem::OpenBracket)),
                }
            }
            SignKind::Term(term) => self.term(sign.at, term),
            SignKind::Close if depth == 0 => Err(self.refuse(sign.at, QueryProblem::StrayBracket)),
            SignKind::Close | SignKind::Or | SignKind::And => {
                Err(self.refuse(sign.at, QueryProblem::Missing))
            }
        }
    }

    fn term(&self, at: usize, term: &Term) -> Result<Node, QueryError> {
        let Some(name) = &term.key else {
            let phrase = phrase(term).map_err(|problem| self.refuse(at, problem))?;
            return Ok(Node::Words { place: Place::Anywhere, phrase });
        };
        let folded = name.to_ascii_lowercase();
        if term.value.trim().is_empty() {
            return Err(self.refuse(at, QueryProblem::NoValue { key: folded }));
        }
        let read = match KEYS.iter().find(|key| key.name == folded) {
            Some(key) => self.known_key(key, term),
            None if self.known.has_field(&folded) => Self::field(&folded, term),
            None => return Err(self.refuse(at, self.unknown(&folded))),
        };
        read.map_err(|problem| self.refuse(term.value_at, problem))
    }

    fn unknown(&self, key: &str) -> QueryProblem {
        let fields = self.known.fields();
        let names = KEYS.iter().map(|key| key.name).chain(fields.iter().map(String::as_str));
        let scored = names.map(|name| (strsim::normalized_damerau_levenshtein(key, name), name));
        let near = scored.max_by(|left, right| left.0.total_cmp(&right.0)).filter(|(score, _)| *score >= 0.6);
        QueryProblem::UnknownKey { key: key.to_owned(), near: near.map(|(_, name)| name.to_owned()) }
    }

    fn known_key(&self, key: &Key, term: &Term) -> Result<Node, QueryProblem> {
        let compares = !term.quoted && is_comparison(&term.value);
        let name = key.name.to_owned();
        match key.kind {
            KeyKind::Number(measure) => {
                let (from, to) = bounds(measure, &term.value, self.now)?;
                Ok(Node::Number { key: name, from, to })
            }
            KeyKind::Since | KeyKind::Until => {
                let value = term.value.trim_start_matches(['>', '<', '=']);
                let (from, to) = bounds(Measure::Moment, value, self.now)?;
                let (from, to) = match key.kind {
                    KeyKind::Since => (from, Bound::Unbounded),
                    _ => (Bound::Unbounded, to),
                };
                Ok(Node::Number { key: "changed".to_owned(), from, to })
            }
            _ if compares => Err(QueryProblem::NoComparison { key: name }),
            KeyKind::Words => {
                let place = match key.name {
                    "name" => Place::Name,
                    "text" => Place::Text,
                    "comment" => Place::Comment,
                    _ => Place::Field(name),
                };
                Ok(Node::Words { place, phrase: phrase(term)? })
            }
            KeyKind::Tag => Ok(Node::Tag { key: name, value: tag(term) }),
            KeyKind::Choice(choices) => {
                let value = fold(&term.value);
                if !choices.contains(&value.as_str()) {
                    return Err(QueryProblem::Choice { key: key.name, text: term.value.clone(), choices });
                }
                Ok(Node::Tag { key: name, value: TagValue::Is(value) })
            }
            KeyKind::Path => {
                let text = term.value.trim_start_matches("./").trim_end_matches('/');
                if text.is_empty() || text == "." {
                    return Ok(Node::Path(Pattern::everything()));
                }
                let pattern = Pattern::new(text);
                Ok(Node::Path(
                    pattern.map_err(|reason| QueryProblem::Pattern { text: text.to_owned(), reason })?,
                ))
            }
        }
    }

    /// A field of metadata: compared where there is a comparison, numbers with numbers and dates with dates,
    /// else its words.
    fn field(name: &str, term: &Term) -> Result<Node, QueryProblem> {
        let is_range = || term.value.contains("..") && field_bounds(&term.value).is_ok();
        if !term.quoted && (is_comparison(&term.value) || is_range()) {
            let asked = field_bounds(&term.value)?;
            let numbers = asked.numbers.map(|bounds| (name.to_owned(), bounds));
            let dates = asked.dates.map(|bounds| (date_key(name), bounds));
            let number = |(key, (from, to))| Node::Number { key, from, to };
            let mut nodes: Vec<Node> = numbers.into_iter().chain(dates).map(number).collect();
            return Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) });
        }
        Ok(Node::Words { place: Place::Field(name.to_owned()), phrase: phrase(term)? })
    }
}

fn phrase(term: &Term) -> Result<Phrase, QueryProblem> {
    let words = whole_words(&term.value);
    if words.is_empty() {
        return Err(QueryProblem::NoWord { text: term.value.clone() });
    }
    Ok(Phrase { words, open: !term.quoted && term.value.ends_with('*') })
}

fn tag(term: &Term) -> TagValue {
    match term.value.strip_suffix('*').filter(|_| !term.quoted) {
        Some(begun) => TagValue::Begins(fold(begun.trim())),
        None => TagValue::Is(fold(term.value.trim())),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
