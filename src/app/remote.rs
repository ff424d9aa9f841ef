//! `remote`: the places that work is pushed to and fetched from.

use crate::app::common::holders::{insist_on_others, insist_on_successor};
use crate::app::common::keep;
use crate::app::common::remotes::{
    Reach, begin_at, find_record, insist_on_ours, new_token, open_address, open_bucket, open_remote,
    remote_dir,
};
use crate::app::common::target::refuse_own_folder;
use crate::app::error::AppError;
use crate::base::id::PackId;
use crate::base::monitor::Monitor;
use crate::repo::Repository;
use crate::store::bucket::FolderBucket;
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::tracking::{
    RemoteRecord, check_remote_name, put_remote_record, remote_records, rename_remote,
};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// All remotes.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// The remotes by name.
    pub remotes: Vec<RemoteLine>,
    /// The one at which the shared log is at home; `None` while it is at home here.
    pub home: Option<String>,
}

/// One remote.
#[derive(Debug, Clone, Serialize)]
pub struct RemoteLine {
    /// What this repository calls it.
    pub name: String,
    /// Where it is.
    pub address: Address,
}

/// A remote that was added, changed or removed.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeReport {
    /// The remote.
    pub remote: RemoteLine,
    /// Whether there was nothing at that place and a remote was begun there.
    pub begun: bool,
}

/// What a remote says when it is looked at.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The remote.
    pub remote: RemoteLine,
    /// Branches and tags there.
    pub names: Vec<String>,
    /// How often something was published there.
    pub publications: u64,
}

/// Lists remotes.
pub fn list(repository: &Repository) -> Result<ListReport, AppError> {
    let view = repository.view()?;
    let records = remote_records(&view)?;
    let remotes = records.into_iter().map(|(name, record)| RemoteLine { name, address: record.address });
    Ok(ListReport { remotes: remotes.collect(), home: view.home_remote()? })
}

/// Says at which remote the shared log is at home: where entries of it become part of it.
pub fn set_home(repository: &Repository, name: &str) -> Result<ChangeReport, AppError> {
    let record = find_record(&repository.view()?, name)?;
    let mut edit = repository.edit()?;
    edit.put_home_remote(Some(name))?;
    edit.commit()?;
    let remote = RemoteLine { name: name.to_owned(), address: record.address };
    Ok(ChangeReport { remote, begun: false })
}

/// Adds a remote. Where nothing is yet, one is begun, after finding out that several people can use
/// the place at once.
pub fn add(
    repository: &Repository,
    name: &str,
    address: &Address,
    reach: &Reach,
) -> Result<ChangeReport, AppError> {
    check_remote_name(name)?;
    if remote_records(&repository.view()?)?.iter().any(|(other, _)| other == name) {
        return Err(AppError::RemoteTaken { name: name.to_owned() });
    }
    let begun = connect(repository, address, reach)?;
    remember(repository, name, address)?;
    Ok(ChangeReport { remote: RemoteLine { name: name.to_owned(), address: address.clone() }, begun })
}

/// Gives a remote another address, which must be one of the same repository. Content that is not here has to be
/// there too, unless `force` is given.
pub fn set(
    repository: &Repository,
    (name, address): (&str, &Address),
    force: bool,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<ChangeReport, AppError> {
    find_record(&repository.view()?, name)?;
    let begun = connect(repository, address, reach)?;
    if !force {
        let successor = open_address(address, None, reach)?;
        insist_on_successor(&repository.view()?, name, &*successor, monitor)?;
    }
    forget_files(repository, name);
    remember(repository, name, address)?;
    // The new place has to hear what this clone relies on, like the old one did.
    keep::renew(repository, &open_remote(repository, Some(name), reach)?)?;
    // Another place has a past of its own; that it holds the log which was seen is asked for all the same.
    let mut edit = repository.edit()?;
    edit.forget_seen_log(name)?;
    edit.commit()?;
    Ok(ChangeReport { remote: RemoteLine { name: name.to_owned(), address: address.clone() }, begun })
}

/// Calls a remote otherwise. What is there stays as it is.
pub fn rename(repository: &Repository, from: &str, to: &str) -> Result<ChangeReport, AppError> {
    check_remote_name(to)?;
    let view = repository.view()?;
    let record = find_record(&view, from)?;
    if remote_records(&view)?.iter().any(|(other, _)| other == to) {
        return Err(AppError::RemoteTaken { name: to.to_owned() });
    }
    let mut edit = repository.edit()?;
    rename_remote(&mut edit, &view, from, to)?;
    if view.home_remote()?.as_deref() == Some(from) {
        edit.put_home_remote(Some(to))?;
    }
    edit.commit()?;
    forget_files(repository, to);
    // Without them index files are read again and parcels sent again.
    let _ = fs::rename(remote_dir(repository.pent_dir(), from), remote_dir(repository.pent_dir(), to));
    let remote = RemoteLine { name: to.to_owned(), address: record.address };
    Ok(ChangeReport { remote, begun: false })
}

/// Forgets a remote, and where its branches were. What is there stays as it is. The only one that is known to hold
/// content which is not here is forgotten with `force` only.
pub fn remove(
    repository: &Repository,
    name: &str,
    force: bool,
    monitor: &dyn Monitor,
) -> Result<ChangeReport, AppError> {
    let view = repository.view()?;
    let record = find_record(&view, name)?;
    if !force {
        insist_on_others(&view, name, monitor)?;
    }
    let mut edit = repository.edit()?;
    for (reference, target) in view.references()? {
        if reference.remote_parts().is_some_and(|(remote, _)| remote == name) {
            edit.set_reference(&reference, Some(target.commit), None)?;
        }
    }
    put_remote_record(&mut edit, name, None)?;
    edit.forget_seen_log(name)?;
    if view.home_remote()?.as_deref() == Some(name) {
        edit.put_home_remote(None)?;
    }
    edit.commit()?;
    forget_files(repository, name);
    let remote = RemoteLine { name: name.to_owned(), address: record.address };
    Ok(ChangeReport { remote, begun: false })
}

/// Looks whether a remote can be reached, is this repository's, and can be used by several people.
pub fn check(repository: &Repository, name: Option<&str>, reach: &Reach) -> Result<CheckReport, AppError> {
    let opened = open_remote(repository, name, reach)?;
    let description = opened.remote.describe()?;
    insist_on_ours(repository, description.repository)?;
    if let Ok(bucket) = open_bucket(&opened.record.address, None, reach) {
        bucket.probe(&nonce()?)?;
    }
    Ok(CheckReport {
        remote: RemoteLine { name: opened.name, address: opened.record.address },
        names: description.refs.keys().map(|name| name.name().to_owned()).collect(),
        publications: description.mark,
    })
}

/// Makes sure that a remote of this repository is at an address; begins one where nothing is.
pub fn connect(repository: &Repository, address: &Address, reach: &Reach) -> Result<bool, AppError> {
    use crate::sync::remote::Remote as _;
    if matches!(address, Address::Ssh { .. } | Address::Http { .. }) {
        return connect_to_program(repository, address, reach);
    }
    if let Address::Folder { path } = address {
        refuse_own_folder(path, repository.root(), repository.pent_dir())?;
    }
    let bucket = open_bucket(address, None, reach)?;
    match bucket.describe() {
        Ok(description) => insist_on_ours(repository, description.repository).map(|()| false),
        Err(SyncError::Nothing { .. }) => {
            if let Address::Folder { path } = address {
                make_folder(path)?;
            }
            bucket.create(repository.id(), repository.store().settings().chunker, &nonce()?)?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

fn connect_to_program(repository: &Repository, address: &Address, reach: &Reach) -> Result<bool, AppError> {
    match open_address(address, None, reach)?.describe() {
        Ok(description) => insist_on_ours(repository, description.repository).map(|()| false),
        Err(SyncError::Nothing { .. }) => {
            let chunker = repository.store().settings().chunker;
            let begun = begin_at(address, reach, repository.id(), chunker)?;
            begun.map_or(Ok(true), |begun| insist_on_ours(repository, begun.repository).map(|()| true))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the folder of a new remote. One that holds something else is left alone.
fn make_folder(path: &Path) -> Result<(), AppError> {
    let other = |entry: &fs::DirEntry| !matches!(entry.file_name().to_str(), Some("tmp" | "probe"));
    if let Ok(entries) = fs::read_dir(path)
        && entries.flatten().any(|entry| other(&entry))
    {
        return Err(SyncError::NotOurs { address: path.display().to_string() }.into());
    }
    FolderBucket::create(path).map_err(SyncError::from)?;
    Ok(())
}

fn nonce() -> Result<String, AppError> {
    Ok(PackId::from_bytes(new_token()?).to_string())
}

fn remember(repository: &Repository, name: &str, address: &Address) -> Result<(), AppError> {
    let record = RemoteRecord { address: address.clone(), mark: None, epoch: 0 };
    let mut edit = repository.edit()?;
    put_remote_record(&mut edit, name, Some(&record))?;
    Ok(edit.commit()?)
}

/// Removes what is kept about a remote beside the repository; without it things are asked again.
fn forget_files(repository: &Repository, name: &str) {
    let _ = fs::remove_dir_all(remote_dir(repository.pent_dir(), name));
}
