//! Finding: what people ask for, and what an asset says about itself so that it can be found.
//!
//! Everything that is kept here follows from the repository and can be made again: an index of words
//! and numbers, what decoders said of files, fingerprints of pictures. None of it is believed: what a
//! search finds is looked up in the repository before it is shown.

pub mod collections;
pub mod error;
pub mod findings;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod index;
pub mod likeness;
pub mod matching;
pub mod query;
pub mod record;
pub mod visibility;
pub mod words;
pub mod xmp;

pub use error::CatalogError;
