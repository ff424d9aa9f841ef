//! All integration tests in one binary, so that they link once.

// A test fails by panicking, and so do the helpers of tests.
// A test that cannot go on has failed: saying so by a panic is its job.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// The stricter style lints are for what other people build on; a test may be plain, and may speak.
#![allow(clippy::pedantic, clippy::print_stderr)]

mod app_changes;
mod app_flow;
mod authenticator;
mod come_back;
