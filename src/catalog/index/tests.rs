use super::*;
use crate::base::time::Timestamp;
use crate::catalog::matching::Matcher;
use crate::catalog::query::{Known, Place, parse};
use crate::catalog::record::{Facet, Record};
use proptest::prelude::*;
use std::collections::BTreeSet;

struct Any;

impl Known for Any {
    fn has_field(&self, _: &str) -> bool {
        true
    }

    fn fields(&self) -> Vec<String> {
        Vec::new()
    }
}

const WORDS: [&str; 8] = ["logo", "spring", "Sale", "harbour", "HarbourLogo", "v2", "été", "港灯"];
const FOLDERS: [&str; 4] = ["brand", "brand/old", "web", "Brand"];
const LABELS: [&str; 3] = ["approved", "Spring sale", "old"];

fn record() -> impl Strategy<Value = Record> {
    let text =
        prop::collection::vec(prop::sample::select(&WORDS[..]), 0..5).prop_map(|words| words.join(" "));
    (
        prop::sample::select(&FOLDERS[..]),
        prop::collection::vec(prop::sample::select(&WORDS[..]), 1..4),
        prop::collection::btree_set(prop::sample::select(&LABELS[..]), 0..3),
        (text.clone(), text.clone(), text),
        prop::option::of(0u32..6),
        -3i32..4,
    )
        .prop_map(|(folder, name, labels, (title, text, comment), width, price)| {
            let path = AssetPath::from_bytes(format!("{folder}/{}.psd", name.join("_"))).expect("a path");
            let mut record = Record::new(path, "", CommitId::from_bytes([1; 32]), i64::from(price) * 1000);
            for label in labels {
                record.tag("label", label);
                record.count(Facet::Label, label);
                record.say_field("label", label);
            }
            record.say_field("title", &title);
            record.say(Place::Text, &text);
            record.say(Place::Comment, &comment);
            if let Some(width) = width {
                record.number("width", f64::from(width));
            }
            record.number("price", f64::from(price) / 2.0);
            record.date("ends", f64::from(price) * 365.25 * 86_400_000.0);
            if price > 0 {
                record.number("ends", f64::from(price) + 1970.0);
            }
            record
        })
}

fn question() -> impl Strategy<Value = String> {
    let word = prop::sample::select(&WORDS[..]);
    let leaf = prop_oneof![
        word.clone().prop_map(str::to_owned),
        (word.clone(), word.clone()).prop_map(|(a, b)| format!("\"{a} {b}\"")),
        word.clone().prop_map(|word| format!("{}*", word.chars().take(2).collect::<String>())),
        (word.clone(), word.clone())
            .prop_map(|(a, b)| format!("name:{a}_{}*", &b.chars().next().unwrap_or('a'))),
        word.clone().prop_map(|word| format!("title:{word}")),
        word.clone().prop_map(|word| format!("text:{word}")),
        word.clone().prop_map(|word| format!("comment:{word}")),
        word.prop_map(|word| format!("name:{word}")),
        prop::sample::select(&LABELS[..]).prop_map(|label| format!("label:\"{label}\"")),
        Just("label:sp*".to_owned()),
        (0u32..6).prop_map(|width| format!("width:>={width}")),
        (0u32..6).prop_map(|width| format!("width:{width}")),
        (-3i32..4).prop_map(|price| format!("price:<{price}")),
        (-3i32..4).prop_map(|price| format!("price:>={price}")),
        (1967i32..1974).prop_map(|year| format!("ends:<{year}")),
        (1967i32..1974).prop_map(|year| format!("ends:>={year}-06")),
        Just("changed:>1970-01-01".to_owned()),
        prop::sample::select(&FOLDERS[..]).prop_map(|folder| format!("in:{folder}")),
        prop::sample::select(&["in:brand/**", "in:b*/*.psd", "in:**/*_v2.psd", "in:?eb", "in:**"][..])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|text| format!("-({text})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) OR ({b})")),
        ]
    })
}

fn request(limit: usize) -> Request {
    Request { limit, ranking: Ranking::Score, facets: true }
}

fn filled(folder: &Path, records: &[Record]) -> Catalog {
    let mut catalog = Catalog::create(folder).expect("an index");
    let mut writer = catalog.write().expect("a writer");
    records.iter().for_each(|record| writer.put(record).expect("put"));
    writer.commit(State { version: INDEX_VERSION, ..State::default() }).expect("committed");
    catalog
}

/// The same index, searched as one with many records is.
fn by_threads(catalog: &Catalog) -> Catalog {
    let mut index = catalog.index.clone();
    index.set_multithread_executor(2).expect("threads");
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().expect("a reader");
    let (folder, state) = (catalog.folder.clone(), catalog.state.clone());
    Catalog { folder, index, reader, fields: Fields::new(), state }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The index says of every question what looking at each record says.
    #[test]
    fn an_index_answers_like_a_look_at_everything(
        records in prop::collection::vec(record(), 1..25),
        questions in prop::collection::vec(question(), 12),
    ) {
        let place = tempfile::tempdir().expect("a folder");
        let by_path: std::collections::BTreeMap<AssetPath, Record> =
            records.iter().map(|record| (record.path.clone(), record.clone())).collect();
        let catalog = filled(&place.path().join("index"), &records);
        prop_assert_eq!(catalog.len(), by_path.len() as u64);
        let threads = by_threads(&catalog);
        for text in questions {
            let query = parse(&text, &Any, Timestamp::utc(1)).expect("a question");
            let matcher = Matcher::new(&query.node);
            let expected: BTreeSet<&AssetPath> =
                by_path.values().filter(|record| matcher.score(record).is_some()).map(|record| &record.path).collect();
            let found = catalog.search(&query.node, &request(100)).expect("an answer");
            let paths: BTreeSet<&AssetPath> = found.hits.iter().map(|(_, standing)| &standing.path).collect();
            prop_assert_eq!(&paths, &expected, "{}", text);
            prop_assert_eq!(found.total, expected.len() as u64);
            let labels: u64 = found.facets.get(&Facet::Label).into_iter().flatten().map(|(_, count)| count).sum();
            let expected: usize = expected.iter().map(|path| by_path[*path].tags_of("label").count()).sum();
            prop_assert_eq!(labels, expected as u64);
            let by_threads = threads.search(&query.node, &request(100)).expect("an answer");
            prop_assert_eq!(by_threads.hits, found.hits, "{}", text);
            prop_assert_eq!((by_threads.total, by_threads.facets), (found.total, found.facets));
        }
    }
}

fn named(name: &str, changed_ms: i64) -> Record {
    let path = AssetPath::from_bytes(name).expect("a path");
    Record::new(path, "", CommitId::from_bytes([1; 32]), changed_ms)
}

fn paths(catalog: &Catalog, text: &str, ranking: Ranking, limit: usize) -> Vec<String> {
    let query = parse(text, &Any, Timestamp::utc(1)).expect("a question");
    let request = Request { limit, ranking, facets: false };
    let found = catalog.search(&query.node, &request).expect("an answer");
    found.hits.iter().map(|(_, standing)| standing.path.to_string()).collect()
}

#[test]
fn the_best_come_first_and_the_newest_of_equals() {
    let place = tempfile::tempdir().expect("a folder");
    let mut spoken = named("b.txt", 9);
    spoken.say(Place::Text, "the logo of the harbour");
    let records = [named("old/logo.psd", 1), spoken, named("new/logo.psd", 5)];
    let catalog = filled(&place.path().join("index"), &records);
    assert_eq!(paths(&catalog, "logo", Ranking::Score, 10), ["new/logo.psd", "old/logo.psd", "b.txt"]);
    assert_eq!(paths(&catalog, "logo", Ranking::Score, 1), ["new/logo.psd"]);
    let newest = Ranking::Number { column: "changed", least_first: false };
    assert_eq!(paths(&catalog, "", newest, 2), ["b.txt", "new/logo.psd"]);
    let oldest = Ranking::Number { column: "changed", least_first: true };
    assert_eq!(paths(&catalog, "", oldest, 1), ["old/logo.psd"]);
}

#[test]
fn records_are_replaced_by_place_and_groups_go_as_a_whole() {
    let place = tempfile::tempdir().expect("a folder");
    let mut catalog = filled(&place.path().join("index"), &[named("a.psd", 1), named("b.psd", 2)]);
    let mut draft = named("a.psd", 3);
    draft.scope = "draft/x".to_owned();
    let mut writer = catalog.write().expect("a writer");
    writer.put(&draft).expect("put");
    writer.put(&named("b.psd", 4)).expect("put");
    let state = State { version: INDEX_VERSION, comments: "x".to_owned(), ..State::default() };
    writer.commit(state.clone()).expect("committed");
    assert_eq!(catalog.at(&named("a.psd", 0).path).expect("read").len(), 2);
    assert_eq!(catalog.len(), 3);
    let mut writer = catalog.write().expect("a writer");
    writer.remove_scope("draft/x");
    writer.remove("", &named("b.psd", 0).path);
    writer.commit(state.clone()).expect("committed");
    let left: Vec<String> =
        catalog.everything().expect("read").iter().map(|one| one.path.to_string()).collect();
    assert_eq!(left, ["a.psd"]);
    let again = Catalog::open(&place.path().join("index")).expect("readable").expect("an index");
    assert_eq!(again.state(), &state);
}

#[test]
fn damage_is_noticed_and_another_version_is_none() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("index");
    drop(filled(&folder, &[named("a.psd", 1), named("b.psd", 2)]));
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let sound = std::fs::read(&path).expect("a file");
        for bytes in [sound[..sound.len() / 2].to_vec(), flipped(&sound)] {
            std::fs::write(&path, &bytes).expect("damaged");
            let Ok(Some(taken)) = Catalog::open(&folder) else { continue };
            // The name of a setting may be damaged that says what holds anyway: then nothing else is read.
            assert_eq!(
                (name.as_str(), bytes.len()),
                ("meta.json", sound.len()),
                "it is damaged and was taken"
            );
            assert_eq!(taken.state(), &State { version: INDEX_VERSION, ..State::default() });
            let mut all: Vec<String> =
                taken.everything().expect("read").iter().map(|one| one.path.to_string()).collect();
            all.sort();
            assert_eq!(all, ["a.psd", "b.psd"]);
        }
        std::fs::write(&path, sound).expect("mended");
    }
    assert!(Catalog::open(&folder).expect("sound again").is_some());
    let mut catalog = Catalog::open(&folder).expect("sound").expect("an index");
    let writer = catalog.write().expect("a writer");
    writer.commit(State { version: INDEX_VERSION + 1, ..State::default() }).expect("committed");
    drop(catalog);
    assert!(Catalog::open(&folder).expect("no error").is_none());
}

fn flipped(sound: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    bytes
}
