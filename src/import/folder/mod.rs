//! History from folders in which people kept versions by name: `logo_v1.psd, logo_v2_FINAL.psd`, dated
//! folders, archives of old states. First a [`plan::Plan`] is made, which writes nothing; then the plan
//! is carried out.

pub mod archive;
mod group;
pub mod habits;
mod inside;
mod order;
pub mod pattern;
pub mod plan;
pub mod run;
pub mod scan;
mod states;
