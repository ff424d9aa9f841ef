//! Reviews: what the signed actions of the review log add up to.
//!
//! [`order`] and [`causal`] put actions in the one order that their signers saw them in; [`fold`](fold::fold)
//! makes the state of all submissions of them, a pure function of the set; [`permission`] says who may
//! do what; [`submission`] says which transitions are approved by whom; [`landing`] compares what
//! would land with what was submitted.
//!
//! Nothing here reads a store, a clock or a policy: what a policy asks for is decided where both meet.

pub mod causal;
pub mod entry;
pub mod fold;
pub mod landing;
pub mod order;
pub mod permission;
pub mod submission;
