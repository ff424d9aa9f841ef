//! `search`: finds assets on every branch by words, tags, numbers and paths.

pub mod authorship;
pub mod bring;
pub mod comments;
pub mod describe;
pub mod heads;
mod lines;
pub mod open;
pub mod place;
pub mod read;
pub mod scan;

pub use lines::{FacetLine, FacetValue, HitLine, IndexLine};

use crate::app::error::AppError;
use crate::app::search::bring::Bringing;
use crate::app::search::open::{Opened, Upkeep, open};
use crate::app::search::read::{Budget, read_commit};
use crate::app::search::scan::{FieldsOfCommits, Scanned};
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::catalog::index::{Catalog, Group, Ranking, Request};
use crate::catalog::query::{KEYS, Known, Node, Query, parse};
use crate::catalog::visibility::Visibility;
use crate::media::worker::Workers;
use crate::repo::Repository;
use lines::Lines;
use serde::Serialize;

/// Most finds of one search.
pub const LIMIT_MAX: usize = 10_000;

/// What to look for, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The question.
    pub query: String,
    /// In this revision instead of at the heads of all branches.
    pub at: Option<String>,
    /// At most so many finds.
    pub limit: usize,
    /// In which order; by how well they answer when `None`, the newest first where nothing is ranked.
    pub sort: Option<Sort>,
    /// Whether finds are counted by kind.
    pub facets: bool,
    /// What the asker may see.
    pub visibility: Visibility,
}

/// In which order finds are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// The largest first.
    Largest,
    /// The smallest first.
    Smallest,
    /// The widest first.
    Widest,
}

impl Sort {
    /// All of them, by the words on the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("newest", Self::Newest),
        ("oldest", Self::Oldest),
        ("largest", Self::Largest),
        ("smallest", Self::Smallest),
        ("widest", Self::Widest),
    ];

    const fn ranking(self) -> Ranking {
        let (column, least_first) = match self {
            Self::Newest => ("changed", false),
            Self::Oldest => ("changed", true),
            Self::Largest => ("size", false),
            Self::Smallest => ("size", true),
            Self::Widest => ("width", false),
        };
        Ranking::Number { column, least_first }
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The question.
    pub query: String,
    /// The commit that was looked at; `None` for the heads of all branches.
    pub at: Option<CommitId>,
    /// How many answer.
    pub total: u64,
    /// The best of them.
    pub hits: Vec<HitLine>,
    /// How many there are of each kind, when that was asked.
    pub facets: Vec<FacetLine>,
    /// How the answer came about.
    pub index: IndexLine,
}

/// Searches.
pub fn run(
    repository: &Repository,
    options: &Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let upkeep = Upkeep { workers, budget: Budget::SEARCH, anew: false, now: clock.now(), monitor };
    let mut opened = open(repository, upkeep)?;
    if let Some(at) = &options.at {
        let commit = opened.view.resolve(at, clock.now())?.commit;
        opened.read.read += read_commit(repository, &mut opened, commit, upkeep)?;
    }
    match answer(repository, &opened, options, clock, monitor) {
        // Damage that only shows where it is read.
        Err(AppError::Catalog(error)) if error.is_damage() => {
            drop(opened);
            let anew = open(repository, Upkeep { anew: true, ..upkeep })?;
            let mut report = answer(repository, &anew, options, clock, monitor)?;
            report.index.rebuilt = true;
            Ok(report)
        }
        answered => answered,
    }
}

fn answer(
    repository: &Repository,
    opened: &Opened,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let (view, now) = (&opened.view, clock.now());
    let bringing = Bringing { repository, view, findings: opened.findings.as_ref(), now, monitor };
    let at = options.at.as_deref().map(|text| view.resolve(text, now)).transpose()?;
    let at = at.map(|resolved| resolved.commit);
    let (query, mut scanned, used) = match (&opened.catalog, at) {
        (Some(catalog), None) => {
            let query = parse(&options.query, &FieldsOfIndex(catalog), now)?;
            let node = options.visibility.restrict(opened.heads.widened(query.node.clone()));
            let found = catalog.search(&node, &request(options, &query))?;
            let hits = found.hits.into_iter().map(|(hit, standing)| (hit.score, standing)).collect();
            (query, Scanned { total: found.total, hits, facets: found.facets, unread: 0 }, true)
        }
        (None, None) => {
            let commits = opened.heads.base.iter().chain(&opened.heads.groups).map(|group| group.commit);
            let query = parse(&options.query, &FieldsOfCommits::read(&bringing, commits)?, now)?;
            let node = options.visibility.restrict(opened.heads.widened(query.node.clone()));
            let found = scan::heads(&bringing, &opened.heads, &node, request(options, &query))?;
            (query, found, false)
        }
        (_, Some(commit)) => {
            let query = parse(&options.query, &FieldsOfCommits::read(&bringing, [commit])?, now)?;
            let node = options.visibility.restrict(query.node.clone());
            let found = scan::commit(&bringing, &at_group(options, commit), &node, request(options, &query))?;
            (query, found, false)
        }
    };
    if at.is_none() {
        opened.heads.widen(&mut scanned.facets);
    }
    let place = at.map(|commit| at_group(options, commit));
    let mut index = IndexLine::of(opened, used)?;
    if !used {
        index.unread = scanned.unread;
    }
    let lines = Lines::new(&bringing, &opened.heads, place.as_ref(), &query.node)?;
    Ok(Report {
        query: query.text.clone(),
        at,
        total: scanned.total,
        hits: lines.hits(&scanned.hits)?,
        facets: lines::facets(&scanned.facets, options.facets),
        index,
    })
}

/// One commit as if it were a branch of that name.
fn at_group(options: &Options, commit: CommitId) -> Group {
    let name = options.at.clone().unwrap_or_default();
    Group { scope: String::new(), names: vec![name], commit, fork: None }
}

fn request(options: &Options, query: &Query) -> Request {
    let ranking = match options.sort {
        Some(sort) => sort.ranking(),
        None if query.node.has_words() => Ranking::Score,
        None => Sort::Newest.ranking(),
    };
    Request { limit: options.limit.clamp(1, LIMIT_MAX), ranking, facets: options.facets }
}

/// The fields that an index knows.
struct FieldsOfIndex<'a>(&'a Catalog);

/// Most fields that are looked through for the one that was meant.
const FIELDS_MAX: usize = 1_000;

impl Known for FieldsOfIndex<'_> {
    fn has_field(&self, name: &str) -> bool {
        // What cannot be read shows when it is searched.
        self.0.has_tag("has", name).unwrap_or(true)
    }

    fn fields(&self) -> Vec<String> {
        self.0.tag_values("has", FIELDS_MAX).unwrap_or_default()
    }
}

/// What the words of a question that stand for themselves are, to show where they were found.
pub(crate) fn asked_words(node: &Node) -> Vec<String> {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().flat_map(asked_words).collect(),
        Node::Words { phrase, .. } => phrase.words.clone(),
        Node::Not(_) | Node::Tag { .. } | Node::Number { .. } | Node::Path(_) => Vec::new(),
    }
}

/// The keys that a question may have in every repository.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}
