//! The metadata schema that holds, and what of some assets does not fit it.

use crate::app::common::content::{StoredContent, small_file};
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::catalog::collections::COLLECTIONS_FILE;
use crate::media::format::FORMATS;
use crate::media::sniff::sniff_by;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository, View};
use crate::rules::ignore::IGNORE_FILE;
use crate::rules::schema::{Breach, SCHEMA_BYTES_MAX, SCHEMA_FILE, Schema, SchemaError, Subject};
use std::io::{self, ErrorKind, Read};

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

/// Whether a file is one of those by which the project itself is described: no schema is about them.
pub fn is_ours(path: &AssetPath) -> bool {
    let ours = [SCHEMA_FILE.as_bytes(), COLLECTIONS_FILE.as_bytes(), IGNORE_FILE];
    ours.contains(&path.name())
}

/// What of one asset does not fit, which is of these types. Only files are held against a schema, and not those
/// that describe the project.
pub fn breaches_of<S: ObjectSource<Error = RepoError>>(
    source: &S,
    schema: &Schema,
    path: &AssetPath,
    entry: &TreeEntry,
    types: &[String],
) -> Result<Vec<Breach>, AppError> {
    if !matches!(entry.content, Content::File { .. }) || is_ours(path) {
        return Ok(Vec::new());
    }
    let metadata = match entry.metadata {
        Some(id) => source.metadata(id)?,
        None => Metadata::default(),
    };
    Ok(schema.check(Subject { path, metadata: &metadata, types }))
}

/// Tells of what types an entry at a path is.
type Types<'t> = dyn Fn(&AssetPath, &TreeEntry) -> Result<Vec<String>, AppError> + 't;

/// What of some paths of a tree does not fit, by their names.
pub fn breaches_in<'p, S: ObjectSource<Error = RepoError>>(
    source: &S,
    schema: &Schema,
    tree: TreeId,
    paths: impl IntoIterator<Item = &'p AssetPath>,
) -> Result<Vec<Breach>, AppError> {
    breaches_by(source, schema, tree, paths, &|path, _| Ok(types_of(path)))
}

/// The same, by what is in the files as well: nothing gets around a rule by another name. Reads the beginning
/// and the end of each, where a rule asks for types.
pub fn breaches_by_content<'p, S: ObjectSource<Error = RepoError>>(
    (repository, view, monitor): (&Repository, &View, &dyn Monitor),
    source: &S,
    schema: &Schema,
    tree: TreeId,
    paths: impl IntoIterator<Item = &'p AssetPath>,
) -> Result<Vec<Breach>, AppError> {
    let scopes =
        schema.required.iter().map(|rule| &rule.scope).chain(schema.names.iter().map(|rule| &rule.scope));
    if scopes.clone().all(|scope| scope.types.is_empty()) {
        return breaches_in(source, schema, tree, paths);
    }
    let stored = StoredContent::new(repository, view, monitor)?;
    let extractor = stored.extractor();
    breaches_by(source, schema, tree, paths, &|path, entry| {
        let mut types = types_of(path);
        let Content::File { id, size, .. } = entry.content else { return Ok(types) };
        // What a merge has put together of two texts is not stored yet, and what is not here cannot be asked.
        if size > 0 && view.has_content(id, size)? && !view.is_erased(id)? {
            let read = |offset: u64, most: usize| {
                let mut bytes = Vec::new();
                let end = offset.saturating_add(most as u64).min(size);
                extractor
                    .read_range(id, size, offset.min(size)..end, &mut bytes)
                    .map_err(io::Error::other)?;
                Ok(bytes)
            };
            let format = sniff_by(size, path.name(), read).map_err(|source| AppError::Io {
                action: "reading",
                path: path.to_string().into(),
                source,
            })?;
            types.extend([format.id.to_owned(), format.family.name().to_owned()]);
        }
        Ok(types)
    })
}

fn breaches_by<'p, S: ObjectSource<Error = RepoError>>(
    source: &S,
    schema: &Schema,
    tree: TreeId,
    paths: impl IntoIterator<Item = &'p AssetPath>,
    types: &Types<'_>,
) -> Result<Vec<Breach>, AppError> {
    let mut breaches = Vec::new();
    for path in paths {
        if breaches.len() >= BREACHES_MAX {
            break;
        }
        if let Some(entry) = entry_at(source, tree, path).map_err(RepoError::from)? {
            breaches.extend(breaches_of(source, schema, path, &entry, &types(path, &entry)?)?);
        }
    }
    breaches.truncate(BREACHES_MAX);
    Ok(breaches)
}
