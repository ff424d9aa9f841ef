//! Whether a record answers a question, without an index: for revisions that no index has, where none
//! can be written, and as the measure of what an index says.

use crate::catalog::query::{Node, Phrase, Place};
use crate::catalog::record::Record;
use crate::catalog::words::{Word, words};
use std::ops::{Bound, RangeBounds as _};

/// Judges one record after the other.
#[derive(Debug, Clone, Copy)]
pub struct Matcher<'a> {
    node: &'a Node,
}

impl<'a> Matcher<'a> {
    /// Judges by this question.
    pub const fn new(node: &'a Node) -> Self {
        Self { node }
    }

    /// How well a record answers; `None` when it does not.
    pub fn score(&self, record: &Record) -> Option<f32> {
        let texts: Vec<Vec<Word>> = if uses_words(self.node) {
            record.said.iter().map(|said| words(&said.text)).collect()
        } else {
            Vec::new()
        };
        judge(self.node, record, &texts)
    }
}

fn uses_words(node: &Node) -> bool {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(uses_words),
        Node::Not(node) => uses_words(node),
        Node::Words { .. } => true,
        Node::Tag { .. } | Node::Number { .. } | Node::Path(_) => false,
    }
}

fn judge(node: &Node, record: &Record, texts: &[Vec<Word>]) -> Option<f32> {
    let truth = |holds: bool| holds.then_some(0.0);
    match node {
        Node::All(nodes) => nodes.iter().try_fold(0.0, |sum, node| Some(sum + judge(node, record, texts)?)),
        Node::Any(nodes) => nodes
            .iter()
            .filter_map(|node| judge(node, record, texts))
            .fold(None, |sum, score| Some(sum.unwrap_or(0.0) + score)),
        Node::Not(node) => truth(judge(node, record, texts).is_none()),
        Node::Words { place, phrase } => spoken(place, phrase, record, texts),
        Node::Tag { key, value } => truth(record.tags_of(key).any(|found| value.fits(found))),
        Node::Number { key, from, to } => truth(
            record
                .numbers
                .iter()
                .any(|(other, number)| other == key && (as_ref(from), as_ref(to)).contains(number)),
        ),
        Node::Path(pattern) => truth(pattern.matches_path(&record.path)),
    }
}

const fn as_ref(bound: &Bound<f64>) -> Bound<&f64> {
    match bound {
        Bound::Included(number) => Bound::Included(number),
        Bound::Excluded(number) => Bound::Excluded(number),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn spoken(place: &Place, phrase: &Phrase, record: &Record, texts: &[Vec<Word>]) -> Option<f32> {
    let fitting = record.said.iter().zip(texts).filter(|(said, text)| {
        let is_there = match place {
            Place::Anywhere => true,
            Place::Uncommented => said.place != Place::Comment,
            other => said.place == *other,
        };
        is_there && holds(text, phrase)
    });
    fitting.fold(None, |sum, (said, _)| Some(sum.unwrap_or(0.0) + said.weight().factor()))
}

/// Whether the words stand one after the other.
fn holds(text: &[Word], phrase: &Phrase) -> bool {
    let fits = |word: &Word, index: usize| {
        let wanted = &phrase.words[index];
        let is_last = index + 1 == phrase.words.len();
        word.text == *wanted || (phrase.open && is_last && word.text.starts_with(wanted.as_str()))
    };
    text.iter().filter(|word| fits(word, 0)).any(|first| {
        (1..phrase.words.len()).all(|index| {
            let place = first.position + index;
            let begin = text.partition_point(|word| word.position < place);
            text[begin..].iter().take_while(|word| word.position == place).any(|word| fits(word, index))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::CommitId;
    use crate::base::path::AssetPath;
    use crate::base::time::Timestamp;
    use crate::catalog::query::{Known, parse};

    struct Any;

    impl Known for Any {
        fn has_field(&self, _: &str) -> bool {
            true
        }

        fn fields(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn record() -> Record {
        let path = AssetPath::from_bytes("brand/HarbourLogo_v2.psd").expect("a path");
        let mut record = Record::new(path, "", CommitId::from_bytes([1; 32]), 1_000);
        record.tag("label", "Approved");
        record.say_field("title", "Harbour at dawn");
        record.say(Place::Text, "Spring sale");
        record.number("width", 4000.0);
        record
    }

    fn finds(text: &str) -> bool {
        let query = parse(text, &Any, Timestamp::utc(1)).expect("a query");
        Matcher::new(&query.node).score(&record()).is_some()
    }

    #[test]
    fn records_answer_by_words_tags_numbers_and_paths() {
        for text in [
            "logo",
            "harbourlogo",
            "\"harbour at\"",
            "harbour dawn",
            "approved OR zebra",
            "label:approved",
            "-zebra",
            "width:>3000",
            "in:brand",
            "in:**/*.psd",
            "title:dawn",
            "daw*",
            "\"spring sale\"",
            "logo_v2.psd OR v2",
            "text:spring",
            "",
            "brand",
            "label:app*",
        ] {
            // `approved` is a label and no word unless it is said too.
            assert!(finds(text) || text.starts_with("approved"), "{text}");
        }
        for text in [
            "zebra",
            "\"at harbour\"",
            "\"dawn spring\"",
            "label:appr",
            "width:<4000",
            "in:bran",
            "name:dawn",
            "title:spring",
            "-logo",
            "\"daw*\"",
            "height:>0",
        ] {
            assert!(!finds(text), "{text}");
        }
    }
}
