//! The part of the story about what comes from elsewhere and what files are: imports, exports to Git,
//! facts and small pictures.

use super::Story;
use crate::git_support::Git;
use std::fs;
use std::path::Path;

/// A repository that begins with the history of another.
pub fn bring(story: &mut Story) {
    story.tell(&["init"]);
    story.tell(&["config", "user.name", "Anna Lind"]);
    from_git(story);
    from_folder(story);
    story.tell(&["export", "git", "../harbour.git", "--lfs-above", "20kB"]);
    look(story);
}

/// Git LFS content that is lost, a name that has no place here, rules of `.gitignore`.
fn from_git(story: &mut Story) {
    let git = Git::init(&story.world.studio().join("../source"));
    git.write(".gitignore", b"*.tmp\n");
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text lockable\n");
    git.write("brief.md", b"Harbour, spring\n");
    git.write("large.txt", "harbour ".repeat(5_000).as_bytes());
    git.commit("First");
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let blob = git.object("blob", pointer.as_bytes());
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},lost.bin")]);
    git.run(&["commit", "-q", "-m", "A pointer without its content"]);
    git.run(&["tag", "-a", "sent", "-m", "Sent to the client"]);
    // A name that Git takes from nobody, and that some program wrote all the same.
    let tree = git.feed(&["mktree"], format!("100644 blob {blob}\t.pent\n").as_bytes());
    let commit = git.feed(&["commit-tree", &tree, "-m", "A strange one"], b"");
    git.run(&["branch", "strange", &commit]);
    story.tell(&["import", "git", "../source"]);
    git.write("brief.md", b"Harbour, summer\n");
    git.run(&["add", "brief.md"]);
    git.run(&["commit", "-q", "-m", "Summer"]);
    story.tell(&["import", "git", "../source"]);
}

fn from_folder(story: &mut Story) {
    let folder = story.world.studio().join("../logos");
    fs::create_dir_all(folder.join("2024-05-01")).expect("a folder");
    for (name, text) in [("logo_v1.svg", "<svg>1</svg>"), ("logo_v2_FINAL.svg", "<svg>2</svg>")] {
        fs::write(folder.join(name), text).expect("a written file");
    }
    fs::write(folder.join(".DS_Store"), "noise").expect("a written file");
    fs::write(folder.join("2024-05-01/logo.svg"), "<svg>0</svg>").expect("a written file");
    story.tell(&["import", "folder", "../logos", "--dry-run"]);
    story.tell(&["import", "folder", "../logos"]);
}

fn look(story: &mut Story) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio/v2");
    for name in ["web/banner.psd", "photo/harbour-dusk.jpg", "photo/lantern.png", "audio/jingle.wav"] {
        let bytes = fs::read(fixtures.join(name)).expect("a fixture");
        story.write(name.rsplit('/').next().expect("a name"), bytes);
    }
    story.write("broken.png", b"\x89PNG\r\n\x1a\nand no more of it");
    story.tell(&["commit", "-m", "Pictures"]);
    story.tell(&["info", "banner.psd"]);
    story.tell(&["info", "harbour-dusk.jpg@1"]);
    story.tell(&["info", "lantern.png"]);
    story.tell(&["info", "jingle.wav"]);
    story.tell(&["info", "broken.png"]);
    story.tell(&["thumb", "banner.psd", "--to", "../banner.png", "--edge", "64"]);
    story.tell(&["thumb", "lantern.png@1"]);
    story.tell(&["preview", "banner.psd", "--to", "../banner.jpg", "--edge", "64"]);
    find(story);
    describe(story);
}

/// Searches, collections, what looks alike, what is there twice.
fn find(story: &mut Story) {
    let lantern = fs::read(story.world.studio().join("lantern.png")).expect("a picture");
    story.write("copy.png", lantern);
    story.write("small.png", fs::read(story.world.studio().join("../banner.png")).expect("a picture"));
    story.tell(&["label", "lantern.png", "--add", "night"]);
    story.tell(&["meta", "set", "title", "Lantern", "lantern.png"]);
    story.tell(&["commit", "-m", "Copies"]);
    story.tell(&["search", "lantern", "--facets"]);
    story.tell(&["search", "harbour", "--at", "@~1"]);
    story.tell(&["search", "type:psd", "--save", "Layered"]);
    story.tell(&["search", "--list"]);
    story.tell(&["similar", "banner.psd", "--likeness", "40"]);
    story.tell(&["duplicates", "--near"]);
    story.tell(&["index"]);
    story.tell(&["index", "--check"]);
    story.tell(&["meta", "export"]);
    story.tell(&["meta", "import"]);
}

/// A schema, and what does not fit it.
fn describe(story: &mut Story) {
    story.tell(&["schema", "init"]);
    story.tell(&["schema", "show"]);
    let schema = "version = 1\n[fields.title]\ntype = \"text\"\n[[required]]\nfields = [\"title\"]\n\
        [[defaults]]\nset = { title = \"Untitled\" }\n[[names]]\nstyle = \"kebab\"\n";
    story.write(".pentschema.toml", schema);
    story.write("New Name.png", "x");
    story.tell(&["commit", "-m", "Schema"]);
    story.tell(&["schema", "check"]);
    story.tell(&["schema", "apply"]);
}
