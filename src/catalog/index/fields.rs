//! Under which names the index keeps what records say.

use crate::catalog::query::Place;
use crate::catalog::record::{Facet, Said, Weight};
use tantivy::Term;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};

/// Parts a key from what belongs to it; no word has it.
const PARTING: char = '\u{1}';

/// Numbers that are kept in columns, and found and sorted fast; others are terms.
pub(super) const COLUMNS: [&str; 7] = ["width", "height", "size", "length", "pages", "layers", "changed"];

/// The fields of the index.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub schema: Schema,
    /// Scope, path and commit as bytes, given back with a find.
    pub place: Field,
    /// Scope and path as a hash: what is replaced.
    pub key: Field,
    /// The group of branches.
    pub scope: Field,
    /// The path's bytes.
    pub path: Field,
    pub name: Field,
    pub strong: Field,
    pub plain: Field,
    pub text: Field,
    pub comment: Field,
    /// Words with the field that they stand in.
    pub said: Field,
    pub tags: Field,
    pub numbers: Field,
    columns: [Field; COLUMNS.len()],
    facets: [Field; Facet::ALL.len()],
}

impl Fields {
    pub fn new() -> Self {
        let mut builder = Schema::builder();
        let words = || {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer("raw")
                .set_index_option(IndexRecordOption::WithFreqsAndPositions);
            TextOptions::default().set_indexing_options(indexing)
        };
        let terms = || {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer("raw")
                .set_fieldnorms(false)
                .set_index_option(IndexRecordOption::Basic);
            TextOptions::default().set_indexing_options(indexing)
        };
        let place = builder.add_bytes_field("place", BytesOptions::default().set_stored());
        let key = builder.add_bytes_field("key", BytesOptions::default().set_indexed());
        let scope = builder.add_text_field("scope", terms());
        let path = builder.add_bytes_field("path", BytesOptions::default().set_indexed().set_fast());
        let name = builder.add_text_field("name", words());
        let strong = builder.add_text_field("strong", words());
        let plain = builder.add_text_field("plain", words());
        let text = builder.add_text_field("text", words());
        let comment = builder.add_text_field("comment", words());
        let said = builder.add_text_field("said", words());
        let tags = builder.add_text_field("tags", terms());
        let numbers = builder.add_text_field("numbers", terms());
        let columns =
            COLUMNS.map(|column| builder.add_f64_field(column, NumericOptions::default().set_fast()));
        let facets = Facet::ALL
            .map(|facet| builder.add_text_field(facet_column(facet), TextOptions::default().set_fast("raw")));
        let schema = builder.build();
        Self {
            schema,
            place,
            key,
            scope,
            path,
            name,
            strong,
            plain,
            text,
            comment,
            said,
            tags,
            numbers,
            columns,
            facets,
        }
    }

    /// The column of a number, if it has one.
    pub fn column(&self, key: &str) -> Option<Field> {
        COLUMNS.iter().position(|column| *column == key).map(|index| self.columns[index])
    }

    pub fn facet(&self, facet: Facet) -> Field {
        self.facets[Facet::ALL.iter().position(|other| *other == facet).unwrap_or(0)]
    }

    pub fn tag(&self, key: &str, value: &str) -> Term {
        Term::from_field_text(self.tags, &keyed(key, value))
    }

    /// The field in which words are found wherever one looks.
    pub fn everywhere(&self, said: &Said) -> Field {
        match (&said.place, said.weight()) {
            (Place::Text, _) => self.text,
            (Place::Comment, _) => self.comment,
            (_, Weight::Name) => self.name,
            (_, Weight::Strong) => self.strong,
            (_, Weight::Plain) => self.plain,
        }
    }
}

/// The name of the column of a facet.
pub(super) const fn facet_column(facet: Facet) -> &'static str {
    match facet {
        Facet::Type => "facet_type",
        Facet::Label => "facet_label",
        Facet::By => "facet_by",
        Facet::On => "facet_on",
        Facet::In => "facet_in",
    }
}

/// A term that belongs to a key.
pub(super) fn keyed(key: &str, value: &str) -> String {
    format!("{key}{PARTING}{value}")
}

/// A number as a term: terms are in the order of the numbers.
pub(super) fn number_term(key: &str, number: f64) -> String {
    // -0 and 0 are one number.
    let number = if number == 0.0 { 0.0 } else { number };
    keyed(key, &format!("{:016x}", tantivy::f64_to_u64(number)))
}
