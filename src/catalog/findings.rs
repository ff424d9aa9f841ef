//! What decoders said of files, by the id of the content and what of the name the format hangs on: kept so that no file is looked into twice.
//!
//! Decoding is dear and an index is cheap, so this lies apart (`.pent/catalog/findings`) and outlives
//! the index. It is a store of keys and values in the format of the index, so that any number of
//! processes may read it while one writes.

use crate::base::id::FileId;
use crate::catalog::error::{CatalogError, guarded};
use crate::catalog::likeness::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::query::TermQuery;
use tantivy::schema::{BytesOptions, Field, IndexRecordOption, Schema, Value as _};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

/// Version of what is looked for in files. What an earlier one found is looked for again.
pub const RECIPE: u32 = 5;
/// Longest text of one file that is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 128 * 1024;
/// Most names of layers, of fonts and of fields that are kept of one file.
pub const NAMES_MAX: usize = 500;
/// Memory for writing, in bytes.
const MEMORY: usize = 15 << 20;
/// Longest finding that is read, in bytes.
const FINDING_BYTES_MAX: usize = 4 << 20;

/// What is known of one content under names of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// The recipe by which it was found.
    pub recipe: u32,
    /// The short name of the format.
    pub format: String,
    /// The family of the format.
    pub family: String,
    /// Pixels across and down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u64, u64)>,
    /// The colour space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// Whether there is transparency.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alpha: bool,
    /// How long it plays, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Pages of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
    /// How many layers there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_count: Option<u64>,
    /// Names of layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// Names of fonts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fonts: Vec<String>,
    /// Fields that programs and cameras wrote into it, as `xmp.title`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// Its text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What it looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<Fingerprint>,
    /// What some moments of it look like, of a film.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<Fingerprint>,
    /// Why the decoder could not tell more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Which finding: a content, and what of its name the format can hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// The content.
    pub file: FileId,
    /// What of the name counts; nothing for most formats.
    pub hint: &'static str,
}

impl FindingKey {
    fn bytes(self) -> Vec<u8> {
        [self.file.as_bytes().as_slice(), self.hint.as_bytes()].concat()
    }
}

/// The store, open for reading.
pub struct Findings {
    index: Index,
    reader: IndexReader,
    file: Field,
    what: Field,
}

impl Findings {
    /// Opens the store in a folder; `None` when there is none.
    pub fn open(folder: &Path) -> Result<Option<Self>, CatalogError> {
        if !folder.join("meta.json").exists() {
            return Ok(None);
        }
        guarded(|| {
            let index = Index::open(directory(folder)?)?;
            let (schema, file, what) = schema();
            if index.schema() != schema {
                return Err(CatalogError::Damaged { reason: "it is of another form".to_owned() });
            }
            Self::over(index, file, what).map(Some)
        })
    }

    /// Makes an empty store in place of whatever is there.
    pub fn create(folder: &Path) -> Result<Self, CatalogError> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CatalogError::io("removing", folder)(error));
            }
            _ => {}
        }
        std::fs::create_dir_all(folder).map_err(CatalogError::io("making", folder))?;
        let (schema, file, what) = schema();
        let index = Index::create(directory(folder)?, schema, tantivy::IndexSettings::default())?;
        Self::over(index, file, what)
    }

    fn over(index: Index, file: Field, what: Field) -> Result<Self, CatalogError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { index, reader, file, what })
    }

    /// How many contents are known.
    pub fn len(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of a content under such a name by the present recipe.
    pub fn get(&self, key: FindingKey) -> Result<Option<Finding>, CatalogError> {
        guarded(|| {
            let searcher = self.reader.searcher();
            let term = Term::from_field_bytes(self.file, &key.bytes());
            let query = TermQuery::new(term, IndexRecordOption::Basic);
            let found = searcher.search(&query, &TopDocs::with_limit(1).order_by_score())?;
            let Some((_, address)) = found.first() else { return Ok(None) };
            let document: TantivyDocument = searcher.doc(*address)?;
            let bytes = document.get_first(self.what).and_then(|value| value.as_bytes()).unwrap_or_default();
            Ok(read_finding(bytes).filter(|finding| finding.recipe == RECIPE))
        })
    }

    /// Keeps what was found of some contents. The caller holds the lock of the catalog.
    pub fn keep<'f>(
        &mut self,
        found: impl IntoIterator<Item = (FindingKey, &'f Finding)>,
    ) -> Result<(), CatalogError> {
        guarded(|| {
            let mut writer: IndexWriter = self.index.writer_with_num_threads(1, MEMORY)?;
            for (key, finding) in found {
                let key = key.bytes();
                let bytes = serde_json::to_vec(finding)
                    .map_err(|error| CatalogError::Index { reason: error.to_string() })?;
                writer.delete_term(Term::from_field_bytes(self.file, &key));
                let mut document = TantivyDocument::new();
                document.add_bytes(self.file, &key);
                document.add_bytes(self.what, &bytes);
                writer.add_document(document)?;
            }
            writer.commit()?;
            writer.wait_merging_threads()?;
            self.reader.reload()?;
            Ok(())
        })
    }
}

/// Reads a finding; `None` for what is none.
pub fn read_finding(bytes: &[u8]) -> Option<Finding> {
    if bytes.len() > FINDING_BYTES_MAX { None } else { serde_json::from_slice(bytes).ok() }
}

fn schema() -> (Schema, Field, Field) {
    let mut builder = Schema::builder();
    let file = builder.add_bytes_field("file", BytesOptions::default().set_indexed());
    let what = builder.add_bytes_field("what", BytesOptions::default().set_stored());
    (builder.build(), file, what)
}

fn directory(folder: &Path) -> Result<MmapDirectory, CatalogError> {
    MmapDirectory::open(folder).map_err(|error| CatalogError::Index { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_kept_replaced_and_found_again() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("findings");
        assert!(Findings::open(&folder).expect("no error").is_none());
        let mut store = Findings::create(&folder).expect("a store");
        let key = |number: u8, hint| FindingKey { file: FileId::from_bytes([number; 32]), hint };
        let ids: Vec<FindingKey> = (0..50).map(|number| key(number, "")).collect();
        let finding = |text: &str| Finding { recipe: RECIPE, text: text.to_owned(), ..Finding::default() };
        let (one, two) = (finding("one"), finding("two"));
        store.keep(ids.iter().map(|id| (*id, &one))).expect("kept");
        store.keep([(ids[7], &two)]).expect("kept");
        let again = Findings::open(&folder).expect("readable").expect("a store");
        assert_eq!(again.get(ids[7]).expect("readable"), Some(two));
        assert_eq!(again.get(ids[8]).expect("readable"), Some(one));
        assert_eq!(again.get(key(99, "")).expect("readable"), None);
        assert_eq!(
            again.get(key(7, "json")).expect("readable"),
            None,
            "under another name it is something else"
        );
        assert_eq!(again.len(), 50);
        let old = Finding { recipe: RECIPE + 1, ..Finding::default() };
        store.keep([(ids[1], &old)]).expect("kept");
        assert_eq!(store.get(ids[1]).expect("readable"), None, "another recipe finds again");
    }
}
