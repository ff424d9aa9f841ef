//! One file per verb, and the table that makes them the program.

pub mod approve;
pub mod audit;
pub mod backup;
pub mod cat;
pub mod certificate;
pub mod clone;
pub mod comment;
pub mod commit;
pub mod completions;
pub mod config;
pub mod demo;
pub mod diff;
pub mod draft;
pub mod duplicates;
pub mod erase;
pub mod export;
pub mod fetch;
pub mod free;
pub mod fsck;
pub mod gc;
pub mod identity;
pub mod import;
pub mod index;
pub mod info;
pub mod init;
pub mod journal;
pub mod label;
pub mod land;
pub mod lock;
pub mod log;
pub mod man;
pub mod merge;
pub mod meta;
pub mod mirror;
pub mod mv;
pub mod policy;
pub mod preview;
pub mod pull;
pub mod push;
pub mod redo;
pub mod remote;
pub mod repair;
pub mod resolve;
pub mod restore;
pub mod review;
pub mod schema;
pub mod search;
pub mod serve;
pub mod show;
pub mod sign;
pub mod similar;
pub mod sparse;
pub mod status;
pub mod submit;
pub mod switch;
pub mod tag;
pub mod thumb;
pub mod undo;
pub mod verify;
pub mod withdraw;

use crate::cli::verb::Entry;

/// Every verb that the program has, in the order in which the help lists those of a group.
pub const VERBS: &[Entry] = &[
    Entry::of::<init::Arguments>(),
    Entry::of::<import::Arguments>(),
    Entry::of::<clone::Arguments>(),
    Entry::of::<demo::Arguments>(),
    Entry::of::<config::Arguments>(),
    Entry::of::<status::Arguments>(),
    Entry::of::<commit::Arguments>(),
    Entry::of::<mv::Arguments>(),
    Entry::of::<log::Arguments>(),
    Entry::of::<show::Arguments>(),
    Entry::of::<info::Arguments>(),
    Entry::of::<thumb::Arguments>(),
    Entry::of::<preview::Arguments>(),
    Entry::of::<search::Arguments>(),
    Entry::of::<similar::Arguments>(),
    Entry::of::<duplicates::Arguments>(),
    Entry::of::<index::Arguments>(),
    Entry::of::<diff::Arguments>(),
    Entry::of::<cat::Arguments>(),
    Entry::of::<audit::Arguments>(),
    Entry::of::<restore::Arguments>(),
    Entry::of::<export::Arguments>(),
    Entry::of::<undo::Arguments>(),
    Entry::of::<redo::Arguments>(),
    Entry::of::<journal::Arguments>(),
    Entry::of::<draft::Arguments>(),
    Entry::of::<switch::Arguments>(),
    Entry::of::<merge::Arguments>(),
    Entry::of::<resolve::Arguments>(),
    Entry::of::<tag::Arguments>(),
    Entry::of::<submit::Arguments>(),
    Entry::of::<review::Arguments>(),
    Entry::of::<approve::Approve>(),
    Entry::of::<approve::RequestChanges>(),
    Entry::of::<approve::Reject>(),
    Entry::of::<comment::Arguments>(),
    Entry::of::<withdraw::Arguments>(),
    Entry::of::<land::Arguments>(),
    Entry::of::<remote::Arguments>(),
    Entry::of::<push::Arguments>(),
    Entry::of::<pull::Arguments>(),
    Entry::of::<fetch::Arguments>(),
    Entry::of::<free::Arguments>(),
    Entry::of::<serve::Arguments>(),
    Entry::of::<lock::Lock>(),
    Entry::of::<lock::Unlock>(),
    Entry::of::<lock::Locks>(),
    Entry::of::<identity::Arguments>(),
    Entry::of::<sign::Arguments>(),
    Entry::of::<verify::Arguments>(),
    Entry::of::<certificate::Arguments>(),
    Entry::of::<label::Arguments>(),
    Entry::of::<meta::Arguments>(),
    Entry::of::<schema::Arguments>(),
    Entry::of::<sparse::Arguments>(),
    Entry::of::<policy::Arguments>(),
    Entry::of::<gc::Arguments>(),
    Entry::of::<backup::Arguments>(),
    Entry::of::<mirror::Arguments>(),
    Entry::of::<fsck::Arguments>(),
    Entry::of::<repair::Arguments>(),
    Entry::of::<erase::Arguments>(),
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
            assert!(!entry.examples.is_empty(), "{}", entry.name);
            for example in entry.examples {
                check_example(crate::cli::arguments::command(), example.line);
            }
            check_texts(&(entry.command)());
        }
    }

    fn check_example(parser: clap::Command, line: &str) {
        let words = line.split(" | ").next().map(split_words).unwrap_or_default();
        let words = words.into_iter().take_while(|word| word != ">");
        let parsed = parser.try_get_matches_from(words);
        assert!(
            parsed.is_ok(),
            "{line}: {}",
            parsed.err().map(|error| error.to_string()).unwrap_or_default()
        );
    }

    /// Every command and every option says what it is for.
    fn check_texts(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no summary", command.get_name());
        for argument in command.get_arguments() {
            let name = argument.get_id();
            assert!(argument.get_help().is_some(), "{name} of {} has no help", command.get_name());
        }
        command.get_subcommands().for_each(check_texts);
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
