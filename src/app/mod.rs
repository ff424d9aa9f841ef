//! Use cases, one per file: options in, report out. What a report serialises to is what `--json`
//! prints. What several of them share is in [`common`].

pub mod cat;
pub mod clone;
pub mod commit;
pub mod common;
pub mod config;
pub mod demo;
pub mod diff;
pub mod draft;
pub mod erase;
pub mod error;
pub mod export;
pub mod fetch;
pub mod fsck;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gc;
pub mod identity;
pub mod init;
pub mod journal;
pub mod log;
pub mod merge;
pub mod meta;
pub mod mv;
pub mod pull;
pub mod push;
pub mod remote;
pub mod remote_care;
pub mod repair;
pub mod resolve;
pub mod restore;
pub mod review;
pub mod show;
pub mod sign;
pub mod sparse;
pub mod status;
pub mod switch;
pub mod tag;
pub mod undo;
pub mod verify;
