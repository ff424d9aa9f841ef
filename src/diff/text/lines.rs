//! The difference of two texts as a model: hunks of lines with context.

use crate::diff::text::words::emphasise;
use crate::diff::text::{Encoding, Text};
use imara_diff::{Algorithm, Diff, InternedInput};
use serde::Serialize;
use std::ops::Range;

/// How much a text difference may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// Unchanged lines shown around a change.
    pub context_lines: u32,
    /// Most changed lines in all hunks together; places beyond are counted, not shown.
    pub changed_lines_max: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self { context_lines: 3, changed_lines_max: 20_000 }
    }
}

/// How two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    /// How the text was written before.
    pub encoding_before: Encoding,
    /// How it is written now.
    pub encoding_after: Encoding,
    /// Lines that are new, in all.
    pub lines_added: u64,
    /// Lines that are gone, in all.
    pub lines_removed: u64,
    /// Changed lines left out of `hunks` because there are too many.
    pub lines_omitted: u64,
    /// The changed places in order.
    pub hunks: Vec<Hunk>,
}

/// One changed place with its surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hunk {
    /// Its lines in the text before.
    pub before: LineRange,
    /// Its lines in the text after.
    pub after: LineRange,
    /// Its lines: context, then what is gone, then what is new, again and again.
    pub lines: Vec<Line>,
}

/// A run of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineRange {
    /// Number of the first line, from 1.
    pub start: u64,
    /// How many.
    pub count: u64,
}

impl LineRange {
    fn new(range: &Range<u32>) -> Self {
        Self { start: u64::from(range.start) + 1, count: range.len() as u64 }
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// It stayed.
    Context,
    /// It is gone.
    Removed,
    /// It is new.
    Added,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineEnding {
    /// With a line feed.
    Lf,
    /// With a carriage return and a line feed.
    CrLf,
    /// With the end of the file.
    None,
}

/// One line. Its text may hold anything, also what drives a terminal: escape before showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What became of it.
    pub kind: LineKind,
    /// What it says, without its end.
    pub text: String,
    /// How it ends.
    pub ending: LineEnding,
    /// The parts that changed, as byte ranges of `text`, when the line has a counterpart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emphasis: Vec<Range<usize>>,
}

impl Line {
    fn new(kind: LineKind, raw: &str, emphasis: Vec<Range<usize>>) -> Self {
        let (text, ending) = match (raw.strip_suffix("\r\n"), raw.strip_suffix('\n')) {
            (Some(text), _) => (text, LineEnding::CrLf),
            (None, Some(text)) => (text, LineEnding::Lf),
            (None, None) => (raw, LineEnding::None),
        };
        let emphasis = emphasis
            .into_iter()
            .map(|range| range.start..range.end.min(text.len()))
            .filter(|range| !range.is_empty())
            .collect();
        Self { kind, text: text.to_owned(), ending, emphasis }
    }
}

/// Splits text into lines, each with its end.
pub(crate) fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// Compares two texts line by line.
pub(crate) fn compare_lines<'a>(before: &'a str, after: &'a str) -> (InternedInput<&'a str>, Diff) {
    let mut input = InternedInput::default();
    input.update_before(split_lines(before));
    input.update_after(split_lines(after));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    (input, diff)
}

/// Finds how two texts differ.
pub fn diff_text(before: &Text, after: &Text, limits: TextLimits) -> TextDiff {
    let (input, diff) = compare_lines(&before.text, &after.text);
    let mut result = TextDiff {
        encoding_before: before.encoding,
        encoding_after: after.encoding,
        lines_added: u64::from(diff.count_additions()),
        lines_removed: u64::from(diff.count_removals()),
        lines_omitted: 0,
        hunks: Vec::new(),
    };
    let builder = HunkBuilder { input: &input, context: limits.context_lines };
    let mut shown = 0;
    let mut changes: Vec<imara_diff::Hunk> = Vec::new();
    let mut show = |changes: &mut Vec<imara_diff::Hunk>| {
        let lines: usize = changes.iter().map(|change| change.before.len() + change.after.len()).sum();
        if shown + lines > limits.changed_lines_max {
            result.lines_omitted += lines as u64;
        } else {
            result.hunks.extend(builder.build(changes));
            shown += lines;
        }
        changes.clear();
    };
    for change in diff.hunks() {
        // Changes whose contexts touch are shown as one hunk.
        let near = |last: &imara_diff::Hunk| {
            change.before.start.saturating_sub(last.before.end) <= limits.context_lines.saturating_mul(2)
        };
        if !changes.last().is_some_and(near) {
            show(&mut changes);
        }
        changes.push(change);
    }
    show(&mut changes);
    result
}

struct HunkBuilder<'a> {
    input: &'a InternedInput<&'a str>,
    context: u32,
}

impl<'a> HunkBuilder<'a> {
    fn build(&self, changes: &[imara_diff::Hunk]) -> Option<Hunk> {
        let (first, last) = (changes.first()?, changes.last()?);
        let lead = self.context.min(first.before.start).min(first.after.start);
        let before = first.before.start - lead..self.forward(last.before.end, self.input.before.len());
        let after = first.after.start - lead..self.forward(last.after.end, self.input.after.len());
        let mut lines = Vec::new();
        let mut at = before.start;
        for change in changes {
            self.push_context(at..change.before.start, &mut lines);
            self.push_change(change, &mut lines);
            at = change.before.end;
        }
        self.push_context(at..before.end, &mut lines);
        Some(Hunk { before: LineRange::new(&before), after: LineRange::new(&after), lines })
    }

    /// The end of the context after a change.
    fn forward(&self, end: u32, lines: usize) -> u32 {
        end.saturating_add(self.context).min(lines as u32)
    }

    fn push_context(&self, range: Range<u32>, lines: &mut Vec<Line>) {
        lines.extend(self.before(range).map(|raw| Line::new(LineKind::Context, raw, Vec::new())));
    }

    fn push_change(&self, change: &imara_diff::Hunk, lines: &mut Vec<Line>) {
        let removed: Vec<&str> = self.before(change.before.clone()).collect();
        let added: Vec<&str> = self.after(change.after.clone()).collect();
        let (in_removed, in_added) = emphasise(&removed, &added);
        let sides = [(LineKind::Removed, removed, in_removed), (LineKind::Added, added, in_added)];
        for (kind, raw, emphasis) in sides {
            lines.extend(raw.into_iter().zip(emphasis).map(|(raw, ranges)| Line::new(kind, raw, ranges)));
        }
    }

    fn before(&self, range: Range<u32>) -> impl Iterator<Item = &'a str> {
        let input = self.input;
        input.before[range.start as usize..range.end as usize].iter().map(|token| input.interner[*token])
    }

    fn after(&self, range: Range<u32>) -> impl Iterator<Item = &'a str> {
        let input = self.input;
        input.after[range.start as usize..range.end as usize].iter().map(|token| input.interner[*token])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::text::words::LINE_BYTES_MAX;
    use proptest::prelude::*;

    fn text(text: &str) -> Text {
        Text { encoding: Encoding::Utf8, text: text.to_owned() }
    }

    fn diff(before: &str, after: &str) -> TextDiff {
        diff_text(&text(before), &text(after), TextLimits::default())
    }

    /// A hunk as `diff -u` would print it.
    fn printed(hunk: &Hunk) -> Vec<String> {
        let sign = |kind| match kind {
            LineKind::Context => ' ',
            LineKind::Removed => '-',
            LineKind::Added => '+',
        };
        let mut out = vec![format!(
            "@@ -{},{} +{},{} @@",
            hunk.before.start, hunk.before.count, hunk.after.start, hunk.after.count
        )];
        out.extend(hunk.lines.iter().map(|line| format!("{}{}", sign(line.kind), line.text)));
        out
    }

    #[test]
    fn changes_are_shown_with_context_and_line_numbers() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let found = diff(before, "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
        assert_eq!((found.lines_added, found.lines_removed, found.hunks.len()), (1, 1, 1));
        assert_eq!(
            printed(&found.hunks[0]),
            ["@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"]
        );
    }

    #[test]
    fn distant_changes_are_two_hunks_and_near_ones_are_one() {
        let lines: Vec<String> = (0..40).map(|n| format!("{n}\n")).collect();
        let changed = |at: &[usize]| {
            let mut lines = lines.clone();
            at.iter().for_each(|n| lines[*n] = "x\n".to_owned());
            diff(&(0..40).map(|n| format!("{n}\n")).collect::<String>(), &lines.concat()).hunks.len()
        };
        assert_eq!((changed(&[5, 30]), changed(&[5, 12]), changed(&[5, 13])), (2, 1, 2));
    }

    #[test]
    fn line_ends_are_part_of_the_line_and_shown() {
        let found = diff("a\r\nb", "a\nb\n");
        let endings: Vec<_> = found.hunks[0].lines.iter().map(|line| (line.kind, line.ending)).collect();
        assert_eq!(
            endings,
            [
                (LineKind::Removed, LineEnding::CrLf),
                (LineKind::Removed, LineEnding::None),
                (LineKind::Added, LineEnding::Lf),
                (LineKind::Added, LineEnding::Lf),
            ]
        );
    }

    #[test]
    fn what_goes_beyond_the_limit_is_counted() {
        let limits = TextLimits { changed_lines_max: 3, ..TextLimits::default() };
        let found = diff_text(&text(""), &text("1\n2\n3\n4\n"), limits);
        assert_eq!((found.lines_omitted, found.hunks.len(), found.lines_added), (4, 0, 4));
    }

    #[test]
    fn a_line_as_long_as_a_file_is_compared_without_its_words() {
        let long = "word ".repeat(LINE_BYTES_MAX);
        let found = diff(&long, &format!("{long}!"));
        assert!(found.hunks[0].lines.iter().all(|line| line.emphasis.is_empty()));
    }

    proptest! {
        #[test]
        fn hunks_turn_one_text_into_the_other(before in "([ab]{0,2}\n){0,30}[ab]?", after in "([ab]{0,2}\n){0,30}[ab]?") {
            let found = diff(&before, &after);
            let old: Vec<&str> = split_lines(&before).collect();
            let mut made = String::new();
            let mut at = 0;
            for hunk in &found.hunks {
                let start = hunk.before.start as usize - 1;
                made.extend(old[at..start].iter().copied());
                for line in &hunk.lines {
                    let end = match line.ending { LineEnding::Lf => "\n", LineEnding::CrLf => "\r\n", LineEnding::None => "" };
                    if line.kind != LineKind::Removed {
                        made.push_str(&line.text);
                        made.push_str(end);
                    }
                }
                at = start + hunk.before.count as usize;
            }
            made.extend(old[at..].iter().copied());
            prop_assert_eq!(made, after);
        }
    }
}
