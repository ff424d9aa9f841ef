//! The best of what answers, how many there are in all, and how many of each kind.

use crate::catalog::index::fields::facet_column;
use crate::catalog::record::Facet;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

/// By what finds are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// How well they answer, then the newest.
    Score,
    /// A number, from the greatest or from the least.
    Number { column: &'static str, least_first: bool },
}

/// What is wanted of a search.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// At most so many finds.
    pub limit: usize,
    /// In which order.
    pub ranking: Ranking,
    /// Whether finds are counted by kind.
    pub facets: bool,
}

/// How many finds there are of each value of each facet.
pub type FacetCounts = BTreeMap<Facet, BTreeMap<String, u64>>;

/// A find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// How well it answers.
    pub score: f32,
    /// What it is ranked by: the score or a number.
    rank: f64,
    changed: f64,
    pub(super) address: DocAddress,
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The better is the greater.
impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = self.rank.total_cmp(&other.rank);
        by_rank.then(self.changed.total_cmp(&other.changed)).then(other.address.cmp(&self.address))
    }
}

type Best = BinaryHeap<Reverse<Hit>>;

fn keep(best: &mut Best, limit: usize, hit: Hit) {
    if best.len() < limit {
        best.push(Reverse(hit));
    } else if best.peek().is_some_and(|least| least.0 < hit) {
        best.pop();
        best.push(Reverse(hit));
    }
}

/// Values of a facet up to which each has a place of its own while they are counted.
const PLACES_MAX: usize = 1 << 16;

/// How often each value of a facet was met, by its number in the segment.
enum Counts {
    /// Few values: each at its number.
    Places(Vec<u64>),
    /// Many, most of which a search does not meet.
    Met(HashMap<u64, u64>),
}

impl Counts {
    fn of(values: usize) -> Self {
        if values <= PLACES_MAX { Self::Places(vec![0; values]) } else { Self::Met(HashMap::new()) }
    }

    fn add(&mut self, ord: u64) {
        match self {
            // A number beyond them is of a damaged column, and counts nothing.
            Self::Places(places) => places.get_mut(ord as usize).into_iter().for_each(|count| *count += 1),
            Self::Met(met) => *met.entry(ord).or_insert(0) += 1,
        }
    }

    /// The values that were met.
    fn into_counted(self) -> Vec<(u64, u64)> {
        match self {
            Self::Places(places) => (0..).zip(places).filter(|(_, count)| *count > 0).collect(),
            Self::Met(met) => met.into_iter().collect(),
        }
    }
}

pub struct Segment {
    ord: SegmentOrdinal,
    request: Request,
    changed: Option<Column<f64>>,
    ranked: Option<Column<f64>>,
    facets: Vec<(Facet, StrColumn, Counts)>,
    best: Best,
    total: u64,
}

impl Collector for Request {
    type Fruit = (u64, Vec<Hit>, FacetCounts);
    type Child = Segment;

    fn for_segment(&self, ord: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<Segment> {
        let fast = segment.fast_fields();
        let ranked = match self.ranking {
            Ranking::Score => None,
            Ranking::Number { column, .. } => fast.column_opt(column)?,
        };
        let mut facets = Vec::new();
        if self.facets {
            for facet in Facet::ALL {
                if let Some(column) = fast.str(facet_column(facet))? {
                    let counts = Counts::of(column.num_terms());
                    facets.push((facet, column, counts));
                }
            }
        }
        let changed = fast.column_opt("changed")?;
        Ok(Segment { ord, request: *self, changed, ranked, facets, best: Best::new(), total: 0 })
    }

    fn requires_scoring(&self) -> bool {
        self.ranking == Ranking::Score
    }

    fn merge_fruits(&self, fruits: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let (mut total, mut best, mut facets) = (0, Vec::new(), FacetCounts::new());
        for (count, hits, counts) in fruits {
            total += count;
            best.extend(hits);
            for (facet, values) in counts {
                let sums = facets.entry(facet).or_default();
                for (value, count) in values {
                    *sums.entry(value).or_insert(0) += count;
                }
            }
        }
        best.sort_unstable_by(|left, right| right.cmp(left));
        best.truncate(self.limit);
        Ok((total, best, facets))
    }
}

impl SegmentCollector for Segment {
    type Fruit = (u64, Vec<Hit>, FacetCounts);

    fn collect(&mut self, doc: DocId, score: Score) {
        self.total += 1;
        for (_, column, counts) in &mut self.facets {
            for ord in column.term_ords(doc) {
                counts.add(ord);
            }
        }
        let rank = match self.request.ranking {
            Ranking::Score => f64::from(score),
            Ranking::Number { least_first, .. } => {
                // What has no such number comes last.
                let number = self.ranked.as_ref().and_then(|column| column.first(doc));
                number.map_or(f64::NEG_INFINITY, |number| if least_first { -number } else { number })
            }
        };
        // Most finds of a large result are worse than those kept, whatever their age.
        if self.best.len() >= self.request.limit && self.best.peek().is_some_and(|least| rank < least.0.rank)
        {
            return;
        }
        let changed = self.changed.as_ref().and_then(|column| column.first(doc)).unwrap_or(f64::MIN);
        let address = DocAddress::new(self.ord, doc);
        keep(&mut self.best, self.request.limit, Hit { score, rank, changed, address });
    }

    fn harvest(self) -> Self::Fruit {
        let mut facets = FacetCounts::new();
        for (facet, column, counts) in self.facets {
            let values = facets.entry(facet).or_default();
            for (ord, count) in counts.into_counted() {
                let mut text = String::new();
                // A column that cannot say what it counted counts nothing.
                if column.ord_to_str(ord, &mut text).unwrap_or(false) {
                    *values.entry(text).or_insert(0) += count;
                }
            }
        }
        (self.total, self.best.into_iter().map(|hit| hit.0).collect(), facets)
    }
}
