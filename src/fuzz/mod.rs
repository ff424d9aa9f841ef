//! Every decoder of stored bytes, and of what strangers write, thrown all kinds of bytes at.
//!
//! [`targets`] is the one list. In the tests a plain mutator runs each for a while (seconds, or
//! minutes with `PENT_CI=long`; one alone with `PENT_FUZZ=<part of its name>`) and watches memory
//! and time. What must hold: no panic, no more memory or time than the input justifies, and what
//! is taken is written as the same bytes again. Built with `--cfg fuzzing`, the library offers the
//! list to other fuzzers.
//!
//! A new decoder gets a [`Target`] in the `fuzz.rs` of its family; a new family a line in
//! [`FAMILIES`]. A test finds source files with decoders that no target names.

#[cfg(test)]
mod hostile;
mod mutate;
#[cfg(test)]
mod tests;

pub use crate::base::fuzz::{Target, Verdict};
pub use mutate::{Mutator, mutate};

/// The lists of all families.
const FAMILIES: &[&[Target]] = &[
    crate::object::fuzz::TARGETS,
    crate::object::fuzz::review::TARGETS,
    crate::object::fuzz::trust::TARGETS,
    crate::rules::fuzz::TARGETS,
    crate::store::fuzz::TARGETS,
    crate::store::bucket::fuzz::TARGETS,
    crate::repo::fuzz::TARGETS,
    crate::worktree::fuzz::TARGETS,
    crate::trust::fuzz::TARGETS,
    crate::sync::fuzz::TARGETS,
    crate::sync::wire::fuzz::TARGETS,
    crate::import::fuzz::TARGETS,
    crate::diff::fuzz::TARGETS,
    crate::media::fuzz::TARGETS,
    crate::catalog::fuzz::TARGETS,
    crate::media::fuzz::embedded::TARGETS,
    crate::media::fuzz::families::TARGETS,
    crate::media::fuzz::offices::TARGETS,
    crate::media::fuzz::others::TARGETS,
    crate::media::fuzz::pictures::TARGETS,
    crate::media::fuzz::scenes::TARGETS,
    crate::care::fuzz::TARGETS,
    crate::app::fuzz::TARGETS,
    crate::app::serve::fuzz::TARGETS,
];

/// All targets.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    FAMILIES.iter().copied().flatten()
}

/// Runs one target and says what is wrong with what it did; `None` when all is well.
///
/// Panics of the decoder come through. Gives whether the bytes were taken.
pub fn judge(target: &Target, bytes: &[u8]) -> Result<bool, String> {
    match (target.run)(bytes) {
        Verdict::Refused => Ok(false),
        Verdict::Understood => Ok(true),
        Verdict::Canonical(written) if written == bytes => Ok(true),
        Verdict::Canonical(written) => {
            Err(format!("it took these bytes and would write others: {written:02x?}"))
        }
        Verdict::Wrong(what) => Err(what),
    }
}
