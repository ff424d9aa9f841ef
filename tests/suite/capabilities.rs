//! The list of capabilities says of every number once where it stands, and what it names is there.

use pentimento::cli::commands::VERBS;
use std::fs;
use std::path::Path;

/// How many capabilities the product description numbers.
const CAPABILITIES: usize = 83;

/// The cells of a row, without the bars.
fn rows() -> Vec<Vec<String>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/capabilities.md");
    let text = fs::read_to_string(place).expect("the list");
    let rows = text.lines().filter(|line| line.starts_with("| P"));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_capability_stands_there_once() {
    let rows = rows();
    let numbers: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let all: Vec<String> = (1..=CAPABILITIES).map(|number| format!("P{number:02}")).collect();
    assert_eq!(numbers, all);
    for row in &rows {
        let [number, what, state, since, shown] = row.as_slice() else { panic!("{row:?} has other columns") };
        assert!(!what.is_empty(), "{number}");
        match state.as_str() {
            "works" | "partly" => {
                assert!(!since.is_empty() && named(shown).next().is_some(), "{number} says what shows it");
            }
            "not yet" => assert!(since.is_empty(), "{number} is not there since any version"),
            other => panic!("{number} is {other:?}"),
        }
    }
}

#[test]
fn whatever_shows_a_capability_is_there() {
    for row in rows() {
        for name in named(&row[4]) {
            assert!(exists(name), "{} names {name}, which is no test, file or command", row[0]);
        }
    }
}

/// What a text names between backquotes.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn exists(name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let verb = name.strip_prefix("pent ").unwrap_or(name).split(' ').next().unwrap_or_default();
    if name.contains('/') {
        return root.join(name).exists();
    }
    let parts: Vec<&str> = name.split("::").collect();
    let is_test = ["tests/suite", "src"].iter().any(|top| is_test(&root.join(top), &parts));
    is_test || (parts.len() == 1 && VERBS.iter().any(|entry| entry.name == verb))
}

/// Whether a path of modules leads to a file, or to a test in one.
fn is_test(folder: &Path, parts: &[&str]) -> bool {
    let module = |parts: &[&str]| {
        let place = folder.join(parts.join("/"));
        [place.with_extension("rs"), place.join("mod.rs")].into_iter().find(|file| file.is_file())
    };
    if module(parts).is_some() {
        return true;
    }
    let Some((test, inside)) = parts.split_last() else { return false };
    let text = module(inside).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.contains(&format!("#[test]\nfn {test}()"))
}

/// Every link of a document to another file of the project leads somewhere.
#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    let mut folders = vec![root.join("docs"), root.join("fixtures"), root.join("benches")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut broken = Vec::new();
    let mut links = 0;
    for page in &pages {
        let text = fs::read_to_string(page).expect("a page");
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split([')', '#', '\n']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            links += 1;
            if !page.parent().expect("a folder").join(target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 50, "{links} links");
    assert!(broken.is_empty(), "{broken:#?}");
}
