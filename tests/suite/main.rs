//! All integration tests in one binary, so that they link once.

mod command_line;
mod command_reference;
mod content;
mod floors;
mod repository;
mod support;
mod worktree_status;
mod worktree_support;
