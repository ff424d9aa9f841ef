//! Lets what `.gitignore` and `.gitattributes` ask for hold here: rules for what is left out in `.pent/ignore`,
//! the rest among the repository's settings.

use crate::app::common::content::StoredContent;
use crate::app::common::session::IGNORE_RULES;
use crate::app::error::AppError;
use crate::base::escape::percent_encode;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::import::git::run::{Category, Imported, ImportedRef, Wish, category};
use crate::import::git::settings::{Translated, merged_rules, one_line};
use crate::import::git::source::Source;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::at_hand::AtHand;
use crate::repo::config::{Scope, SettingsFile, find_key};
use crate::repo::{RepoError, Repository};
use crate::store::Space;
use std::path::Path;

/// Longest file of rules that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Key of what the last import set.
const LAST_KEY: &[u8] = b"git-settings";
/// Key of the branch that it took them from.
const ORIGIN_KEY: &[u8] = b"git-settings-from";
/// The settings that are set.
pub const LFS_KEY: &str = "git.lfs";
const LOCK_KEY: &str = "lock.patterns";

/// Reads what the newest commit of the branch asks for that Git has checked out, and lets it hold here. An
/// import that is narrowed to other branches or paths than those that an earlier one took it from changes
/// nothing, and says from which branch it was taken.
pub fn take_over(
    repository: &Repository,
    source: &Source,
    wish: &Wish,
    imported: &Imported,
    monitor: &dyn Monitor,
) -> Result<(Translated, Option<String>), AppError> {
    let is_narrowed = !wish.names.is_empty() || !wish.paths.is_empty();
    let origin = |name: &[u8]| Origin {
        name: percent_encode(name),
        paths: wish.paths.iter().map(|path| percent_encode(path.as_bytes())).collect(),
    };
    let present = if is_narrowed { present(repository)? } else { None };
    let found = match &present {
        Some(present) => imported.refs.iter().find(|found| origin(&found.name) == *present),
        None => newest(source, imported),
    };
    let Some((name, commit)) = found.and_then(|found| Some((&found.name, found.commit?))) else {
        return Ok((Translated::default(), present.map(|origin| origin.name)));
    };
    let translated = read(repository, commit, monitor)?;
    write_rules(&repository.pent_dir().join(IGNORE_RULES), &translated.ignore)?;
    write_settings(repository, &translated, &origin(name))?;
    Ok((translated, None))
}

/// Where settings were taken from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Origin {
    /// The full name of a branch in Git, percent-encoded.
    name: String,
    /// The paths to which that import was narrowed, percent-encoded.
    paths: Vec<String>,
}

/// Where the settings that hold were taken from.
fn present(repository: &Repository) -> Result<Option<Origin>, AppError> {
    let bytes: Option<Vec<u8>> = repository.view()?.snapshot().get(Space::Settings, ORIGIN_KEY)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn newest<'i>(source: &Source, imported: &'i Imported) -> Option<&'i ImportedRef> {
    let head = source.head.as_deref();
    let is_head = |name: &[u8]| head == Some(name);
    let mut branches = imported.refs.iter().filter(|found| category(&found.name).0 == Category::Branch);
    imported.refs.iter().find(|found| is_head(&found.name)).or_else(|| branches.next())
}

fn read(repository: &Repository, commit: CommitId, monitor: &dyn Monitor) -> Result<Translated, AppError> {
    let view = repository.view()?;
    let stored = StoredContent::new(repository, &view, monitor)?;
    let tree = view.commit(commit)?.tree;
    let mut files: Vec<(AssetPath, bool, Vec<u8>)> = Vec::new();
    for item in TreeWalk::new(&AtHand(&view), tree, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        let is_ignore = entry.name == b".gitignore";
        if !is_ignore && entry.name != b".gitattributes" {
            continue;
        }
        if let Content::File { id, size, .. } = entry.content
            && size <= FILE_BYTES_MAX
        {
            let mut bytes = Vec::new();
            stored.extractor().write_file(id, size, &mut bytes)?;
            files.push((path.parent().unwrap_or_default(), is_ignore, bytes));
        }
    }
    // Files of inner folders win, so they come last.
    files.sort_by_key(|(folder, ..)| folder.names().count());
    let mut translated = Translated::default();
    for (folder, is_ignore, bytes) in files {
        if is_ignore {
            translated.add_ignore(&folder, &bytes);
        } else {
            translated.add_attributes(&folder, &bytes);
        }
    }
    Ok(translated)
}

fn write_rules(path: &Path, rules: &[String]) -> Result<(), AppError> {
    let io = |action: &'static str| {
        let path = path.to_owned();
        move |source| AppError::Io { action, path, source }
    };
    let present = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(io("reading")(error)),
    };
    let merged = merged_rules(&present, rules);
    if merged == present {
        return Ok(());
    }
    let partial = path.with_extension("part");
    std::fs::write(&partial, merged).map_err(io("writing"))?;
    std::fs::rename(&partial, path).map_err(io("writing"))
}

/// Sets what was asked for, unless somebody has set something else since the last import.
fn write_settings(repository: &Repository, translated: &Translated, origin: &Origin) -> Result<(), AppError> {
    let wanted = [(LFS_KEY, one_line(&translated.lfs)), (LOCK_KEY, one_line(&translated.lockable))];
    let last: Vec<String> = repository
        .view()?
        .snapshot()
        .get(Space::Settings, LAST_KEY)?
        .and_then(|bytes: Vec<u8>| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut file = SettingsFile::read(&repository.pent_dir().join("config.toml"), Scope::Repository)?;
    let mut changed = false;
    for (position, (name, value)) in wanted.iter().enumerate() {
        let Some(key) = find_key(name) else { continue };
        let present = file.get(key)?.unwrap_or_default();
        let is_ours = present.is_empty() || last.get(position) == Some(&present);
        if !is_ours || present == *value {
            continue;
        }
        changed = true;
        if value.is_empty() {
            file.unset(name);
        } else {
            file.set(key, value)?;
        }
    }
    if changed {
        file.write()?;
    }
    let values: Vec<&String> = wanted.iter().map(|(_, value)| value).collect();
    let encode = |source| RepoError::Record { what: "settings", source };
    let rows = [
        (ORIGIN_KEY, Some(serde_json::to_vec(origin).map_err(encode)?)),
        (LAST_KEY, changed.then(|| serde_json::to_vec(&values)).transpose().map_err(encode)?),
    ];
    let mut edit = repository.edit()?;
    let mut is_new = false;
    for (key, value) in rows.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        if edit.transaction().get(Space::Settings, key)?.as_ref() != Some(&value) {
            edit.transaction().put(Space::Settings, key, &value)?;
            is_new = true;
        }
    }
    if is_new {
        edit.commit()?;
    }
    Ok(())
}
