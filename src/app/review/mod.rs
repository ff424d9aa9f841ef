//! Submissions: asking for work to land, judging it, landing it, and proving it afterwards.

pub mod transitions;
