//! Writing the index.

use crate::base::codec::Encoder;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::catalog::error::{CatalogError, guarded};
use crate::catalog::index::fields::{Fields, keyed, number_term};
use crate::catalog::index::{Catalog, State};
use crate::catalog::query::Place;
use crate::catalog::record::{Record, Said};
use crate::catalog::words::words;
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{IndexWriter, TantivyDocument, Term};

/// Memory for each thread that writes, in bytes: whatever the number of records.
const MEMORY_PER_THREAD: usize = 32 << 20;
/// Version of the bytes that say where a record stands.
pub(super) const STANDING_VERSION: u8 = 1;
/// Threads that write.
const THREADS: usize = 2;

/// Changes of an index that become real together.
pub struct Writer<'a> {
    catalog: &'a mut Catalog,
    writer: IndexWriter,
}

impl Catalog {
    /// Begins to change it. The caller holds the lock of the catalog.
    pub fn write(&mut self) -> Result<Writer<'_>, CatalogError> {
        let writer =
            guarded(|| Ok(self.index.writer_with_num_threads(THREADS, THREADS * MEMORY_PER_THREAD)?))?;
        Ok(Writer { catalog: self, writer })
    }
}

impl Writer<'_> {
    /// Adds a record in place of the one that stands there on the same branches.
    pub fn put(&mut self, record: &Record) -> Result<(), CatalogError> {
        let fields = &self.catalog.fields;
        let key = key(&record.scope, &record.path);
        self.writer.delete_term(Term::from_field_bytes(fields.key, &key));
        self.writer.add_document(document(fields, &key, record))?;
        Ok(())
    }

    /// Adds a record where there is none.
    pub fn add(&mut self, record: &Record) -> Result<(), CatalogError> {
        let key = key(&record.scope, &record.path);
        self.writer.add_document(document(&self.catalog.fields, &key, record))?;
        Ok(())
    }

    /// Removes what stands at a path.
    pub fn remove(&mut self, scope: &str, path: &AssetPath) {
        self.writer.delete_term(Term::from_field_bytes(self.catalog.fields.key, &key(scope, path)));
    }

    /// Removes all of a group of branches.
    pub fn remove_scope(&mut self, scope: &str) {
        self.writer.delete_term(Term::from_field_text(self.catalog.fields.scope, &scope_term(scope)));
    }

    /// Makes the changes real, with the state that the index is about from now on.
    pub fn commit(self, state: State) -> Result<(), CatalogError> {
        let payload = serde_json::to_string(&state)
            .map_err(|error| CatalogError::Index { reason: error.to_string() })?;
        let Self { catalog, mut writer } = self;
        guarded(|| {
            let mut prepared = writer.prepare_commit()?;
            prepared.set_payload(&payload);
            prepared.commit()?;
            Ok(writer.wait_merging_threads()?)
        })?;
        catalog.reader.reload()?;
        catalog.state = state;
        Ok(())
    }
}

/// What names a record: its branches and its path.
fn key(scope: &str, path: &AssetPath) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento catalog key v1");
    hasher.update(&(scope.len() as u64).to_le_bytes()).update(scope.as_bytes()).update(path.as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    key
}

/// The term of a group of branches; the main line's is not empty either.
fn scope_term(scope: &str) -> String {
    keyed("scope", scope)
}

/// Where a record stands, as it is given back with a find.
pub fn standing_bytes(scope: &str, path: &AssetPath, commit: CommitId, comments: u64) -> Vec<u8> {
    let mut out = Encoder::with_version(STANDING_VERSION);
    out.bytes(scope.as_bytes()).bytes(path.as_bytes()).raw(commit.as_bytes()).uint(comments);
    out.finish()
}

fn document(fields: &Fields, key: &[u8; 16], record: &Record) -> TantivyDocument {
    let mut document = TantivyDocument::new();
    let place = standing_bytes(&record.scope, &record.path, record.commit, record.comments);
    document.add_bytes(fields.place, &place);
    document.add_bytes(fields.key, key);
    document.add_bytes(fields.path, record.path.as_bytes());
    document.add_text(fields.scope, scope_term(&record.scope));
    for said in &record.said {
        document.add_pre_tokenized_text(fields.everywhere(said), tokens(&said.text, None));
        if let Some(key) = spoken_key(said) {
            document.add_pre_tokenized_text(fields.said, tokens(&said.text, Some(key)));
        }
    }
    for (key, value) in &record.tags {
        document.add_text(fields.tags, keyed(key, value));
    }
    for (key, number) in &record.numbers {
        match fields.column(key) {
            Some(column) => document.add_f64(column, *number),
            None => document.add_text(fields.numbers, number_term(key, *number)),
        }
    }
    for (facet, value) in &record.facets {
        document.add_text(fields.facet(*facet), value);
    }
    document
}

/// The key under which words are found that stand in a place of their own.
fn spoken_key(said: &Said) -> Option<&str> {
    match &said.place {
        Place::Field(key) => Some(key),
        Place::Name | Place::Text | Place::Comment | Place::Anywhere | Place::Uncommented => None,
    }
}

fn tokens(text: &str, key: Option<&str>) -> PreTokenizedString {
    let tokens = words(text)
        .into_iter()
        .map(|word| Token {
            offset_from: 0,
            offset_to: 0,
            position: word.position,
            text: key.map_or_else(|| word.text.clone(), |key| keyed(key, &word.text)),
            position_length: 1,
        })
        .collect();
    PreTokenizedString { text: String::new(), tokens }
}
