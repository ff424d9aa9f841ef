//! Finding: what was committed on whichever branch is found by what it is called, by what is said about it
//! and by what is in it, and the index says what looking at everything says.

use crate::kills::{studio, write};
use crate::support::World;
use pentimento::app::search::bring::Bringing;
use pentimento::app::search::heads::own_of;
use pentimento::app::search::open::{Upkeep, open};
use pentimento::app::search::read::Budget;
use pentimento::app::search::{self, Options};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::{FixedClock, Timestamp};
use pentimento::catalog::visibility::Visibility;
use pentimento::media::worker::{Limits, Workers};
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::Repository;
use pentimento::rules::pattern::Pattern;
use pentimento::store::Access;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Numbers that look random and are the same for the same seed (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}

pub const NOW: Timestamp = Timestamp { unix_ms: 1_772_542_920_000, offset_minutes: 60 };

pub fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(path)).expect("a fixture")
}

/// The paths that a query finds, in order.
pub fn found(world: &World, words: &[&str]) -> Vec<String> {
    let mut line = vec!["search"];
    line.extend(words);
    paths(&world.json(&line))
}

fn paths(report: &Value) -> Vec<String> {
    let hits = report["hits"].as_array().expect("hits");
    hits.iter().map(|hit| hit["path"].as_str().expect("a path").to_owned()).collect()
}

/// The same without an order.
pub fn found_set(world: &World, words: &[&str]) -> BTreeSet<String> {
    found(world, words).into_iter().collect()
}

pub fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(ToString::to_string).collect()
}

/// A small studio with one commit by Anna and one by Ben.
pub fn harbour() -> World {
    let world = studio();
    write(&world, "brand/logo.svg", fixture("v1/brand/logo.svg"));
    write(&world, "web/banner.psd", fixture("v1/web/banner.psd"));
    write(&world, "photo/lantern.png", fixture("v1/photo/lantern.png"));
    write(&world, "photo/HarbourDusk.jpg", fixture("v1/photo/harbour-dusk.jpg"));
    write(&world, "brief.md", "# Spring sale\n\nThe lantern at the harbour, for print.\n");
    world.ok(&["label", "brand/logo.svg", "--add", "approved,Spring sale"]);
    world.ok(&["meta", "set", "title", "Harbour signal", "brand/logo.svg"]);
    world.ok(&["meta", "set", "rights.until", "2027-03-01", "web/banner.psd", "--type", "date"]);
    world.ok(&["meta", "set", "price", "19.90", "web/banner.psd", "--type", "decimal"]);
    world.ok(&["commit", "-m", "First"]);
    write(&world, "copy/poster.txt", "Night of the foghorns\n");
    world.ok(&["commit", "-m", "Poster", "--author", "Ben Okafor <ben@example.org>", "--date", "2026-01-15"]);
    world
}

#[test]
fn words_labels_fields_types_sizes_people_and_times_find_assets() {
    let world = harbour();
    let cases: &[(&[&str], &[&str])] = &[
        (&["logo"], &["brand/logo.svg"]),
        (&["lantern"], &["photo/lantern.png", "brief.md"]),
        (&["harbour"], &["brand/logo.svg", "photo/HarbourDusk.jpg", "brief.md"]),
        (&["name:harbour"], &["photo/HarbourDusk.jpg"]),
        (&["text:\"spring sale\""], &["brief.md"]),
        (&["label:approved"], &["brand/logo.svg"]),
        (&["label:spring sale", "logo"], &["brand/logo.svg"]),
        (&["title:harbour"], &["brand/logo.svg"]),
        (&["rights.until:<2028-01-01"], &["web/banner.psd"]),
        (&["rights.until:>2026"], &["web/banner.psd"]),
        (&["rights.until:<2028"], &["web/banner.psd"]),
        (&["rights.until:2026..2027"], &["web/banner.psd"]),
        (&["rights.until:>2027"], &[]),
        (&["rights.until:<2027"], &[]),
        (&["price:10..20"], &["web/banner.psd"]),
        (&["has:price"], &["web/banner.psd"]),
        (&["type:psd"], &["web/banner.psd"]),
        (&["type:image"], &["photo/lantern.png", "photo/HarbourDusk.jpg"]),
        (&["type:png width:320 height:416 has:alpha shape:portrait"], &["photo/lantern.png"]),
        (&["in:photo -type:png"], &["photo/HarbourDusk.jpg"]),
        (&["in:*/*.p??"], &["web/banner.psd", "photo/lantern.png"]),
        (&["by:ben"], &["copy/poster.txt"]),
        (&["by:ben@example.org until:2026-01"], &["copy/poster.txt"]),
        (&["by:anna since:2026-03-03 type:psd"], &["web/banner.psd"]),
        (&["size:>10MB"], &[]),
        (&["(label:approved OR type:psd) -in:web"], &["brand/logo.svg"]),
        (&["lanter*"], &["photo/lantern.png", "photo/HarbourDusk.jpg", "brief.md"]),
        (&["lanterns"], &["photo/HarbourDusk.jpg"]),
        (&["foghorns"], &["copy/poster.txt"]),
    ];
    for (words, expected) in cases {
        assert_eq!(found_set(&world, words), set(expected), "{words:?}");
        let at_main = [*words, &["--at", "main"]].concat();
        assert_eq!(found_set(&world, &at_main), set(expected), "{words:?} without the index");
    }
    // The name counts most; the newest goes first where nothing is ranked.
    assert_eq!(found(&world, &["lantern"])[0], "photo/lantern.png");
    assert_eq!(found(&world, &["--sort", "oldest", "-n", "1"]), ["copy/poster.txt"]);
    let report = world.json(&["search", "spring", "--facets"]);
    assert_eq!(report["total"], 2);
    let excerpts: Vec<&Value> =
        report["hits"].as_array().expect("hits").iter().map(|hit| &hit["excerpt"]).collect();
    assert!(excerpts.iter().any(|text| text.as_str().is_some_and(|text| text.contains("Spring sale"))));
    let facet = |key: &str| {
        let all = report["facets"].as_array().expect("facets");
        let one = all.iter().find(|facet| facet["key"] == key).expect("a facet");
        one["values"].as_array().expect("values").len()
    };
    assert_eq!((facet("label"), facet("by"), facet("type"), facet("on")), (2, 1, 2, 1));
    assert_eq!(report["index"]["used"], true);
    assert_eq!(report["index"]["unread"], 0);
}

#[test]
fn every_branch_is_searched_each_for_what_it_changed() {
    let world = harbour();
    world.ok(&["draft", "new", "night"]);
    write(&world, "copy/poster.txt", "Morning\n");
    write(&world, "web/moon.svg", "<svg><text>moonrise</text></svg>");
    world.ok(&["commit", "-m", "Night"]);
    world.ok(&["switch", "main"]);
    write(&world, "copy/poster.txt", "Noon\n");
    world.ok(&["commit", "-m", "Noon"]);
    let on = |query: &str| -> Vec<String> {
        let report = world.json(&["search", query]);
        let hits = report["hits"].as_array().expect("hits").clone();
        let names = |hit: &Value| {
            hit["on"]
                .as_array()
                .expect("names")
                .iter()
                .map(|n| n.as_str().expect("text").to_owned())
                .collect::<Vec<_>>()
                .join("+")
        };
        hits.iter().map(|hit| format!("{} {}", hit["path"].as_str().expect("a path"), names(hit))).collect()
    };
    assert_eq!(on("morning"), ["copy/poster.txt draft/night"]);
    assert_eq!(on("noon"), ["copy/poster.txt main"]);
    assert_eq!(on("moonrise"), ["web/moon.svg draft/night"]);
    assert_eq!(on("on:draft/night text:morning"), ["copy/poster.txt draft/night"]);
    assert_eq!(on("foghorns"), [""; 0], "no head has that text any more");
    // What another branch did not touch is told once, for the main line.
    assert_eq!(on("logo"), ["brand/logo.svg main"]);
    world.ok(&["draft", "delete", "night", "--force"]);
    assert_eq!(on("moonrise"), [""; 0]);
    world.ok(&["undo"]);
    assert_eq!(on("moonrise"), ["web/moon.svg draft/night"]);
}

#[test]
fn an_earlier_revision_is_searched_as_it_was() {
    let world = harbour();
    world.ok(&["tag", "sent"]);
    write(&world, "copy/poster.txt", "Morning\n");
    world.ok(&["label", "brand/logo.svg", "--remove", "approved"]);
    world.ok(&["commit", "-m", "Later"]);
    assert_eq!(found(&world, &["foghorns"]), [""; 0]);
    assert_eq!(found(&world, &["foghorns", "--at", "sent"]), ["copy/poster.txt"]);
    assert_eq!(found(&world, &["label:approved", "--at", "sent"]), ["brand/logo.svg"]);
    assert_eq!(found(&world, &["label:approved"]), [""; 0]);
    assert_eq!(found(&world, &["by:ben", "--at", "sent"]), ["copy/poster.txt"]);
    assert_eq!(found(&world, &["title:signal", "--at", "@~1"]), ["brand/logo.svg"]);
    let report = world.json(&["search", "logo", "--at", "sent"]);
    assert_eq!((&report["index"]["used"], report["at"].is_string()), (&Value::Bool(false), true));
    let wrong = world.pent(&["search", "titel:x", "--at", "sent"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("title"), "{}", wrong.stderr);
}

#[test]
fn a_wrong_query_is_told_with_its_place_and_what_to_write() {
    let world = harbour();
    let told = |query: &str| {
        let run = world.pent(&["search", query]);
        assert_eq!(run.code, 2, "{query}: {}", run.stderr);
        run.stderr
    };
    let text = told("logo lable:approved");
    assert!(
        text.contains("there is no key \"lable\", at character 6") && text.contains("did you mean label:?"),
        "{text}"
    );
    assert!(text.contains("logo lable:approved\n         ^"), "{text}");
    assert!(told("titel:harbour").contains("did you mean title:?"), "fields of this repository are known");
    assert!(told("width:wide").contains("no number"));
    assert!(told("(logo").contains("never closed"));
    assert!(told("logo \"open").contains("never closed"));
    for hostile in
        ["\u{1b}[31mred:1", "a:\u{202e}b c:d", &"(".repeat(5000), "\u{0}:x", &"-".repeat(4000), "a\u{1}b:c"]
    {
        let Ok(run) = std::panic::catch_unwind(|| world.pent(&["search", "--", hostile])) else { continue };
        assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\u{202e}'), "{:?}", run.stderr);
    }
}

#[test]
fn collections_are_kept_run_and_travel_with_the_work() {
    let world = harbour();
    world.ok(&["search", "label:approved", "--save", "Ready"]);
    world.ok(&["search", "type:image", "--save", "pictures of all kinds"]);
    assert_eq!(found(&world, &["--collection", "Ready"]), ["brand/logo.svg"]);
    let both = found_set(&world, &["--collection", "pictures of all kinds", "harbour"]);
    assert_eq!(both, set(&["photo/HarbourDusk.jpg"]));
    world.ok(&["commit", "-m", "Collections"]);
    let list = world.json(&["search", "--list"]);
    assert_eq!(list["collections"][0]["name"], "Ready");
    world.ok(&["search", "--remove", "Ready"]);
    let gone = world.pent(&["search", "--collection", "Redy"]);
    assert!(gone.code == 3, "{}", gone.stderr);
    let near = world.pent(&["search", "--collection", "picture of all kinds"]);
    assert!(near.stderr.contains("did you mean pictures of all kinds?"), "{}", near.stderr);
    let bad = world.pent(&["search", "width:wide", "--save", "bad"]);
    assert_eq!(bad.code, 2, "a question that nobody can ask is not kept");
    write(&world, ".pentcollections.toml", "[broken\n");
    let broken = world.pent(&["search", "--list"]);
    assert!(broken.code == 4 && broken.stderr.contains(".pentcollections.toml"), "{}", broken.stderr);
}

fn workers() -> Workers {
    Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), Limits::default())
}

fn upkeep(workers: &Workers) -> Upkeep<'_> {
    Upkeep { workers, budget: Budget::SEARCH, anew: false, now: NOW, monitor: &SilentMonitor }
}

/// What the index has is what making it anew gives, and that is what stands in the trees.
fn assert_index_is_true(world: &World) {
    let repository = Repository::open(&world.studio(), Access::ReadOnly).expect("a repository");
    let workers = workers();
    let opened = open(&repository, upkeep(&workers)).expect("an index");
    let catalog = opened.catalog.as_ref().expect("an index");
    let kept: BTreeSet<_> = catalog.everything().expect("readable").into_iter().collect();
    assert_eq!(kept.len() as u64, catalog.len(), "no record is there twice");
    let bringing = Bringing {
        repository: &repository,
        view: &opened.view,
        findings: opened.findings.as_ref(),
        now: NOW,
        monitor: &SilentMonitor,
    };
    let mut anew = BTreeSet::new();
    let mut people: BTreeMap<String, u64> = BTreeMap::new();
    let everything = bringing.everything(&opened.heads, &mut |record| {
        for name in record.tags_of("by") {
            *people.entry(name.to_owned()).or_default() += 1;
        }
        anew.insert((record.scope, record.path, record.commit));
        Ok(())
    });
    everything.expect("looked at");
    // Whoever is called otherwise by now is found by no other name than that.
    for name in catalog.tag_values("by", 1_000).expect("readable").iter().chain(people.keys()) {
        let count = catalog.count_tag("by", name).expect("readable");
        assert_eq!(count, people.get(name).copied().unwrap_or(0), "{name}");
    }
    let kept: BTreeSet<_> = kept.into_iter().map(|one| (one.scope, one.path, one.commit)).collect();
    assert_eq!(kept, anew);
    let base = opened.heads.base.as_ref().expect("a main line");
    let tree = opened.view.commit(base.commit).expect("a commit").tree;
    let walked = TreeWalk::new(&opened.view, tree, AssetPath::root()).map(|item| item.expect("readable"));
    let standing: BTreeSet<AssetPath> =
        walked.filter(|(_, entry)| !entry.content.is_directory()).map(|(path, _)| path).collect();
    let mine: BTreeSet<AssetPath> =
        kept.iter().filter(|(scope, ..)| scope.is_empty()).map(|(_, path, _)| path.clone()).collect();
    assert_eq!(mine, standing);
    for group in &opened.heads.groups {
        let own = own_of(&opened.view, group, &SilentMonitor).expect("compared");
        let theirs = kept.iter().filter(|(scope, ..)| *scope == group.scope).count();
        assert_eq!(theirs, own.len(), "{}", group.scope);
    }
}

#[test]
fn the_index_follows_whatever_happens_to_the_branches() {
    for seed in 0..3 {
        let world = studio();
        let mut numbers = Numbers(seed);
        write(&world, "start.txt", "start");
        world.ok(&["commit", "-m", "Start"]);
        let mut drafts = 0;
        for step in 0..14 {
            let path = format!("{}/{}.txt", ["a", "b", "c"][numbers.below(3)], numbers.below(4));
            match numbers.below(9) {
                0..=2 => {
                    // The same text comes back now and then.
                    write(&world, &path, format!("text {}", numbers.below(3)));
                    world.pent(&["commit", "-m", "Changed"]);
                }
                7 => {
                    let name = ["Anna", "Carla Neu", "Dana"][numbers.below(3)];
                    world.ok(&["config", "user.name", name]);
                    write(&world, &path, format!("step {step} of {seed}"));
                    world.ok(&["commit", "-m", "By another name"]);
                }
                3 => {
                    let _ = fs::remove_file(world.studio().join(&path));
                    world.ok(&["commit", "-m", "Removed perhaps"]);
                }
                4 => {
                    drafts += 1;
                    world.ok(&["draft", "new", &format!("d{drafts}")]);
                }
                5 => {
                    world.pent(&["switch", "main"]);
                    if drafts > 0 {
                        world.pent(&["merge", &format!("draft/d{}", 1 + numbers.below(drafts))]);
                        world.pent(&["resolve", "--ours"]);
                        world.pent(&["commit", "-m", "Merged"]);
                    }
                }
                6 => {
                    world.pent(&["label", "start.txt", "--add", &format!("l{step}")]);
                    world.pent(&["commit", "-m", "Label"]);
                }
                _ => {
                    world.pent(&["undo"]);
                }
            }
            if numbers.below(3) == 0 {
                assert_index_is_true(&world);
            }
        }
        assert_index_is_true(&world);
    }
}

#[test]
fn the_index_knows_the_last_name_the_last_change_and_every_branch() {
    let world = studio();
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "One", "--author", "Ben Okafor <ben@example.org>"]);
    world.ok(&["draft", "new", "poster"]);
    assert_eq!(found(&world, &["by:ben"]), ["a.txt"]);
    // A draft that stands where the main line stands has all of it, and costs the index nothing.
    assert_eq!(found(&world, &["on:draft/poster"]), ["a.txt"]);
    assert_eq!(found(&world, &["on:draft/* -by:anna"]), ["a.txt"]);
    let report = world.json(&["search", "one", "--facets"]);
    assert_eq!(report["hits"][0]["on"], serde_json::json!(["main", "draft/poster"]));
    let on = report["facets"].as_array().expect("facets").iter().find(|facet| facet["key"] == "on");
    assert_eq!(on.expect("branches")["values"].as_array().expect("values").len(), 2);
    world.ok(&["switch", "main"]);
    // Changed and changed back, with no search between.
    write(&world, "a.txt", "two");
    world.ok(&["commit", "-m", "Two"]);
    write(&world, "a.txt", "one");
    let last = world.json(&["commit", "-m", "One again"])["commit"]["id"].clone();
    assert_eq!(found(&world, &["by:ben on:main"]), [""; 0]);
    assert_eq!(world.json(&["search", "on:main"])["hits"][0]["commit"], last);
    assert_eq!(found(&world, &["on:draft/poster"]), [""; 0], "it has nothing of its own, and is behind");
    // A name that somebody has no longer is nowhere.
    let old =
        world.json(&["search", "on:main"])["hits"][0]["by"]["name"].as_str().expect("a name").to_owned();
    world.ok(&["config", "user.name", "Quiddity Neu"]);
    write(&world, "b.txt", "b");
    world.ok(&["commit", "-m", "B"]);
    assert_eq!(found_set(&world, &["by:quiddity"]), set(&["a.txt", "b.txt"]));
    assert_eq!(found(&world, &[&format!("by:\"{old}\"")]), [""; 0]);
    assert_index_is_true(&world);
}

#[test]
fn a_damaged_index_is_made_anew_and_answers_as_before() {
    let world = harbour();
    let expected = found(&world, &["harbour"]);
    let catalog = world.studio().join(".pent/catalog");
    for part in ["index", "findings"] {
        let files: Vec<PathBuf> = fs::read_dir(catalog.join(part))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        for (number, file) in files.iter().enumerate() {
            let Ok(bytes) = fs::read(file) else { continue };
            let damaged = match number % 3 {
                0 => bytes.iter().map(|byte| byte ^ 0xff).collect(),
                1 => bytes[..bytes.len() / 2].to_vec(),
                _ => Vec::new(),
            };
            fs::write(file, damaged).expect("damaged");
            assert_eq!(found(&world, &["harbour"]), expected, "{}", file.display());
            assert_eq!(found(&world, &["type:png"]), ["photo/lantern.png"], "{}", file.display());
        }
    }
    fs::write(catalog.join("prints"), "nonsense").expect("damaged");
    assert_eq!(found(&world, &["harbour"]), expected);
    fs::remove_dir_all(&catalog).expect("removed");
    assert_eq!(found(&world, &["harbour"]), expected);
    assert_eq!(world.pent(&["index", "--check"]).code, 0);
    world.ok(&["index", "--rebuild"]);
    assert_eq!(found(&world, &["harbour"]), expected);
    world.ok(&["index", "--remove"]);
    assert!(!catalog.join("index").exists());
}

#[test]
fn searches_at_once_make_one_index_and_all_answer() {
    let world = harbour();
    for round in 0..3 {
        write(&world, "new.txt", format!("harbour {round}"));
        world.ok(&["commit", "-m", "More"]);
        let start = |_| {
            let mut command = world.command(&["--json", "search", "harbour"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program that starts")
        };
        let children: Vec<_> = (0..4).map(start).collect();
        for child in children {
            let output = child.wait_with_output().expect("an end");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report: Value = serde_json::from_slice(&output.stdout).expect("a result");
            assert_eq!(report["total"], 4);
        }
    }
    assert_index_is_true(&world);
}

#[test]
fn what_may_not_be_read_is_not_found_counted_or_proposed() {
    let world = harbour();
    write(&world, "contracts/harbour.txt", "harbour contract with Zebra Ltd\n");
    world.ok(&["label", "contracts/harbour.txt", "--add", "zebra"]);
    world.ok(&["commit", "-m", "Contract"]);
    let repository = Repository::open(&world.studio(), Access::ReadOnly).expect("a repository");
    let ask = |query: &str, at: Option<&str>, hidden: &[&str]| {
        let hidden = hidden.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
        let options = Options {
            query: query.to_owned(),
            at: at.map(str::to_owned),
            limit: 100,
            sort: None,
            facets: true,
            visibility: Visibility { hidden, without_comments: false },
        };
        let report = search::run(&repository, &options, &workers(), &FixedClock(NOW), &SilentMonitor);
        serde_json::to_value(report.expect("an answer")).expect("JSON")
    };
    for at in [None, Some("main")] {
        assert_eq!(ask("zebra", at, &[])["total"], 1);
        for hidden in [&["contracts"][..], &["contracts/**"], &["*/harbour.t?t"], &["web", "**/*.txt"]] {
            assert_eq!(ask("zebra", at, hidden)["total"], 0, "{hidden:?}");
            let all = ask("", at, hidden).to_string();
            assert!(!all.contains("zebra") && !all.contains("contracts"), "{all}");
        }
        assert_eq!(ask("harbour", at, &["contracts"])["total"], 3);
    }
}

#[test]
fn pictures_are_found_by_their_look_and_duplicates_are_told() {
    let world = harbour();
    world.ok(&["thumb", "photo/lantern.png", "--to", "small.png", "--edge", "200"]);
    write(&world, "copies/harbour.jpg", fixture("v1/photo/harbour-dusk.jpg"));
    world.ok(&["commit", "-m", "Copies"]);
    let alike = |words: &[&str]| -> Vec<String> {
        let mut line = vec!["similar"];
        line.extend(words);
        paths(&world.json(&line))
    };
    assert_eq!(alike(&["photo/lantern.png", "--likeness", "75"]), ["small.png"]);
    assert_eq!(alike(&["photo/HarbourDusk.jpg"]), ["copies/harbour.jpg"]);
    fs::write(world.studio().join("../outside.png"), fixture("v1/photo/lantern.png")).expect("written");
    let outside = alike(&["../outside.png", "--likeness", "75"]);
    assert_eq!(outside.iter().cloned().collect::<BTreeSet<_>>(), set(&["photo/lantern.png", "small.png"]));
    assert_eq!(world.pent(&["similar", "brief.md"]).code, 4, "a text has no look");
    let report = world.json(&["duplicates", "--near"]);
    let groups = |kind: &str| -> Vec<BTreeSet<String>> {
        let group = |group: &Value| {
            let assets = group["assets"].as_array().expect("assets");
            assets.iter().map(|asset| asset["path"].as_str().expect("a path").to_owned()).collect()
        };
        report[kind].as_array().expect("groups").iter().map(group).collect()
    };
    assert_eq!(groups("exact"), [set(&["photo/HarbourDusk.jpg", "copies/harbour.jpg"])]);
    assert_eq!(groups("near"), [set(&["photo/lantern.png", "small.png"])]);
    assert_eq!(world.json(&["duplicates"])["near"].as_array().expect("groups").len(), 0);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_found_and_shown_safely() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = studio();
    for name in [&b"strange/\xff\xfe logo.txt"[..], b"strange/esc\x1b[31m.txt", b"strange/a%20b.txt"] {
        let path = world.studio().join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, "x").expect("written");
    }
    world.ok(&["commit", "-m", "Strange"]);
    assert_eq!(found(&world, &["in:strange"]).len(), 3);
    assert_eq!(found(&world, &["in:strange/*.txt"]).len(), 3);
    assert_eq!(found(&world, &["name:logo"]), ["strange/%FF%FE logo.txt"]);
    let shown = world.ok(&["search", "in:strange"]);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_index_is_true(&world);
}

/// Everything that lies in a folder, as one heap of bytes.
fn heap(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            bytes.extend(heap(&path));
        } else {
            bytes.extend(fs::read(&path).unwrap_or_default());
        }
    }
    bytes
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn comments_on_assets_are_found() {
    let world = harbour();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["draft", "new", "poster"]);
    write(&world, "brand/logo.svg", "<svg>green</svg>");
    write(&world, "copy/poster.txt", "Night\n");
    world.ok(&["commit", "-m", "Greener"]);
    world.ok(&["submit", "-m", "Please"]);
    assert_eq!(found(&world, &["comment:verdigris"]), [""; 0]);
    world.ok(&["comment", "draft/poster", "brand/logo.svg", "-m", "Is this verdigris or emerald?"]);
    // The same asset, on the draft and on the main line.
    let on = |query: &str| {
        let report = world.json(&["search", query]);
        report["hits"]
            .as_array()
            .expect("hits")
            .iter()
            .map(|hit| format!("{} {}", hit["path"], hit["on"]))
            .collect::<BTreeSet<_>>()
    };
    let both = on("comment:verdigris");
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!((on("verdigris"), on("has:comment")), (both.clone(), both));
    world.ok(&["comment", "draft/poster", "copy/poster.txt", "-m", "Fine"]);
    assert_eq!(on("comment:fine").len(), 2);
    // What is said of the whole is said of everything in it.
    assert_eq!(found(&world, &["comment:cerulean"]), [""; 0]);
    world.ok(&["comment", "draft/poster", "-m", "More cerulean everywhere"]);
    let all = on("comment:cerulean");
    assert!(
        all.iter().any(|hit| hit.contains("logo.svg")) && all.iter().any(|hit| hit.contains("poster.txt")),
        "{all:?}"
    );
    assert!(all.iter().all(|hit| hit.contains("logo.svg") || hit.contains("poster.txt")), "{all:?}");
    assert_eq!(on("comment:verdigris").len(), 2);
    assert_index_is_true(&world);
}

#[test]
fn what_was_erased_is_nowhere_in_what_is_kept_for_searching() {
    let world = studio();
    write(&world, "letter.txt", "the quiddity of it\n");
    write(&world, "other.txt", "harbour\n");
    world.ok(&["commit", "-m", "Letters"]);
    assert_eq!(found(&world, &["quiddity"]), ["letter.txt"]);
    let catalog = world.studio().join(".pent/catalog");
    assert!(has(&heap(&catalog), "quiddity"), "the test looks in the right place");
    fs::remove_file(world.studio().join("letter.txt")).expect("removed");
    world.ok(&["commit", "-m", "Without it"]);
    world.ok(&["--yes", "erase", "letter.txt", "-r", "@~1", "--reason", "The writer wishes it"]);
    assert!(!has(&heap(&catalog), "quiddity"));
    assert_eq!(found(&world, &["quiddity"]), [""; 0]);
    assert_eq!(found(&world, &["quiddity", "--at", "@~1"]), [""; 0]);
    assert_eq!(found(&world, &["harbour"]), ["other.txt"]);
    assert!(!has(&heap(&catalog), "quiddity"));
}
