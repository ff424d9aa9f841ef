//! What can be wrong with a question, and where.

use crate::catalog::query::{DEPTH_MAX, QUERY_BYTES_MAX, TERMS_MAX};
use crate::rules::pattern::PatternError;

/// Why text is no question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {} of the query", at + 1)]
pub struct QueryError {
    /// The text.
    pub text: String,
    /// Where it goes wrong, in characters from 0.
    pub at: usize,
    /// What is wrong there.
    pub problem: QueryProblem,
}

impl QueryError {
    /// The text with a mark under the place, on two lines.
    pub fn marked(&self) -> String {
        let text: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{text}\n{}^", " ".repeat(self.at))
    }
}

/// The ways in which text fails to be a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryProblem {
    #[error("the query has more than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    #[error("the query has more than {TERMS_MAX} terms")]
    TooManyTerms,
    #[error("brackets and negations are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("this quotation mark is never closed")]
    OpenQuote,
    #[error("this bracket is never closed")]
    OpenBracket,
    #[error("this bracket was never opened")]
    StrayBracket,
    #[error("something to look for is missing")]
    Missing,
    #[error("there is no key {key:?}")]
    UnknownKey { key: String, near: Option<String> },
    #[error("{key} needs a value")]
    NoValue { key: String },
    #[error("{text:?} has no letter or digit to look for")]
    NoWord { text: String },
    #[error("{key} takes no comparison")]
    NoComparison { key: String },
    #[error("{text:?} is no number")]
    Number { text: String },
    #[error("{text:?} is no size")]
    Size { text: String },
    #[error("{text:?} is no length of time")]
    Duration { text: String },
    #[error("{text:?} is no date")]
    Date { text: String },
    #[error("{text:?} ends before it begins")]
    EndsFirst { text: String },
    #[error("{text:?} cannot be a pattern of paths: {reason}")]
    Pattern { text: String, reason: PatternError },
    #[error("{text:?} is nothing that {key} knows")]
    Choice { key: &'static str, text: String, choices: &'static [&'static str] },
}

impl QueryProblem {
    /// What to write instead, as a sentence without its full stop.
    pub fn proposal(&self) -> Option<String> {
        let fixed = match self {
            Self::UnknownKey { near: Some(near), .. } => return Some(format!("did you mean {near}:?")),
            Self::UnknownKey { key, near: None } => {
                return Some(format!(
                    "keys are listed in `pent search --help`; to look for the text itself write \"{key}:...\" in quotation marks"
                ));
            }
            Self::OpenQuote => "close it, or leave it out",
            Self::OpenBracket | Self::StrayBracket => {
                "brackets come in pairs; one that is meant as such goes into quotation marks"
            }
            Self::Missing => "write a word after OR, NOT, - or the bracket",
            Self::Number { .. } => "write it like width:3000, width:>3000 or width:1000..3000",
            Self::Size { .. } => "write it like size:>20MB or size:1kB..2GiB",
            Self::Duration { .. } => "write it like length:>90, length:>1m30s or length:<0:30",
            Self::Date { .. } => "write it like since:2026-01, since:2026-01-15 or since:\"2 weeks ago\"",
            Self::EndsFirst { .. } => "write the smaller one first",
            Self::NoComparison { .. } => "comparisons are for numbers, sizes and dates",
            Self::Choice { choices, .. } => return Some(format!("it knows {}", choices.join(", "))),
            _ => return None,
        };
        Some(fixed.to_owned())
    }
}
