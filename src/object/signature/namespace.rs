//! What a signature is for.

use std::fmt;

/// The purpose of a signature: one made for one purpose never counts for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// The bytes of a commit.
    Commit,
    /// An action of the review log: a submission, a verdict, a comment.
    Action,
    /// A link of the policy chain.
    Policy,
    /// An entry of the shared log.
    Log,
    /// The permission to remove a file's bytes for good.
    Erase,
    /// The answer to a server's question who is there.
    Login,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Commit, Self::Action, Self::Policy, Self::Log, Self::Erase, Self::Login];

    /// The text that `ssh-keygen -n` takes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit@pentimento",
            Self::Action => "action@pentimento",
            Self::Policy => "policy@pentimento",
            Self::Log => "log@pentimento",
            Self::Erase => "erase@pentimento",
            Self::Login => "login@pentimento",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
