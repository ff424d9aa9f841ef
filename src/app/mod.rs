//! Use cases, one per file: options in, report out. What a report serialises to is what `--json`
//! prints.

pub mod config;
