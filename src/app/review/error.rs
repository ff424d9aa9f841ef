//! Why something about a submission cannot be done.

use crate::base::id::ActionId;
use crate::base::path::AssetPath;
use crate::object::action::ActionError;
use crate::rules::schema::Breach;
use crate::trust::TrustError;

/// Errors of submissions and verdicts.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The branch has everything of the draft already.
    #[error("{branch} has everything of {draft} already")]
    NothingToSubmit { draft: String, branch: String },
    /// The draft is submitted as it is.
    #[error("{draft} is submitted as it is already")]
    NothingNew { draft: String },
    /// A branch cannot be submitted to itself.
    #[error("{branch} cannot be submitted to itself")]
    SameBranch { branch: String },
    /// The draft and the branch changed the same things.
    #[error("{draft} and {branch} both changed {}", list(paths))]
    BothChanged { draft: String, branch: String, paths: Vec<AssetPath> },
    /// Texts would come together to something that nobody has seen.
    #[error("{draft} and {branch} both changed {}; what comes of it, nobody has looked at", list(paths))]
    Unseen { draft: String, branch: String, paths: Vec<AssetPath> },
    /// Something does not fit the metadata schema of the branch, which its policy asks for.
    #[error("{branch} takes only what fits its schema: {}", first_breach(breaches))]
    Breaches { draft: String, branch: String, breaches: Vec<Breach> },
    /// No submission is called so.
    #[error("there is no submission of {name:?}")]
    NoSubmission { name: String },
    /// Nothing is submitted.
    #[error("nothing is waiting for a review")]
    NothingOpen,
    /// Several submissions could be meant.
    #[error("{} submissions could be meant: {}", names.len(), names.join("; "))]
    Ambiguous { names: Vec<String> },
    /// The submission is over.
    #[error("the submission of {draft} to {branch} {how}")]
    Over { draft: String, branch: String, how: &'static str },
    /// What was named is not part of the submission.
    #[error("the submission of {draft} changes nothing at {}", list(paths))]
    NotInIt { draft: String, paths: Vec<AssetPath> },
    /// Only whoever submitted may do this.
    #[error("{draft} was submitted by somebody else")]
    NotYours { draft: String },
    /// Words that are another's to erase.
    #[error("these words are somebody else's, and the policy does not let you erase them by yourself")]
    NotYourWords,
    /// There is no verdict to take back.
    #[error("you have given no verdict on {draft}")]
    NoVerdict { draft: String },
    /// A submission is taken back as a whole.
    #[error("you have said nothing of these assets; what {draft} submits is taken back as a whole")]
    WholeOnly { draft: String },
    /// A verdict on very many assets is not given anew for all but some.
    #[error("{left} assets of {draft} would be left of what you said: more than one verdict can name")]
    TooManyLeft { draft: String, left: usize },
    /// Nobody is called so who could be asked.
    #[error("the policy names nobody who is called {name:?}")]
    UnknownReviewer { name: String },
    /// A list of transitions that a submission names is not here.
    #[error("what the submission of {draft} would change is not here")]
    NoList { draft: String },
    /// Review actions that others name are not here.
    #[error("{} of the review of {draft} are missing here", count(missing.len(), "action", "actions"))]
    Gaps { draft: String, missing: Vec<ActionId> },
    /// More loose ends of a review than one entry of the shared log can name.
    #[error("{unseen} actions of the review of {draft} are in more places than a landing can name")]
    LooseEnds { draft: String, unseen: usize },
    /// What would land is not what was submitted.
    #[error("what would land is not what was submitted: {}", differences.join("; "))]
    Different { draft: String, branch: String, differences: Vec<String> },
    /// No landing brought it, or nobody approved it as it is.
    #[error("nobody's approval speaks for {name} as it is")]
    NotCertified { name: String },
    /// Words must be said with this.
    #[error("say why, so that it can be put right")]
    NoWords,
    /// What came back from the key does not verify.
    #[error("what the key signed does not verify: {reason}")]
    Unsigned { reason: String },
    /// An action cannot be written.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// Nothing can be signed.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The first of what does not fit, and how many more there are.
fn first_breach(breaches: &[Breach]) -> String {
    let Some(first) = breaches.first() else { return String::new() };
    let more = match breaches.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}: {}{more}", first.path, first.message)
}

/// Paths as a sentence has them.
pub(super) fn list(paths: &[AssetPath]) -> String {
    match paths {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
