//! The page: printable, self-contained, quiet.
//!
//! Every name on it comes from outside. What of one could forge the page - markup, line ends, control
//! and bidirectional characters, letters that look like others - is spelled out, and names stand in
//! elements of their own, so that none can be read as the page's words.

use crate::app::review::certificate::{ApprovalLine, AssetLine, Certificate};
use crate::base::lookalike::unmistakable;
use crate::base::path::AssetPath;
use crate::base::size::human_bytes;
use crate::base::time::Timestamp;
use std::collections::BTreeMap;

/// Most assets that the page lists; the data has all.
const ASSETS_MAX: usize = 200;
/// Most commands that the page lists; `CHECK.txt` has all.
const COMMANDS_MAX: usize = 40;
/// Longest name on the page, in characters; the data has all of it.
const NAME_CHARACTERS_MAX: usize = 160;

/// Writes the page.
pub fn write(certificate: &Certificate, pictures: &BTreeMap<AssetPath, String>, made: Timestamp) -> String {
    let title = match certificate.assets.as_slice() {
        [one] => path(&one.path),
        several => format!("{} assets", several.len()),
    };
    let people = people(&certificate.approvals);
    let alike = certificate.assets.windows(2).all(|pair| pair[0].approved_by == pair[1].approved_by);
    let what = if alike { "exactly these bytes" } else { "these bytes, each what its line below says" };
    let assets: String =
        certificate.assets.iter().take(ASSETS_MAX).map(|line| asset(line, pictures)).collect();
    let note = if pictures.is_empty() { "" } else { PICTURES_NOTE };
    let more = match certificate.assets.len().saturating_sub(ASSETS_MAX) {
        0 => String::new(),
        more => format!("<p class=small>and {more} more, in certificate.json</p>"),
    };
    let unapproved = match certificate.unapproved.len() {
        0 => String::new(),
        more => format!(
            "<p class=small>{} landed with it that no rule asked an approval for; that is not certified here.</p>",
            if more == 1 { "1 asset".to_owned() } else { format!("{more} assets") }
        ),
    };
    let approvals: String = certificate.approvals.iter().map(approval).collect();
    let commands: String = certificate
        .commands
        .iter()
        .take(COMMANDS_MAX)
        .map(|command| format!("<li>{}<pre>{}</pre></li>", text(&command.shows), markup(&command.line)))
        .collect();
    let commands = match certificate.commands.len().saturating_sub(COMMANDS_MAX) {
        0 => commands,
        more => format!("{commands}<li>and {more} more, in CHECK.txt</li>"),
    };
    let policy = match &certificate.policy {
        Some(policy) => format!("policy {} of this repository{}", policy.number, first(certificate)),
        None => "no policy: whoever landed it decided".to_owned(),
    };
    format!(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <title>Certificate of approval</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><p class=small>Certificate of approval</p>\n<h1>{title}</h1>\n\
         <p class=lead>{people} approved {what}.</p></header>\n\
         <section><h2>What was approved</h2>\n<table><thead><tr><th>Asset<th>Change<th>Approved by<th class=n>Size</tr></thead>\n\
         <tbody>{assets}</tbody></table>{more}{unapproved}{note}</section>\n\
         <section><h2>Who approved it</h2>\n<ul class=people>{approvals}</ul></section>\n\
         <section><h2>When and under which rules</h2>\n<dl>\
         <dt>Landed on<dd>{branch}, {landed}\n<dt>By<dd>{landed_by}\n<dt>Rules<dd>{policy}</dl></section>\n\
         <section><h2>How to check it without Pentimento</h2>\n\
         <p>Open a terminal in the folder of this page. You need <code>b3sum</code> and <code>ssh-keygen</code>.</p>\n\
         <ol>{commands}</ol></section>\n\
         <details><summary>Details</summary>\n<dl>\
         <dt>Repository<dd><code>{repository}</code>\n<dt>Submission<dd><code>{submission}</code>\n\
         <dt>Commit<dd><code>{commit}</code>\n<dt>Policy<dd><code>{policy_id}</code>\n\
         <dt>Page made<dd>{made}</dl>\n{ids}</details>\n\
         </main>\n</body>\n</html>\n",
        branch = text(&certificate.branch),
        landed = moment(&certificate.landed),
        landed_by = text(&certificate.landed_by),
        repository = markup(&certificate.repository),
        submission = certificate.submission,
        commit = certificate.commit,
        policy_id =
            certificate.policy.as_ref().map_or_else(|| "none".to_owned(), |policy| policy.id.to_string()),
        made = moment(&made.rfc3339()),
        ids = ids(&certificate.assets),
    )
}

/// The first policy, by which everybody knows that it is this repository's.
fn first(certificate: &Certificate) -> String {
    match certificate.chain.first() {
        Some(first) => format!("; its first policy has the fingerprint <code>{}</code>", first.id),
        None => String::new(),
    }
}

/// Everybody who approved, as a sentence begins: `Anna, Ben and Cleo`.
fn people(approvals: &[ApprovalLine]) -> String {
    let mut names: Vec<String> = Vec::new();
    for approval in approvals {
        let name = text(approval.name.as_deref().unwrap_or(&approval.handle));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What the page says of its pictures.
const PICTURES_NOTE: &str = "<p class=small>The pictures were drawn by whoever made this page, to find one's way by; \
     what was approved are the bytes.</p>";

fn asset(line: &AssetLine, pictures: &BTreeMap<AssetPath, String>) -> String {
    let size = line.bytes.map_or_else(|| "\u{2014}".to_owned(), human_bytes);
    let (kinds, people) = (markup(&line.kinds.join(", ")), text(&line.approved_by.join(", ")));
    let picture = pictures.get(&line.path).map(|data| format!("<img alt=\"\" src=\"{}\">", markup(data)));
    let (name, picture) = (path(&line.path), picture.unwrap_or_default());
    let kinds = if line.metadata_approved {
        kinds
    } else {
        format!("{kinds}<p class=small>not its labels and fields, which changed after that</p>")
    };
    format!("<tr><td>{name}{picture}<td>{kinds}<td>{people}<td class=n>{size}</tr>\n")
}

fn ids(assets: &[AssetLine]) -> String {
    let rows: String = assets
        .iter()
        .take(ASSETS_MAX)
        .map(|line| {
            let file = line.file.map_or_else(|| "removed".to_owned(), |file| file.to_string());
            let asset = line.asset.map(|asset| asset.to_string()).unwrap_or_default();
            format!("<dt>{}<dd>file <code>{file}</code><br>asset <code>{asset}</code>\n", path(&line.path))
        })
        .collect();
    format!("<dl class=ids>{rows}</dl>")
}

fn approval(line: &ApprovalLine) -> String {
    let name = line.name.as_deref().map(|name| format!("<b>{}</b> ", text(name))).unwrap_or_default();
    let received = match &line.received {
        Some(received) => format!(", in the shared log by {}", moment(received)),
        None => String::new(),
    };
    let kept = match line.class {
        "hardware" => "a security key",
        "browser" => "a passkey of a browser",
        _ => "a key in a file",
    };
    let assets = if line.assets == 1 { "1 asset".to_owned() } else { format!("{} assets", line.assets) };
    format!(
        "<li><span class=mark>\u{2713}</span> {name}<span class=handle>{handle}</span> approved {assets}<br>\
         <span class=small>signed {signed}{received}, with {kept}: <code>{key}</code></span></li>\n",
        handle = text(&line.handle),
        signed = moment(&line.signed),
        key = markup(&line.key),
    )
}

fn moment(rfc3339: &str) -> String {
    format!("<time datetime=\"{0}\">{1}</time>", markup(rfc3339), markup(&rfc3339.replace('T', " ")))
}

/// A name from outside, in an element of its own.
fn text(name: &str) -> String {
    bounded(unmistakable(name.as_bytes()))
}

fn path(path: &AssetPath) -> String {
    bounded(unmistakable(path.as_bytes()))
}

fn bounded(mut shown: String) -> String {
    if let Some((end, _)) = shown.char_indices().nth(NAME_CHARACTERS_MAX) {
        shown.truncate(end);
        shown.push('\u{2026}');
    }
    format!("<bdi>{}</bdi>", markup(&shown))
}

/// Text in which nothing is markup.
fn markup(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

const STYLE: &str = "\
:root{color-scheme:light dark;--back:#e8e8e8;--page:#f4f4f4;--ink:#1a1a1a;--soft:#5a5a5a;--line:#c6c6c6}\
@media(prefers-color-scheme:dark){:root{--back:#2b2b2b;--page:#333;--ink:#ececec;--soft:#b0b0b0;--line:#555}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--back);color:var(--ink);font:15px/24px Inter,system-ui,sans-serif;\
font-variant-numeric:tabular-nums}\
main{max-width:760px;margin:32px auto;padding:40px 48px;background:var(--page)}\
h1{font-size:28px;line-height:36px;font-weight:600;margin:4px 0 8px;overflow-wrap:anywhere}\
h2{font-size:13px;line-height:20px;font-weight:600;color:var(--soft);margin:32px 0 8px}\
.lead{font-size:20px;line-height:28px;margin:0}\
.small{font-size:13px;line-height:20px;color:var(--soft);margin:0}\
table{width:100%;border-collapse:collapse}\
th{font-size:11px;line-height:16px;text-align:left;font-weight:500;color:var(--soft)}\
td,th{padding:4px 16px 4px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}\
.n{text-align:right;padding-right:0;white-space:nowrap}\
td img{display:block;max-width:240px;max-height:240px;margin:4px 0}\
ul.people{list-style:none;margin:0;padding:0}\
ul.people li{padding:8px 0;border-bottom:1px solid var(--line)}\
.handle{color:var(--soft)}\
dl{display:grid;grid-template-columns:128px 1fr;gap:4px 16px;margin:0}\
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
dl.ids{grid-template-columns:1fr;font-size:13px;line-height:20px;margin-top:16px}\
ol{padding-left:20px;font-size:13px;line-height:20px}li pre{margin:4px 0 12px}\
code,pre{font:13px/20px ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
details{margin-top:32px}summary{font-size:13px;color:var(--soft);cursor:pointer}\
@media(max-width:600px){main{margin:0;padding:24px 16px}dl{grid-template-columns:1fr}}\
@media print{body,main{background:#fff;color:#000;margin:0;padding:0}section,li{break-inside:avoid}\
details>*{display:block}}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ActionId, AssetId, CommitId, FileId};

    fn certificate(name: &str, at: &[u8]) -> Certificate {
        Certificate {
            repository: "07".repeat(16),
            submission: ActionId::from_bytes([1; 32]),
            branch: "main".into(),
            commit: CommitId::from_bytes([2; 32]),
            landed_by: "dora".into(),
            landed: "2026-03-03T14:02:00+00:00".into(),
            policy: None,
            chain: vec![],
            assets: vec![AssetLine {
                path: AssetPath::from_bytes(at).expect("a path"),
                asset: Some(AssetId::from_bytes([3; 16])),
                kinds: vec!["content"],
                metadata_approved: true,
                file: Some(FileId::from_bytes([4; 32])),
                bytes: Some(1200),
                approved_by: vec!["ben".into()],
            }],
            unapproved: vec![],
            approvals: vec![ApprovalLine {
                action: ActionId::from_bytes([5; 32]),
                handle: "ben".into(),
                name: Some(name.to_owned()),
                key: "SHA256:abc".into(),
                class: "file",
                signed: "2026-03-03T14:00:00+01:00".into(),
                received: None,
                assets: 1,
                statement: "approval-1.json".into(),
                transitions: "approval-1.transitions.jsonl".into(),
                files: "approval-1.files.b3".into(),
            }],
            commands: vec![],
        }
    }

    fn page(name: &str, at: &[u8]) -> String {
        write(&certificate(name, at), &BTreeMap::new(), Timestamp::utc(1_772_542_920_000))
    }

    #[test]
    fn names_cannot_forge_the_text_of_the_certificate() {
        let honest = page("Ben Okri", b"logo.svg");
        let tags = |page: &str| page.matches('<').count();
        for (name, at) in [
            ("Ben</b></li><li><b>Anna Lind</b> approved 900 assets", &b"logo.svg"[..]),
            ("Ben\" onload=\"alert(1)", b"logo.svg"),
            ("Ben & Anna", b"</h1><script>alert(1)</script>"),
            ("Ben\nAnna Lind approved everything", b"logo.svg"),
            ("\u{202e}dniL annA", b"gpj.\xe2\x80\xaeexe"),
            ("\u{412}en Okri", b"l\xd0\xbego.svg"),
            ("Ben\u{200b} Okri", b"logo\xff.svg"),
        ] {
            let page = page(name, at);
            assert_eq!(tags(&page), tags(&honest), "no name adds an element: {name:?}");
            assert_eq!(page.lines().count(), honest.lines().count(), "nor a line: {name:?}");
            let hidden = page.chars().any(|c| crate::base::escape::is_unsafe_to_show(c) && c != '\n');
            assert!(!hidden, "nor a character that is not seen: {name:?}");
            assert!(
                !page.contains('\u{412}') && !page.contains('\u{43e}'),
                "nor a borrowed letter: {name:?}"
            );
        }
        assert!(page("\u{412}en Okri", b"x").contains("\\u{412}en Okri"), "it is spelled out");
    }

    #[test]
    fn a_long_name_is_cut_on_the_page() {
        let page = page(&"Ben ".repeat(500), b"logo.svg");
        assert!(page.len() < 12_000, "{}", page.len());
    }
}
