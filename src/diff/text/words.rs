//! Which words inside changed lines changed.

use imara_diff::{Algorithm, Diff, InternedInput};
use std::ops::Range;

/// Longest line whose words are compared, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 4096;
/// Most lines of one changed place whose words are compared.
const LINES_MAX: usize = 64;
/// Words are emphasised when at least one part in this many of the larger side stayed; else the
/// lines have nothing to do with each other.
const SHARED_PART_MIN: usize = 4;

type Ranges = Vec<Range<usize>>;

/// Finds the changed parts of each line, as byte ranges of it, for lines that replaced others.
pub(super) fn emphasise(removed: &[&str], added: &[&str]) -> (Vec<Ranges>, Vec<Ranges>) {
    let none = (vec![Vec::new(); removed.len()], vec![Vec::new(); added.len()]);
    let too_many = removed.len() + added.len() > LINES_MAX;
    let too_long = removed.iter().chain(added).any(|line| line.len() > LINE_BYTES_MAX);
    if removed.is_empty() || added.is_empty() || too_many || too_long {
        return none;
    }
    let before: Vec<(usize, Range<usize>)> = words_of(removed);
    let after: Vec<(usize, Range<usize>)> = words_of(added);
    let mut input = InternedInput::default();
    input.update_before(before.iter().map(|(line, range)| &removed[*line][range.clone()]));
    input.update_after(after.iter().map(|(line, range)| &added[*line][range.clone()]));
    // Words repeat a lot, for which Myers' algorithm does better than the histogram.
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_no_heuristic(&input);
    let is_shared = |index: usize| !diff.is_removed(index as u32);
    let shared = before.iter().enumerate().filter(|(index, _)| is_shared(*index));
    let shared: usize = shared.map(|(_, (line, range))| visible(&removed[*line][range.clone()])).sum();
    let larger = total_visible(removed).max(total_visible(added));
    if shared * SHARED_PART_MIN < larger {
        return none;
    }
    (
        gather(removed.len(), &before, |index| diff.is_removed(index)),
        gather(added.len(), &after, |index| diff.is_added(index)),
    )
}

/// Bytes that are no white space.
fn visible(text: &str) -> usize {
    text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count()
}

fn total_visible(lines: &[&str]) -> usize {
    lines.iter().map(|line| visible(line)).sum()
}

/// Joins the changed words of each line into ranges.
fn gather(lines: usize, words: &[(usize, Range<usize>)], is_changed: impl Fn(u32) -> bool) -> Vec<Ranges> {
    let mut found = vec![Ranges::new(); lines];
    for (index, (line, range)) in words.iter().enumerate() {
        if !is_changed(index as u32) {
            continue;
        }
        match found[*line].last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => found[*line].push(range.clone()),
        }
    }
    found
}

/// Cuts lines into words, runs of spaces, and single other characters.
fn words_of(lines: &[&str]) -> Vec<(usize, Range<usize>)> {
    let mut words = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let mut start = 0;
        let mut last = None;
        for (at, character) in line.char_indices() {
            let class = Class::of(character);
            if last.is_some_and(|last| last != class || class == Class::Other) {
                words.push((number, start..at));
                start = at;
            }
            last = Some(class);
        }
        if start < line.len() {
            words.push((number, start..line.len()));
        }
    }
    words
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Class {
    Word,
    Space,
    Other,
}

impl Class {
    fn of(character: char) -> Self {
        if character.is_alphanumeric() || character == '_' {
            Self::Word
        } else if character.is_whitespace() {
            Self::Space
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(removed: &str, added: &str) -> (Vec<String>, Vec<String>) {
        let (before, after) = emphasise(&[removed], &[added]);
        let texts =
            |line: &str, ranges: &Ranges| ranges.iter().map(|range| line[range.clone()].to_owned()).collect();
        (texts(removed, &before[0]), texts(added, &after[0]))
    }

    #[test]
    fn only_the_changed_words_are_emphasised() {
        let found = changed("fill=\"#ff0000\" width=\"10\"\n", "fill=\"#00ff00\" width=\"10\"\n");
        assert_eq!(found, (vec!["ff0000".to_owned()], vec!["00ff00".to_owned()]));
    }

    #[test]
    fn lines_with_nothing_in_common_have_no_emphasis() {
        assert_eq!(changed("alpha beta\n", "gamma delta epsilon\n"), (vec![], vec![]));
    }

    #[test]
    fn words_of_other_scripts_are_words() {
        assert_eq!(
            changed("größe zwei\n", "größe drei\n"),
            (vec!["zwei".to_owned()], vec!["drei".to_owned()])
        );
    }
}
