//! What is missing, in words.

use crate::base::escape;
use crate::object::approval::Judgement;
use crate::rules::approval::{Missing, Paths, Refusal, UnsignedCommits};
use crate::rules::policy::{Requirement, Who};
use std::fmt::{self, Display};

/// What a requirement asks for, as people say it: `2 editors`, `1 of anna, ben`.
pub fn asked(requirement: &Requirement) -> String {
    match requirement.of.as_slice() {
        [Who::Role(role)] if requirement.count > 1 => format!("{} {role}s", requirement.count),
        [Who::Role(role)] => format!("1 {role}"),
        [Who::Person(person)] => person.to_string(),
        _ => requirement.to_string(),
    }
}

/// Names in a row: `anna`, `anna and ben`, `anna, ben and cleo`.
pub fn listed<T: Display>(names: &[T]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}

impl Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.total - self.first.len();
        let mut names: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        f.write_str(&listed(&names))
    }
}

/// Each commit with what is wrong with it: `1a2b3c4d (nobody signed it) and 2 more`.
impl Display for UnsignedCommits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.total - self.first.len();
        let named = self.first.iter().map(|(commit, because)| format!("{} ({because})", commit.short()));
        let mut named: Vec<String> = named.collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        f.write_str(&listed(&named))
    }
}

/// Who did, and who could still do it.
fn standing(f: &mut fmt::Formatter<'_>, have: &[impl Display], could: &[impl Display]) -> fmt::Result {
    match (have, could) {
        ([], []) => write!(f, ": nobody has, and nobody can"),
        ([], could) => write!(f, ": nobody has yet, {} could", listed(could)),
        (have, []) => write!(f, ": only {} did, and nobody else can", listed(have)),
        (have, could) => write!(f, ": {} did, {} could", listed(have), listed(could)),
    }
}

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removal => f.write_str("it cannot be removed while the policy protects it"),
            Self::GoesBack => f.write_str("it only goes forward: what it has stays in its history"),
            Self::SkipsStates => f.write_str(
                "it goes on by one commit at a time, made on the one where it stands: each state of it is judged",
            ),
            Self::BeginsEmpty => f.write_str("it cannot begin with nothing in it"),
            Self::NotSubmitted { submission } => write!(
                f,
                "submission {} was taken back, or nobody whom the policy knows asked for it",
                submission.short()
            ),
            Self::Unsubmitted { paths } => {
                write!(f, "the submission as it is now does not ask for what would become of {paths}")
            }
            Self::LeftOut { paths } => write!(f, "the submission asks for {paths} as well"),
            Self::Unsigned => {
                f.write_str("whoever moves it must sign that, and there is no key to sign with")
            }
            Self::Approvals { requirement, have, could, paths, ignored, .. } => {
                write!(f, "{} must approve {paths}", asked(requirement))?;
                standing(f, have, could)?;
                for (who, why) in ignored {
                    write!(f, "; what {} said does not count: {why}", escape::terminal(who.as_bytes()))?;
                }
                Ok(())
            }
            Self::Objection { by, judgement: Judgement::Reject, paths } => write!(f, "{by} rejected {paths}"),
            Self::Objection { by, paths, .. } => write!(f, "{by} asked for changes of {paths}"),
            Self::NotSigned { commits } => write!(
                f,
                "it takes only commits that somebody whom the policy names has signed, and not {commits}"
            ),
            Self::TagSetter { set } => write!(f, "only {} may set and remove it", listed(set)),
            Self::UnknownKey { key } => write!(f, "the policy does not know the key {key}"),
            Self::OtherPersonsKey { key, holder } => write!(f, "the key {key} is {holder}'s"),
            Self::KeyNotValid { key } => write!(f, "the key {key} does not count at this time"),
            Self::KeyRevoked { key } => write!(f, "the key {key} was revoked"),
            Self::MayNotPush { person } => write!(f, "{person} may not send changes"),
            Self::Unprotected => f.write_str("no policy protects it, so there is nothing to permit"),
            Self::Landed { submission } => {
                write!(f, "submission {} has landed already, and lands once", submission.short())
            }
            Self::Disputed { rivals } => {
                let rivals: Vec<String> = rivals.iter().map(crate::base::id::PolicyId::short).collect();
                write!(
                    f,
                    "policies {} both claim to follow the same one, and nothing moves until that is settled",
                    listed(&rivals)
                )
            }
            Self::Elsewhere { log, from } => {
                let place = |commit: &Option<crate::base::id::CommitId>| {
                    commit.map_or_else(|| "nowhere".to_owned(), |commit| commit.short())
                };
                write!(f, "by the shared log it is at {}, not at {}", place(log), place(from))
            }
            Self::Signatures { requirement, have, could, .. } => {
                write!(f, "{} must sign", asked(requirement))?;
                standing(f, have, could)
            }
        }
    }
}

/// The name, and everything that is missing.
impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is protected: ", escape::terminal(self.name.as_bytes()))?;
        for (index, missing) in self.missing.iter().enumerate() {
            write!(f, "{}{missing}", if index > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
