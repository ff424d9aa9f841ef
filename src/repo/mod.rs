//! One repository: content in and out of the store, and the typed objects that describe it.

pub mod content;
mod crew;
pub mod extract;
pub mod ingest;
mod ingest_large;
