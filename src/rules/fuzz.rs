//! Fuzz targets of the rules that strangers' files and names are judged by.

use crate::base::fuzz::{Target, Verdict};
use crate::base::path::AssetPath;
use crate::object::metadata::Metadata;
use crate::rules::ignore::IgnoreStack;
use crate::rules::policy::Policy;
use crate::rules::portable;
use crate::rules::schema::{Schema, Subject, TEMPLATE};

/// All of them.
pub const TARGETS: &[Target] = &[
    // A pattern takes some 100 bytes, however short its line.
    Target::new("rules: .pentignore", &["rules/ignore.rs"], ignore_seeds, run_ignore).with_memory(2 << 20),
    // TOML with the places of everything in it.
    Target::new("rules: policy", &["rules/policy/parse.rs", "rules/policy/mod.rs"], policy_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        match Policy::parse(text) {
            Ok(policy) => {
                let _ = (policy.protects_branch("main"), policy.protects_tag("v1"));
                Verdict::Understood
            }
            Err(error) => {
                let _ = error.to_string();
                Verdict::Refused
            }
        }
    })
    .with_memory(4 << 20),
    Target::new("rules: schema", &["rules/schema/mod.rs", "rules/schema/parse.rs"], schema_seeds, run_schema)
        .with_memory(4 << 20),
    Target::new("rules: names", &["rules/portable.rs"], name_seeds, run_names),
];

fn ignore_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "# comment\n/out\nrenders/\n*.tif\n!keep.tif\na/**/z\n",
        "cache-[0-9]*\n\\#sharp\n\\!loud\ntrailing\\ \n**/deep\ndeep/**\n",
        "*.psd\r\n!hero.psd\r\n[a-z]?[!x]*.{png,jpg}\n[[:alpha:]]*\n",
        "\u{feff}*.bak\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_ignore(bytes: &[u8]) -> Verdict {
    let top = IgnoreStack::new(b"*.tmp\n").push_dir(&AssetPath::root(), Some(bytes));
    let folder = AssetPath::from_bytes("a").unwrap_or_default();
    let below = top.push_dir(&folder, Some(bytes));
    for (path, is_dir) in [("out", true), ("a/b/c/z", false), ("a/hero.psd", false), ("a/cache-12", true)] {
        for stack in [&top, &below] {
            let ignored = stack.is_ignored(path.as_bytes(), is_dir);
            let explained = stack.explain(path.as_bytes(), is_dir).is_some_and(|rule| rule.ignored);
            if ignored != explained {
                return Verdict::Wrong(format!("{path} is left out: {ignored}, explained: {explained}"));
            }
        }
    }
    Verdict::Understood
}

const POLICY: &str = r#"version = 1
[people.anna]
id = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
name = "Anna Lind"
keys = [{ key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHuwVVqILg6Yuji+LGGsSUWSnatdn/Jl3thuE3mEmLED", from = "2026-01-01", until = 2027-01-01T00:00:00Z }]
[people.ben]
id = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
[[people.ben.keys]]
key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjT+IOA+yRJoUob8zaay4CxVyfYDJniUtdw9owmf+5X"
[roles]
administrator = ["anna"]
editor = ["ben"]
[[protect]]
branch = "main"
paths = "brand/**"
approvals = ["1 editor", "1 of anna, editor"]
valid = "90 days"
metadata = "keeps"
direct = { labels = ["editor"] }
browser-keys = false
[[protect]]
tag = "print-*"
set = ["anna"]
[access]
read = ["editor", "anna"]
[[access.paths]]
paths = "contracts/**"
read = ["anna"]
[policy]
change = ["1 administrator"]
recovery = { by = ["1 editor"], after = "30 days" }
"#;

fn policy_seeds() -> Vec<Vec<u8>> {
    vec![POLICY.as_bytes().to_vec()]
}

fn schema_seeds() -> Vec<Vec<u8>> {
    let rules = "version = 1\nopen = false\n[fields.use]\ntype = \"set\"\nchoices = [\"web\"]\n[[required]]\n\
        paths = \"web/**\"\ntypes = [\"png\"]\nfields = [\"use\", \"labels\"]\n[[defaults]]\nset = { use = \"web\" }\n\
        [[names]]\nstyle = \"kebab\"\nbegins = [\"hs-\"]\nends = [\"png\"]\nversion = true\nlongest = 20\n";
    vec![TEMPLATE.as_bytes().to_vec(), rules.as_bytes().to_vec(), b"version = 1\n".to_vec()]
}

/// A schema that is understood can be held against an asset.
fn run_schema(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    match Schema::parse(text) {
        Ok(schema) => {
            let path = AssetPath::from_bytes("web/Harbour Dawn.PNG").unwrap_or_default();
            let subject = Subject { path: &path, metadata: &Metadata::default(), types: &["png".to_owned()] };
            let _ = schema.check(subject);
            Verdict::Understood
        }
        Err(error) => {
            let _ = error.to_string();
            Verdict::Refused
        }
    }
}

fn name_seeds() -> Vec<Vec<u8>> {
    let names =
        ["logo.psd", ".PENT", ".pe\u{200c}nt", "PENT~1", "con.txt", "a\u{301}", "A:b", "x. ", "../up"];
    names.map(|name| name.as_bytes().to_vec()).to_vec()
}

fn run_names(bytes: &[u8]) -> Verdict {
    let _ = (portable::portability(bytes), portable::is_temporary_name(bytes));
    let _ = portable::link_leads_outside(b"a/b/link", bytes);
    let folded = portable::folded(bytes);
    if portable::folded(&folded) != folded {
        return Verdict::Wrong(format!("{folded:?} folds to something else"));
    }
    let twins = portable::find_twins(bytes.split(|byte| *byte == b'\n')).len();
    if twins > bytes.len() {
        return Verdict::Wrong(format!("{twins} twins among {} bytes", bytes.len()));
    }
    let _ = portable::check_entry_name(bytes);
    Verdict::Understood
}
