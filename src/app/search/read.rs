//! Looks into files that nobody has looked into yet: facts, text, and what pictures look like.

use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::app::search::bring::Bringing;
use crate::app::search::describe::family_name;
use crate::app::search::heads::{Heads, tree_of};
use crate::app::search::open::{Opened, Upkeep};
use crate::app::search::place::CatalogPlace;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Advance, Phase};
use crate::base::path::AssetPath;
use crate::catalog::findings::{Finding, FindingKey, Findings, NAMES_MAX, RECIPE, TEXT_BYTES_MAX};
use crate::catalog::index::{Catalog, Standing};
use crate::catalog::likeness::{Fingerprint, NEAR_BITS};
use crate::catalog::record::UNREAD;
use crate::media::decoder::{decoder, draws};
use crate::media::facts::Facts;
use crate::media::fingerprint::{EDGE, fingerprint};
use crate::media::format::{self, Family, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use crate::media::sniff::{hint, sniff};
use crate::media::worker::{WorkerError, Workers};
use crate::object::tree::Content;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::{RepoError, Repository, View};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

/// Most files that are read before what was found is noted.
const BATCH: usize = 128;
/// The longest side of the frames by which a film is recognised, in pixels.
const MOMENT_EDGE: u32 = 256;
/// How long files are taken up before what was found is noted: with the files that are being read then,
/// what a power loss may cost. A stop costs no more than those.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// Records that are looked at in one round.
const ROUND: usize = 10_000;

/// How much may be read.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Files.
    pub files: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes of one file.
    pub largest: u64,
    /// How long files are taken up; those that are being read then are read to their end.
    pub time: Option<Duration>,
}

impl Budget {
    /// What a search reads by the way.
    pub const SEARCH: Self =
        Self { files: 200, bytes: 256 << 20, largest: 64 << 20, time: Some(Duration::from_secs(20)) };
    /// Everything.
    pub const ALL: Self = Self { files: u64::MAX, bytes: u64::MAX, largest: u64::MAX, time: None };

    /// Whether nothing is left out.
    pub const fn is_everything(&self) -> bool {
        self.files == u64::MAX
    }

    /// Whether there is still room for a file of that size; it is taken from what is left.
    const fn takes(&mut self, size: u64) -> bool {
        if self.is_everything() {
            return true;
        }
        let fits = self.files > 0 && size <= self.bytes;
        if fits {
            self.files -= 1;
            self.bytes -= size;
        }
        fits
    }
}

/// What came of reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCount {
    /// Files that were read.
    pub read: u64,
    /// Of these, files whose decoder found fault with them.
    pub faulty: u64,
    /// Whether there was no time for others that could have been read.
    pub out_of_time: bool,
}

/// A file to read, with where it stands under which names.
struct Unread {
    key: FindingKey,
    size: u64,
    name: Vec<u8>,
    standings: Vec<Standing>,
}

/// Reads what is unread, as far as the budget goes, and notes it in findings and index.
pub fn read_unread(
    bringing: &Bringing<'_>,
    place: &CatalogPlace,
    (catalog, findings): (&mut Catalog, &mut Findings),
    heads: &Heads,
    workers: &Workers,
    mut budget: Budget,
) -> Result<ReadCount, AppError> {
    let mut count = ReadCount::default();
    let until = budget.time.map(|time| Instant::now() + time);
    let total = budget.files.min(catalog.count_tag(UNREAD.0, UNREAD.1)?);
    if total == 0 {
        return Ok(count);
    }
    bringing.monitor.phase(Phase { name: "Looking into files", files_total: Some(total), bytes_total: None });
    // Files that are passed over keep their mark.
    let mut passed: HashSet<u64> = HashSet::new();
    loop {
        let most = usize::try_from(budget.files).unwrap_or(ROUND).saturating_mul(4).min(ROUND);
        let fresh = |standing: &Standing| !passed.contains(&hash(standing));
        let round = catalog.wanted_with_tag(UNREAD.0, UNREAD.1, most, &fresh)?;
        if round.is_empty() {
            return Ok(count);
        }
        passed.extend(round.iter().map(hash));
        let unread = collect(bringing.view, heads, round, budget)?;
        let mut waiting: Vec<&Unread> = unread.iter().filter(|one| budget.takes(one.size)).collect();
        let reading = Reading { bringing, place, heads, workers, until };
        while !waiting.is_empty() && !is_over(until) {
            waiting = reading.batch(waiting, catalog, findings, &mut count)?;
        }
        count.out_of_time |= !waiting.is_empty();
        if budget.files < u64::MAX {
            return Ok(count);
        }
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

struct Reading<'a> {
    bringing: &'a Bringing<'a>,
    place: &'a CatalogPlace,
    heads: &'a Heads,
    workers: &'a Workers,
    until: Option<Instant>,
}

impl Reading<'_> {
    /// Reads some files and notes what was found, before a stop ends it. Gives the files that wait on.
    fn batch<'u>(
        &self,
        mut taken: Vec<&'u Unread>,
        catalog: &mut Catalog,
        findings: &mut Findings,
        count: &mut ReadCount,
    ) -> Result<Vec<&'u Unread>, AppError> {
        let later = taken.split_off(taken.len().min(BATCH));
        // What somebody has found before he was stopped is not looked for again.
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for one in taken {
            if findings.get(one.key)?.is_some() { known.push(one) } else { unknown.push(one) }
        }
        let looked = look(self.bringing, &unknown, self.workers, self.until);
        count.read += looked.found.len() as u64;
        count.faulty += looked.found.iter().filter(|(_, finding)| finding.fault.is_some()).count() as u64;
        note(self.place, findings, &looked.found)?;
        if let Some(error) = looked.stopped {
            return Err(error);
        }
        let read: HashSet<FindingKey> = looked.found.iter().map(|(key, _)| *key).collect();
        let noted = known.into_iter().chain(unknown.into_iter().filter(|one| read.contains(&one.key)));
        let standings: Vec<Standing> = noted.flat_map(|one| one.standings.iter().cloned()).collect();
        let with_findings = Bringing { findings: Some(findings), ..*self.bringing };
        with_findings.refresh(catalog, self.heads, &standings)?;
        Ok(looked.left.into_iter().chain(later).collect())
    }
}

fn hash(standing: &Standing) -> u64 {
    let mut hasher = DefaultHasher::new();
    standing.hash(&mut hasher);
    hasher.finish()
}

fn collect(view: &View, heads: &Heads, all: Vec<Standing>, budget: Budget) -> Result<Vec<Unread>, AppError> {
    let mut by_key: BTreeMap<FindingKey, Unread> = BTreeMap::new();
    for standing in all {
        let Some(group) = heads.group(&standing.scope) else { continue };
        let tree = tree_of(view, group.commit)?;
        let entry = entry_at(view, tree, &standing.path).map_err(RepoError::from)?;
        let Some((file, size)) = entry.and_then(|entry| entry.content.file_id().zip(entry.content.size()))
        else {
            continue;
        };
        if size > budget.largest || !view.has_content(file, size)? || view.is_erased(file)? {
            continue;
        }
        let name = standing.path.name().to_vec();
        let key = key_of(file, &name);
        let unread = by_key.entry(key).or_insert_with(|| Unread { key, size, name, standings: Vec::new() });
        unread.standings.push(standing);
    }
    Ok(by_key.into_values().collect())
}

/// What came of looking into some files.
#[derive(Default)]
struct Looked<'u> {
    found: Vec<(FindingKey, Finding)>,
    /// Files that nobody got to.
    left: Vec<&'u Unread>,
    /// Why it ended before its time.
    stopped: Option<AppError>,
}

/// What came of looking into one.
enum Outcome<'u> {
    Found(FindingKey, Box<Finding>),
    /// A file that is damaged is told by fsck; here it is one that says nothing.
    Silent,
    Left(&'u Unread),
    Stopped(AppError),
}

/// Looks into files, on all cores, until it is time to note what was found.
fn look<'u>(
    bringing: &Bringing<'_>,
    taken: &[&'u Unread],
    workers: &Workers,
    until: Option<Instant>,
) -> Looked<'u> {
    let begun = Instant::now();
    let one = |one: &&'u Unread| -> Outcome<'u> {
        if bringing.monitor.is_cancelled() {
            return Outcome::Stopped(AppError::Cancelled);
        }
        if begun.elapsed() >= NOTE_EVERY || is_over(until) {
            return Outcome::Left(one);
        }
        look_into(bringing, one, workers)
    };
    let outcomes: Vec<Outcome<'u>> = taken.par_iter().map(one).collect();
    let mut looked = Looked::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Found(key, finding) => looked.found.push((key, *finding)),
            Outcome::Silent => {}
            Outcome::Left(one) => looked.left.push(one),
            Outcome::Stopped(error) => looked.stopped = looked.stopped.or(Some(error)),
        }
    }
    looked
}

fn look_into<'u>(bringing: &Bringing<'_>, one: &Unread, workers: &Workers) -> Outcome<'u> {
    let Bringing { repository, view, monitor, .. } = *bringing;
    let found = stored_file(repository, view, one.key.file, one.size, monitor);
    let found = match found.map(|file| finding_of(file, &one.name, workers)) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) | Err(error @ (AppError::Cancelled | AppError::Io { .. })) => {
            return Outcome::Stopped(error);
        }
        Err(_) => return Outcome::Silent,
    };
    // What stops this program from the keyboard stops its decoders too: that is no fault of the file.
    if found.fault.is_some() && monitor.is_cancelled() {
        return Outcome::Stopped(AppError::Cancelled);
    }
    monitor.advance(Advance { files: 1, bytes: one.size, ..Advance::default() });
    Outcome::Found(one.key, Box::new(found))
}

/// The finding that is meant by a content under a name.
pub fn key_of(file: FileId, name: &[u8]) -> FindingKey {
    FindingKey { file, hint: hint(name) }
}

/// What there is to find in a file.
pub fn finding_of(mut file: File, name: &[u8], workers: &Workers) -> Result<Finding, AppError> {
    let fault =
        |source| AppError::Io { action: "reading", path: "a file laid out to be read".into(), source };
    let format = {
        let mut input = Input::new(&mut file).map_err(fault)?;
        let format = sniff(&mut input, name).map_err(fault)?;
        input.rewound().map_err(fault)?;
        format
    };
    let mut finding = Finding {
        recipe: RECIPE,
        format: format.id.to_owned(),
        family: family_name(format.family),
        ..Finding::default()
    };
    // What is text already costs no decoder.
    if decoder(format).is_some() && (format.family != Family::Text || *format == format::XMP) {
        let again = |file: &mut File| -> Result<File, AppError> {
            file.seek(SeekFrom::Start(0)).map_err(fault)?;
            file.try_clone().map_err(fault)
        };
        match workers.facts(again(&mut file)?, format) {
            Ok(facts) => take_facts(&mut finding, &facts),
            Err(error) => note_fault(&mut finding, error)?,
        }
        // Who could not say what it is in its time will not draw it either.
        if finding.fault.is_none() && draws(format) && has_a_look(format.family) {
            match workers.picture(again(&mut file)?, format, EDGE) {
                Ok(Some(pixels)) => finding.print = fingerprint(&pixels).map(Fingerprint),
                Ok(None) => {}
                Err(error) => note_fault(&mut finding, error)?,
            }
        }
        if format.family == Family::Video && finding.fault.is_none() {
            // One that is not read to its end has fewer.
            match workers.moments(again(&mut file)?, format, MOMENT_EDGE) {
                Ok(moments) => finding.moments = moments_of(&moments, finding.print),
                Err(error @ (WorkerError::Start(_) | WorkerError::Stopped)) => {
                    note_fault(&mut finding, error)?;
                }
                Err(_) => {}
            }
        }
    }
    if finding.text.is_empty() && is_text(format) {
        file.seek(SeekFrom::Start(0)).map_err(fault)?;
        let mut bytes = Vec::new();
        (&file).take(TEXT_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(fault)?;
        finding.text.push_str(&plain_text(&bytes, format));
    }
    cut(&mut finding.text);
    Ok(finding)
}

/// Fingerprints of moments, each of which looks other than the one before it.
fn moments_of(moments: &[Pixels], poster: Option<Fingerprint>) -> Vec<Fingerprint> {
    let mut prints: Vec<Fingerprint> = Vec::new();
    for print in moments.iter().filter_map(fingerprint).map(Fingerprint) {
        let is_known = |other: &Fingerprint| other.distance(&print) <= NEAR_BITS;
        if !prints.last().is_some_and(is_known) {
            prints.push(print);
        }
    }
    // A film that stands still looks like its poster.
    if prints.len() == 1 && poster.is_some_and(|poster| poster.distance(&prints[0]) <= NEAR_BITS) {
        prints.clear();
    }
    prints
}

fn note_fault(finding: &mut Finding, error: WorkerError) -> Result<(), AppError> {
    match error {
        WorkerError::Start(source) => Err(AppError::Io {
            action: "starting a decoder for",
            path: "files of the repository".into(),
            source,
        }),
        WorkerError::Stopped => Err(AppError::Cancelled),
        // It can be looked into where they are installed; nothing is wrong with the file.
        WorkerError::NoFilmPrograms => Ok(()),
        other => {
            finding.fault = Some(other.to_string());
            Ok(())
        }
    }
}

fn take_facts(finding: &mut Finding, facts: &Facts) {
    if let Some(picture) = &facts.picture {
        finding.size = Some((picture.width, picture.height));
        finding.colour.clone_from(&picture.colour_space);
        finding.alpha = picture.alpha == Some(true);
    }
    finding.seconds =
        facts.timing.as_ref().map(|timing| timing.seconds).filter(|seconds| seconds.is_finite());
    if finding.size.is_none() {
        let mut tracks = facts.timing.iter().flat_map(|timing| &timing.tracks);
        finding.size = tracks.find_map(|track| track.size);
    }
    finding.pages = facts.pages;
    finding.layer_count = Some(facts.layers.len() as u64).filter(|count| *count > 0);
    let layers = facts.layers.iter().map(|layer| layer.name.clone());
    finding.layers = layers.filter(|name| !name.trim().is_empty()).take(NAMES_MAX).collect();
    let faces = facts.faces.iter().map(|face| format!("{} {}", face.family, face.style));
    let fonts = faces.chain(facts.fonts_used.iter().map(|font| font.name.clone()));
    finding.fonts = fonts.take(NAMES_MAX).collect();
    finding.fields = facts
        .embedded
        .iter()
        .take(NAMES_MAX)
        .map(|field| (field_key(&field.group, &field.name), field.value.clone()))
        .collect();
    if let Some(text) = &facts.text {
        finding.text.clone_from(text);
        return;
    }
    for text in facts.layers.iter().filter_map(|layer| layer.text.as_deref()) {
        if finding.text.len() < TEXT_BYTES_MAX {
            finding.text.push_str(text);
            finding.text.push('\n');
        }
    }
}

/// The name by which an embedded field is asked for: `xmp.title`, `exif.model`.
fn field_key(group: &str, name: &str) -> String {
    let plain = |text: &str| -> String {
        let last = text.rsplit([':', '/']).next().unwrap_or_default();
        last.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
            .collect::<String>()
            .to_ascii_lowercase()
    };
    format!("{}.{}", plain(group), plain(name))
}

/// Whether files of a family are recognised by their look: every typeface looks like every other one.
pub const fn has_a_look(family: Family) -> bool {
    matches!(
        family,
        Family::Image | Family::Layered | Family::Vector | Family::Document | Family::Video | Family::Mesh
    )
}

const fn is_text(format: &Format) -> bool {
    matches!(format.family, Family::Text) || matches!(format.id.as_bytes(), b"svg")
}

/// The text of a file that is text: markup is left out of what has any.
fn plain_text(bytes: &[u8], format: &Format) -> String {
    let (text, _, _) = encoding_rs::Encoding::for_bom(bytes)
        .map_or(encoding_rs::UTF_8, |(encoding, _)| encoding)
        .decode(bytes);
    if !matches!(format.id, "svg" | "xml")
        && !text.trim_start().to_ascii_lowercase().starts_with("<!doctype html")
    {
        return text.into_owned();
    }
    let (mut plain, mut inside) = (String::new(), false);
    for character in text.chars() {
        match character {
            '<' => {
                inside = true;
                plain.push(' ');
            }
            '>' => inside = false,
            other if !inside => plain.push(other),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &mut String) {
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}

/// Looks into files of a commit that no branch may have any more, as far as the budget goes. Gives how
/// many were read: none where nothing may be written.
pub fn read_commit(
    repository: &Repository,
    opened: &mut Opened,
    commit: CommitId,
    upkeep: Upkeep<'_>,
) -> Result<u64, AppError> {
    let place = CatalogPlace::of(repository);
    let Some(_lock) = place.lock(upkeep.monitor)? else { return Ok(0) };
    let mut findings = open_findings(&place)?;
    let mut budget = upkeep.budget;
    let mut unread: BTreeMap<FindingKey, Unread> = BTreeMap::new();
    let view = &opened.view;
    for item in TreeWalk::new(view, tree_of(view, commit)?, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        let Content::File { id: file, size, .. } = entry.content else { continue };
        let key = key_of(file, path.name());
        let known = unread.contains_key(&key) || findings.get(key)?.is_some();
        if known || size > budget.largest || !view.has_content(file, size)? || view.is_erased(file)? {
            continue;
        }
        if !budget.takes(size) {
            break;
        }
        let name = path.name().to_vec();
        unread.insert(key, Unread { key, size, name, standings: Vec::new() });
    }
    if unread.is_empty() {
        return Ok(0);
    }
    let files_total = Some(unread.len() as u64);
    upkeep.monitor.phase(Phase { name: "Looking into files", files_total, bytes_total: None });
    let Upkeep { workers, now, monitor, .. } = upkeep;
    let bringing = Bringing { repository, view, findings: None, now, monitor };
    let until = budget.time.map(|time| Instant::now() + time);
    let mut waiting: Vec<&Unread> = unread.values().collect();
    let mut read = 0;
    while !waiting.is_empty() && !is_over(until) {
        let later = waiting.split_off(waiting.len().min(BATCH));
        let looked = look(&bringing, &waiting, workers, until);
        note(&place, &mut findings, &looked.found)?;
        read += looked.found.len() as u64;
        if let Some(error) = looked.stopped {
            return Err(error);
        }
        waiting = looked.left.into_iter().chain(later).collect();
    }
    opened.findings = Some(findings);
    Ok(read)
}

/// Keeps what was found, and what pictures look like.
fn note(
    place: &CatalogPlace,
    findings: &mut Findings,
    read: &[(FindingKey, Finding)],
) -> Result<(), AppError> {
    findings.keep(read.iter().map(|(key, finding)| (*key, finding)))?;
    let all =
        |finding: &Finding| finding.print.into_iter().chain(finding.moments.clone()).collect::<Vec<_>>();
    let prints =
        read.iter().flat_map(|(key, finding)| all(finding).into_iter().map(|print| (key.file, print)));
    Ok(place.prints().add(&prints.collect::<Vec<(FileId, Fingerprint)>>())?)
}

/// Opens the store of findings, or makes one in place of one that is damaged.
pub fn open_findings(place: &CatalogPlace) -> Result<Findings, AppError> {
    match Findings::open(&place.findings()) {
        Ok(Some(findings)) => Ok(findings),
        Ok(None) => Ok(Findings::create(&place.findings())?),
        Err(error) if error.is_damage() => {
            // The fingerprints come from the same reading.
            place.prints().clear()?;
            Ok(Findings::create(&place.findings())?)
        }
        Err(error) => Err(error.into()),
    }
}
