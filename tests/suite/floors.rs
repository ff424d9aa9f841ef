//! The floors hold: a module imports only from floors below its own, files and functions stay short.

use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules and their floors, as `docs/architecture.md` draws them.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("object", 1),
    ("rules", 2),
    ("store", 2),
    ("repo", 3),
    ("worktree", 4),
    ("diff", 4),
    ("trust", 4),
    ("review", 4),
    ("media", 4),
    ("catalog", 4),
    ("sync", 4),
    ("import", 4),
    ("care", 4),
    ("app", 5),
    ("server", 6),
    ("cli", 7),
    ("fuzz", 8),
];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn source_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            source_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("a file below src").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("readable source"))
        })
        .collect()
}

/// Top-level modules that a source text names after `crate::`.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for (start, _) in code.match_indices("crate::") {
            let rest = &code[start + "crate::".len()..];
            let module: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*' || *c == '{')
                .collect();
            found.push((number + 1, module));
        }
    }
    found
}

#[test]
fn modules_import_only_from_floors_below_their_own() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = file.split('/').next().unwrap_or("").trim_end_matches(".rs").to_owned();
        if module == "main" || module == "lib" {
            continue;
        }
        let floor = floor_of(&module).unwrap_or_else(|| panic!("src/{file} belongs to no floor"));
        for (line, import) in imports(&text) {
            let fits = import == module || floor_of(&import).is_some_and(|other| other < floor);
            if !fits {
                wrong.push(format!("src/{file}:{line} imports crate::{import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "upward or sideways imports:\n{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_stay_short() {
    let mut long = Vec::new();
    for (file, text) in sources() {
        let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or("");
        let lines = body.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("src/{file} has {lines} lines"));
        }
        long.extend(long_functions(body).into_iter().map(|what| format!("src/{file}: {what}")));
    }
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

/// Functions of rustfmt-formatted code that exceed the limit: from the `fn` line to the `}` at its indent.
fn long_functions(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in body.lines().enumerate() {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let code = line.trim_start();
        if let Some((start, name, at)) = &open {
            if *at == indent && code == "}" {
                if number + 1 - start > FUNCTION_LINES_MAX {
                    found.push(format!("{name} has {} lines", number + 1 - start));
                }
                open = None;
            }
            continue;
        }
        let words: Vec<&str> = code.split_whitespace().collect();
        let position = words.iter().position(|word| *word == "fn");
        let is_function = position.is_some_and(|at| {
            words[..at].iter().all(|word| {
                word.starts_with("pub")
                    || matches!(*word, "const" | "unsafe" | "async" | "extern" | "\"C\"" | "crate)" | "in")
            })
        });
        if is_function && !code.ends_with(';') && !code.ends_with('}') {
            let name = words[position.unwrap_or(0) + 1].split(['(', '<']).next().unwrap_or("").to_owned();
            open = Some((number, name, indent));
        }
    }
    found
}

#[test]
fn no_module_takes_everything_from_another() {
    for (file, text) in sources() {
        assert!(!text.contains("use crate::*"), "src/{file} uses crate::*");
    }
}

/// Files below `src/` that have a text, apart from one that may.
fn others_with(text: &str, may: &[&str]) -> Vec<String> {
    let found = sources().into_iter().filter(|(file, source)| {
        !may.contains(&file.as_str()) && !file.ends_with("tests.rs") && source.contains(text)
    });
    found.map(|(file, _)| file).collect()
}

#[test]
fn protected_names_move_by_one_judgement_only() {
    let nobody: Vec<String> = Vec::new();
    // One function makes an authorisation, and one calls it; the dry run only asks why not.
    assert_eq!(others_with("Ok(Authorised {", &["rules/approval/judge.rs"]), nobody);
    let asks = ["trust/judge.rs", "rules/approval/judge.rs", "rules/approval/mod.rs", "app/policy/check.rs"];
    assert_eq!(others_with("approval::judge(", &asks), nobody);
    // Nobody writes names but the edit, and only repair puts one back.
    let mut writers = others_with("put(Space::Refs", &["repo/edit.rs"]);
    writers.retain(|file| !file.starts_with("store/"));
    assert_eq!(writers, nobody);
    let mends = ["repo/edit.rs", "care/repair/database.rs", "care/repair/records.rs"];
    assert_eq!(others_with("mend_reference(", &mends), nobody);
    // Where the log says that a name stands is said by its verification; whoever takes a log over follows.
    assert_eq!(others_with("Recorded::verified(", &["trust/chain/state.rs"]), nobody);
    let follow = ["repo/shared_log.rs", "sync/accept.rs", "sync/fetch.rs", "app/common/anew.rs"];
    assert_eq!(others_with("follow_log(", &follow), nobody);
    let take_back =
        ["repo/shared_log.rs", "app/common/rules.rs", "app/common/locks.rs", "app/common/anew.rs"];
    assert_eq!(others_with("take_back_log(", &take_back), nobody);
    assert_eq!(others_with("put_reference(", &["repo/edit.rs", "repo/shared_log.rs"]), nobody);
}
