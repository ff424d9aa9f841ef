//! Rows of the review log and the shared log that are not what their keys say.

use crate::base::size::count;
use crate::care::error::CareError;
use crate::care::fsck::LOG_RULES;
use crate::care::repair::Steps;
use crate::repo::Repository;
use crate::repo::sets::{self, LogSet};
use crate::store::disk::RealDisk;
use crate::store::{Space, SurvivingLog};
use std::collections::BTreeMap;

/// Things that are lost and told one by one.
const TOLD_MAX: usize = 20;

/// Rows that are at fault, each with what it was before, if the transaction log knows.
type Faulty = BTreeMap<(&'static str, Vec<u8>), (Space, Option<Vec<u8>>)>;

/// Brings back what the transaction log has, takes out of the review log what cannot be read, and makes
/// head and protected names those of the entries. An entry of the shared log that is damaged stays: the
/// chain needs it, and another clone has it.
pub(super) fn mend(repository: &Repository, steps: &mut Steps) -> Result<(), CareError> {
    let mut faulty = faulty(repository)?;
    if faulty.is_empty() && repository.view()?.log_gaps(repository.id())?.is_empty() {
        return Ok(());
    }
    for log in SurvivingLog::all(&RealDisk, repository.pent_dir())? {
        log.each_record(|space, key, value| {
            let rule = LOG_RULES.iter().find(|(of, ..)| *of == space);
            let found = faulty.get_mut(&(space.table_name(), key.to_vec()));
            if let (Some((_, fault, _)), Some((_, good))) = (rule, found)
                && fault(key, value).is_none()
            {
                *good = Some(value.to_vec());
            }
        })?;
    }
    let kept = repository.store().set_file_aside(&repository.pent_dir().join("db.redb"))?;
    let (mut found, mut lost) = (0u64, Vec::new());
    let mut edit = repository.edit()?;
    for ((_, key), (space, good)) in &faulty {
        if let Some(good) = good {
            edit.transaction().put(*space, key, good)?;
            found += 1;
        } else if *space == Space::ReviewLog {
            edit.transaction().delete(*space, key)?;
            let describe = LOG_RULES.iter().find(|(of, ..)| of == space).map(|(_, _, describe)| describe);
            lost.extend(describe.map(|describe| describe(key)));
        }
    }
    edit.mend_log()?;
    // Their trees follow from the rows, and are made again.
    for set in LogSet::ALL {
        sets::forget(edit.transaction(), set)?;
    }
    edit.commit()?;
    let message = match found {
        0 => "what does not fit together in the review log and the shared log was looked for".to_owned(),
        found => {
            let what = count(found, "record", "records");
            format!("found again of the review log and the shared log: {what}")
        }
    };
    steps.add("record", message, Some(kept));
    if !lost.is_empty() {
        let more = lost.len().saturating_sub(TOLD_MAX);
        let named = lost.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join(", ");
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        steps.add("record", format!("taken out of the review log, since it is lost: {named}{rest}"), None);
    }
    Ok(())
}

fn faulty(repository: &Repository) -> Result<Faulty, CareError> {
    let view = repository.view()?;
    let mut faulty = Faulty::new();
    for (space, fault, _) in LOG_RULES {
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, value) = row?;
            if fault(&key, &value).is_some() {
                faulty.insert((space.table_name(), key), (space, None));
            }
        }
    }
    Ok(faulty)
}
