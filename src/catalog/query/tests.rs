use super::*;
use crate::catalog::query::KEYS;
use proptest::prelude::*;

struct Fields(&'static [&'static str]);

impl Known for Fields {
    fn has_field(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    fn fields(&self) -> Vec<String> {
        self.0.iter().map(|word| (*word).to_owned()).collect()
    }
}

const KNOWN: Fields = Fields(&["title", "rights.until", "price"]);
const NOW: Timestamp = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };

fn read(text: &str) -> Result<Node, QueryError> {
    parse(text, &KNOWN, NOW).map(|query| query.node)
}

fn words(place: Place, words: &[&str]) -> Node {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Node::Words { place, phrase: Phrase { words, open: false } }
}

fn label(text: &str) -> Node {
    Node::Tag { key: "label".into(), value: TagValue::Is(text.into()) }
}

#[test]
fn the_example_of_the_help_is_understood_part_by_part() {
    let text =
        "logo label:approved type:psd width:>3000 by:anna since:2026-01 text:\"spring sale\" in:brand/**";
    let Ok(Node::All(parts)) = read(text) else { panic!("several parts") };
    assert_eq!(parts.len(), 8);
    assert_eq!(parts[0], words(Place::Anywhere, &["logo"]));
    assert_eq!(parts[1], label("approved"));
    assert_eq!(
        parts[3],
        Node::Number { key: "width".into(), from: Bound::Excluded(3000.0), to: Bound::Unbounded }
    );
    assert_eq!(parts[6], words(Place::Text, &["spring", "sale"]));
    assert!(matches!(&parts[7], Node::Path(pattern) if pattern.as_str() == "brand/**"));
}

#[test]
fn or_not_and_brackets_group() {
    let (a, b, c) = (label("a"), label("b"), label("c"));
    let not = |node: &Node| Node::Not(Box::new(node.clone()));
    assert_eq!(
        read("label:a OR label:b label:c"),
        Ok(Node::Any(vec![a.clone(), Node::All(vec![b.clone(), c.clone()])]))
    );
    assert_eq!(
        read("(label:a OR label:b) -label:c"),
        Ok(Node::All(vec![Node::Any(vec![a.clone(), b.clone()]), not(&c)]))
    );
    assert_eq!(read("NOT label:a AND label:b"), Ok(Node::All(vec![not(&a), b])));
    assert_eq!(read(""), Ok(Node::All(vec![])));
    assert_eq!(read("\"OR\""), Ok(words(Place::Anywhere, &["or"])), "in quotation marks it is a word");
}

#[test]
fn fields_are_compared_or_read_as_words() {
    assert_eq!(read("title:Harbour"), Ok(words(Place::Field("title".into()), &["harbour"])));
    assert!(matches!(read("rights.until:<2027-01-01"), Ok(Node::Number { .. })));
    // Four digits are a year where dates are compared, and a number where numbers are.
    let Ok(Node::Any(both)) = read("rights.until:>2026") else { panic!("a number and a year") };
    let keys = both.iter().map(|node| match node {
        Node::Number { key, .. } => key.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(keys.collect::<Vec<_>>(), ["rights.until".to_owned(), date_key("rights.until")]);
    assert!(
        matches!(read("price>=10"), Ok(Node::Number { from: Bound::Included(ten), .. }) if ten as i64 == 10)
    );
    assert!(matches!(read("price:10..20"), Ok(Node::Number { .. })));
    let Ok(Node::Words { phrase, .. }) = read("log*") else { panic!("words") };
    assert!(phrase.open && phrase.words == ["log"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: &[(&str, usize, &str)] = &[
        ("logo lable:x", 5, "there is no key \"lable\""),
        ("logo \"open", 5, "never closed"),
        ("(logo", 0, "bracket is never closed"),
        ("logo)", 4, "bracket was never opened"),
        ("logo OR", 7, "missing"),
        ("NOT", 3, "missing"),
        ("()", 1, "missing"),
        ("width:wide", 6, "no number"),
        ("size:>big", 5, "no size"),
        ("since:whenever", 6, "no date"),
        ("label:", 0, "needs a value"),
        ("label:>a", 6, "takes no comparison"),
        ("in:[ab]", 3, "pattern of paths"),
        ("shape:round", 6, "nothing that shape knows"),
        ("width:20..10", 6, "ends before it begins"),
        ("...", 0, "no letter or digit"),
    ];
    for (text, at, says) in cases {
        let error = read(text).expect_err(text);
        assert_eq!(error.at, *at, "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
        assert!(error.marked().lines().nth(1).is_some_and(|line| line.ends_with('^')));
    }
    let near = |text: &str| match read(text).expect_err(text).problem {
        QueryProblem::UnknownKey { near, .. } => near,
        other => panic!("{other:?}"),
    };
    assert_eq!(near("lable:x").as_deref(), Some("label"));
    assert_eq!(near("tilte:x").as_deref(), Some("title"));
    assert_eq!(near("zzzzzz:x"), None);
}

#[test]
fn questions_are_bounded() {
    assert!(matches!(read(&"a ".repeat(5000)), Err(QueryError { problem: QueryProblem::TooLong, .. })));
    assert!(matches!(read(&"a ".repeat(100)), Err(QueryError { problem: QueryProblem::TooManyTerms, .. })));
    assert!(matches!(read(&"(".repeat(1000)), Err(QueryError { problem: QueryProblem::TooDeep, .. })));
    assert!(matches!(read(&"-".repeat(1000)), Err(QueryError { .. })));
    assert!(matches!(read(&format!("{}a", "NOT ".repeat(100))), Err(QueryError { .. })));
}

#[test]
fn every_example_of_a_key_is_understood() {
    for key in KEYS {
        assert!(read(key.example).is_ok(), "{}", key.example);
        assert!(key.example.starts_with(key.name), "{}", key.example);
    }
}

/// What a question could be, and how it is written.
fn written() -> impl Strategy<Value = (String, Node)> {
    let word = "[a-z]{1,8}".prop_filter("a word of the language", |word| word != "or");
    let leaf = prop_oneof![
        word.clone().prop_map(|word| (word.clone(), words(Place::Anywhere, &[&word]))),
        word.prop_map(|word| (format!("label:\"{word}\""), label(&word))),
        (0u32..100_000).prop_map(|number| {
            let bound = Bound::Excluded(f64::from(number));
            let node = Node::Number { key: "width".into(), from: bound, to: Bound::Unbounded };
            (format!("width:>{number}"), node)
        }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(text, node)| (format!("-({text})"), Node::Not(Box::new(node)))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| {
                let (texts, nodes): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                let texts: Vec<String> = texts.iter().map(|text: &String| format!("({text})")).collect();
                (texts.join(" "), Node::All(nodes))
            }),
            prop::collection::vec(inner, 2..4).prop_map(|parts| {
                let (texts, nodes): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                let texts: Vec<String> = texts.iter().map(|text: &String| format!("({text})")).collect();
                (texts.join(" OR "), Node::Any(nodes))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was_meant((text, node) in written()) {
        prop_assert_eq!(read(&text), Ok(node), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
        if let Err(error) = read(&text) {
            prop_assert!(error.at <= text.chars().count());
            let _ = error.marked();
        }
    }

    #[test]
    fn signs_in_any_order_are_read_or_refused(
        parts in prop::collection::vec(
            prop::sample::select(vec!["(", ")", "-", "OR", "NOT", "AND", "\"", "a", "label:", ":", ">", "..", "*", "width:>", "\\"]),
            0..40,
        ),
        gap in prop::sample::select(vec!["", " "]),
    ) {
        let _ = read(&parts.join(gap));
    }
}
