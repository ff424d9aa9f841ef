//! Opens the catalog as a question needs it: up to date, made anew where it is damaged, or not at all
//! where none can be written.

use crate::app::error::AppError;
use crate::app::search::bring::{Bringing, Target};
use crate::app::search::heads::Heads;
use crate::app::search::place::{CatalogLock, CatalogPlace, may_not};
use crate::app::search::read::{Budget, ReadCount, open_findings, read_unread};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::catalog::CatalogError;
use crate::catalog::findings::Findings;
use crate::catalog::index::{Catalog, State};
use crate::catalog::record::UNREAD;
use crate::media::worker::Workers;
use crate::object::source::ObjectSource as _;
use crate::repo::{Repository, View};

/// How the catalog is brought up to date.
#[derive(Clone, Copy)]
pub struct Upkeep<'a> {
    /// Who looks into files.
    pub workers: &'a Workers,
    /// How many.
    pub budget: Budget,
    /// Whether the index is made anew in any case.
    pub anew: bool,
    /// The present moment.
    pub now: Timestamp,
    /// Who is told.
    pub monitor: &'a dyn Monitor,
}

/// The catalog, open.
pub struct Opened {
    /// The state of the repository that it is about.
    pub view: View,
    /// The branches.
    pub heads: Heads,
    /// The index; `None` where none can be written.
    pub catalog: Option<Catalog>,
    /// What decoders said.
    pub findings: Option<Findings>,
    /// Why there is no index.
    pub reason: Option<String>,
    /// Whether the index was made anew because it was damaged or of another version.
    pub rebuilt: bool,
    /// What was read.
    pub read: ReadCount,
}

/// Opens the catalog of a repository.
pub fn open(repository: &Repository, upkeep: Upkeep<'_>) -> Result<Opened, AppError> {
    match attempt(repository, upkeep, false) {
        Err(AppError::Catalog(error)) if error.is_damage() => attempt(repository, upkeep, true),
        Err(AppError::Catalog(CatalogError::NoWrite { .. })) => without(repository, upkeep),
        Err(AppError::Catalog(CatalogError::Io { source, .. })) if may_not(&source) => {
            without(repository, upkeep)
        }
        opened => opened,
    }
}

fn attempt(repository: &Repository, upkeep: Upkeep<'_>, mut damaged: bool) -> Result<Opened, AppError> {
    let place = CatalogPlace::of(repository);
    if !damaged && !upkeep.anew {
        let view = repository.view()?;
        match Catalog::open(&place.index()) {
            Ok(Some(catalog)) => {
                let target = Target::of(repository, &view, Some(catalog.state()))?;
                let unread = catalog.count_tag(UNREAD.0, UNREAD.1)?;
                // What could not be read by the way is not tried again with every search.
                let is_read =
                    unread == 0 || (unread == catalog.state().left && !upkeep.budget.is_everything());
                if target.is_met_by(catalog.state()) && is_read {
                    return Ok(Opened::ready(view, target.heads, catalog, findings(&place)));
                }
            }
            Ok(None) => {}
            Err(error) if error.is_damage() => damaged = true,
            Err(error) => return Err(error.into()),
        }
    }
    let Some(lock) = place.lock(upkeep.monitor)? else { return without(repository, upkeep) };
    update(repository, &place, upkeep, damaged, &lock)
}

/// The catalog as it lies there, perhaps of an earlier state; `None` when there is none.
pub fn as_it_is(repository: &Repository) -> Result<Option<Opened>, AppError> {
    let (view, place) = (repository.view()?, CatalogPlace::of(repository));
    let Some(catalog) = Catalog::open(&place.index())? else { return Ok(None) };
    let heads = Heads::of_state(catalog.state());
    Ok(Some(Opened::ready(view, heads, catalog, findings(&place))))
}

/// Where nothing may be written: the index when it happens to be up to date, else none.
fn without(repository: &Repository, upkeep: Upkeep<'_>) -> Result<Opened, AppError> {
    let (view, place) = (repository.view()?, CatalogPlace::of(repository));
    if let Ok(Some(catalog)) = Catalog::open(&place.index()) {
        let target = Target::of(repository, &view, Some(catalog.state()))?;
        if target.is_met_by(catalog.state()) {
            return Ok(Opened::ready(view, target.heads, catalog, findings(&place)));
        }
    }
    if upkeep.monitor.is_cancelled() {
        return Err(AppError::Cancelled);
    }
    let heads = Heads::read(&view, None)?;
    let reason = "nothing may be written in this repository, so that everything is looked through";
    Ok(Opened {
        view,
        heads,
        catalog: None,
        findings: findings(&place),
        reason: Some(reason.to_owned()),
        rebuilt: false,
        read: ReadCount::default(),
    })
}

fn update(
    repository: &Repository,
    place: &CatalogPlace,
    upkeep: Upkeep<'_>,
    damaged: bool,
    _lock: &CatalogLock,
) -> Result<Opened, AppError> {
    let Upkeep { workers, budget, anew, now, monitor } = upkeep;
    let mut store = open_findings(place)?;
    // Another process may have done it while this one waited, from a newer state than was seen then.
    let view = repository.view()?;
    let found = if damaged || anew { None } else { Catalog::open(&place.index())? };
    let target = Target::of(repository, &view, found.as_ref().map(Catalog::state))?;
    if target.erased > 0 && found.as_ref().is_none_or(|catalog| catalog.state().erased != target.erased) {
        // Text and looks of what was removed for good go with it, in one way or another.
        store = Findings::create(&place.findings())?;
        place.prints().clear()?;
    }
    let bringing = Bringing { repository, view: &view, findings: Some(&store), now, monitor };
    let mut catalog = match found {
        Some(catalog) if target.is_met_by(catalog.state()) => catalog,
        Some(mut catalog) if target.follows(catalog.state()) && knows_base(&view, catalog.state()) => {
            bringing.catch_up(&mut catalog, &target)?;
            catalog
        }
        _ => {
            let mut catalog = Catalog::create(&place.index())?;
            bringing.fill(&mut catalog, &target)?;
            catalog
        }
    };
    let bringing = Bringing { repository, view: &view, findings: None, now, monitor };
    let read = read_unread(&bringing, place, (&mut catalog, &mut store), &target.heads, workers, budget)?;
    let unread = catalog.count_tag(UNREAD.0, UNREAD.1)?;
    if read.read == 0 && !read.out_of_time && unread != catalog.state().left {
        let state = State { left: unread, ..catalog.state().clone() };
        catalog.write()?.commit(state)?;
    }
    let heads = target.heads;
    Ok(Opened { rebuilt: damaged, read, ..Opened::ready(view, heads, catalog, Some(store)) })
}

impl Opened {
    fn ready(view: View, heads: Heads, catalog: Catalog, findings: Option<Findings>) -> Self {
        let catalog = Some(catalog);
        Self { view, heads, catalog, findings, reason: None, rebuilt: false, read: ReadCount::default() }
    }

    /// How many records wait for somebody to look into their files.
    pub fn unread(&self) -> Result<u64, AppError> {
        let catalog = self.catalog.as_ref();
        Ok(catalog.map_or(Ok(0), |catalog| catalog.count_tag(UNREAD.0, UNREAD.1))?)
    }
}

/// Whether the commit is still here that an index is about: what `undo` took back may have been collected.
fn knows_base(view: &View, state: &State) -> bool {
    state.base.as_ref().is_some_and(|base| view.commit(base.commit).is_ok())
}

/// What decoders said, as far as it can be read: without it searches know less, and say so.
fn findings(place: &CatalogPlace) -> Option<Findings> {
    Findings::open(&place.findings()).ok().flatten()
}
