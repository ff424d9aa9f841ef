//! The metadata schema that holds, and what of some assets does not fit it.

use crate::app::common::content::small_file;
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::media::format::FORMATS;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository, View};
use crate::rules::schema::{Breach, SCHEMA_BYTES_MAX, SCHEMA_FILE, Schema, SchemaError, Subject};
use std::io::{ErrorKind, Read};

/// Most breaches that one command tells.
pub const BREACHES_MAX: usize = 1_000;

/// The text of the schema in the worktree; `None` without one.
pub fn text_in_worktree(repository: &Repository) -> Result<Option<String>, AppError> {
    let path = repository.root().join(SCHEMA_FILE);
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => {
            let file = std::fs::File::open(&path).map_err(AppError::io("reading", &path))?;
            read_text(file).map(Some).map_err(AppError::io("reading", &path))
        }
        Ok(_) => Err(AppError::NoFile { path: AssetPath::from_bytes(SCHEMA_FILE).unwrap_or_default() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AppError::Io { action: "reading", path, source }),
    }
}

/// The schema in the worktree.
pub fn in_worktree(repository: &Repository) -> Result<Option<Schema>, AppError> {
    Ok(text_in_worktree(repository)?.map(|text| Schema::parse(&text)).transpose()?)
}

/// The text of the schema in a tree; `None` without one. Costs a look at the top folder.
pub fn text_in_tree(
    repository: &Repository,
    view: &View,
    tree: TreeId,
    monitor: &dyn Monitor,
) -> Result<Option<String>, AppError> {
    text_of(repository, (view, view), tree, monitor)
}

/// The same, of a tree whose nodes another source has.
fn text_of<S: ObjectSource<Error = RepoError>>(
    repository: &Repository,
    (view, source): (&View, &S),
    tree: TreeId,
    monitor: &dyn Monitor,
) -> Result<Option<String>, AppError> {
    let path = AssetPath::from_bytes(SCHEMA_FILE).unwrap_or_default();
    let entry = entry_at(source, tree, &path).map_err(RepoError::from)?;
    let Some(Content::File { id, size, .. }) = entry.map(|entry| entry.content) else { return Ok(None) };
    if size > SCHEMA_BYTES_MAX as u64 {
        return Err(SchemaError { line: None, problem: "it is too long to be a schema".to_owned() }.into());
    }
    let bytes = small_file(repository, view, (id, size), monitor)?;
    let no_text = |_| SchemaError { line: None, problem: "it is no text".to_owned() };
    Ok(Some(String::from_utf8(bytes).map_err(no_text)?))
}

/// The schema in a tree.
pub fn in_tree(
    repository: &Repository,
    view: &View,
    tree: TreeId,
    monitor: &dyn Monitor,
) -> Result<Option<Schema>, AppError> {
    Ok(text_in_tree(repository, view, tree, monitor)?.map(|text| Schema::parse(&text)).transpose()?)
}

/// The schema in a tree whose nodes another source has.
pub fn in_tree_of<S: ObjectSource<Error = RepoError>>(
    repository: &Repository,
    (view, source): (&View, &S),
    tree: TreeId,
    monitor: &dyn Monitor,
) -> Result<Option<Schema>, AppError> {
    let text = text_of(repository, (view, source), tree, monitor)?;
    Ok(text.map(|text| Schema::parse(&text)).transpose()?)
}

fn read_text(file: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.take(SCHEMA_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is no text"))
}

/// What a file is by its name: the end of it, the format that usually ends so, the family.
pub fn types_of(path: &AssetPath) -> Vec<String> {
    let extension = String::from_utf8_lossy(&path.extension()).into_owned();
    let mut types = vec![extension.clone()];
    for format in FORMATS.iter().filter(|format| format.extensions.contains(&extension.as_str())) {
        types.push(format.id.to_owned());
        types.push(crate::app::search::describe::family_name(format.family));
    }
    types
}

/// What of one asset does not fit. Only files are held against a schema, and not the schema itself.
pub fn breaches_of<S: ObjectSource<Error = RepoError>>(
    source: &S,
    schema: &Schema,
    path: &AssetPath,
    entry: &TreeEntry,
) -> Result<Vec<Breach>, AppError> {
    if !matches!(entry.content, Content::File { .. }) || path.name().starts_with(b".") {
        return Ok(Vec::new());
    }
    let metadata = match entry.metadata {
        Some(id) => source.metadata(id)?,
        None => Metadata::default(),
    };
    Ok(schema.check(Subject { path, metadata: &metadata, types: &types_of(path) }))
}

/// What of some paths of a tree does not fit.
pub fn breaches_in<'p, S: ObjectSource<Error = RepoError>>(
    source: &S,
    schema: &Schema,
    tree: TreeId,
    paths: impl IntoIterator<Item = &'p AssetPath>,
) -> Result<Vec<Breach>, AppError> {
    let mut breaches = Vec::new();
    for path in paths {
        if breaches.len() >= BREACHES_MAX {
            break;
        }
        if let Some(entry) = entry_at(source, tree, path).map_err(RepoError::from)? {
            breaches.extend(breaches_of(source, schema, path, &entry)?);
        }
    }
    breaches.truncate(BREACHES_MAX);
    Ok(breaches)
}
