//! The first page of a text, set in a typeface of this machine.

use crate::media::decoder::DecodeError;
use crate::media::drawing;
use crate::media::pixels::Pixels;
use crate::media::stand_in_fonts;

/// Size of the page (A4) and of its margins, in points.
const PAGE: (u32, u32) = (595, 842);
const MARGIN: u32 = 48;
/// Lines of one page, and points from one to the next.
const LINES_MAX: usize = 56;
const LEADING: f64 = 13.2;

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// All letters of one width: columns stay columns.
    Typewriter,
    /// As books are, paragraph by paragraph.
    Even,
}

impl Hand {
    /// Family, size in points, and how many letters fit into a line.
    const fn measures(self) -> (&'static str, f64, usize) {
        match self {
            Self::Typewriter => ("monospace", 9.0, 90),
            Self::Even => ("sans-serif", 10.5, 84),
        }
    }
}

/// The first page of a text with its longest side of `edge` pixels; `None` when this machine has no typeface to
/// set it in, or there is nothing to set.
pub fn first_page(text: &str, hand: Hand, edge: u32) -> Result<Option<Pixels>, DecodeError> {
    let has_face = stand_in_fonts::taken()[if hand == Hand::Typewriter { 2 } else { 0 }].is_some();
    if !has_face || text.trim().is_empty() {
        return Ok(None);
    }
    let (family, size, columns) = hand.measures();
    let (width, height) = PAGE;
    let mut page = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'><rect width='{width}' \
         height='{height}' fill='#fff'/><g font-family='{family}' font-size='{size}' fill='#1a1a1a' \
         xml:space='preserve'>"
    );
    for (number, line) in lines(text, columns).enumerate() {
        let y = f64::from(MARGIN) + LEADING * (number + 1) as f64;
        page.push_str(&format!("<text x='{MARGIN}' y='{y:.1}'>"));
        escape(&line, &mut page);
        page.push_str("</text>");
    }
    page.push_str("</g></svg>");
    drawing::drawn(&page, edge).map(Some)
}

/// Lines of at most so many letters, broken between words where there are some.
fn lines(text: &str, columns: usize) -> impl Iterator<Item = String> {
    text.lines().flat_map(move |line| broken(line, columns)).take(LINES_MAX)
}

fn broken(line: &str, columns: usize) -> Vec<String> {
    let letters: Vec<char> = line.replace('\t', "    ").chars().take(columns * LINES_MAX).collect();
    let mut rows = Vec::new();
    let mut rest = letters.as_slice();
    while rest.len() > columns {
        let room = &rest[..=columns];
        let at = room.iter().rposition(|letter| *letter == ' ').filter(|at| *at > columns / 2);
        let (row, after) = rest.split_at(at.unwrap_or(columns));
        rows.push(row.iter().collect());
        rest = if at.is_some() { &after[1..] } else { after };
    }
    rows.push(rest.iter().collect());
    rows
}

/// Text that is no markup; signs that markup may not hold are left out.
fn escape(line: &str, into: &mut String) {
    for letter in line.chars() {
        match letter {
            '<' => into.push_str("&lt;"),
            '&' => into.push_str("&amp;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => into.push(' '),
            letter => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(broken("one two three", 8), ["one two", "three"]);
        assert_eq!(broken("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(broken("", 4), [""]);
        assert_eq!(lines(&"a\n".repeat(200), 10).count(), LINES_MAX);
        let mut text = String::new();
        escape("a<b>\u{1}&", &mut text);
        assert_eq!(text, "a&lt;b> &amp;");
    }
}
