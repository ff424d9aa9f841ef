//! What `--json` prints is written down in `docs/json/`, and what is written down is what is printed.

mod check;
mod media_story;
mod model;
mod pages;
mod review_story;

use crate::support::{World, assert_file};
use check::Check;
use model::{Key, Sources, printed_schemas};
use pages::{Result, pages};
use pentimento::cli::commands::VERBS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every result: its schema, the command that prints it, the module and the type that it is.
const RESULTS: &[(&str, &str, &str, &str)] = &[
    ("init", "init", "app/init", "Report"),
    ("demo", "demo", "cli/commands/demo", "Report"),
    ("config", "config", "app/config", "Report"),
    ("import-git", "import", "app/import_git", "Report"),
    ("import-folder-plan", "import", "import/folder/plan", "Plan"),
    ("import-folder", "import", "app/import_folder", "Report"),
    ("status", "status", "app/status", "Report"),
    ("commit", "commit", "app/commit", "Report"),
    ("mv", "mv", "app/mv", "Report"),
    ("log", "log", "app/log", "Report"),
    ("show", "show", "app/show", "Report"),
    ("info", "info", "app/info", "Report"),
    ("thumb", "thumb", "app/thumb", "Report"),
    ("preview", "preview", "app/thumb", "Report"),
    ("search", "search", "app/search", "Report"),
    ("search-collections", "search", "app/collection", "Report"),
    ("similar", "similar", "app/similar", "Report"),
    ("duplicates", "duplicates", "app/duplicates", "Report"),
    ("index", "index", "app/index", "Report"),
    ("diff", "diff", "app/diff", "Report"),
    ("audit", "audit", "app/audit", "Report"),
    ("diff-visual", "diff", "app/visual", "Report"),
    ("diff-together", "diff", "app/visual/lineup", "Lineup"),
    ("log-visual", "log", "app/visual/lineup", "Lineup"),
    ("restore", "restore", "app/restore", "Report"),
    ("restore-set-aside", "restore", "app/set_aside", "ListReport"),
    ("restore-brought-back", "restore", "app/set_aside", "Report"),
    ("export", "export", "app/export", "Report"),
    ("export-git", "export", "app/export_git", "Report"),
    ("undo", "undo", "app/undo", "Report"),
    ("redo", "redo", "app/undo", "Report"),
    ("journal", "journal", "app/journal", "Report"),
    ("draft-list", "draft", "app/draft", "ListReport"),
    ("draft-new", "draft", "app/draft", "ChangeReport"),
    ("draft-rename", "draft", "app/draft", "ChangeReport"),
    ("draft-delete", "draft", "app/draft", "ChangeReport"),
    ("switch", "switch", "app/switch", "Report"),
    ("merge", "merge", "app/merge", "Report"),
    ("resolve", "resolve", "app/resolve", "Report"),
    ("tag", "tag", "app/tag", "Report"),
    ("label", "label", "app/meta", "Report"),
    ("meta-get", "meta", "app/meta", "Report"),
    ("meta-set", "meta", "app/meta", "Report"),
    ("meta-unset", "meta", "app/meta", "Report"),
    ("meta-adopt", "meta", "cli/commands/meta", "AdoptReport"),
    ("meta-export", "meta", "app/sidecars", "ExportReport"),
    ("meta-import", "meta", "app/sidecars", "ImportReport"),
    ("schema-init", "schema", "app/schema", "Report"),
    ("schema-show", "schema", "app/schema", "Report"),
    ("schema-check", "schema", "app/schema", "CheckReport"),
    ("schema-apply", "schema", "app/schema", "ApplyReport"),
    ("sparse", "sparse", "app/sparse", "Report"),
    ("submit", "submit", "app/review/submit", "Report"),
    ("review", "review", "app/review/show", "Report"),
    ("review-list", "review", "app/review/show", "ListReport"),
    ("approve", "approve", "app/review/verdict", "Report"),
    ("request-changes", "request-changes", "app/review/verdict", "Report"),
    ("reject", "reject", "app/review/verdict", "Report"),
    ("comment", "comment", "app/review/comment", "Report"),
    ("withdraw", "withdraw", "app/review/withdraw", "Report"),
    ("land", "land", "app/review/land", "Report"),
    ("certificate", "certificate", "app/review/certificate", "Report"),
    ("policy-init", "policy", "app/policy/init", "Report"),
    ("policy-show", "policy", "app/policy/show", "Report"),
    ("policy-propose", "policy", "app/policy/change", "Report"),
    ("policy-preview", "policy", "app/policy/preview", "Report"),
    ("policy-sign", "policy", "app/policy/change", "Report"),
    ("policy-withdraw", "policy", "app/policy/change", "WithdrawReport"),
    ("policy-trust", "policy", "app/policy", "TrustReport"),
    ("policy-log", "policy", "app/policy/history", "Report"),
    ("policy-check", "policy", "app/policy/check", "Report"),
    ("policy-revoke", "policy", "app/policy/keys", "Report"),
    ("gc", "gc", "app/gc", "Report"),
    ("fsck", "fsck", "app/fsck", "Report"),
    ("repair", "repair", "app/repair", "Report"),
    ("erase", "erase", "app/erase", "Report"),
    ("erase-words", "erase", "app/erase_words", "Report"),
    ("erase-everywhere", "erase", "app/erase_for_all", "Report"),
    ("erase-permitted", "erase", "app/erase_for_all", "CarriedOut"),
    ("identity", "identity", "app/identity", "Report"),
    ("sign", "sign", "app/sign", "Report"),
    ("verify", "verify", "app/verify", "Report"),
    ("remote-list", "remote", "app/remote", "ListReport"),
    ("remote-add", "remote", "app/remote", "ChangeReport"),
    ("remote-set", "remote", "app/remote", "ChangeReport"),
    ("remote-home", "remote", "app/remote", "ChangeReport"),
    ("remote-remove", "remote", "app/remote", "ChangeReport"),
    ("remote-rename", "remote", "app/remote", "ChangeReport"),
    ("remote-check", "remote", "app/remote", "CheckReport"),
    ("remote-verify", "remote", "app/remote_care", "VerifyReport"),
    ("remote-repair", "remote", "app/remote_care", "VerifyReport"),
    ("remote-gc", "remote", "app/remote_care", "GcReport"),
    ("backup", "backup", "app/second_copy", "BackupReport"),
    ("mirror", "mirror", "app/second_copy", "MirrorReport"),
    ("push", "push", "app/push", "Report"),
    ("clone", "clone", "app/clone", "Report"),
    ("free", "free", "app/free", "Report"),
    ("fetch", "fetch", "app/fetch", "Report"),
    ("fetch-content", "fetch", "app/fetch", "ContentReport"),
    ("free", "free", "app/free", "Report"),
    ("pull", "pull", "app/pull", "Report"),
    ("serve", "serve", "cli/commands/serve", "Listening"),
    ("serve-token-new", "serve", "app/serve/tokens", "NewReport"),
    ("serve-token-list", "serve", "app/serve/tokens", "ListReport"),
    ("serve-token-revoke", "serve", "app/serve/tokens", "RevokeReport"),
    ("lock", "lock", "app/lock", "Report"),
    ("unlock", "unlock", "app/lock", "Report"),
    ("locks", "locks", "app/lock", "ListReport"),
    ("man", "man", "cli/commands/man", "Report"),
];

/// Commands whose result is raw bytes.
const WITHOUT: &[&str] = &["cat", "completions"];

fn results() -> Vec<Result> {
    let key = |module: &str, name: &str| Key { module: module.to_owned(), name: name.to_owned() };
    RESULTS
        .iter()
        .map(|(schema, command, module, name)| Result { schema, command, of: key(module, name) })
        .collect()
}

#[test]
fn every_command_has_its_shape_in_the_table() {
    let named: BTreeSet<&str> = RESULTS.iter().map(|row| row.1).chain(WITHOUT.iter().copied()).collect();
    let verbs: BTreeSet<&str> = VERBS.iter().map(|entry| entry.name).collect();
    assert_eq!(named, verbs, "say in RESULTS what a command prints under --json");
    for schema in printed_schemas("cli/commands") {
        assert!(RESULTS.iter().any(|row| row.0 == schema), "{schema} is not in RESULTS");
    }
}

#[test]
fn the_shapes_are_written_down() {
    let mut all = pages(&Sources::read(), &results());
    let mut index = "| command | results |\n|---|---|\n".to_owned();
    for entry in VERBS {
        let schemas: Vec<String> = RESULTS
            .iter()
            .filter(|row| row.1 == entry.name)
            .map(|row| format!("`pent.{}/1`", row.0))
            .collect();
        index.push_str(&match schemas.is_empty() {
            true => format!("| `pent {}` | raw bytes |\n", entry.name),
            false => format!("| [`pent {0}`]({0}.md) | {1} |\n", entry.name, schemas.join(", ")),
        });
    }
    all.insert("commands.md".to_owned(), format!("# Commands and their results\n\n{index}"));
    for (name, text) in &all {
        assert_file(&format!("docs/json/{name}"), text);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json");
    for entry in fs::read_dir(folder).expect("the pages") {
        let name = entry.expect("a page").file_name().to_string_lossy().into_owned();
        assert!(name == "README.md" || all.contains_key(&name), "docs/json/{name} belongs to no command");
    }
}

/// Results that commands printed, each with its schema.
struct Story {
    world: World,
    printed: Vec<(String, Value)>,
}

impl Story {
    fn new() -> Self {
        Self { world: World::new(), printed: Vec::new() }
    }

    fn tell(&mut self, arguments: &[&str]) {
        self.tell_as("home", arguments);
    }

    /// The same of somebody else at the same files, whose home folder is called `home`.
    fn tell_as(&mut self, home: &str, arguments: &[&str]) {
        let arguments: Vec<&str> = ["--json", "--yes"].iter().chain(arguments).copied().collect();
        let mut command = self.world.command(&arguments);
        command.env("HOME", self.world.home().with_file_name(home));
        let output = command.output().expect("a program that starts");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = [output.stdout.as_slice(), &output.stderr].concat();
            panic!("pent {}: {error}\n{}", arguments.join(" "), String::from_utf8_lossy(&said))
        });
        let schema = value["schema"].as_str().expect("a schema").to_owned();
        self.printed.push((schema, value));
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.world.studio().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a written file");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.world.studio().join(name)).expect("a removed file");
    }
}

/// Bytes that no text is.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Days of work, in three places, in which every command prints what it has to say.
fn printed() -> Vec<(String, Value)> {
    let mut work = Story::new();
    for part in [begin, branch, describe, take_back, vouch, share, serve, care] {
        part(&mut work);
    }
    let (mut reviewed, mut brought) = (Story::new(), Story::new());
    review_story::review(&mut reviewed);
    media_story::bring(&mut brought);
    [work, reviewed, brought].into_iter().flat_map(|story| story.printed).collect()
}

fn begin(story: &mut Story) {
    story.tell(&["init"]);
    story.tell(&["config", "user.name", "Anna Lind"]);
    story.tell(&["config", "user.email", "anna@example.org"]);
    story.tell(&["config", "user.name"]);
    story.tell(&["config"]);
    story.tell(&["config", "--keys"]);
    story.write("brief.md", "one\ntwo\nthree\n");
    story.write("poster.psd", noise(1, 300_000));
    story.write("brand/logo.svg", "<svg/>\n");
    story.write("old.txt", "old\n");
    let inner = story.world.studio().join("other");
    fs::create_dir(&inner).expect("a folder");
    story.world.ok(&["-C", "other", "init"]);
    let at = story.world.studio().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    story.tell(&["status"]);
    story.tell(&["commit", "-m", "First state"]);
    let mut pixels = noise(1, 300_000);
    pixels[150_000..150_100].fill(7);
    story.write("poster.psd", pixels);
    story.write("brief.md", "one\ntwo and a half\nthree\n");
    story.write("copy.md", "one\ntwo\nthree\n");
    story.remove("old.txt");
    story.tell(&["mv", "brand/logo.svg", "brand/mark.svg"]);
    story.tell(&["status"]);
    story.tell(&["diff"]);
    story.tell(&["commit", "-m", "Second state", "--author", "Bo Berg <bo@example.org>"]);
    story.tell(&["tag", "sent", "-m", "Sent to the client"]);
    story.tell(&["tag"]);
    story.tell(&["log"]);
    story.tell(&["log", "copy.md"]);
    story.tell(&["show"]);
    story.tell(&["show", "sent"]);
    story.tell(&["show", "poster.psd"]);
    story.tell(&["show", "copy.md"]);
    story.tell(&["show", "brand"]);
    story.tell(&["diff", "@~1", "@"]);
    story.tell(&["diff", "poster.psd@1", "poster.psd@2"]);
    look(story);
}

/// Pictures, whose differences are figures.
fn look(story: &mut Story) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio");
    let take = |story: &Story, version: &str| {
        for name in ["web/banner.psd", "photo/lantern.png"] {
            let from = fixtures.join(version).join(name);
            story.write(&format!("look/{name}"), fs::read(from).expect("a fixture"));
        }
    };
    take(story, "v1");
    story.world.ok(&["commit", "-m", "Pictures"]);
    take(story, "v2");
    story.tell(&["diff", "--visual", "look", "--out", "../look.html"]);
    let png = ["diff", "--visual", "look/photo", "--png", "../look.png"];
    story.tell(&png);
    story.world.ok(&["commit", "-m", "Other pictures"]);
    story.tell(&["log", "--visual", "look/photo/lantern.png", "--out", "../strip.html"]);
    let files = ["look/web/banner.psd@1", "look/photo/lantern.png", "brief.md"];
    let told = [&["diff", "--visual", "--together"], &files[..]].concat();
    story.tell(&told);
}

fn branch(story: &mut Story) {
    story.tell(&["draft", "new", "night"]);
    story.write("poster.psd", noise(2, 200_000));
    story.write("brief.md", "one\ntwo at night\nthree\n");
    story.tell(&["commit", "-m", "Night"]);
    story.write("unfinished.txt", "half\n");
    story.tell(&["switch", "main"]);
    story.tell(&["draft", "list"]);
    story.write("poster.psd", noise(3, 200_000));
    story.write("brief.md", "one\ntwo by day\nthree\n");
    story.tell(&["commit", "-m", "Day"]);
    story.tell(&["merge", "night"]);
    story.tell(&["status"]);
    story.tell(&["resolve", "--both", "poster.psd"]);
    story.tell(&["resolve", "--ours", "brief.md"]);
    story.tell(&["commit"]);
    story.tell(&["merge", "night"]);
    story.tell(&["draft", "new", "spare", "--stay"]);
    story.tell(&["draft", "rename", "spare", "spare-two"]);
    story.tell(&["draft", "delete", "spare-two"]);
    story.tell(&["switch", "night"]);
    story.tell(&["switch", "main"]);
}

fn describe(story: &mut Story) {
    story.tell(&["label", "poster.psd", "--add", "spring,cover"]);
    story.tell(&["meta", "set", "rights.until", "2027-03-01", "poster.psd", "--type", "date"]);
    story.tell(&["meta", "get", "poster.psd"]);
    story.tell(&["status"]);
    story.tell(&["diff"]);
    story.tell(&["commit", "-m", "Labels"]);
    story.tell(&["label", "poster.psd", "--remove", "cover"]);
    story.tell(&["meta", "unset", "rights.until", "poster.psd"]);
    story.tell(&["meta", "set", "title", "Harbour", "poster.psd"]);
    story.tell(&["diff"]);
    story.tell(&["commit", "-m", "Other labels"]);
    story.write("poster-final.psd", noise(4, 100_000));
    story.remove("poster.psd");
    story.tell(&["meta", "adopt", "poster-final.psd", "poster.psd"]);
    story.tell(&["commit", "-m", "Final"]);
}

fn take_back(story: &mut Story) {
    story.write("brief.md", "not committed\n");
    story.tell(&["restore", "brief.md", "--dry-run"]);
    story.tell(&["restore", "brief.md"]);
    story.tell(&["undo"]);
    story.tell(&["redo"]);
    story.tell(&["journal"]);
    story.tell(&["restore", "brand", "--to", "../elsewhere"]);
    story.write("brief.md", "Not committed, and replaced\n");
    story.tell(&["restore", "brief.md"]);
    story.tell(&["restore", "--set-aside"]);
    let sets = story.world.json(&["restore", "--set-aside"]);
    let id = sets["sets"][0]["id"].as_str().expect("a name").to_owned();
    story.tell(&["restore", "--set-aside", &id, "--to", "../found"]);
    story.tell(&["export", "@", "../whole"]);
    story.tell(&["sparse", "add", "brand"]);
    story.tell(&["status"]);
    story.tell(&["sparse", "list"]);
    story.tell(&["sparse", "remove", "brand"]);
}

fn vouch(story: &mut Story) {
    story.tell(&["identity", "new", "anna", "--no-passphrase"]);
    story.tell(&["identity"]);
    story.tell(&["sign"]);
    story.tell(&["verify"]);
    story.tell(&["show"]);
    story.tell(&["verify", "brief.md"]);
}

fn share(story: &mut Story) {
    story.tell(&["remote", "add", "origin", "../nas"]);
    story.tell(&["remote", "set", "origin", "../nas"]);
    story.tell(&["remote", "home", "origin"]);
    story.tell(&["remote"]);
    story.tell(&["push", "--dry-run"]);
    story.tell(&["push"]);
    story.tell(&["clone", "../nas", "../ben"]);
    fs::write(story.world.studio().join("../ben/brief.md"), "Ben's brief\n").expect("a written file");
    story.world.ok(&["-C", "../ben", "commit", "-m", "Ben's brief"]);
    story.world.ok(&["-C", "../ben", "push"]);
    story.tell(&["fetch"]);
    story.tell(&["free", ".", "--dry-run"]);
    story.tell(&["fetch", "--content"]);
    story.tell(&["status"]);
    story.tell(&["pull"]);
    story.tell(&["remote", "check"]);
    story.tell(&["remote", "verify"]);
    story.tell(&["remote", "repair"]);
    story.tell(&["remote", "gc"]);
    story.tell(&["backup", "../safe"]);
    story.tell(&["mirror", "../second"]);
    story.tell(&["remote", "rename", "origin", "nas"]);
    story.tell(&["remote", "remove", "nas"]);
}

fn serve(story: &mut Story) {
    fs::create_dir(story.world.studio().join("../srv")).expect("a folder");
    let listen = ["--listen", "127.0.0.1:0", "--repos", "../srv"];
    let serving = crate::sharing_network::Serving::start(&story.world, &listen);
    story.printed.push(("pent.serve/1".to_owned(), serving.said.clone()));
    let new =
        ["serve", "token", "new", "nightly backup", "--repos", "../srv", "--for", "brand", "--as", "anna"];
    story.tell(&new);
    let (_, made) = story.printed.last().expect("the token");
    let id = made["line"]["id"].as_str().expect("an id").to_owned();
    story.tell(&["serve", "token", "list", "--repos", "../srv"]);
    story.tell(&["serve", "token", "revoke", &id, "--repos", "../srv"]);
}

fn care(story: &mut Story) {
    story.tell(&["fsck"]);
    story.tell(&["gc", "--dry-run"]);
    story.tell(&["gc"]);
    story.tell(&["erase", "poster-final.psd@1", "--reason", "Rights ran out", "--dry-run"]);
    story.tell(&["erase", "poster-final.psd@1", "--reason", "Rights ran out"]);
    story.tell(&["repair"]);
    let packs = story.world.studio().join(".pent/packs");
    for entry in fs::read_dir(packs).expect("packs") {
        let path = entry.expect("a pack").path();
        let mut bytes = fs::read(&path).expect("a pack");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("a damaged pack");
    }
    story.tell(&["fsck"]);
    story.tell(&["repair"]);
    story.tell(&["man", "../man"]);
    story.tell(&["demo", "../demo"]);
}

#[test]
fn what_commands_print_is_what_is_written_down() {
    let sources = Sources::read();
    let results = results();
    let mut check = Check { sources: &sources, wrong: Vec::new(), seen: BTreeSet::new() };
    let mut told = BTreeSet::new();
    for (schema, value) in &printed() {
        let name = schema.strip_prefix("pent.").and_then(|name| name.strip_suffix("/1")).expect("a schema");
        let result = results.iter().find(|result| result.schema == name).expect("a schema of the table");
        told.insert(result.schema);
        check.object(value.as_object().expect("an object"), &result.of, name);
    }
    assert!(check.wrong.is_empty(), "{}", check.wrong.join("\n"));
    let all: BTreeSet<&str> = results.iter().map(|result| result.schema).collect();
    let silent: Vec<&&str> = all.difference(&told).collect();
    assert!(silent.is_empty(), "the story has no part for {silent:?}");
    // What documents a key that is never printed would prove nothing.
    assert!(check.seen.len() > 200, "only {} keys were printed", check.seen.len());
}
