//! One file per verb, and the table that makes them the program.

pub mod cat;
pub mod commit;
pub mod completions;
pub mod config;
pub mod diff;
pub mod draft;
pub mod export;
pub mod init;
pub mod journal;
pub mod label;
pub mod log;
pub mod man;
pub mod meta;
pub mod show;
pub mod status;
pub mod tag;

use crate::cli::verb::Entry;

/// Every verb that the program has, in the order in which the help lists those of a group.
pub const VERBS: &[Entry] = &[
    Entry::of::<init::Arguments>(),
    Entry::of::<config::Arguments>(),
    Entry::of::<status::Arguments>(),
    Entry::of::<commit::Arguments>(),
    Entry::of::<log::Arguments>(),
    Entry::of::<show::Arguments>(),
    Entry::of::<diff::Arguments>(),
    Entry::of::<cat::Arguments>(),
    Entry::of::<export::Arguments>(),
    Entry::of::<journal::Arguments>(),
    Entry::of::<draft::Arguments>(),
    Entry::of::<tag::Arguments>(),
    Entry::of::<label::Arguments>(),
    Entry::of::<meta::Arguments>(),
    Entry::of::<completions::Arguments>(),
    Entry::of::<man::Arguments>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_holds_together() {
        crate::cli::arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_has_a_summary_and_examples_that_parse() {
        for entry in VERBS {
            assert!((entry.command)().get_about().is_some(), "{}", entry.name);
            assert!(!entry.examples.is_empty(), "{}", entry.name);
            for example in entry.examples {
                let words = example.line.split(" | ").next().map(split_words).unwrap_or_default();
                let words = words.into_iter().take_while(|word| word != ">");
                let parsed = crate::cli::arguments::command().try_get_matches_from(words);
                assert!(
                    parsed.is_ok(),
                    "{}: {}",
                    example.line,
                    parsed.err().map(|e| e.to_string()).unwrap_or_default()
                );
            }
        }
    }

    /// Splits an example at blanks outside of double quotes.
    fn split_words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for character in line.chars() {
            match (character, quoted) {
                ('"', _) => quoted = !quoted,
                (' ', false) => words.push(String::new()),
                (other, _) => words.last_mut().expect("never empty").push(other),
            }
        }
        words
    }
}
