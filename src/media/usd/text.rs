//! USD scenes in their text form (USDA), told by their words and signs.
//!
//! Source: OpenUSD, `pxr/usd/sdf/usdaFileFormat` and its grammar. Nothing is built of what is nested, so that
//! depth costs nothing.

use super::{SAID, Stage};

/// A word, a text, a file's name or a sign.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Word(&'a [u8]),
    Text(&'a [u8]),
    File(&'a [u8]),
    Sign(u8),
}

/// Goes through a scene's words.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// All up to a mark, which is passed; all there is where it is missing.
    fn until(&mut self, mark: &[u8]) -> &'a [u8] {
        let at = memchr::memmem::find(self.rest, mark);
        let found = &self.rest[..at.unwrap_or(self.rest.len())];
        self.rest = &self.rest[at.map_or(self.rest.len(), |at| at + mark.len())..];
        found
    }

    /// What stands between quotes of one kind; of one line, where there are not three of them.
    fn text(&mut self, quote: u8) -> &'a [u8] {
        let long = self.rest.get(..3) == Some(&[quote; 3]);
        let mark: &[u8] = if long { &[quote; 3] } else { &[quote] };
        self.rest = &self.rest[mark.len()..];
        let whole = self.rest;
        let mut at = 0;
        while at < whole.len() {
            match whole[at] {
                b'\\' => at += 2,
                b'\n' if !long => break,
                _ if whole[at..].starts_with(mark) => {
                    self.rest = &whole[at + mark.len()..];
                    return &whole[..at];
                }
                _ => at += 1,
            }
        }
        let at = at.min(whole.len());
        self.rest = &whole[at..];
        &whole[..at]
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let first = *self.rest.first()?;
            match first {
                b'#' => {
                    self.until(b"\n");
                }
                // A path within the scene.
                b'<' => {
                    self.until(b">");
                }
                b'"' | b'\'' => return Some(Token::Text(self.text(first))),
                b'@' => {
                    let mark: &[u8] = if self.rest.starts_with(b"@@@") { b"@@@" } else { b"@" };
                    self.rest = &self.rest[mark.len()..];
                    return Some(Token::File(self.until(mark)));
                }
                _ if first.is_ascii_whitespace() => self.rest = &self.rest[1..],
                _ if is_sign(first) => {
                    self.rest = &self.rest[1..];
                    return Some(Token::Sign(first));
                }
                _ => {
                    let ends =
                        |byte: &u8| byte.is_ascii_whitespace() || is_sign(*byte) || b"\"'@#<".contains(byte);
                    let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    return Some(Token::Word(word));
                }
            }
        }
    }
}

fn is_sign(byte: u8) -> bool {
    b"()[]{}=,;".contains(&byte)
}

/// What stands before a value.
#[derive(Default)]
struct Named<'a> {
    /// The last word, and the one before.
    last: &'a [u8],
    before: &'a [u8],
    /// What the value is of that comes now, and whether it takes something away.
    of: &'a [u8],
    takes_away: bool,
}

/// Tells a scene.
pub(super) fn read(bytes: &[u8], stage: &mut Stage) {
    let mut tokens = Tokens { rest: bytes }.peekable();
    let mut named = Named::default();
    let (mut round, mut braces, mut any_prim) = (0usize, 0usize, false);
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(b"def") if round == 0 => {
                any_prim = true;
                let kind = match tokens.peek() {
                    Some(Token::Word(kind)) => Some(*kind),
                    _ => None,
                };
                if kind.is_some() {
                    tokens.next();
                }
                if let Some(Token::Text(name)) = tokens.peek() {
                    stage.prim(kind.unwrap_or_default(), name);
                }
            }
            Token::Word(b"over" | b"class") if round == 0 => any_prim = true,
            Token::Word(word) => (named.before, named.last) = (named.last, word),
            Token::File(name) if !named.takes_away => stage.file(named.of, name),
            Token::Text(_) | Token::File(_) => {}
            Token::Sign(b'=') => {
                named.of = named.last;
                named.takes_away = matches!(named.before, b"delete" | b"reorder");
                let is_header = !any_prim && round == 1 && braces == 0;
                if let (true, Some(name), Some(Token::Word(value) | Token::Text(value))) =
                    (is_header, said(named.of), tokens.peek())
                {
                    stage.says(name, String::from_utf8_lossy(value).into_owned());
                } else if matches!(named.of, b"points" | b"faceVertexCounts")
                    && tokens.peek() == Some(&Token::Sign(b'['))
                {
                    tokens.next();
                    count(&mut tokens, named.of == b"points", stage);
                }
            }
            Token::Sign(b'(') => round += 1,
            Token::Sign(b')') => round = round.saturating_sub(1),
            Token::Sign(b'{') => braces += 1,
            Token::Sign(b'}') => braces = braces.saturating_sub(1),
            Token::Sign(_) => {}
        }
    }
}

fn said(name: &[u8]) -> Option<&'static str> {
    SAID.iter().copied().find(|said| said.as_bytes() == name)
}

/// Counts what a list holds up to its end: points, or numbers of corners.
fn count<'a>(tokens: &mut impl Iterator<Item = Token<'a>>, points: bool, stage: &mut Stage) {
    let mut count = 0;
    for token in tokens {
        match token {
            Token::Sign(b']') => break,
            Token::Sign(b'(') if points => count += 1,
            Token::Word(_) if !points => count += 1,
            _ => {}
        }
    }
    if points { stage.points(count) } else { stage.faces(count) }
}
