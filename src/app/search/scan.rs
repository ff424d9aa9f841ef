//! Answers a question without an index, by looking at everything.

use crate::app::error::AppError;
use crate::app::search::authorship::of_all;
use crate::app::search::bring::Bringing;
use crate::app::search::comments;
use crate::app::search::describe::{RecordMaker, fields_of};
use crate::app::search::heads::Heads;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::catalog::index::{FacetCounts, Group, Ranking, Request, Standing};
use crate::catalog::matching::Matcher;
use crate::catalog::query::{Known, Node};
use crate::catalog::record::{Record, UNREAD};
use crate::object::source::ObjectSource as _;
use crate::object::tree_walk::TreeWalk;
use crate::repo::RepoError;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

/// What was found, as an index would say it.
#[derive(Debug, Default)]
pub struct Scanned {
    pub total: u64,
    pub hits: Vec<(f32, Standing)>,
    pub facets: FacetCounts,
    /// How many records have files that nobody has looked into.
    pub unread: u64,
}

/// A find while the best are kept.
struct Candidate {
    score: f32,
    rank: f64,
    changed_ms: i64,
    standing: Standing,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The better is the greater.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = self.rank.total_cmp(&other.rank);
        let by_time = self.changed_ms.cmp(&other.changed_ms);
        by_rank.then(by_time).then_with(|| other.standing.cmp(&self.standing))
    }
}

/// Looks at records one by one and keeps the best.
pub struct Scan<'a> {
    matcher: Matcher<'a>,
    request: Request,
    best: BinaryHeap<Reverse<Candidate>>,
    total: u64,
    facets: FacetCounts,
    unread: u64,
}

impl<'a> Scan<'a> {
    /// For a question.
    pub fn new(node: &'a Node, request: Request) -> Self {
        let matcher = Matcher::new(node);
        Self { matcher, request, best: BinaryHeap::new(), total: 0, facets: FacetCounts::new(), unread: 0 }
    }

    /// Looks at a record.
    pub fn look(&mut self, record: Record) {
        self.unread += u64::from(record.tags_of(UNREAD.0).next().is_some());
        let Some(score) = self.matcher.score(&record) else { return };
        self.total += 1;
        if self.request.facets {
            for (facet, value) in &record.facets {
                *self.facets.entry(*facet).or_default().entry(value.clone()).or_insert(0) += 1;
            }
        }
        let rank = match self.request.ranking {
            Ranking::Score => f64::from(score),
            Ranking::Number { column, least_first } => {
                let number = record.numbers.iter().find(|(key, _)| key == column).map(|(_, number)| *number);
                number.map_or(f64::NEG_INFINITY, |number| if least_first { -number } else { number })
            }
        };
        let Record { path, scope, commit, changed_ms, comments, .. } = record;
        let standing = Standing { scope, path, commit, comments };
        self.best.push(Reverse(Candidate { score, rank, changed_ms, standing }));
        if self.best.len() > self.request.limit {
            self.best.pop();
        }
    }

    /// What was found.
    pub fn finish(self) -> Scanned {
        let mut best: Vec<Candidate> = self.best.into_iter().map(|one| one.0).collect();
        best.sort_unstable_by(|left, right| right.cmp(left));
        let hits = best.into_iter().map(|one| (one.score, one.standing)).collect();
        Scanned { total: self.total, hits, facets: self.facets, unread: self.unread }
    }
}

/// Everything on every branch.
pub fn heads(
    bringing: &Bringing<'_>,
    heads: &Heads,
    node: &Node,
    request: Request,
) -> Result<Scanned, AppError> {
    let mut scan = Scan::new(node, request);
    bringing.everything(heads, &mut |record| {
        scan.look(record);
        Ok(())
    })?;
    Ok(scan.finish())
}

/// Everything in one commit, with the names that its own schema gives to terms.
pub fn commit(
    bringing: &Bringing<'_>,
    group: &Group,
    node: &Node,
    request: Request,
) -> Result<Scanned, AppError> {
    let Bringing { repository, view, findings, now, monitor } = *bringing;
    let comments = comments::read(repository, view, now, monitor)?;
    let schema = bringing.schema_of(group.commit);
    let mut maker = RecordMaker::new(view, findings, &comments).with_schema(schema.as_ref());
    let mut scan = Scan::new(node, request);
    of_all(view, group.commit, monitor, &mut |path, value, made| {
        scan.look(maker.make(group, &path, &value, made)?);
        Ok(())
    })?;
    Ok(scan.finish())
}

/// The metadata fields of some commits, for questions that no index answers.
pub struct FieldsOfCommits(BTreeSet<String>);

impl FieldsOfCommits {
    /// Looks at everything once.
    pub fn read(
        bringing: &Bringing<'_>,
        commits: impl IntoIterator<Item = CommitId>,
    ) -> Result<Self, AppError> {
        let mut names = BTreeSet::new();
        for commit in commits {
            let tree = bringing.view.commit(commit)?.tree;
            let walk = TreeWalk::new(bringing.view, tree, AssetPath::root());
            let mut failed = None;
            let entries = walk.map_while(|item| match item {
                Ok((_, entry)) => Some(entry.into()),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            });
            names.extend(fields_of(bringing.view, entries)?);
            if let Some(error) = failed {
                return Err(RepoError::from(error).into());
            }
        }
        Ok(Self(names))
    }
}

impl Known for FieldsOfCommits {
    fn has_field(&self, name: &str) -> bool {
        self.0.contains(name) || name.split_once('.').is_some_and(|(group, _)| is_embedded(group))
    }

    fn fields(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// Groups of fields that programs and cameras write into files.
fn is_embedded(group: &str) -> bool {
    matches!(group, "exif" | "iptc" | "xmp")
}
