//! All integration tests in one binary, so that they link once.

mod content;
mod floors;
mod repository;
