//! Reads TOML tables strictly: every key must be known, every value of its kind, and every refusal
//! says at which line.

use crate::rules::policy::error::{PolicyError, Problem, limit};
use crate::rules::policy::words;
use toml_edit::{Item, TableLike, Value};

/// Longest text value, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// The lines of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a> {
    text: &'a str,
}

impl<'a> Lines<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { text }
    }

    /// The line of an offset in bytes, from 1.
    pub(super) fn at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// A value and its line.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

impl<T> At<T> {
    /// Goes on with the value, or refuses it at its line.
    pub(super) fn then<U>(self, read: impl FnOnce(T) -> Result<U, Problem>) -> Result<U, PolicyError> {
        let line = self.line;
        read(self.value).map_err(|problem| PolicyError { line, problem })
    }
}

/// A table that is being read.
pub(super) struct Reader<'a> {
    table: &'a dyn TableLike,
    lines: Lines<'a>,
    /// The line at which it begins.
    pub(super) line: usize,
    /// What it is called in messages.
    place: String,
}

impl<'a> Reader<'a> {
    pub(super) fn top(table: &'a dyn TableLike, lines: Lines<'a>) -> Self {
        Self { table, lines, line: 1, place: "the policy".to_owned() }
    }

    pub(super) fn refuse(&self, problem: Problem) -> PolicyError {
        PolicyError { line: self.line, problem }
    }

    fn refuse_at(&self, key: &str, problem: Problem) -> PolicyError {
        PolicyError { line: self.line_of(key), problem }
    }

    fn line_of(&self, key: &str) -> usize {
        let found = self.table.get_key_value(key);
        let span = found.and_then(|(key, item)| key.span().or_else(|| item.span()));
        span.map_or(self.line, |span| self.lines.at(span.start))
    }

    /// Refuses keys that are not among these.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), PolicyError> {
        for (key, _) in self.table.iter() {
            if !known.contains(&key) {
                let near = nearest(key, known.iter().copied());
                let problem = Problem::UnknownKey { place: self.place.clone(), key: key.to_owned(), near };
                return Err(self.refuse_at(key, problem));
            }
        }
        Ok(())
    }

    /// The keys, in order, each with its line.
    pub(super) fn keys(&self) -> Vec<At<String>> {
        let names: Vec<String> = self.table.iter().map(|(key, _)| key.to_owned()).collect();
        names.into_iter().map(|value| At { line: self.line_of(&value), value }).collect()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    fn kind(&self, key: &str, expected: &'static str) -> PolicyError {
        self.refuse_at(key, Problem::Kind { key: key.to_owned(), expected })
    }

    fn at<T>(&self, key: &str, value: T) -> At<T> {
        At { line: self.line_of(key), value }
    }

    /// Text under a key.
    pub(super) fn text(&self, key: &str) -> Result<Option<At<String>>, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let text = item.as_str().ok_or_else(|| self.kind(key, "a text in double quotes"))?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(self.kind(key, "shorter than that"));
        }
        Ok(Some(self.at(key, text.to_owned())))
    }

    /// Text that must be there.
    pub(super) fn needed(&self, key: &'static str) -> Result<At<String>, PolicyError> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn missing(&self, key: &'static str) -> PolicyError {
        self.refuse(Problem::MissingKey { place: self.place.clone(), key })
    }

    /// Text for people to read: one line, short, with nothing that cannot be seen.
    pub(super) fn remark(&self, key: &'static str) -> Result<Option<String>, PolicyError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        text.then(|text| {
            let fits = text.len() <= 256 && !text.chars().any(crate::base::escape::is_unsafe_to_show);
            if fits { Ok(text) } else { Err(Problem::Text { key }) }
        })
        .map(Some)
    }

    /// `true` or `false` under a key, or what holds without it.
    pub(super) fn truth(&self, key: &str, without: bool) -> Result<bool, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(without) };
        item.as_bool().ok_or_else(|| self.kind(key, "true or false"))
    }

    /// A whole number under a key, as text that shows what else stands there.
    pub(super) fn number(&self, key: &'static str) -> Result<At<Result<i64, String>>, PolicyError> {
        let item = self.table.get(key).ok_or_else(|| self.missing(key))?;
        let number = item.as_integer().ok_or_else(|| item.to_string().trim().to_owned());
        Ok(self.at(key, number))
    }

    /// A moment under a key: a TOML date or a text.
    pub(super) fn moment(&self, key: &str) -> Result<Option<i64>, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let text = match item.as_value() {
            Some(Value::Datetime(moment)) => moment.value().to_string(),
            Some(Value::String(text)) => text.value().clone(),
            _ => return Err(self.kind(key, "a moment such as 2026-03-01T09:00:00Z")),
        };
        self.at(key, text).then(|text| words::moment(&text)).map(Some)
    }

    /// A list of texts under a key, each with its line.
    pub(super) fn texts(&self, key: &str, what: &str) -> Result<Option<Vec<At<String>>>, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let expected = "a list of texts: [\"...\", \"...\"]";
        let list = item.as_array().ok_or_else(|| self.kind(key, expected))?;
        let max = limit(what);
        if list.len() > max {
            let what = if what == "people" { "people" } else { "entries" };
            return Err(self.refuse_at(key, Problem::TooMany { what, max }));
        }
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            let text = value.as_str().ok_or_else(|| self.kind(key, expected))?;
            let line = value.span().map_or_else(|| self.line_of(key), |span| self.lines.at(span.start));
            texts.push(At { line, value: text.to_owned() });
        }
        Ok(Some(texts))
    }

    /// A table under a key.
    pub(super) fn table(&self, key: &str) -> Result<Option<Reader<'a>>, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let table = item.as_table_like().ok_or_else(|| self.kind(key, "a table"))?;
        Ok(Some(self.below(table, self.line_of(key), format!("[{key}]"))))
    }

    fn below(&self, table: &'a dyn TableLike, line: usize, place: String) -> Reader<'a> {
        Reader { table, lines: self.lines, line, place }
    }

    /// A list of tables under a key: `[[key]]` or `[{...}, {...}]`.
    pub(super) fn tables(&self, key: &str, what: &'static str) -> Result<Vec<Reader<'a>>, PolicyError> {
        let Some(item) = self.table.get(key) else { return Ok(Vec::new()) };
        let expected = "a list of tables";
        let place = || format!("[[{key}]]");
        let mut found = Vec::new();
        match item {
            Item::ArrayOfTables(list) => {
                for table in list {
                    let line = table.span().map_or(self.line, |span| self.lines.at(span.start));
                    found.push(self.below(table, line, place()));
                }
            }
            Item::Value(Value::Array(list)) => {
                for value in list {
                    let table = value.as_inline_table().ok_or_else(|| self.kind(key, expected))?;
                    let line =
                        table.span().map_or_else(|| self.line_of(key), |span| self.lines.at(span.start));
                    found.push(self.below(table, line, place()));
                }
            }
            _ => return Err(self.kind(key, expected)),
        }
        let max = limit(what);
        if found.len() > max {
            return Err(self.refuse_at(key, Problem::TooMany { what, max }));
        }
        Ok(found)
    }
}

/// The known word that is nearest to what was written, if it shares half of it.
pub(super) fn nearest<T: AsRef<str> + Copy>(text: &str, known: impl Iterator<Item = T>) -> Option<T> {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let own = pairs(text);
    let likeness = |other: &str| {
        let theirs = pairs(other);
        let shared = own.iter().filter(|pair| theirs.contains(pair)).count();
        shared * 200 / (own.len() + theirs.len()).max(1)
    };
    let scored = known.map(|word| (likeness(word.as_ref()), word));
    scored.max_by_key(|(score, _)| *score).filter(|(score, _)| *score >= 50).map(|(_, word)| word)
}
