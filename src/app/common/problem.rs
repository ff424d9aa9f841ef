//! A path that a use case could not deal with.

use crate::base::monitor::Problem;
use crate::base::path::AssetPath;
use serde::Serialize;

/// A path that could not be dealt with, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemLine {
    /// The path.
    pub path: AssetPath,
    /// Why, as a sentence without its full stop.
    pub message: String,
}

impl From<Problem> for ProblemLine {
    fn from(problem: Problem) -> Self {
        Self { path: problem.path, message: problem.message }
    }
}
