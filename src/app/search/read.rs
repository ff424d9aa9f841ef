//! Looks into files that nobody has looked into yet: facts, text, and what pictures look like.

use crate::app::common::seekable::stored_file;
use crate::app::error::AppError;
use crate::app::search::bring::Bringing;
use crate::app::search::describe::family_name;
use crate::app::search::heads::{Heads, tree_of};
use crate::app::search::open::{Opened, Upkeep};
use crate::app::search::place::CatalogPlace;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::catalog::findings::{Finding, Findings, NAMES_MAX, RECIPE, TEXT_BYTES_MAX};
use crate::catalog::index::{Catalog, Standing};
use crate::catalog::likeness::Fingerprint;
use crate::catalog::record::UNREAD;
use crate::media::decoder::{decoder, draws};
use crate::media::facts::Facts;
use crate::media::fingerprint::{EDGE, fingerprint};
use crate::media::format::{Family, Format};
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::{WorkerError, Workers};
use crate::object::tree::Content;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::{RepoError, Repository, View};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _, SeekFrom};

/// Files that are read and noted at a time: what a stop may cost.
const BATCH: usize = 128;
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
}

impl Budget {
    /// What a search reads by the way.
    pub const SEARCH: Self = Self { files: 200, bytes: 256 << 20, largest: 64 << 20 };
    /// Everything.
    pub const ALL: Self = Self { files: u64::MAX, bytes: u64::MAX, largest: u64::MAX };

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
}

/// A file to read, with where it stands under which names.
struct Unread {
    file: FileId,
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
        for batch in unread.chunks(BATCH) {
            let taken: Vec<&Unread> = batch.iter().filter(|one| budget.takes(one.size)).collect();
            let reading = Reading { bringing, place, heads, workers };
            reading.batch(&taken, catalog, findings, &mut count)?;
        }
        if budget.files < u64::MAX {
            return Ok(count);
        }
    }
}

struct Reading<'a> {
    bringing: &'a Bringing<'a>,
    place: &'a CatalogPlace,
    heads: &'a Heads,
    workers: &'a Workers,
}

impl Reading<'_> {
    /// Reads some files and notes what was found.
    fn batch(
        &self,
        taken: &[&Unread],
        catalog: &mut Catalog,
        findings: &mut Findings,
        count: &mut ReadCount,
    ) -> Result<(), AppError> {
        if taken.is_empty() {
            return Ok(());
        }
        let found = look(self.bringing, taken, self.workers)?;
        let read: Vec<(FileId, Finding)> = found.into_iter().flatten().collect();
        count.read += read.len() as u64;
        count.faulty += read.iter().filter(|(_, finding)| finding.fault.is_some()).count() as u64;
        note(self.place, findings, &read)?;
        let known: HashSet<FileId> = read.iter().map(|(file, _)| *file).collect();
        let noted = taken.iter().filter(|one| known.contains(&one.file));
        let standings: Vec<Standing> = noted.flat_map(|one| one.standings.iter().cloned()).collect();
        let with_findings = Bringing { findings: Some(findings), ..*self.bringing };
        with_findings.refresh(catalog, self.heads, &standings)
    }
}

fn hash(standing: &Standing) -> u64 {
    let mut hasher = DefaultHasher::new();
    standing.hash(&mut hasher);
    hasher.finish()
}

fn collect(view: &View, heads: &Heads, all: Vec<Standing>, budget: Budget) -> Result<Vec<Unread>, AppError> {
    let mut by_file: BTreeMap<FileId, Unread> = BTreeMap::new();
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
        let unread =
            by_file.entry(file).or_insert_with(|| Unread { file, size, name, standings: Vec::new() });
        unread.standings.push(standing);
    }
    Ok(by_file.into_values().collect())
}

fn look(
    bringing: &Bringing<'_>,
    taken: &[&Unread],
    workers: &Workers,
) -> Result<Vec<Option<(FileId, Finding)>>, AppError> {
    let Bringing { repository, view, monitor, .. } = *bringing;
    taken
        .par_iter()
        .map(|one| {
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            let found = match stored_file(repository, view, one.file, one.size, monitor) {
                Ok(file) => finding_of(file, &one.name, workers)?,
                Err(AppError::Cancelled) => return Err(AppError::Cancelled),
                Err(AppError::Io { action, path, source }) => {
                    return Err(AppError::Io { action, path, source });
                }
                // A file that is damaged is told by fsck; here it is one that says nothing.
                Err(_) => return Ok(None),
            };
            monitor.advance(Advance { files: 1, bytes: one.size, ..Advance::default() });
            Ok(Some((one.file, found)))
        })
        .collect()
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
    if decoder(format).is_some() {
        let again = |file: &mut File| -> Result<File, AppError> {
            file.seek(SeekFrom::Start(0)).map_err(fault)?;
            file.try_clone().map_err(fault)
        };
        match workers.facts(again(&mut file)?, format) {
            Ok(facts) => take_facts(&mut finding, &facts),
            Err(error) => note_fault(&mut finding, error)?,
        }
        if draws(format) && has_a_look(format.family) {
            match workers.picture(again(&mut file)?, format, EDGE) {
                Ok(Some(pixels)) => finding.print = fingerprint(&pixels).map(Fingerprint),
                Ok(None) => {}
                Err(error) => note_fault(&mut finding, error)?,
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

fn note_fault(finding: &mut Finding, error: WorkerError) -> Result<(), AppError> {
    match error {
        WorkerError::Start(source) => Err(AppError::Io {
            action: "starting a decoder for",
            path: "files of the repository".into(),
            source,
        }),
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
const fn has_a_look(family: Family) -> bool {
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
    let mut unread: BTreeMap<FileId, Unread> = BTreeMap::new();
    let view = &opened.view;
    for item in TreeWalk::new(view, tree_of(view, commit)?, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        let Content::File { id: file, size, .. } = entry.content else { continue };
        let known = unread.contains_key(&file) || findings.get(file)?.is_some();
        if known || size > budget.largest || !view.has_content(file, size)? || view.is_erased(file)? {
            continue;
        }
        if !budget.takes(size) {
            break;
        }
        let name = path.name().to_vec();
        unread.insert(file, Unread { file, size, name, standings: Vec::new() });
    }
    if unread.is_empty() {
        return Ok(0);
    }
    let files_total = Some(unread.len() as u64);
    upkeep.monitor.phase(Phase { name: "Looking into files", files_total, bytes_total: None });
    let Upkeep { workers, now, monitor, .. } = upkeep;
    let bringing = Bringing { repository, view, findings: None, now, monitor };
    let read = look(&bringing, &unread.values().collect::<Vec<_>>(), workers)?;
    let read: Vec<(FileId, Finding)> = read.into_iter().flatten().collect();
    note(&place, &mut findings, &read)?;
    opened.findings = Some(findings);
    Ok(read.len() as u64)
}

/// Keeps what was found, and what pictures look like.
fn note(place: &CatalogPlace, findings: &mut Findings, read: &[(FileId, Finding)]) -> Result<(), AppError> {
    findings.keep(read.iter().map(|(file, finding)| (*file, finding)))?;
    let prints = read.iter().filter_map(|(file, finding)| Some((*file, finding.print?)));
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

/// A file of a repository, read for once and for all.
pub fn known_finding(
    findings: Option<&Findings>,
    repository: &Repository,
    view: &View,
    (file, size, name): (FileId, u64, &[u8]),
    workers: &Workers,
    monitor: &dyn Monitor,
) -> Result<Finding, AppError> {
    if let Some(findings) = findings
        && let Some(finding) = findings.get(file)?
    {
        return Ok(finding);
    }
    finding_of(stored_file(repository, view, file, size, monitor)?, name, workers)
}
