//! How two files of one medium differ, in the medium's own terms: pixels, layers, facts.
//!
//! Everything here is pure: it compares what decoders found.

mod align;
mod antialias;
pub mod facts;
pub mod film;
pub mod layers;
mod picture;
mod regions;
mod similarity;
pub mod sound;

pub use align::{Aligned, Alignment, align};
pub use picture::{DifferenceMap, PictureDiff, Sensitivity, Verdict, compare};
pub use regions::Region;
