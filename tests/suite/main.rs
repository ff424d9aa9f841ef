//! All integration tests in one binary, so that they link once.

// A test fails by panicking, and so do the helpers of tests.
// A test that cannot go on has failed: saying so by a panic is its job.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// The stricter style lints are for what other people build on; a test may be plain, and may speak.
#![allow(clippy::pedantic, clippy::print_stderr)]

mod app_changes;
mod app_flow;
mod authenticator;
mod capabilities;
mod come_back;
mod command_line;
mod command_reference;
mod content;
mod crash_store;
mod damage;
mod damage_logs;
mod decoding;
mod floors;
mod format_1;
mod formats_page;
mod gc;
mod git_support;
mod hostile;
mod import_folder;
mod import_git;
mod import_hostile;
mod import_kills;
mod import_lfs;
mod import_merges;
mod import_random;
mod import_travels;
mod import_whole;
mod interrupted;
mod json_shapes;
mod kills;
mod lazy;
mod licences;
mod login;
mod model;
mod openssh;
mod photoshop;
mod promises;
mod read_only;
mod real_input;
mod remote_contract;
mod repository;
mod review_attacks;
mod review_bypass;
mod review_certificate;
mod review_commands;
mod review_flow;
mod review_kit;
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
mod terminal;
mod together;
mod travel;
mod trust_attacks;
mod trust_flow;
mod trust_kit;
mod undecided;
mod visual_diff;
mod visual_page;
mod worktree_checkout;
mod worktree_hostile;
mod worktree_status;
mod worktree_support;
