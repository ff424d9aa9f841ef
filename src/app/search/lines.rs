//! Finds as reports show them, looked up in the repository: what the index says of them is not believed.

use crate::app::common::describe::{Describer, PersonLine, TimeLine};
use crate::app::error::AppError;
use crate::app::search::asked_words;
use crate::app::search::bring::Bringing;
use crate::app::search::heads::{Heads, tree_of};
use crate::app::search::open::Opened;
use crate::app::search::read::key_of;
use crate::base::id::{AssetId, CommitId, FileId};
use crate::base::path::AssetPath;
use crate::catalog::findings::Finding;
use crate::catalog::index::{FacetCounts, Group, Standing};
use crate::catalog::query::Node;
use crate::catalog::record::Facet;
use crate::catalog::words::fold;
use crate::object::metadata::{FieldName, FieldValue, Metadata};
use crate::object::source::ObjectSource as _;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::entry_at;
use crate::repo::RepoError;
use serde::Serialize;
use std::cell::RefCell;

/// Values of one facet that are told; the rest is counted.
const VALUES_MAX: usize = 20;
/// Words of an excerpt before and after the one that was found.
const EXCERPT: (usize, usize) = (6, 12);
/// Longest excerpt, in characters.
const EXCERPT_CHARS_MAX: usize = 160;

/// A find.
#[derive(Debug, Clone, Serialize)]
pub struct HitLine {
    /// Where it stands.
    pub path: AssetPath,
    /// On which branches: the main one, or those that changed it.
    pub on: Vec<String>,
    /// Which asset it is.
    pub asset: Option<AssetId>,
    /// The id of its content.
    pub file: Option<FileId>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// The short name of its format, by its content; `None` when nobody has looked yet.
    pub format: Option<String>,
    /// Pixels across and down.
    pub pixels: Option<(u64, u64)>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// The commit that made it what it is.
    pub commit: CommitId,
    /// When that was.
    pub changed: TimeLine,
    /// Who did it.
    pub by: PersonLine,
    /// How well it answers; 0 where nothing is ranked. Only good for comparing finds of one search.
    pub score: f64,
    /// Some words around what was found in its text.
    pub excerpt: Option<String>,
}

/// How many finds there are of each value of one key.
#[derive(Debug, Clone, Serialize)]
pub struct FacetLine {
    /// The key.
    pub key: &'static str,
    /// The values, the most frequent first.
    pub values: Vec<FacetValue>,
    /// How many values more there are.
    pub more: u64,
}

/// One value and how often it is found.
#[derive(Debug, Clone, Serialize)]
pub struct FacetValue {
    /// The value.
    pub value: String,
    /// How many finds have it.
    pub count: u64,
}

/// How an answer came about.
#[derive(Debug, Clone, Serialize)]
pub struct IndexLine {
    /// Whether the index answered; else everything was looked through.
    pub used: bool,
    /// Why it did not, where it could not.
    pub reason: Option<String>,
    /// How many records the index has.
    pub records: u64,
    /// How many of them have files that nobody has looked into yet.
    pub unread: u64,
    /// Files that were looked into now.
    pub read: u64,
    /// Whether the index was damaged and was made anew.
    pub rebuilt: bool,
}

impl IndexLine {
    /// How an answer from what was opened came about.
    pub fn of(opened: &Opened, used: bool) -> Result<Self, AppError> {
        Ok(Self {
            used,
            reason: opened.reason.clone(),
            records: opened.catalog.as_ref().map_or(0, crate::catalog::index::Catalog::len),
            unread: opened.unread()?,
            read: opened.read.read,
            rebuilt: opened.rebuilt,
        })
    }
}

/// Turns finds into lines.
pub struct Lines<'a> {
    bringing: &'a Bringing<'a>,
    heads: &'a Heads,
    at: Option<&'a Group>,
    words: Vec<String>,
    describer: RefCell<Describer<'a>>,
}

impl<'a> Lines<'a> {
    /// For finds of a question.
    pub fn new(
        bringing: &'a Bringing<'a>,
        heads: &'a Heads,
        at: Option<&'a Group>,
        node: &Node,
    ) -> Result<Self, AppError> {
        let describer = RefCell::new(Describer::new(bringing.view)?);
        Ok(Self { bringing, heads, at, words: asked_words(node), describer })
    }

    /// The lines. The same thing on several branches is one line.
    pub fn hits(&self, found: &[(f32, Standing)]) -> Result<Vec<HitLine>, AppError> {
        let mut lines: Vec<HitLine> = Vec::new();
        let mut entries: Vec<TreeEntry> = Vec::new();
        for (score, standing) in found {
            let Some((group, entry)) = self.look_up(standing)? else { continue };
            let same = (0..lines.len())
                .find(|index| lines[*index].path == standing.path && entries[*index] == entry);
            if let Some(index) = same {
                lines[index].on.extend(self.names_of(group));
                continue;
            }
            lines.push(self.line(*score, standing, group, &entry)?);
            entries.push(entry);
        }
        Ok(lines)
    }

    fn names_of(&self, group: &Group) -> Vec<String> {
        if self.at.is_some() { group.names.clone() } else { self.heads.names_of(group) }
    }

    fn look_up(&self, standing: &Standing) -> Result<Option<(&Group, TreeEntry)>, AppError> {
        let Some(group) = self.at.or_else(|| self.heads.group(&standing.scope)) else { return Ok(None) };
        let tree = tree_of(self.bringing.view, group.commit)?;
        let entry = entry_at(self.bringing.view, tree, &standing.path).map_err(RepoError::from)?;
        Ok(entry.map(|entry| (group, entry)))
    }

    fn line(
        &self,
        score: f32,
        standing: &Standing,
        group: &Group,
        entry: &TreeEntry,
    ) -> Result<HitLine, AppError> {
        let view = self.bringing.view;
        let metadata = entry.metadata.map(|id| view.metadata(id)).transpose()?.unwrap_or_default();
        let file = match entry.content {
            Content::File { id, .. } => Some(id),
            _ => None,
        };
        let finding = match (self.bringing.findings, file) {
            (Some(findings), Some(file)) => findings.get(key_of(file, standing.path.name()))?,
            _ => None,
        };
        let commit = view.commit(standing.commit)?;
        Ok(HitLine {
            path: standing.path.clone(),
            on: self.names_of(group),
            asset: entry.asset,
            file,
            size: entry.content.size(),
            format: finding.as_ref().map(|finding| finding.format.clone()),
            pixels: finding.as_ref().and_then(|finding| finding.size),
            labels: metadata.labels().into_iter().collect(),
            title: title(&metadata),
            commit: standing.commit,
            changed: commit.author.time.into(),
            by: self.describer.borrow_mut().person(commit.author.person)?,
            score: f64::from(score),
            excerpt: finding.as_ref().and_then(|finding| self.excerpt(finding)),
        })
    }

    fn excerpt(&self, finding: &Finding) -> Option<String> {
        let words: Vec<&str> = finding.text.split_whitespace().collect();
        let at = words.iter().position(|word| {
            let folded = fold(word);
            self.words.iter().any(|asked| folded.contains(asked.as_str()))
        })?;
        let (from, to) = (at.saturating_sub(EXCERPT.0), (at + EXCERPT.1).min(words.len()));
        let mut text = words[from..to].join(" ");
        if let Some((end, _)) = text.char_indices().nth(EXCERPT_CHARS_MAX) {
            text.truncate(end);
        }
        Some(text)
    }
}

fn title(metadata: &Metadata) -> Option<String> {
    let name = FieldName::new("title").ok()?;
    match metadata.fields.get(&name)? {
        FieldValue::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The counts, in the order of the facets; none when they were not asked for.
pub(super) fn facets(counts: &FacetCounts, wanted: bool) -> Vec<FacetLine> {
    if !wanted {
        return Vec::new();
    }
    let line = |facet: Facet| {
        let mut values: Vec<FacetValue> = counts
            .get(&facet)
            .into_iter()
            .flatten()
            .map(|(value, count)| FacetValue { value: value.clone(), count: *count })
            .collect();
        values.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.value.cmp(&right.value)));
        let more = values.len().saturating_sub(VALUES_MAX) as u64;
        values.truncate(VALUES_MAX);
        FacetLine { key: facet.key(), values, more }
    };
    Facet::ALL.into_iter().map(line).filter(|line| !line.values.is_empty()).collect()
}
