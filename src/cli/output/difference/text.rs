//! Hunks of text with signs, line numbers and emphasised words.

use crate::cli::output::{DIM, Page, Styles, safe_lines};
use crate::diff::text::{Encoding, Hunk, Line, LineEnding, LineKind, LineRange, TextDiff};
use anstyle::{AnsiColor, Style};
use std::io;
use std::ops::Range;

/// Lines that are gone.
const GONE: Style = AnsiColor::Red.on_default();
/// Lines that are new.
const COME: Style = AnsiColor::Green.on_default();
/// Most bytes of one line that are shown: text made by programs may be one line of megabytes.
const LINE_BYTES_MAX: usize = 1000;
/// How much of a long line is shown before its first changed word, in bytes.
const LEAD_BYTES: usize = 80;

/// Writes all hunks.
pub fn write_text(page: &mut Page<'_>, diff: &TextDiff) -> io::Result<()> {
    if diff.encoding_before != diff.encoding_after {
        let names = (encoding(diff.encoding_before), encoding(diff.encoding_after));
        page.remark(format_args!("    written as {} now, was {}", names.1, names.0))?;
    }
    for hunk in &diff.hunks {
        write_hunk(page, hunk)?;
    }
    Ok(())
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Utf8Bom => "UTF-8 with a mark",
        Encoding::Utf16Le | Encoding::Utf16Be => "UTF-16",
    }
}

fn write_hunk(page: &mut Page<'_>, hunk: &Hunk) -> io::Result<()> {
    page.remark(format_args!("@@ -{} +{} @@", range(hunk.before), range(hunk.after)))?;
    // Ends of lines are told only where they are what changed.
    let changed = || hunk.lines.iter().filter(|line| line.kind != LineKind::Context);
    let mixed = changed().any(|line| line.ending == LineEnding::CrLf)
        && changed().any(|line| line.ending == LineEnding::Lf);
    for line in &hunk.lines {
        page.line(line_text(page.styles, line, mixed))?;
        if line.ending == LineEnding::None && line.kind != LineKind::Context {
            page.remark("\\ no line end at the end of the file")?;
        }
    }
    Ok(())
}

/// Lines as the unified format counts them: a run of no lines is named by the line before it.
fn range(range: LineRange) -> String {
    match range.count {
        0 => format!("{},0", range.start.saturating_sub(1)),
        1 => range.start.to_string(),
        count => format!("{},{count}", range.start),
    }
}

fn line_text(styles: Styles, line: &Line, show_ending: bool) -> String {
    let (sign, style) = match line.kind {
        LineKind::Context => (' ', Style::new()),
        LineKind::Removed => ('-', GONE),
        LineKind::Added => ('+', COME),
    };
    let shown = window(line);
    let mut text = styles.paint(style, sign).to_string();
    if shown.start > 0 {
        text.push_str(&styles.paint(DIM, "...").to_string());
    }
    let mut at = shown.start;
    for range in &line.emphasis {
        let range = range.start.clamp(at, shown.end)..range.end.clamp(at, shown.end);
        push(&mut text, styles, style, &line.text, at..range.start);
        push(&mut text, styles, style.bold().underline(), &line.text, range.clone());
        at = range.end;
    }
    push(&mut text, styles, style, &line.text, at..shown.end);
    if shown.end < line.text.len() {
        let rest = format!("... ({} bytes more)", line.text.len() - shown.end);
        text.push_str(&styles.paint(DIM, rest).to_string());
    }
    if show_ending && line.kind != LineKind::Context {
        let ending = if line.ending == LineEnding::CrLf { "\\r\\n" } else { "\\n" };
        text.push_str(&styles.paint(DIM, ending).to_string());
    }
    text
}

fn push(text: &mut String, styles: Styles, style: Style, line: &str, range: Range<usize>) {
    let part = line.get(range).unwrap_or_default();
    if !part.is_empty() {
        text.push_str(&styles.paint(style, safe_lines(part)).to_string());
    }
}

/// The part of a line that is shown: all of it, or from a little before its first changed word on.
fn window(line: &Line) -> Range<usize> {
    let length = line.text.len();
    if length <= LINE_BYTES_MAX {
        return 0..length;
    }
    let first = line.emphasis.first().map_or(0, |range| range.start);
    let start = boundary(&line.text, first.saturating_sub(LEAD_BYTES));
    start..boundary(&line.text, start + LINE_BYTES_MAX)
}

/// The last place between two characters that is not after `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: LineKind, text: &str, emphasis: &[Range<usize>]) -> Line {
        Line { kind, text: text.to_owned(), ending: LineEnding::Lf, emphasis: emphasis.to_vec() }
    }

    #[test]
    fn changed_words_are_emphasised_and_signs_stay_without_colour() {
        let changed = line(LineKind::Added, "fill red now", std::slice::from_ref(&(5..8)));
        assert_eq!(line_text(Styles::new(false), &changed, false), "+fill red now");
        let painted = line_text(Styles::new(true), &changed, false);
        assert!(painted.contains("\u{1b}[1m\u{1b}[4m\u{1b}[32mred\u{1b}[0m"), "{painted:?}");
    }

    #[test]
    fn what_a_line_says_cannot_drive_the_terminal() {
        let text = line_text(Styles::new(false), &line(LineKind::Removed, "a\x1b[2J\tb\r", &[]), true);
        assert_eq!(text, "-a\\x1b[2J\tb\\r\\n");
    }

    #[test]
    fn of_a_very_long_line_the_part_around_the_change_is_shown() {
        let long = format!("{}CHANGED{}", "é".repeat(5_000), "z".repeat(5_000));
        let text = line_text(
            Styles::new(false),
            &line(LineKind::Added, &long, std::slice::from_ref(&(10_000..10_007))),
            false,
        );
        assert!(text.starts_with("+...é") && text.contains("éCHANGEDz"), "{text}");
        assert!(text.ends_with("bytes more)") && text.len() < 1_100);
    }

    #[test]
    fn emphasis_beyond_the_shown_part_does_no_harm() {
        let long = "x".repeat(3_000);
        let far = line(LineKind::Added, &long, &[0..1, 2_990..2_995]);
        assert!(line_text(Styles::new(true), &far, false).contains("2000 bytes more"));
    }

    #[test]
    fn runs_of_no_lines_are_named_by_the_line_before() {
        assert_eq!(range(LineRange { start: 1, count: 0 }), "0,0");
        assert_eq!(range(LineRange { start: 5, count: 1 }), "5");
        assert_eq!(range(LineRange { start: 5, count: 3 }), "5,3");
    }
}
