//! From a question to what the index is asked.

use crate::base::escape::percent_encode;
use crate::base::path::AssetPath;
use crate::catalog::index::fields::{Fields, keyed, number_term};
use crate::catalog::index::settled::Settled;
use crate::catalog::query::{Node, Phrase, Place, TagValue};
use crate::catalog::record::{FOLDER_TAG, Weight};
use crate::rules::pattern::Pattern;
use std::ops::Bound;
use std::sync::Arc;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, InvertedIndexRangeQuery, Occur,
    PhrasePrefixQuery, PhraseQuery, Query, RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, SegmentReader, Term};

/// Most words that the open end of a phrase may stand for.
const EXPANSIONS_MAX: u32 = 65_536;

pub(super) fn query(node: &Node, fields: &Fields) -> Box<dyn Query> {
    match node {
        Node::All(nodes) if nodes.is_empty() => unranked(Box::new(AllQuery)),
        Node::All(nodes) => {
            let clauses = nodes.iter().map(|node| match node {
                Node::Not(inner) => (Occur::MustNot, excluded(inner, fields)),
                other => (Occur::Must, query(other, fields)),
            });
            let mut clauses: Vec<_> = clauses.collect();
            if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                clauses.push((Occur::Must, unranked(Box::new(AllQuery))));
            }
            Box::new(BooleanQuery::new(clauses))
        }
        Node::Any(nodes) if nodes.is_empty() => Box::new(EmptyQuery),
        Node::Any(nodes) => {
            Box::new(BooleanQuery::union(nodes.iter().map(|node| query(node, fields)).collect()))
        }
        Node::Not(inner) => Box::new(BooleanQuery::new(vec![
            (Occur::MustNot, excluded(inner, fields)),
            (Occur::Must, unranked(Box::new(AllQuery))),
        ])),
        Node::Words { place, phrase } => words(place, phrase, fields),
        Node::Tag { key, value } => unranked(tag(key, value, fields)),
        Node::Number { key, from, to } => unranked(number(key, *from, *to, fields)),
        Node::Path(pattern) => unranked(path(pattern, fields)),
    }
}

/// What a search leaves out, which is asked about places before the one that it stands at.
fn excluded(node: &Node, fields: &Fields) -> Box<dyn Query> {
    Box::new(Settled(Arc::from(query(node, fields))))
}

/// What decides whether something is found, and not how well.
fn unranked(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}

fn words(place: &Place, phrase: &Phrase, fields: &Fields) -> Box<dyn Query> {
    let in_field = |field| spoken(field, None, phrase);
    let boosted = |field, weight: Weight| -> Box<dyn Query> {
        Box::new(BoostQuery::new(in_field(field), weight.factor()))
    };
    match place {
        Place::Name => in_field(fields.name),
        Place::Text => in_field(fields.text),
        Place::Comment => in_field(fields.comment),
        Place::Field(key) => spoken(fields.said, Some(key), phrase),
        Place::Anywhere | Place::Uncommented => {
            let mut all = vec![
                boosted(fields.name, Weight::Name),
                boosted(fields.strong, Weight::Strong),
                in_field(fields.plain),
                in_field(fields.text),
            ];
            if *place == Place::Anywhere {
                all.push(in_field(fields.comment));
            }
            Box::new(BooleanQuery::union(all))
        }
    }
}

fn spoken(field: Field, key: Option<&str>, phrase: &Phrase) -> Box<dyn Query> {
    let text = |word: &String| key.map_or_else(|| word.clone(), |key| keyed(key, word));
    let texts: Vec<String> = phrase.words.iter().map(text).collect();
    let terms = || texts.iter().map(|text| Term::from_field_text(field, text)).collect::<Vec<_>>();
    match (texts.as_slice(), phrase.open) {
        ([], _) => Box::new(EmptyQuery),
        ([one], false) => {
            Box::new(TermQuery::new(Term::from_field_text(field, one), IndexRecordOption::WithFreqs))
        }
        ([one], true) => beginning(field, one),
        (_, false) => Box::new(PhraseQuery::new(terms())),
        (_, true) => {
            let mut query = PhrasePrefixQuery::new(terms());
            query.set_max_expansions(EXPANSIONS_MAX);
            Box::new(query)
        }
    }
}

/// Terms that begin with a text.
fn beginning(field: Field, text: &str) -> Box<dyn Query> {
    let end = format!("{text}{}", char::MAX);
    Box::new(InvertedIndexRangeQuery::new(
        Bound::Included(Term::from_field_text(field, text)),
        Bound::Excluded(Term::from_field_text(field, &end)),
    ))
}

fn tag(key: &str, value: &TagValue, fields: &Fields) -> Box<dyn Query> {
    match value {
        TagValue::Is(value) => Box::new(TermQuery::new(fields.tag(key, value), IndexRecordOption::Basic)),
        TagValue::Begins(value) => beginning(fields.tags, &keyed(key, value)),
    }
}

fn number(key: &str, from: Bound<f64>, to: Bound<f64>, fields: &Fields) -> Box<dyn Query> {
    if let Some(column) = fields.column(key) {
        let term = |number: f64| Term::from_field_f64(column, if number == 0.0 { 0.0 } else { number });
        let (from, to) = match (from.map(term), to.map(term)) {
            (Bound::Unbounded, Bound::Unbounded) => (Bound::Included(term(f64::MIN)), Bound::Unbounded),
            bounds => bounds,
        };
        return Box::new(RangeQuery::new(from, to));
    }
    let term = |number: f64| Term::from_field_text(fields.numbers, &number_term(key, number));
    let lowest = Term::from_field_text(fields.numbers, &keyed(key, ""));
    let highest = Term::from_field_text(fields.numbers, &keyed(key, "g"));
    let from = match from.map(term) {
        Bound::Unbounded => Bound::Included(lowest),
        bound => bound,
    };
    let to = match to.map(term) {
        Bound::Unbounded => Bound::Excluded(highest),
        bound => bound,
    };
    Box::new(InvertedIndexRangeQuery::new(from, to))
}

fn path(pattern: &Pattern, fields: &Fields) -> Box<dyn Query> {
    if pattern.is_everything() {
        return Box::new(AllQuery);
    }
    let text = pattern.as_str();
    let folder = text.strip_suffix("/**").unwrap_or(text);
    if !folder.contains(['*', '?']) {
        let value = TagValue::Is(percent_encode(folder.as_bytes()));
        return tag(FOLDER_TAG, &value, fields);
    }
    let pattern = pattern.clone();
    let predicate = FunctionPredicate::from(move |segment: &SegmentReader| matching(&pattern, segment));
    Box::new(DocPredicateQuery::from(predicate))
}

/// Which documents of a segment stand at paths that match: each path is looked at once.
fn matching(
    pattern: &Pattern,
    segment: &SegmentReader,
) -> tantivy::Result<impl Fn(DocId) -> bool + Send + Sync + 'static + use<>> {
    let column = segment.fast_fields().bytes("path")?;
    let mut fitting = BitSet::with_max_value(column.as_ref().map_or(0, |column| column.num_terms() as u32));
    if let Some(column) = &column {
        // What stands before the first sign narrows it down.
        let begun = pattern.as_str().split(['*', '?']).next().unwrap_or_default();
        let begun = begun.trim_end_matches('/');
        let mut stream = column.dictionary().prefix_range(begun).into_stream()?;
        while stream.advance() {
            if AssetPath::from_bytes(stream.key()).is_ok_and(|path| pattern.matches_path(&path)) {
                fitting.insert(stream.term_ord() as u32);
            }
        }
    }
    let ords = column.map(|column| column.ords().clone());
    Ok(move |doc: DocId| {
        let ord = ords.as_ref().and_then(|ords| ords.first(doc));
        ord.is_some_and(|ord| fitting.contains(ord as u32))
    })
}
