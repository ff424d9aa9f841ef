//! Submissions: asking for work to land, judging it, landing it, and proving it afterwards.

pub mod act;
pub mod candidate;
pub mod certificate;
pub mod comment;
pub mod counting;
pub mod describe;
pub mod error;
pub mod keys;
pub mod land;
pub mod log;
pub mod prospect;
pub mod show;
pub mod submit;
pub mod transitions;
pub mod verdict;
pub mod withdraw;

pub use error::ReviewError;
