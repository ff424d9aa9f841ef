//! From text to signs.

use crate::catalog::query::error::{QueryError, QueryProblem};

/// One sign of a question and where it begins, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) at: usize,
    pub(super) kind: SignKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignKind {
    Open,
    Close,
    Or,
    And,
    Not,
    /// A word or a phrase, perhaps behind a key.
    Term(Term),
}

/// `key:value`, or a value alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) key: Option<String>,
    /// What stands behind the colon.
    pub(super) value: String,
    /// Where the value begins.
    pub(super) value_at: usize,
    /// Whether it stood in quotation marks: then no sign in it means anything.
    pub(super) quoted: bool,
}

/// Characters that begin a comparison even without a colon: `width>3000`.
const COMPARISONS: [char; 3] = ['>', '<', '='];

pub(super) fn signs(text: &str) -> Result<Vec<Sign>, QueryError> {
    let characters: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { text, characters: &characters, at: 0 };
    let mut signs = Vec::new();
    while let Some(sign) = lexer.next()? {
        signs.push(sign);
    }
    Ok(signs)
}

struct Lexer<'a> {
    text: &'a str,
    characters: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn refuse(&self, at: usize, problem: QueryProblem) -> QueryError {
        QueryError { text: self.text.to_owned(), at, problem }
    }

    fn next(&mut self) -> Result<Option<Sign>, QueryError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let at = self.at;
        let Some(first) = self.peek() else { return Ok(None) };
        let single = match first {
            '(' => Some(SignKind::Open),
            ')' => Some(SignKind::Close),
            '-' if self.characters.get(at + 1).is_some_and(|next| !next.is_whitespace()) => {
                Some(SignKind::Not)
            }
            _ => None,
        };
        if let Some(kind) = single {
            self.at += 1;
            return Ok(Some(Sign { at, kind }));
        }
        let term = self.term()?;
        let is_plain = term.key.is_none() && !term.quoted;
        let kind = match term.value.as_str() {
            "OR" if is_plain => SignKind::Or,
            "AND" if is_plain => SignKind::And,
            "NOT" if is_plain => SignKind::Not,
            _ => SignKind::Term(term),
        };
        Ok(Some(Sign { at, kind }))
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        if self.peek() == Some('"') {
            return self.quoted(None);
        }
        let start = self.at;
        while self.peek().is_some_and(|c| !ends_word(c) && c != ':' && c != '"' && !COMPARISONS.contains(&c))
        {
            self.at += 1;
        }
        let begun: String = self.characters[start..self.at].iter().collect();
        let is_key =
            !begun.is_empty() && begun.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        match self.peek() {
            Some(':') if is_key => {
                self.at += 1;
                self.value(Some(begun))
            }
            Some(sign) if is_key && COMPARISONS.contains(&sign) => self.value(Some(begun)),
            _ => {
                while self.peek().is_some_and(|c| !ends_word(c) && c != '"') {
                    self.at += 1;
                }
                // A word may begin right at a quotation mark that belongs to nothing.
                let value: String = self.characters[start..self.at].iter().collect();
                Ok(Term { key: None, value, value_at: start, quoted: false })
            }
        }
    }

    fn value(&mut self, key: Option<String>) -> Result<Term, QueryError> {
        if self.peek() == Some('"') {
            return self.quoted(key);
        }
        let start = self.at;
        while self.peek().is_some_and(|c| !ends_word(c)) {
            if self.peek() == Some('"') {
                // `since:>"2 weeks ago"`: the sign, then what is quoted.
                let sign: String = self.characters[start..self.at].iter().collect();
                if sign.chars().all(|c| COMPARISONS.contains(&c)) {
                    let inner = self.quoted(None)?;
                    return Ok(Term { key, value: sign + &inner.value, value_at: start, quoted: false });
                }
                break;
            }
            self.at += 1;
        }
        let value: String = self.characters[start..self.at].iter().collect();
        Ok(Term { key, value, value_at: start, quoted: false })
    }

    fn quoted(&mut self, key: Option<String>) -> Result<Term, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.peek() {
                None => return Err(self.refuse(start, QueryProblem::OpenQuote)),
                Some('"') => {
                    self.at += 1;
                    return Ok(Term { key, value, value_at: start, quoted: true });
                }
                Some('\\') if matches!(self.characters.get(self.at + 1), Some('"' | '\\')) => {
                    value.push(self.characters[self.at + 1]);
                    self.at += 2;
                }
                Some(other) => {
                    value.push(other);
                    self.at += 1;
                }
            }
        }
    }
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || character == '(' || character == ')'
}
