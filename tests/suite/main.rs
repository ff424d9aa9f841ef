//! All integration tests in one binary, so that they link once.

mod crash_store;
mod floors;
mod repository;
