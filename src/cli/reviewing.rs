//! What every verb about submissions begins with: the repository, who acts, with which key, and whose
//! keys are known.

use crate::app::common::signing::SigningAs;
use crate::app::review::act::{Acting, Actor, Subject};
use crate::app::review::keys::ReviewKeys;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::repo::Repository;
use crate::repo::people::Identity;
use std::path::PathBuf;

/// A person at work on submissions.
pub struct Desk {
    /// The repository.
    pub repository: Repository,
    /// Whose keys are whose.
    pub keys: ReviewKeys,
    identity: Identity,
    signing: SigningAs,
}

impl Desk {
    /// Opens the repository and makes the person's key ready.
    pub fn open(context: &mut Context) -> Result<Self, Failure> {
        let repository = context.repository()?;
        let identity = context.identity_or_ask()?.ok_or(crate::app::error::AppError::NoIdentity)?;
        let keys = keys(context, &repository)?;
        let signing = context.signing(&identity)?;
        Ok(Self { repository, keys, identity, signing })
    }

    /// The person, ready to act.
    pub fn acting<'a>(&'a self, context: &'a Context) -> Acting<'a> {
        Acting {
            repository: &self.repository,
            actor: Actor { identity: &self.identity, signer: &*self.signing.signer },
            keys: &self.keys,
            clock: context.clock(),
            monitor: context.monitor(),
        }
    }
}

/// Whose keys are whose in a repository.
pub fn keys(context: &Context, repository: &Repository) -> Result<ReviewKeys, Failure> {
    let now = context.clock().now();
    Ok(ReviewKeys::of(repository, context.keyring()?, now, context.monitor())?)
}

/// Takes apart what was typed behind a verb: first a submission - a draft or the beginning of an id -
/// then folders and assets. Without a submission, or when the first word is a path that is here, all
/// are paths.
pub fn subject(context: &Context, repository: &Repository, words: &[PathBuf]) -> Result<Subject, Failure> {
    let Some((first, rest)) = words.split_first() else { return Ok(Subject::default()) };
    let name = first.to_str().filter(|_| context.folder().join(first).symlink_metadata().is_err());
    let paths = context.asset_paths(repository, if name.is_some() { rest } else { words })?;
    Ok(Subject { submission: name.map(str::to_owned), paths })
}
