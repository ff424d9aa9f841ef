//! All integration tests in one binary, so that they link once.

// A test fails by panicking, and so do the helpers of tests.
// A test that cannot go on has failed: saying so by a panic is its job.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// The stricter style lints are for what other people build on; a test may be plain, and may speak.
#![allow(clippy::pedantic, clippy::print_stderr)]

mod app_changes;
mod app_flow;
mod authenticator;
mod command_line;
mod command_reference;
mod content;
mod crash_store;
mod damage;
mod floors;
mod format_1;
mod gc;
mod hostile;
mod interrupted;
mod kills;
mod licences;
mod login;
mod model;
mod openssh;
mod real_input;
mod remote_contract;
mod repository;
mod scale;
mod sharing;
mod show_diff;
mod show_diff_lines;
mod signatures_hardware;
mod signatures_hostile;
mod signatures_openssh;
mod signing;
mod small_disk;
mod support;
mod together;
mod trust_attacks;
mod trust_kit;
mod worktree_checkout;
mod worktree_hostile;
mod worktree_status;
mod worktree_support;
