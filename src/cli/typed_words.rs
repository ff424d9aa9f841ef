//! Words on a command line that may name a commit, a version of an asset, or a path.

use crate::app::common::locate::{Word, named_commit, read_path_word};
use crate::base::escape;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::paths::worktree_path;
use crate::repo::Repository;
use std::path::{Path, PathBuf};

/// Reads words. Revisions win over paths; `./main` or a word after `--` is a path whatever its name.
pub fn read_words(
    context: &Context,
    repository: &Repository,
    words: &[PathBuf],
) -> Result<Vec<Word>, Failure> {
    let view = repository.view()?;
    let exists = |path: &AssetPath| {
        worktree_path(repository.root(), path).is_some_and(|place| place.symlink_metadata().is_ok())
    };
    let now = context.clock().now();
    let mut named = Vec::with_capacity(words.len());
    for word in words {
        let commit = word.to_str().map(|text| named_commit(&view, text, now)).transpose()?.flatten();
        named.push(commit.zip(word.to_str()));
    }
    let commits: Vec<CommitId> = named.iter().flatten().map(|(commit, _)| *commit).collect();
    let read = |(word, named): (&PathBuf, &Option<(CommitId, &str)>)| {
        if let Some((_, text)) = named {
            return Ok(Word::Revision((*text).to_owned()));
        }
        let path = context.asset_path(repository, word)?;
        Ok(read_path_word(&view, &shown(word), path, &commits, &exists)?)
    };
    words.iter().zip(&named).map(read).collect()
}

fn shown(word: &Path) -> String {
    escape::terminal(word.as_os_str().as_encoded_bytes())
}
