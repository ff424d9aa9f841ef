//! The index: words, tags and numbers of everything that stands on some branch.
//!
//! It lies in `.pent/catalog/index`, is read by any number of processes and written by one at a time.
//! With every change the state of the branches that it is about is written in the same step, so that it
//! is never taken for newer than it is.

mod collect;
mod fields;
mod settled;
mod translate;
mod write;

pub use collect::{FacetCounts, Hit, Ranking, Request};
pub use write::Writer;

use crate::base::codec::Decoder;
use crate::base::id::CommitId;
use crate::base::path::{AssetPath, PATH_BYTES_MAX};
use crate::catalog::error::{CatalogError, guarded};
use crate::catalog::query::Node;
use fields::Fields;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tantivy::collector::{Count, DocSetCollector};
use tantivy::directory::MmapDirectory;
use tantivy::query::{EnableScoring, TermQuery};
use tantivy::schema::{IndexRecordOption, Value as _};
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher, TantivyDocument, Term};

/// Version of what is written; another one is made anew.
pub const INDEX_VERSION: u32 = 3;
/// Indexes up to this size are checked byte by byte when they are opened; larger ones when they fail.
const CHECKED_BYTES_MAX: u64 = 16 << 20;
/// Longest name of a group of branches, in bytes.
const SCOPE_BYTES_MAX: usize = 1024;

/// Which state of the repository an index is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of the index.
    pub version: u32,
    /// The repository, so that one copied from elsewhere is not believed.
    pub repository: String,
    /// The main line.
    pub base: Option<Group>,
    /// The other groups of branches.
    pub groups: Vec<Group>,
    /// A mark of the review log.
    pub comments: String,
    /// A mark of the schema.
    pub schema: String,
    /// A mark of each person's record, by the person's id.
    pub people: BTreeMap<String, String>,
    /// How many files and words had been removed for good.
    pub erased: u64,
    /// How many records were left unread when nothing more could be read by the way.
    pub left: u64,
}

/// From so many records on a search uses several threads: of fewer the threads would cost more than they save.
const PARALLEL_RECORDS: u64 = 100_000;
/// Threads of one search at most.
const THREADS_MAX: usize = 8;

/// Branches that point to the same commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What records call the group: empty for the main line, else the first of the names.
    pub scope: String,
    /// Names of the branches, as people say them.
    pub names: Vec<String>,
    /// The commit.
    pub commit: CommitId,
    /// Where it left the main line; `None` for the main line, and where they have nothing in common.
    pub fork: Option<CommitId>,
}

/// An index that is open for reading.
pub struct Catalog {
    folder: PathBuf,
    index: Index,
    reader: IndexReader,
    fields: Fields,
    state: State,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Standing {
    /// The group of branches.
    pub scope: String,
    /// The path.
    pub path: AssetPath,
    /// The commit that made it what it is.
    pub commit: CommitId,
    /// The mark of the comments that went in.
    pub comments: u64,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// How many records answer.
    pub total: u64,
    /// The best, in order.
    pub hits: Vec<(Hit, Standing)>,
    /// How many there are of each kind.
    pub facets: FacetCounts,
}

impl Catalog {
    /// Opens the index in a folder; `None` when there is none, or one of another version.
    pub fn open(folder: &Path) -> Result<Option<Self>, CatalogError> {
        if !folder.join("meta.json").exists() {
            return Ok(None);
        }
        guarded(|| {
            let index = Index::open(directory(folder)?)?;
            let fields = Fields::new();
            if index.schema() != fields.schema {
                return Ok(None);
            }
            let payload = index.load_metas()?.payload.unwrap_or_default();
            let Ok(state) = serde_json::from_str::<State>(&payload) else { return Ok(None) };
            if state.version != INDEX_VERSION {
                return Ok(None);
            }
            if size_of(folder) <= CHECKED_BYTES_MAX {
                check(&index)?;
            }
            Ok(Some(Self::over(folder, index, fields, state)?))
        })
    }

    /// Makes an empty index in a folder, in place of whatever is there.
    pub fn create(folder: &Path) -> Result<Self, CatalogError> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CatalogError::io("removing", folder)(error));
            }
            _ => {}
        }
        std::fs::create_dir_all(folder).map_err(CatalogError::io("making", folder))?;
        let fields = Fields::new();
        let index =
            Index::create(directory(folder)?, fields.schema.clone(), tantivy::IndexSettings::default())?;
        Self::over(folder, index, fields, State::default())
    }

    fn over(folder: &Path, mut index: Index, fields: Fields, state: State) -> Result<Self, CatalogError> {
        let records: u64 =
            index.load_metas()?.segments.iter().map(|segment| u64::from(segment.num_docs())).sum();
        if records >= PARALLEL_RECORDS {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            index.set_multithread_executor(cores.min(THREADS_MAX))?;
        }
        // A searcher is made when it is asked for; nothing watches files in the background.
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { folder: folder.to_owned(), index, reader, fields, state })
    }

    /// What it is about.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// How many records it has.
    pub fn len(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its size on the disk, in bytes.
    pub fn size(&self) -> u64 {
        size_of(&self.folder)
    }

    /// Reads every byte and compares it with what was written.
    pub fn check(&self) -> Result<(), CatalogError> {
        guarded(|| check(&self.index))
    }

    /// Answers a question.
    pub fn search(&self, node: &Node, request: &Request) -> Result<Found, CatalogError> {
        guarded(|| {
            let searcher = self.reader.searcher();
            let query = translate::query(node, &self.fields);
            let (total, hits, facets) = searcher.search(&*query, request)?;
            let hits = hits
                .into_iter()
                .map(|hit| Ok((hit, self.standing(&searcher, hit.address)?)))
                .collect::<Result<_, CatalogError>>()?;
            Ok(Found { total, hits, facets })
        })
    }

    /// Whether some record has a tag.
    pub fn has_tag(&self, key: &str, value: &str) -> Result<bool, CatalogError> {
        guarded(|| Ok(self.reader.searcher().doc_freq(&self.fields.tag(key, value))? > 0))
    }

    /// How many records have a tag.
    pub fn count_tag(&self, key: &str, value: &str) -> Result<u64, CatalogError> {
        guarded(|| {
            let query = TermQuery::new(self.fields.tag(key, value), IndexRecordOption::Basic);
            Ok(self.reader.searcher().search(&query, &Count)? as u64)
        })
    }

    /// The values of a tag that are in use, at most so many.
    pub fn tag_values(&self, key: &str, most: usize) -> Result<Vec<String>, CatalogError> {
        guarded(|| {
            let prefix = fields::keyed(key, "");
            let mut values = std::collections::BTreeSet::new();
            for segment in self.reader.searcher().segment_readers() {
                let inverted = segment.inverted_index(self.fields.tags)?;
                let mut stream = inverted.terms().range().ge(prefix.as_bytes()).into_stream()?;
                while values.len() < most && stream.advance() {
                    let Some(value) = stream.key().strip_prefix(prefix.as_bytes()) else { break };
                    values.insert(String::from_utf8_lossy(value).into_owned());
                }
            }
            Ok(values.into_iter().take(most).collect())
        })
    }

    /// Records with a tag, at most so many.
    pub fn with_tag(&self, key: &str, value: &str, most: usize) -> Result<Vec<Standing>, CatalogError> {
        self.with_term(self.fields.tag(key, value), most, &|_| true)
    }

    /// The same, of those that are wanted.
    pub fn wanted_with_tag(
        &self,
        key: &str,
        value: &str,
        most: usize,
        wanted: &dyn Fn(&Standing) -> bool,
    ) -> Result<Vec<Standing>, CatalogError> {
        self.with_term(self.fields.tag(key, value), most, wanted)
    }

    /// Records at a path, on whichever branch.
    pub fn at(&self, path: &AssetPath) -> Result<Vec<Standing>, CatalogError> {
        self.with_term(Term::from_field_bytes(self.fields.path, path.as_bytes()), usize::MAX, &|_| true)
    }

    fn with_term(
        &self,
        term: Term,
        most: usize,
        wanted: &dyn Fn(&Standing) -> bool,
    ) -> Result<Vec<Standing>, CatalogError> {
        guarded(|| {
            let searcher = self.reader.searcher();
            let query = TermQuery::new(term, IndexRecordOption::Basic);
            let weight =
                tantivy::query::Query::weight(&query, EnableScoring::disabled_from_searcher(&searcher))?;
            let mut found = Vec::new();
            for (ord, segment) in searcher.segment_readers().iter().enumerate() {
                let mut documents = weight.scorer(segment, 1.0)?;
                let mut doc = tantivy::DocSet::doc(&*documents);
                while doc != tantivy::TERMINATED && found.len() < most {
                    if segment.alive_bitset().is_none_or(|alive| alive.is_alive(doc)) {
                        let standing = self.standing(&searcher, tantivy::DocAddress::new(ord as u32, doc))?;
                        found.extend(Some(standing).filter(wanted));
                    }
                    doc = tantivy::DocSet::advance(&mut *documents);
                }
            }
            Ok(found)
        })
    }

    /// Every record's place, for tests and checks.
    pub fn everything(&self) -> Result<Vec<Standing>, CatalogError> {
        guarded(|| {
            let searcher = self.reader.searcher();
            let all = searcher.search(&tantivy::query::AllQuery, &DocSetCollector)?;
            all.into_iter().map(|address| self.standing(&searcher, address)).collect()
        })
    }

    fn standing(&self, searcher: &Searcher, address: tantivy::DocAddress) -> Result<Standing, CatalogError> {
        let document: TantivyDocument = searcher.doc(address)?;
        let damaged = || CatalogError::Damaged { reason: "a record does not say where it stands".to_owned() };
        let bytes =
            document.get_first(self.fields.place).and_then(|value| value.as_bytes()).ok_or_else(damaged)?;
        read_standing(bytes).ok_or_else(damaged)
    }
}

/// Reads what [`write::standing_bytes`] wrote.
fn read_standing(bytes: &[u8]) -> Option<Standing> {
    let mut input = Decoder::new("standing", bytes);
    input.version(write::STANDING_VERSION).ok()?;
    let scope = input.text(SCOPE_BYTES_MAX).ok()?.to_owned();
    let path = AssetPath::from_bytes(input.bytes(PATH_BYTES_MAX).ok()?).ok()?;
    let commit = CommitId::from_bytes(input.array().ok()?);
    let comments = input.uint().ok()?;
    input.finish().ok()?;
    Some(Standing { scope, path, commit, comments })
}

fn directory(folder: &Path) -> Result<MmapDirectory, CatalogError> {
    MmapDirectory::open(folder).map_err(|error| CatalogError::Index { reason: error.to_string() })
}

fn check(index: &Index) -> Result<(), CatalogError> {
    let damaged = index.validate_checksum()?;
    match damaged.iter().next() {
        None => Ok(()),
        Some(file) => {
            Err(CatalogError::Damaged { reason: format!("{} is not as it was written", file.display()) })
        }
    }
}

/// The size of the files in a folder, in bytes.
pub fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .fold(0, |sum, meta| sum + meta.len())
}

#[cfg(any(test, fuzzing))]
pub(crate) mod for_fuzz {
    pub use super::write::standing_bytes as write;

    /// Whether bytes say where a record stands; what is written of it.
    pub fn standing(bytes: &[u8]) -> Option<Vec<u8>> {
        let read = super::read_standing(bytes)?;
        Some(write(&read.scope, &read.path, read.commit, read.comments))
    }
}

#[cfg(test)]
mod tests;
