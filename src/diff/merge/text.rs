//! Merges text by line: the classic three-way merge (diff3), over histogram differences.
//!
//! Places changed on one side only are taken from that side. Places that both sides changed, or
//! that touch each other, are taken when both changed them alike; else they are a conflict. A line
//! counts with its end, and a byte order mark counts as part of the encoding, so a merge never
//! mixes ends or encodings.

use crate::diff::text::{Text, compare_lines, split_lines};
use std::ops::Range;

/// The outcome of a merge by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextMerge {
    /// All changes fit together: the bytes of the merged file.
    Clean(Vec<u8>),
    /// Both sides changed the same places.
    Conflict(Vec<TextConflict>),
    /// The three are not text of one encoding.
    NotText,
}

/// A place that both sides changed, with what each has there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TextConflict {
    /// Number of the place's first line in the base, from 1.
    pub line: u64,
    /// The lines in the base.
    pub base: String,
    /// The lines on our side.
    pub ours: String,
    /// The lines on their side.
    pub theirs: String,
}

/// A piece of a merged text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Merged(String),
    Conflict(TextConflict),
}

/// Merges the bytes of three files by line.
pub fn merge_text(base: &[u8], ours: &[u8], theirs: &[u8]) -> TextMerge {
    let Some((base, ours, theirs)) = decode_all(base, ours, theirs) else { return TextMerge::NotText };
    let pieces = merge_pieces(&base.text, &ours.text, &theirs.text);
    let mut text = String::new();
    let mut conflicts = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Merged(lines) => text.push_str(&lines),
            Piece::Conflict(conflict) => conflicts.push(conflict),
        }
    }
    if conflicts.is_empty() {
        TextMerge::Clean(Text { encoding: ours.encoding, text }.encode())
    } else {
        TextMerge::Conflict(conflicts)
    }
}

/// Merges as far as possible and marks each conflict in the text, for whoever asks for that. `None`
/// when the three are not text of one encoding.
pub fn merge_text_with_markers(base: &[u8], ours: (&[u8], &str), theirs: (&[u8], &str)) -> Option<Vec<u8>> {
    let (base, our_text, their_text) = decode_all(base, ours.0, theirs.0)?;
    let mut text = String::new();
    for piece in merge_pieces(&base.text, &our_text.text, &their_text.text) {
        match piece {
            Piece::Merged(lines) => text.push_str(&lines),
            Piece::Conflict(conflict) => {
                push_line(&mut text, &format!("<<<<<<< {}\n", ours.1));
                push_line(&mut text, &conflict.ours);
                push_line(&mut text, "||||||| base\n");
                push_line(&mut text, &conflict.base);
                push_line(&mut text, "=======\n");
                push_line(&mut text, &conflict.theirs);
                push_line(&mut text, &format!(">>>>>>> {}\n", theirs.1));
            }
        }
    }
    Some(Text { encoding: our_text.encoding, text }.encode())
}

/// Appends lines; a marker never joins a line that has no end.
fn push_line(text: &mut String, lines: &str) {
    if !lines.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(lines);
}

fn decode_all(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<(Text, Text, Text)> {
    let texts = (Text::decode(base)?, Text::decode(ours)?, Text::decode(theirs)?);
    let same = texts.0.encoding == texts.1.encoding && texts.1.encoding == texts.2.encoding;
    same.then_some(texts)
}

/// Where one side differs from the base, in lines.
struct Side<'a> {
    lines: Vec<&'a str>,
    changes: Vec<imara_diff::Hunk>,
    next: usize,
    /// Line of this side that stands where the base has been followed to.
    at: u32,
}

impl<'a> Side<'a> {
    fn new(base: &'a str, text: &'a str) -> Self {
        let (_, diff) = compare_lines(base, text);
        Self { lines: split_lines(text).collect(), changes: diff.hunks().collect(), next: 0, at: 0 }
    }

    fn peek(&self) -> Option<&imara_diff::Hunk> {
        self.changes.get(self.next)
    }

    /// Takes changes that begin at or before `end` of the base; says how far the last one reaches.
    fn take_until(&mut self, end: u32) -> Option<u32> {
        let mut reach = None;
        while let Some(change) =
            self.peek().filter(|change| change.before.start <= end.max(reach.unwrap_or(0)))
        {
            reach = Some(change.before.end);
            self.next += 1;
        }
        reach
    }

    /// The lines of this side that stand for a stretch of the base which ends between changes.
    fn lines_for(&mut self, base: &Range<u32>) -> String {
        // Past the last change taken, both run in step.
        let end = match self.next.checked_sub(1).and_then(|last| self.changes.get(last)) {
            Some(last) => last.after.end + (base.end - last.before.end),
            None => base.end,
        };
        let lines = self.lines[self.at as usize..end as usize].concat();
        self.at = end;
        lines
    }
}

fn merge_pieces(base: &str, ours: &str, theirs: &str) -> Vec<Piece> {
    let base_lines: Vec<&str> = split_lines(base).collect();
    let (mut ours, mut theirs) = (Side::new(base, ours), Side::new(base, theirs));
    let mut pieces = Vec::new();
    let mut at = 0u32;
    while let Some(start) = next_start(&ours, &theirs) {
        if at < start {
            let quiet = at..start;
            ours.lines_for(&quiet);
            theirs.lines_for(&quiet);
            pieces.push(Piece::Merged(base_lines[at as usize..start as usize].concat()));
        }
        let (end, our_change, their_change) = take_group(&mut ours, &mut theirs, start);
        let place = start..end;
        let lines = (ours.lines_for(&place), theirs.lines_for(&place));
        let base = &base_lines[start as usize..end as usize];
        pieces.push(match (our_change, their_change) {
            (true, false) => Piece::Merged(lines.0),
            (false, true) => Piece::Merged(lines.1),
            _ if lines.0 == lines.1 => Piece::Merged(lines.0),
            _ => Piece::Conflict(TextConflict {
                line: u64::from(start) + 1,
                base: base.concat(),
                ours: lines.0,
                theirs: lines.1,
            }),
        });
        at = end;
    }
    pieces.push(Piece::Merged(base_lines[at as usize..].concat()));
    pieces
}

fn next_start(ours: &Side<'_>, theirs: &Side<'_>) -> Option<u32> {
    let starts = [ours.peek(), theirs.peek()];
    starts.into_iter().flatten().map(|change| change.before.start).min()
}

/// Takes all changes of both sides that overlap or touch each other, from `start` on. Says where
/// they end in the base, and which sides changed something.
fn take_group(ours: &mut Side<'_>, theirs: &mut Side<'_>, start: u32) -> (u32, bool, bool) {
    let (mut end, mut our_change, mut their_change) = (start, false, false);
    loop {
        let reached = (ours.take_until(end), theirs.take_until(end));
        our_change |= reached.0.is_some();
        their_change |= reached.1.is_some();
        match reached.0.max(reached.1) {
            Some(reach) => end = end.max(reach),
            None => return (end, our_change, their_change),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(base: &str, ours: &str, theirs: &str) -> Option<String> {
        match merge_text(base.as_bytes(), ours.as_bytes(), theirs.as_bytes()) {
            TextMerge::Clean(bytes) => Some(String::from_utf8(bytes).expect("text")),
            _ => None,
        }
    }

    #[test]
    fn changes_at_different_places_merge() {
        let merged = clean("1\n2\n3\n4\n5\n", "one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\nsix\n");
        assert_eq!(merged.as_deref(), Some("one\n2\n3\n4\nfive\nsix\n"));
    }

    #[test]
    fn changes_at_the_same_or_a_touching_place_conflict_and_both_are_told() {
        let conflict = merge_text(b"1\n2\n3\n", b"1\nzwei\n3\n", b"1\ndeux\n3\n");
        let told =
            TextConflict { line: 2, base: "2\n".into(), ours: "zwei\n".into(), theirs: "deux\n".into() };
        assert_eq!(conflict, TextMerge::Conflict(vec![told]));
        assert_eq!(clean("1\n2\n3\n", "one\n2\n3\n", "1\ntwo\n3\n"), None);
    }

    #[test]
    fn line_ends_and_encodings_are_never_mixed() {
        assert_eq!(merge_text(b"a\n", b"\xef\xbb\xbfa\n", b"b\n"), TextMerge::NotText);
        assert_eq!(merge_text(b"a\0", b"b\0", b"c\0"), TextMerge::NotText);
        assert_eq!(clean("a\nb\nc\nd\n", "a\r\nb\r\nc\r\nd\r\n", "a\nb\nc\nx\n"), None);
        let wide =
            |text: &str| Text { encoding: crate::diff::text::Encoding::Utf16Le, text: text.into() }.encode();
        let merged = merge_text(&wide("1\n2\n3\n"), &wide("x\n2\n3\n"), &wide("1\n2\ny\n"));
        assert_eq!(merged, TextMerge::Clean(wide("x\n2\ny\n")));
    }

    #[test]
    fn markers_are_written_when_asked_for() {
        let merged = merge_text_with_markers(b"1\n2\n3", (b"1\n2\nx", "main"), (b"1\n2\ny\n", "draft"));
        let text = "1\n2\n<<<<<<< main\nx\n||||||| base\n3\n=======\ny\n>>>>>>> draft\n";
        assert_eq!(merged.map(|bytes| String::from_utf8(bytes).expect("text")).as_deref(), Some(text));
    }

    fn any_text() -> impl Strategy<Value = String> {
        "([abc]\n){0,12}[ab]?"
    }

    proptest! {
        #[test]
        fn one_changed_side_wins_and_equal_sides_agree(base in any_text(), side in any_text()) {
            prop_assert_eq!(clean(&base, &side, &base), Some(side.clone()));
            prop_assert_eq!(clean(&base, &base, &side), Some(side.clone()));
            prop_assert_eq!(clean(&base, &side, &side), Some(side));
        }

        #[test]
        fn the_order_of_the_sides_does_not_matter(base in any_text(), ours in any_text(), theirs in any_text()) {
            prop_assert_eq!(clean(&base, &ours, &theirs), clean(&base, &theirs, &ours));
        }

        #[test]
        fn edits_of_separate_lines_always_merge(first in 0usize..30, gap in 2usize..30, rest in 1usize..10) {
            let (second, count) = (first + gap, first + gap + rest);
            let base: Vec<String> = (0..count).map(|n| format!("line {n}\n")).collect();
            let edit = |at: &[usize]| {
                let mut lines = base.clone();
                at.iter().for_each(|n| lines[*n] = format!("edited {n}\n"));
                lines.concat()
            };
            let merged = clean(&base.concat(), &edit(&[first]), &edit(&[second]));
            prop_assert_eq!(merged, Some(edit(&[first, second])));
        }
    }
}
