//! The page: one HTML file that needs no network and no server.
//!
//! Its script is put together from the modules below `page/`, and its own policy allows that script
//! and that style by their hashes and nothing else - no address, no file, no inline handler. What comes
//! from files and people stands in one block of data, which is never markup: the script puts it on
//! the page as text.

use super::state::{StateLine, subject};
use super::{VisualDiff, film};
use crate::app::common::field_value;
use crate::base::escape;
use crate::base::path::AssetPath;
use crate::base::size::human_bytes;
use crate::diff::metadata::{FieldChange, FieldChangeKind};
use crate::diff::text::{Line, LineKind, TextDiff};
use crate::media::compare::facts::FactChange;
use crate::media::compare::film::FilmDiff;
use crate::media::compare::layers::{LayerChange, LayerEdit};
use crate::media::compare::sound::SoundDiff;
use crate::media::compare::{Alignment, PictureDiff};
use crate::media::decoder::DecodeError;
use crate::media::light::Light;
use crate::media::pixels::Pixels;
use base64ct::{Base64, Encoding as _};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::sync::OnceLock;

/// Longest side of a small picture, in pixels.
const THUMB_EDGE: u32 = 480;

/// Most lines of running text of one asset that a page has, as whole places.
const TEXT_LINES_MAX: usize = 2000;

/// The script's modules, each after those that it imports.
const MODULES: &[(&str, &str)] = &[
    ("dom.js", include_str!("page/dom.js")),
    ("words.js", include_str!("page/words.js")),
    ("state.js", include_str!("page/state.js")),
    ("pictures.js", include_str!("page/pictures.js")),
    ("difference.js", include_str!("page/difference.js")),
    ("viewer.js", include_str!("page/viewer.js")),
    ("timeline.js", include_str!("page/timeline.js")),
    ("gallery.js", include_str!("page/gallery.js")),
    ("panel.js", include_str!("page/panel.js")),
    ("actions.js", include_str!("page/actions.js")),
    ("main.js", include_str!("page/main.js")),
];
const STYLE: &str = include_str!("page/style.css");

/// An asset with its states.
#[derive(Debug, Serialize)]
pub struct Asset {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
    states: Vec<State>,
    /// What happened between the first state and the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// One state.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    path: String,
    version: Option<u64>,
    size: String,
    format: String,
    width: u64,
    height: u64,
    /// What stands for its size in pixels, when those say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    measure: Option<String>,
    who: Option<String>,
    unix_ms: Option<i64>,
    offset_minutes: Option<i16>,
    message: Option<String>,
    commit: Option<String>,
    file: Option<String>,
    /// A PNG file in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb: Option<String>,
    /// The picture as numbers of light, where they go beyond white.
    #[serde(skip_serializing_if = "Option::is_none")]
    light: Option<LightOnPage>,
    /// The average colour: what stands there before the picture does.
    colour: [u8; 3],
}

/// A picture as numbers of light.
#[derive(Debug, Clone, Serialize)]
struct LightOnPage {
    width: u32,
    height: u32,
    /// Red, green, blue and opacity in half precision, packed (DEFLATE), in Base64.
    halves: String,
}

/// What happened between two states.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    kinds: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PictureDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alignment: Option<Alignment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<SoundDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    film: Option<FilmDiff>,
    /// Pairs of frames of a film.
    pub moments: Vec<Moment>,
    scale: f64,
    layers: Vec<LayerChange>,
    /// Pictures of layers: the place in `layers`, before and after, as PNG files in Base64.
    layer_pictures: Vec<(usize, [Option<String>; 2])>,
    /// Lines of running text around what differs in it; between places that lie apart, one without words.
    text: Vec<TextLine>,
    /// How many lines are new and how many are gone, of what is text above all: without a size of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<[u64; 2]>,
    facts: Vec<FactChange>,
    fields: Vec<FactChange>,
    notes: Vec<String>,
}

/// A line of running text.
#[derive(Debug, Clone, Serialize)]
struct TextLine {
    /// `context`, `removed`, `added` or `gap`.
    kind: LineKindOnPage,
    /// Its parts in order, each with whether it is what changed.
    parts: Vec<(String, bool)>,
}

/// What a line of running text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum LineKindOnPage {
    Context,
    Removed,
    Added,
    Gap,
}

/// A pair of frames of a film, of which one may be missing.
#[derive(Debug, Clone, Serialize)]
pub struct Moment {
    /// Its place in the list of frames.
    entry: usize,
    /// JPEG files in Base64, before and after.
    pictures: [Option<String>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PictureDiff>,
}

impl Moment {
    /// A moment as a page has it.
    pub(super) fn new(moment: &film::Moment) -> Self {
        let [before, after] = &moment.pictures;
        let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(Base64::encode_string);
        let pictures = [text(before), text(after)];
        Self { entry: moment.entry, pictures, picture: moment.picture.clone() }
    }
}

impl Asset {
    /// An asset called as it stands.
    pub fn new(path: &AssetPath, states: Vec<State>) -> Self {
        Self { name: path.to_string(), href: None, states, change: None }
    }

    /// The same for an index: small pictures only, and the address of the page that has the others.
    pub fn entry(&self, href: String) -> Self {
        let without = |state: &State| State { picture: None, light: None, ..state.clone() };
        let small =
            |change| Change { layer_pictures: Vec::new(), moments: Vec::new(), text: Vec::new(), ..change };
        let change = self.change.clone().map(small);
        Self {
            name: self.name.clone(),
            href: Some(href),
            states: self.states.iter().map(without).collect(),
            change,
        }
    }
}

impl State {
    /// A state with its picture.
    pub fn new(line: &StateLine, picture: Option<&Pixels>) -> Result<Self, DecodeError> {
        let thumb = picture.map(|pixels| pixels.clone().within(THUMB_EDGE)).transpose()?;
        let commit = line.commit.as_ref();
        let size = |full: Option<u64>, drawn: Option<u32>| full.or(drawn.map(u64::from)).unwrap_or(0);
        let erased = || "somebody whose name was erased".to_owned();
        Ok(Self {
            path: line.path.to_string(),
            version: line.version,
            size: human_bytes(line.size),
            format: line.format.clone(),
            width: size(line.width, picture.map(|pixels| pixels.width)),
            height: size(line.height, picture.map(|pixels| pixels.height)),
            measure: match (line.seconds, line.width.zip(line.height)) {
                (Some(seconds), Some((width, height))) => {
                    Some(format!("{width} × {height} · {}", clock(seconds)))
                }
                (Some(seconds), None) => Some(clock(seconds)),
                (None, None) => Some(String::new()),
                (None, Some(_)) => None,
            },
            who: commit.map(|commit| commit.author.name.as_deref().map_or_else(erased, safe)),
            unix_ms: commit.map(|commit| commit.time.unix_ms),
            offset_minutes: commit.map(|commit| commit.time.offset_minutes),
            message: commit.map(|commit| subject(&commit.message)),
            commit: commit.map(|commit| commit.id.to_string()),
            file: line.file.map(|id| id.to_string()),
            colour: thumb.as_ref().map_or([128; 3], Pixels::mean_colour),
            picture: picture.map(encoded).transpose()?,
            light: None,
            thumb: thumb.as_ref().map(encoded).transpose()?,
        })
    }
}

impl State {
    /// The same with its picture as numbers of light, of which a person chooses the exposure.
    pub fn with_light(mut self, light: Option<&Light>) -> Result<Self, DecodeError> {
        self.light = light.map(packed).transpose()?;
        Ok(self)
    }
}

fn packed(light: &Light) -> Result<LightOnPage, DecodeError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&light.bytes)?;
    let halves = Base64::encode_string(&encoder.finish()?);
    Ok(LightOnPage { width: light.width, height: light.height, halves })
}

impl Change {
    /// What a comparison found, with pictures of layers.
    pub fn of(diff: &VisualDiff, layers: &[(usize, [Option<Pixels>; 2])]) -> Result<Self, DecodeError> {
        let mut layer_pictures = Vec::new();
        for (at, [before, after]) in layers {
            let pictures =
                [before.as_ref().map(encoded).transpose()?, after.as_ref().map(encoded).transpose()?];
            layer_pictures.push((*at, pictures));
        }
        let safe_fact = |fact: &FactChange| FactChange {
            name: safe(&fact.name),
            before: fact.before.as_deref().map(safe),
            after: fact.after.as_deref().map(safe),
        };
        Ok(Self {
            kinds: diff.kinds.names().collect(),
            picture: diff.picture.clone(),
            alignment: diff.alignment,
            sound: diff.sound.clone(),
            film: diff.film.clone(),
            moments: Vec::new(),
            scale: diff.scale,
            layers: diff.layers.iter().map(layer).collect(),
            layer_pictures,
            text: diff.text.as_ref().map(text_lines).unwrap_or_default(),
            lines: lines(diff),
            facts: diff.facts.iter().map(safe_fact).collect(),
            fields: diff.fields.iter().map(field).collect(),
            notes: diff.notes.iter().map(|note| safe(note)).collect(),
        })
    }
}

/// The lines of a text that are new and that are gone; `None` of what has a size in pixels or points, which is looked
/// at and not read.
fn lines(diff: &VisualDiff) -> Option<[u64; 2]> {
    let has_size = [&diff.before, &diff.after].into_iter().flatten().any(|state| state.width.is_some());
    let text = diff.text.as_ref().filter(|_| !has_size)?;
    Some([text.lines_added, text.lines_removed])
}

/// A layer with all texts safe to show.
fn layer(change: &LayerChange) -> LayerChange {
    let all = |texts: &[String]| texts.iter().map(|text| safe(text)).collect();
    let edits = change.edits.iter().map(|edit| match edit {
        LayerEdit::Renamed { before } => LayerEdit::Renamed { before: safe(before) },
        LayerEdit::Regrouped { before } => LayerEdit::Regrouped { before: all(before) },
        LayerEdit::Blend { before, after } => LayerEdit::Blend { before: safe(before), after: safe(after) },
        LayerEdit::Text { before, after } => {
            LayerEdit::Text { before: escape::terminal_lines(before), after: escape::terminal_lines(after) }
        }
        other => other.clone(),
    });
    LayerChange {
        name: safe(&change.name),
        groups: all(&change.groups),
        edits: edits.collect(),
        ..change.clone()
    }
}

/// A difference of texts as lines that are safe to show, as many as a page takes.
fn text_lines(diff: &TextDiff) -> Vec<TextLine> {
    let gap = || TextLine { kind: LineKindOnPage::Gap, parts: Vec::new() };
    let mut lines = Vec::new();
    for hunk in &diff.hunks {
        if lines.len() >= TEXT_LINES_MAX {
            lines.push(gap());
            break;
        }
        if !lines.is_empty() {
            lines.push(gap());
        }
        lines.extend(hunk.lines.iter().map(text_line));
    }
    lines
}

fn text_line(line: &Line) -> TextLine {
    let kind = match line.kind {
        LineKind::Context => LineKindOnPage::Context,
        LineKind::Removed => LineKindOnPage::Removed,
        LineKind::Added => LineKindOnPage::Added,
    };
    let part = |range: std::ops::Range<usize>| line.text.get(range).map(safe).unwrap_or_default();
    let (mut parts, mut at) = (Vec::new(), 0);
    for changed in &line.emphasis {
        parts.push((part(at..changed.start), false));
        parts.push((part(changed.clone()), true));
        at = changed.end;
    }
    parts.push((part(at..line.text.len()), false));
    parts.retain(|(text, _)| !text.is_empty());
    TextLine { kind, parts }
}

/// A metadata field as texts before and after.
fn field(change: &FieldChange) -> FactChange {
    let list = |members: &mut dyn Iterator<Item = String>| {
        let members: Vec<String> = members.collect();
        Some(members.join(", ")).filter(|text| !text.is_empty()).map(|text| safe(&text))
    };
    let shown = |value| Some(safe(&field_value::show(value)));
    let (before, after) = match &change.change {
        FieldChangeKind::Set { after } => (None, shown(after)),
        FieldChangeKind::Unset { before } => (shown(before), None),
        FieldChangeKind::Changed { before, after } => (shown(before), shown(after)),
        FieldChangeKind::Members { added, removed } => {
            (list(&mut removed.iter().cloned()), list(&mut added.iter().cloned()))
        }
        FieldChangeKind::Terms { added, removed } => (
            list(&mut removed.iter().map(ToString::to_string)),
            list(&mut added.iter().map(ToString::to_string)),
        ),
    };
    FactChange { name: change.field.to_string(), before, after }
}

fn safe(text: &str) -> String {
    escape::terminal(text.as_bytes())
}

/// A length of time in minutes and seconds.
fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn encoded(pixels: &Pixels) -> Result<String, DecodeError> {
    Ok(Base64::encode_string(&pixels.png()?))
}

/// Puts the modules together: imports are of what stands above, so that one script needs none.
pub fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let mut script = String::from("'use strict';\n(() => {\n");
        for (name, text) in MODULES {
            script.push_str(&format!("// {name}\n"));
            for line in text.lines().filter(|line| !line.starts_with("import ")) {
                script.push_str(line.strip_prefix("export ").unwrap_or(line));
                script.push('\n');
            }
        }
        script.push_str("})();\n");
        script
    })
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", Base64::encode_string(&Sha256::digest(text.as_bytes())))
}

/// The page with these assets, each a JSON text. `home` is the address of the index that leads here.
pub fn html(kind: &str, title: &str, home: Option<&str>, assets: &[String]) -> String {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data: blob:; base-uri 'none'; form-action 'none'",
        hash(script()),
        hash(STYLE)
    );
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let home = home.map_or_else(|| "null".to_owned(), text);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"dark light\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>Pentimento</title>\n<style>{STYLE}</style>\n\
         <noscript><p>This page shows pictures by a script of its own, which is switched off here. \
         It asks no network for anything.</p></noscript>\n<div id=\"app\"></div>\n\
         <script type=\"application/json\" id=\"data\">"
    );
    let head =
        format!("{{\"kind\":{},\"title\":{},\"home\":{home},\"assets\":[", text(kind), text(&safe(title)));
    push_data(&mut page, &head);
    for (number, asset) in assets.iter().enumerate() {
        if number > 0 {
            page.push(',');
        }
        push_data(&mut page, asset);
    }
    page.push_str("]}</script>\n<script>");
    page.push_str(script());
    page.push_str("</script>\n</html>\n");
    page
}

/// JSON that cannot end the block that it stands in: only in its texts can there be a `<`.
fn push_data(page: &mut String, json: &str) {
    for part in json.split_inclusive('<') {
        match part.strip_suffix('<') {
            Some(before) => {
                page.push_str(before);
                page.push_str("\\u003c");
            }
            None => page.push_str(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The names that a module gives to others, and those that it takes, each with the module.
    fn names(text: &str) -> (Vec<String>, Vec<(String, String)>) {
        let (mut gives, mut takes) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("export ") {
                let mut words =
                    rest.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
                let name =
                    words.find(|word| !matches!(*word, "const" | "let" | "function" | "async" | "class"));
                gives.push(name.expect("a name").to_owned());
            }
            if let Some(rest) = line.strip_prefix("import ") {
                let (list, from) = rest.split_once(" from ").expect("an import on one line");
                let from = from.trim_matches(|c| "'\";./".contains(c)).to_owned();
                let list = list.trim_matches(|c| "{} ".contains(c));
                takes.extend(list.split(',').map(|name| (name.trim().to_owned(), from.clone())));
            }
        }
        (gives, takes)
    }

    #[test]
    fn modules_import_only_what_stands_above_and_no_name_is_given_twice() {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (module, text) in MODULES {
            let (gives, takes) = names(text);
            for (name, from) in takes {
                assert_eq!(
                    known.get(&name).map(String::as_str),
                    Some(from.as_str()),
                    "{module} imports {name}"
                );
            }
            for name in gives {
                assert_eq!(known.insert(name.clone(), (*module).to_owned()), None, "{name} is given twice");
            }
            // At the top of one script every name is one: also those that are not given away.
            let tops = text.lines().filter_map(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let rest =
                    ["const ", "let ", "function ", "class "].iter().find_map(|it| line.strip_prefix(it))?;
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
            });
            for name in tops {
                assert_eq!(
                    known.insert(name.to_owned(), String::new()),
                    None,
                    "{name} stands twice, in {module}"
                );
            }
        }
        assert!(!script().contains("\nimport ") && !script().contains("\nexport "));
        assert!(!script().contains("</script") && !STYLE.contains("</style"));
    }

    #[test]
    fn no_key_does_two_things() {
        let (_, actions) = MODULES.iter().find(|(name, _)| *name == "actions.js").expect("the module");
        let lists = actions.split("keys: [").skip(1).filter_map(|rest| rest.split(']').next());
        let mut keys: Vec<&str> = lists
            .flat_map(|list| list.split(", "))
            .filter_map(|key| key.strip_prefix('\'')?.strip_suffix('\''))
            .collect();
        let count = keys.len();
        // Those of the modes are numbers, and made.
        assert!(count > 30 && !keys.iter().any(|key| key.parse::<u8>().is_ok_and(|number| number > 0)));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "{keys:?}");
    }

    #[test]
    fn what_people_wrote_is_never_markup() {
        let path = AssetPath::from_bytes("a</script><script>alert(1)</script>.png").expect("a path");
        let mut asset = Asset::new(&path, Vec::new());
        let fact = FactChange { name: "<img src=x>".into(), before: None, after: Some("\u{202e}x".into()) };
        asset.change = Some(Change {
            kinds: Vec::new(),
            picture: None,
            alignment: None,
            sound: None,
            film: None,
            moments: Vec::new(),
            scale: 1.0,
            layers: Vec::new(),
            layer_pictures: Vec::new(),
            text: Vec::new(),
            lines: None,
            facts: vec![fact],
            fields: Vec::new(),
            notes: Vec::new(),
        });
        let json = serde_json::to_string(&asset).expect("JSON");
        let page = html("diff", "</title><b>", None, &[json]);
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains("alert(1)</"));
        assert!(page.contains("default-src 'none'; script-src 'sha256-"));
    }
}
