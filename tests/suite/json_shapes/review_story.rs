//! The part of the story about submissions and policies: two people judge a draft, land it, prove it,
//! and then give the repository rules.

use super::Story;
use serde_json::Value;
use std::fs;

/// A person of the story: their name, how their home folder is called, and their key.
struct Ben {
    id: String,
    key: String,
}

/// Two people, and a first state.
pub fn review(story: &mut Story) {
    story.tell(&["init"]);
    story.tell(&["config", "user.name", "Anna Lind"]);
    story.tell(&["identity", "new", "anna", "--no-passphrase"]);
    let ben = ben(story);
    story.tell(&["identity", "add", "ben", &ben.key, "--person", &ben.id, "--name", "Ben Okri"]);
    story.write("brand/logo.svg", "<svg>old</svg>");
    story.write("poster.txt", "Harbour, spring\n");
    story.tell(&["commit", "-m", "First state"]);
    judge(story);
    land(story);
    rule(story, &ben);
    change_rules(story, &ben);
}

fn ben(story: &mut Story) -> Ben {
    fs::create_dir(story.world.home().with_file_name("ben")).expect("a folder");
    story.tell_as("ben", &["config", "user.name", "Ben Okri"]);
    story.tell_as("ben", &["identity", "new", "ben", "--no-passphrase"]);
    let made: &Value = &story.printed.last().expect("a result").1;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let person = &made["identities"][0];
    Ben { id: text(&person["person"]), key: text(&person["keys"][0]["public"]) }
}

fn judge(story: &mut Story) {
    story.tell(&["draft", "new", "poster"]);
    story.write("brand/logo.svg", "<svg>green</svg>");
    story.write("brand/mark.svg", "<svg>mark</svg>");
    story.tell(&["commit", "-m", "Greener"]);
    story.tell(&["submit", "--reviewers", "ben", "-m", "Is it green enough?"]);
    story.tell(&["review"]);
    story.tell(&["comment", "draft/poster", "-m", "Looks good so far"]);
    let said = story.printed.last().expect("a result").1["comment"]["action"].clone();
    let said = said.as_str().expect("an id").to_owned();
    story.tell(&["erase", "--words", &said, "--dry-run"]);
    story.tell(&["erase", "--words", &said, "--reason", "Said too soon"]);
    story.tell(&["comment", "draft/poster", "brand/logo.svg", "-m", "Is this the new green?"]);
    story.tell_as("ben", &["request-changes", "draft/poster", "brand/logo.svg", "-m", "Greener still"]);
    story.tell(&["review", "draft/poster"]);
    story.write("brand/logo.svg", "<svg>greenest</svg>");
    story.tell(&["mv", "poster.txt", "texts.txt"]);
    story.tell(&["commit", "-m", "Greenest"]);
    story.tell(&["submit"]);
    story.tell_as("ben", &["reject", "draft/poster", "brand/mark.svg", "-m", "Not this one"]);
    story.tell(&["review", "draft/poster"]);
    story.tell_as("ben", &["withdraw", "draft/poster", "--verdict"]);
    story.tell_as("ben", &["approve", "draft/poster", "-m", "Yes"]);
    story.tell(&["approve", "draft/poster"]);
}

fn land(story: &mut Story) {
    story.write("unfinished.txt", "half\n");
    story.tell(&["commit", "-m", "More than was submitted"]);
    story.tell(&["land", "draft/poster", "--dry-run"]);
    story.tell(&["switch", "main"]);
    story.tell(&["land", "draft/poster"]);
    story.tell(&["review", "draft/poster"]);
    story.tell(&["certificate", "brand/logo.svg", "../proof"]);
    story.tell(&["draft", "new", "other"]);
    story.write("other.txt", "other\n");
    story.tell(&["commit", "-m", "Another idea"]);
    story.tell(&["submit", "-m", "Another idea"]);
    story.tell(&["withdraw", "draft/other", "-m", "No"]);
    story.tell(&["review", "--all"]);
    story.tell(&["switch", "main"]);
}

/// The first policy, what it says of the past, and a landing under it.
fn rule(story: &mut Story, ben: &Ben) {
    story.tell(&["policy", "init"]);
    story.tell(&["policy", "show"]);
    let shown = story.world.ok(&["policy", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let root = shown["root"].as_str().or_else(|| shown["data"]["root"].as_str()).expect("a first policy");
    let root = root.to_owned();
    story.tell(&["policy", "trust", &root]);
    story.tell(&["policy", "check"]);
    story.tell(&["lock", "brand/logo.svg", "-m", "Colours", "--for", "2 days"]);
    story.tell(&["locks"]);
    propose(story, ben, "Ben helps", &[("editor = [\"anna\"]", "editor = [\"anna\", \"ben\"]")]);
    story.tell_as("ben", &["status"]);
    story.tell(&["unlock", "brand/logo.svg"]);
    story.tell(&["draft", "new", "summer"]);
    story.write("brand/logo.svg", "<svg>summer</svg>");
    story.tell(&["commit", "-m", "Summer"]);
    story.tell(&["submit"]);
    story.tell(&["review"]);
    story.tell_as("ben", &["approve", "draft/summer"]);
    story.tell(&["land", "draft/summer"]);
    story.tell(&["certificate", "main", "../proof-under-policy", "--files"]);
    story.tell(&["audit"]);
    story.tell(&["switch", "main"]);
}

/// A policy that two must sign, one that is taken back, and a key that ends.
fn change_rules(story: &mut Story, ben: &Ben) {
    let two = [
        ("administrator = [\"anna\"]", "administrator = [\"anna\", \"ben\"]"),
        ("change = [\"1 administrator\"]", "change = [\"2 administrator\"]"),
    ];
    propose(story, ben, "Two of us", &two);
    propose(story, ben, "Anybody approves their own", &[("own = true", "own = false")]);
    story.tell(&["policy", "log", "--diff"]);
    story.tell_as("ben", &["policy", "sign", "--dry-run"]);
    story.tell_as("ben", &["policy", "sign", "--yes"]);
    let reason = ["--permission", "../permission.json", "--reason", "Rights ran out"];
    let everywhere = [&["erase", "brand/logo.svg@1", "--everywhere"][..], &reason].concat();
    story.tell(&everywhere);
    story.tell_as("ben", &everywhere);
    story.tell(&["erase", "--permitted"]);
    propose(story, ben, "Not this one", &[("own = false", "own = true")]);
    story.tell(&["policy", "withdraw"]);
    story.tell(&["policy", "log"]);
    story.tell(&["policy", "revoke", "ben", "-m", "laptop stolen", "--yes"]);
    story.tell(&["policy", "show", "2"]);
    story.tell(&["audit", "main"]);
}

/// Proposes the policy in force with some of its words changed, Ben in it.
fn propose(story: &mut Story, ben: &Ben, why: &str, changes: &[(&str, &str)]) {
    let mut text = story.world.ok(&["policy", "show", "--text"]);
    if !text.contains("[people.ben]") {
        let member = format!(
            "[people.ben]\nid = \"{}\"\nname = \"Ben Okri\"\nkeys = [{{ key = \"{}\" }}]\n\n",
            ben.id, ben.key
        );
        text = text.replace("[roles]", &format!("{member}[roles]"));
    }
    for (old, new) in changes {
        assert!(text.contains(old), "{old} in {text}");
        text = text.replace(old, new);
    }
    let file = story.world.studio().join("../policy.toml");
    fs::write(file, text).expect("a written file");
    story.tell(&["policy", "propose", "../policy.toml", "-m", why]);
}
