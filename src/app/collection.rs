//! Smart collections: questions that are kept under a name in a file of the worktree.

use crate::app::common::content::small_file;
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::catalog::collections::{COLLECTIONS_BYTES_MAX, COLLECTIONS_FILE, Collections};
use crate::catalog::query::{Known, parse};
use crate::object::source::ObjectSource as _;
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository};
use serde::Serialize;
use std::io::{ErrorKind, Read as _, Write as _};

/// The collections.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was done: `listed`, `kept` or `removed`.
    pub done: &'static str,
    /// The collection that it was done to.
    pub name: Option<String>,
    /// All collections.
    pub collections: Vec<CollectionLine>,
}

/// A question that is kept under a name.
#[derive(Debug, Clone, Serialize)]
pub struct CollectionLine {
    /// The name.
    pub name: String,
    /// The question.
    pub query: String,
}

/// Lists them.
pub fn list(repository: &Repository, monitor: &dyn Monitor) -> Result<Report, AppError> {
    Ok(report("listed", None, &read(repository, monitor)?))
}

/// The question of a name.
pub fn query(repository: &Repository, name: &str, monitor: &dyn Monitor) -> Result<String, AppError> {
    Ok(read(repository, monitor)?.query(name)?.to_owned())
}

/// Keeps a question under a name.
pub fn keep(
    repository: &Repository,
    name: &str,
    query: &str,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    // A question that nobody can ask is not kept. Fields may come later.
    parse(query, &AnyField, now)?;
    let mut collections = read(repository, monitor)?;
    collections.set(name, query)?;
    write(repository, &collections)?;
    Ok(report("kept", Some(name), &collections))
}

/// Forgets a name.
pub fn remove(repository: &Repository, name: &str, monitor: &dyn Monitor) -> Result<Report, AppError> {
    let mut collections = read(repository, monitor)?;
    collections.remove(name)?;
    write(repository, &collections)?;
    Ok(report("removed", Some(name), &collections))
}

struct AnyField;

impl Known for AnyField {
    fn has_field(&self, _: &str) -> bool {
        true
    }

    fn fields(&self) -> Vec<String> {
        Vec::new()
    }
}

fn report(done: &'static str, name: Option<&str>, collections: &Collections) -> Report {
    let line =
        |(name, query): (&str, &str)| CollectionLine { name: name.to_owned(), query: query.to_owned() };
    Report { done, name: name.map(str::to_owned), collections: collections.entries().map(line).collect() }
}

/// Reads them as they stand in the worktree, or in the newest commit where the file is not shown.
fn read(repository: &Repository, monitor: &dyn Monitor) -> Result<Collections, AppError> {
    let path = repository.root().join(COLLECTIONS_FILE);
    let bytes = match std::fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(&path).map_err(AppError::io("reading", &path))?;
            let most = COLLECTIONS_BYTES_MAX as u64 + 1;
            file.take(most).read_to_end(&mut bytes).map_err(AppError::io("reading", &path))?;
            bytes
        }
        Ok(_) => {
            return Err(AppError::NoFile {
                path: AssetPath::from_bytes(COLLECTIONS_FILE).unwrap_or_default(),
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => committed(repository, monitor)?,
        Err(source) => return Err(AppError::Io { action: "reading", path, source }),
    };
    Ok(Collections::parse(&String::from_utf8_lossy(&bytes))?)
}

fn committed(repository: &Repository, monitor: &dyn Monitor) -> Result<Vec<u8>, AppError> {
    let view = repository.view()?;
    let state = view.state()?;
    // A file that the worktree should show and does not was taken away.
    let (Some(head), false) = (view.head()?, state.sparse.is_none()) else { return Ok(Vec::new()) };
    let path = AssetPath::from_bytes(COLLECTIONS_FILE).unwrap_or_default();
    let tree = view.commit(head)?.tree;
    let entry = entry_at(&view, tree, &path).map_err(RepoError::from)?;
    let Some(Content::File { id, size, .. }) = entry.map(|entry| entry.content) else {
        return Ok(Vec::new());
    };
    if size > COLLECTIONS_BYTES_MAX as u64 {
        return Err(crate::catalog::collections::CollectionsError::TooLong.into());
    }
    small_file(repository, &view, (id, size), monitor)
}

/// Writes them beside the file, then renames: whoever reads sees the old or the new text.
fn write(repository: &Repository, collections: &Collections) -> Result<(), AppError> {
    let path = repository.root().join(COLLECTIONS_FILE);
    let folder = repository.pent_dir().join("tmp");
    let fault = || AppError::io("writing", &path);
    std::fs::create_dir_all(&folder).map_err(fault())?;
    let beside = folder.join(format!("collections-{}", std::process::id()));
    let mut file = std::fs::File::create(&beside).map_err(fault())?;
    file.write_all(collections.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(fault())?;
    std::fs::rename(&beside, &path).map_err(fault())
}
