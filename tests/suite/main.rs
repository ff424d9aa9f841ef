//! All integration tests in one binary, so that they link once.

mod app_flow;
mod command_line;
mod command_reference;
mod content;
mod crash_store;
mod floors;
mod repository;
mod show_diff;
mod support;
mod worktree_status;
mod worktree_support;
