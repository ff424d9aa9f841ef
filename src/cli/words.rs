//! Words on a command line that may name a commit, a version of an asset, or a path.

use crate::app::locate::{Word, names_commit, read_path_word};
use crate::base::escape;
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
    let read = |word: &PathBuf| {
        if let Some(text) = word.to_str()
            && names_commit(&view, text, context.clock().now())?
        {
            return Ok(Word::Revision(text.to_owned()));
        }
        let path = context.asset_path(repository, word)?;
        Ok(read_path_word(&view, &shown(word), path, &exists)?)
    };
    words.iter().map(read).collect()
}

fn shown(word: &Path) -> String {
    escape::terminal(word.as_os_str().as_encoded_bytes())
}
