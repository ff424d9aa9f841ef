//! `schema`: what is to be said about assets, how files are to be named, and what does not fit.

use crate::app::common::field_value;
use crate::app::common::schema::{
    BREACHES_MAX, breaches_of, in_tree, in_worktree, is_ours, text_in_tree, text_in_worktree, types_of,
};
use crate::app::error::AppError;
use crate::app::meta::{self, Change};
use crate::base::id::TreeId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::metadata::{FieldName, FieldValue, LABELS_FIELD};
use crate::object::source::ObjectSource as _;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_walk::TreeWalk;
use crate::repo::{RepoError, Repository, View};
use crate::rules::schema::{Breach, SCHEMA_FILE, Schema, TEMPLATE};
use serde::Serialize;
use std::collections::BTreeMap;

/// A schema as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its text.
    pub text: String,
    /// Its fields.
    pub fields: Vec<FieldLine>,
    /// Its vocabularies, by name: the terms with those above them, as `Places/Harbour`.
    pub vocabularies: BTreeMap<String, Vec<String>>,
    /// Rules on what must be filled in.
    pub required: u64,
    /// Rules on names.
    pub names: u64,
}

/// A field of a schema.
#[derive(Debug, Clone, Serialize)]
pub struct FieldLine {
    /// Its name.
    pub name: FieldName,
    /// Its type, as `meta set --type` takes it.
    pub kind: &'static str,
    /// What it is for.
    pub about: Option<String>,
    /// The only values that it takes; any when empty.
    pub choices: Vec<String>,
    /// The vocabulary of its terms.
    pub vocabulary: Option<String>,
}

/// What does not fit.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// How many files were looked at.
    pub files: u64,
    /// What does not fit.
    pub breaches: Vec<Breach>,
    /// Whether there is more that is not told.
    pub more: bool,
}

/// What was filled in.
#[derive(Debug, Clone, Serialize)]
pub struct ApplyReport {
    /// The assets, each with the fields that it got.
    pub assets: Vec<AppliedLine>,
}

/// Fields that an asset got.
#[derive(Debug, Clone, Serialize)]
pub struct AppliedLine {
    /// The asset.
    pub path: AssetPath,
    /// Fields with their values, as people write them.
    pub set: BTreeMap<FieldName, String>,
}

/// Gives the worktree a schema to go on from, or one from a text.
pub fn init(repository: &Repository, text: Option<String>) -> Result<Report, AppError> {
    let path = AssetPath::from_bytes(SCHEMA_FILE).unwrap_or_default();
    if text_in_worktree(repository)?.is_some() {
        return Err(AppError::PathTaken { path });
    }
    replace(repository, &text.unwrap_or_else(|| TEMPLATE.to_owned()))
}

/// Puts a schema in place of the one in the worktree, when it is one.
pub fn replace(repository: &Repository, text: &str) -> Result<Report, AppError> {
    let schema = Schema::parse(text)?;
    let path = repository.root().join(SCHEMA_FILE);
    let folder = repository.pent_dir().join("tmp");
    let beside = folder.join(format!("schema-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&beside, text))
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(AppError::io("writing", &path))?;
    Ok(report(text, &schema))
}

/// The schema of the worktree, or of a revision.
pub fn show(
    repository: &Repository,
    revision: Option<&str>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let text = match revision {
        None => text_in_worktree(repository)?,
        Some(text) => text_in_tree(repository, &view, tree_at(&view, text, clock)?, monitor)?,
    };
    let text = text.ok_or(AppError::NoSchema)?;
    let schema = Schema::parse(&text)?;
    Ok(report(&text, &schema))
}

fn tree_at(view: &View, revision: &str, clock: &dyn Clock) -> Result<TreeId, AppError> {
    Ok(view.commit(view.resolve(revision, clock.now())?.commit)?.tree)
}

fn report(text: &str, schema: &Schema) -> Report {
    let fields = schema.fields.iter().map(|(name, field)| FieldLine {
        name: name.clone(),
        kind: field.kind.name(),
        about: field.about.clone(),
        choices: field.choices.clone(),
        vocabulary: field.vocabulary.clone(),
    });
    let vocabularies = schema.vocabularies.iter().map(|(name, vocabulary)| {
        let mut paths: Vec<String> = vocabulary.terms.keys().map(|id| vocabulary.path_of(*id)).collect();
        paths.sort();
        (name.clone(), paths)
    });
    Report {
        text: text.to_owned(),
        fields: fields.collect(),
        vocabularies: vocabularies.collect(),
        required: schema.required.len() as u64,
        names: schema.names.len() as u64,
    }
}

/// Holds everything committed at or below some paths against the schema: that of the worktree, or of the
/// revision that is looked at. Edits of metadata that wait for a commit count.
pub fn check(
    repository: &Repository,
    paths: &[AssetPath],
    revision: Option<&str>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<CheckReport, AppError> {
    monitor.phase(Phase { name: "Checking", files_total: None, bytes_total: None });
    let view = repository.view()?;
    let (schema, tree) = match revision {
        Some(text) => {
            let tree = tree_at(&view, text, clock)?;
            (in_tree(repository, &view, tree, monitor)?, tree)
        }
        None => (in_worktree(repository)?, head_tree(&view)?),
    };
    let schema = schema.ok_or(AppError::NoSchema)?;
    let pending = if revision.is_none() { view.state()?.pending.metadata } else { BTreeMap::new() };
    let mut report = CheckReport { files: 0, breaches: Vec::new(), more: false };
    for item in TreeWalk::new(&view, tree, AssetPath::root()) {
        let (path, mut entry) = item.map_err(RepoError::from)?;
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let wanted = paths.is_empty() || paths.iter().any(|folder| path.is_within(folder));
        if !wanted || !matches!(entry.content, Content::File { .. }) {
            continue;
        }
        report.files += 1;
        if let Some(metadata) = pending.get(&path) {
            entry.metadata = *metadata;
        }
        report.breaches.extend(breaches_of(&view, &schema, &path, &entry, &types_of(&path))?);
        if report.breaches.len() > BREACHES_MAX {
            report.breaches.truncate(BREACHES_MAX);
            report.more = true;
            break;
        }
    }
    Ok(report)
}

fn head_tree(view: &View) -> Result<TreeId, AppError> {
    Ok(match view.head()? {
        Some(head) => view.commit(head)?.tree,
        None => TreeNode::empty_id(),
    })
}

/// Fills in what the schema says for assets that say nothing else. It waits for the next commit.
pub fn apply(
    repository: &Repository,
    paths: &[AssetPath],
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ApplyReport, AppError> {
    let schema = in_worktree(repository)?.ok_or(AppError::NoSchema)?;
    let view = repository.view()?;
    let pending = view.state()?.pending.metadata;
    let mut assets = Vec::new();
    for item in TreeWalk::new(&view, head_tree(&view)?, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        let wanted = paths.is_empty() || paths.iter().any(|folder| path.is_within(folder));
        if !wanted || !matches!(entry.content, Content::File { .. }) || is_ours(&path) {
            continue;
        }
        let metadata = pending.get(&path).copied().unwrap_or(entry.metadata);
        let has = metadata.map(|id| view.metadata(id)).transpose()?.unwrap_or_default();
        let types = types_of(&path);
        let mut set = BTreeMap::new();
        for rule in schema.defaults.iter().filter(|rule| rule.scope.covers(&path, &types)) {
            let lacking = rule.values.iter().filter(|(name, _)| !has.fields.contains_key(*name));
            set.extend(lacking.map(|(name, value)| (name.clone(), value.clone())));
        }
        if !set.is_empty() {
            assets.push(AppliedLine { path, set });
        }
    }
    for line in &assets {
        let changes = line.set.iter().map(|(name, text)| match name.as_str() {
            LABELS_FIELD => {
                let add = text.split(',').map(|label| label.trim().to_owned()).collect();
                Change::Labels { add, remove: Vec::new() }
            }
            field => Change::Set { field: field.to_owned(), text: text.clone(), kind: None },
        });
        let changes: Vec<Change> = changes.collect();
        meta::change(repository, std::slice::from_ref(&line.path), &changes, &|_| true, clock, monitor)?;
    }
    Ok(ApplyReport { assets })
}

/// Reads a value as a schema has its field: terms by their names, everything else by its type.
pub fn read_value(schema: &Schema, name: &FieldName, text: &str) -> Result<Option<FieldValue>, AppError> {
    let Some(field) = schema.fields.get(name) else { return Ok(None) };
    let Some(vocabulary) = schema.vocabulary_of(name) else {
        return field_value::parse(field.kind.name(), text).map(Some);
    };
    let mut terms = std::collections::BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let unknown =
            || AppError::FieldValue { kind: "term of the field's vocabulary", text: part.to_owned() };
        terms.insert(vocabulary.find(part).ok_or_else(unknown)?);
    }
    if terms.is_empty() {
        return Err(AppError::FieldValue { kind: "term of the field's vocabulary", text: text.to_owned() });
    }
    Ok(Some(FieldValue::Terms(terms)))
}

/// A value as people read it: terms by their names, where a schema has them.
pub fn show_value(schema: Option<&Schema>, value: &FieldValue) -> String {
    match (schema, value) {
        (Some(schema), FieldValue::Terms(terms)) => {
            let name = |id| schema.term(id).map_or_else(|| id.to_string(), |(_, term)| term.name.clone());
            terms.iter().map(|id| name(*id)).collect::<Vec<_>>().join(", ")
        }
        (_, value) => field_value::show(value),
    }
}
