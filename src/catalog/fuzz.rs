//! Fuzz targets of what people ask, and of what is kept for finding.

use crate::base::fuzz::{Target, Verdict, canonical};
use crate::base::id::{CommitId, FileId, TermId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::catalog::collections::Collections;
use crate::catalog::findings::{Finding, RECIPE, read_finding};
use crate::catalog::index::for_fuzz;
use crate::catalog::likeness::Fingerprint;
use crate::catalog::matching::Matcher;
use crate::catalog::query::{KEYS, Known, parse};
use crate::catalog::record::Record;
use crate::catalog::xmp::{self, OWN_FIELDS, Words};
use crate::object::metadata::{FieldName, FieldValue};
use std::collections::BTreeMap;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new(
        "catalog: query",
        &["catalog/query/parse.rs", "catalog/query/lex.rs"],
        query_seeds,
        run_query,
    )
    .with_memory(1 << 20),
    Target::new("catalog: place of a record", &["catalog/index/mod.rs"], standing_seeds, |bytes| {
        canonical(for_fuzz::standing(bytes).ok_or(()), Clone::clone)
    }),
    Target::new(
        "catalog: finding",
        &["catalog/findings.rs", "catalog/likeness.rs"],
        finding_seeds,
        |bytes| match read_finding(bytes) {
            Some(finding) => match serde_json::to_vec(&finding).ok().and_then(|again| read_finding(&again)) {
                Some(again) if again == finding => Verdict::Understood,
                again => Verdict::Wrong(format!("{finding:?} reads back as {again:?}")),
            },
            None => Verdict::Refused,
        },
    ),
    Target::new("catalog: collections", &["catalog/collections.rs"], collection_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let Ok(read) = Collections::parse(text) else { return Verdict::Refused };
        match Collections::parse(&read.to_text()) {
            Ok(again) if again.entries().eq(read.entries()) => Verdict::Understood,
            _ => Verdict::Wrong("it does not read back".to_owned()),
        }
    })
    .with_memory(4 << 20),
    Target::new("catalog: lines of a sidecar", &["catalog/xmp.rs"], line_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let lines = |values: Vec<String>| BTreeMap::from([(OWN_FIELDS.to_owned(), values)]);
        let read = xmp::read(&lines(text.lines().map(str::to_owned).collect()), &Plain);
        if read.is_empty() {
            return Verdict::Refused;
        }
        let again = xmp::read(&lines(xmp::lines_for_fuzz(&read, &Plain)), &Plain);
        if again == read {
            Verdict::Understood
        } else {
            Verdict::Wrong(format!("{read:?} reads back as {again:?}"))
        }
    })
    .with_memory(4 << 20),
];

/// Every value as it stands, and no terms.
struct Plain;

impl Words for Plain {
    fn show(&self, value: &FieldValue) -> String {
        match value {
            FieldValue::Text(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    fn parse(&self, kind: &str, text: &str) -> Option<FieldValue> {
        (kind == "text").then(|| FieldValue::Text(text.to_owned()))
    }

    fn kind(&self, value: &FieldValue) -> &'static str {
        match value {
            FieldValue::Set(_) => "set",
            FieldValue::Moment(_) => "moment",
            _ => "text",
        }
    }

    fn wanted(&self, _: &FieldName) -> Option<&'static str> {
        None
    }

    fn term_path(&self, _: TermId) -> Option<String> {
        None
    }

    fn find_term(&self, _: &str) -> Option<(FieldName, TermId)> {
        None
    }
}

fn line_seeds() -> Vec<Vec<u8>> {
    let long = "harbour%20".repeat(400);
    let (first, rest) = long.split_at(3000);
    [
        "title text= 9 Quay%2C 9\ncity set= 11 Bremen,Kiel\ncreated moment= 4 1234".to_owned(),
        format!("title text= {} {first}\ntitle +1 {rest}\nold text as it was", long.len()),
    ]
    .map(String::into_bytes)
    .to_vec()
}

struct Short;

impl Known for Short {
    fn has_field(&self, name: &str) -> bool {
        name.len() < 6
    }

    fn fields(&self) -> Vec<String> {
        vec!["title".to_owned()]
    }
}

fn query_seeds() -> Vec<Vec<u8>> {
    let more =
        ["(logo OR text:\"spring sale\") -label:old", "title:>2026-01 NOT in:brand/**", "lo* \"a\\\"b\""];
    KEYS.iter().map(|key| key.example).chain(more).map(|text| text.as_bytes().to_vec()).collect()
}

/// A question that is understood can be asked; one that is not says where it goes wrong.
fn run_query(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    match parse(text, &Short, Timestamp::utc(1_772_381_999_000)) {
        Ok(query) => {
            let path = AssetPath::from_bytes("brand/logo.psd").unwrap_or_default();
            let record = Record::new(path, "", CommitId::from_bytes([0; 32]), 0);
            let _ = Matcher::new(&query.node).score(&record);
            Verdict::Understood
        }
        Err(error) if error.at > text.chars().count() => Verdict::Wrong(format!("{error:?} points outside")),
        Err(error) => {
            let _ = (error.marked(), error.problem.proposal());
            Verdict::Refused
        }
    }
}

fn standing_seeds() -> Vec<Vec<u8>> {
    let path = AssetPath::from_bytes("brand/logo.psd").unwrap_or_default();
    [("", 0), ("draft/poster", 77)]
        .map(|(scope, mark)| for_fuzz::write(scope, &path, CommitId::from_bytes([3; 32]), mark))
        .to_vec()
}

fn finding_seeds() -> Vec<Vec<u8>> {
    let finding = Finding {
        recipe: RECIPE,
        format: "psd".to_owned(),
        size: Some((640, 480)),
        seconds: Some(1.5),
        layers: vec!["Background".to_owned()],
        fields: vec![("xmp.title".to_owned(), "Harbour".to_owned())],
        text: "spring sale".to_owned(),
        print: Some(Fingerprint([1, 2, 3, u64::MAX])),
        ..Finding::default()
    };
    let none = format!("{{\"print\":\"{}\"}}", FileId::from_bytes([7; 32]));
    vec![serde_json::to_vec(&finding).unwrap_or_default(), none.into_bytes(), b"{}".to_vec()]
}

fn collection_seeds() -> Vec<Vec<u8>> {
    let texts =
        ["[spring]\nquery = \"label:spring\"\n", "# none\n", "[\"a b\"]\nquery = \"logo\"\nnote = 1\n"];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
