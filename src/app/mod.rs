//! Use cases, one per file: options in, report out. What a report serialises to is what `--json`
//! prints.

pub mod assign;
pub mod author;
pub mod cat;
pub mod commit;
pub mod config;
pub mod content;
pub mod demo;
pub mod describe;
pub mod diff;
pub mod draft;
pub mod erase;
pub mod error;
pub mod export;
pub mod field_value;
pub mod fsck;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gc;
pub mod init;
pub mod journal;
pub mod locate;
pub mod log;
pub mod merge;
pub mod meta;
pub mod mv;
pub mod probe;
pub mod repair;
pub mod resolve;
pub mod restore;
pub mod session;
pub mod show;
pub mod snapshot;
pub mod sparse;
pub mod status;
pub mod switch;
pub mod tag;
pub mod transition;
pub mod undo;
