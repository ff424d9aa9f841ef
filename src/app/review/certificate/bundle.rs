//! Writes the bundle: statements, signatures, lists, keys, policy, page, and the commands to type.

use crate::app::common::content::StoredContent;
use crate::app::common::describe::Describer;
use crate::app::common::on_demand::have_content;
use crate::app::common::target::begin_folder;
use crate::app::error::AppError;
use crate::app::review::certificate::find::{Found, FoundApproval, FoundEntry};
use crate::app::review::certificate::{
    ApprovalLine, AssetLine, Certificate, Command, Options, PolicyLine, chain, page,
};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::ObjectKind;
use crate::object::policy_link::PolicyLink;
use crate::object::signature::{KeyClass, Namespace, Signature};
use crate::object::transition::{Held, Transition, check_list, check_name};
use crate::repo::{Repository, View};
use crate::rules::keyring::allowed_signers;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// The page.
pub const PAGE_FILE: &str = "certificate.html";
const DATA_FILE: &str = "certificate.json";
const CHECK_FILE: &str = "CHECK.txt";
const ALLOWED_FILE: &str = "allowed_signers";
const ASSETS_FILE: &str = "assets.b3";
const POLICY_FILE: &str = "policy-link.json";
const LOG_FILE: &str = "log-entry.json";
/// What a change of labels and fields is called among the kinds of changes.
const METADATA_KIND: &str = "metadata";
/// Folder of the certified files.
const FILES_DIR: &str = "files";

/// A folder that fills.
pub struct Folder<'a>(&'a Path);

impl Folder<'_> {
    /// Writes a file of it.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        let path = self.0.join(name);
        fs::write(&path, bytes).map_err(AppError::io("writing", &path))
    }
}

pub fn write(
    repository: &Repository,
    view: &View,
    found: &Found,
    options: &Options,
    pictures: &BTreeMap<AssetPath, String>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Certificate, AppError> {
    begin_folder(&options.folder)?;
    let folder = Folder(&options.folder);
    let mut commands = Vec::new();
    let mut approvals = Vec::new();
    for (number, approval) in found.approvals.iter().enumerate() {
        approvals.push(write_approval(&folder, number + 1, approval, found, &mut commands)?);
    }
    folder.write(ALLOWED_FILE, allowed_signers(found.keyring.keys()).as_bytes())?;
    write_assets(&folder, found, &mut commands)?;
    let policy = write_policy(&folder, found, &mut commands)?;
    let chain = chain::write(&folder, &found.chain, &mut commands)?;
    let (landed, landed_by) = write_landing(&folder, view, found, &mut commands)?;
    if options.files {
        write_files(repository, view, found, &options.folder, monitor)?;
    }
    let assets = asset_lines(found, &approvals);
    let certificate = Certificate {
        repository: repository.id().to_string(),
        submission: found.submission,
        branch: found.branch.clone(),
        commit: found.landed.commit,
        landed_by,
        landed,
        policy,
        chain,
        assets,
        unapproved: found.unapproved.clone(),
        approvals,
        commands,
    };
    let text = serde_json::to_string_pretty(&certificate)
        .map_err(|source| crate::repo::RepoError::Record { what: "certificate", source })?;
    folder.write(DATA_FILE, text.as_bytes())?;
    folder.write(CHECK_FILE, check_text(&certificate).as_bytes())?;
    folder.write(PAGE_FILE, page::write(&certificate, pictures, clock.now()).as_bytes())?;
    Ok(certificate)
}

/// What is certified, asset by asset.
fn asset_lines(found: &Found, approvals: &[ApprovalLine]) -> Vec<AssetLine> {
    let exact: Vec<HashSet<&Transition>> =
        found.approvals.iter().map(|approval| approval.list.as_slice().iter().collect()).collect();
    let assets = found.transitions.as_slice().iter().enumerate().map(|(place, transition)| {
        let mut kinds = transition.kinds();
        // An approval of other labels or fields may stand by the policy; it does not speak for these.
        let metadata_approved = found
            .approvals
            .iter()
            .zip(&exact)
            .any(|(approval, list)| approval.speaks_for.contains(&place) && list.contains(transition));
        kinds.retain(|kind| metadata_approved || *kind != METADATA_KIND);
        let after = transition.after.as_ref();
        let speaking = found.approvals.iter().zip(approvals);
        let speaking = speaking.filter(|(approval, _)| approval.speaks_for.contains(&place));
        let mut approved_by: Vec<String> = speaking.map(|(_, line)| line.handle.clone()).collect();
        approved_by.sort();
        approved_by.dedup();
        AssetLine {
            approved_by,
            path: transition.path().clone(),
            asset: transition.asset(),
            kinds,
            metadata_approved,
            file: after.and_then(|placed| placed.content.file()),
            bytes: after.and_then(|placed| placed.content.size()),
        }
    });
    assets.collect()
}

/// Puts a bundle into an archive that every `tar` reads; the same bundle always gives the same archive.
pub fn pack(folder: &Path, archive: &Path) -> Result<(), AppError> {
    let name = archive.file_stem().map_or_else(|| PathBuf::from("certificate"), PathBuf::from);
    let file = fs::File::create_new(archive).map_err(AppError::io("writing", archive))?;
    let mut builder = tar::Builder::new(BufWriter::new(file));
    builder.mode(tar::HeaderMode::Deterministic);
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let at = folder.join(&below);
        let read = || -> std::io::Result<Vec<fs::DirEntry>> { fs::read_dir(&at)?.collect() };
        let mut entries = read().map_err(AppError::io("reading", &at))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inner = below.join(entry.file_name());
            if entry.path().is_dir() {
                waiting.push(inner);
            } else {
                let added = builder.append_path_with_name(entry.path(), name.join(&inner));
                added.map_err(AppError::io("writing", archive))?;
            }
        }
    }
    let out = builder.into_inner().map_err(AppError::io("writing", archive))?;
    let file = out.into_inner().map_err(|error| AppError::io("writing", archive)(error.into_error()))?;
    file.sync_all().map_err(AppError::io("writing", archive))
}

fn write_approval(
    folder: &Folder<'_>,
    number: usize,
    approval: &FoundApproval,
    found: &Found,
    commands: &mut Vec<Command>,
) -> Result<ApprovalLine, AppError> {
    let statement = format!("approval-{number}.json");
    let (files, transitions) =
        (format!("approval-{number}.files.b3"), format!("approval-{number}.transitions.jsonl"));
    folder.write(&statement, &approval.record.statement)?;
    let signature = Signature::from_bytes(&approval.record.signature).map_err(|error| {
        AppError::from(crate::app::review::ReviewError::from(crate::trust::TrustError::from(error)))
    })?;
    folder.write(&format!("{statement}.sig"), signature.armored().as_bytes())?;
    folder.write(&files, &approval.list.check_list())?;
    folder.write(&transitions, &approval.list.encode())?;
    let known = found.keyring.holder(&approval.key);
    let handle = known.map_or_else(|| "unknown".to_owned(), |known| known.handle.clone());
    let received = approval.received;
    let at = received.map(verify_time).unwrap_or_default();
    commands.push(Command {
        shows: format!("{handle} signed {statement}"),
        line: format!(
            "ssh-keygen -Y verify -f {ALLOWED_FILE} -I {handle} -n {}{at} -s {statement}.sig < {statement}",
            Namespace::Action
        ),
    });
    commands.push(Command {
        shows: format!("the lists are the ones it names: both ids stand in {statement}"),
        line: format!("b3sum {files} {transitions}"),
    });
    Ok(ApprovalLine {
        action: approval.action,
        name: known.and_then(|known| known.name.clone()),
        handle,
        key: approval.key.fingerprint().to_string(),
        class: match approval.class {
            KeyClass::File => "file",
            KeyClass::Hardware => "hardware",
            KeyClass::Browser => "browser",
        },
        signed: approval.time.rfc3339(),
        received: received.map(|time| time.rfc3339()),
        assets: approval.list.len() as u64,
        statement,
        transitions,
        files,
    })
}

/// The moment as of which a key is to have counted, for `ssh-keygen`.
pub fn verify_time(time: Timestamp) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    format!(" -Overify-time={year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

fn write_assets(folder: &Folder<'_>, found: &Found, commands: &mut Vec<Command>) -> Result<(), AppError> {
    let after = found.transitions.as_slice().iter().filter_map(|transition| transition.after.as_ref());
    let list = check_list(after);
    if list.is_empty() {
        return Ok(());
    }
    folder.write(ASSETS_FILE, &list)?;
    commands.push(Command {
        shows: format!("your files, put into the folder {FILES_DIR}, are the approved ones: each line of {ASSETS_FILE} stands in an approval's list"),
        line: format!("(cd {FILES_DIR} && b3sum --check ../{ASSETS_FILE})"),
    });
    Ok(())
}

fn write_policy(
    folder: &Folder<'_>,
    found: &Found,
    commands: &mut Vec<Command>,
) -> Result<Option<PolicyLine>, AppError> {
    let Some(link) = &found.link else { return Ok(None) };
    let id = PolicyLink::id_of(&link.signed.statement);
    folder.write(POLICY_FILE, link.signed.statement.as_bytes())?;
    commands.push(Command {
        shows: "the policy is the one that every approval names".to_owned(),
        line: format!("b3sum --derive-key \"{}\" {POLICY_FILE}", ObjectKind::PolicyLink.context()),
    });
    Ok(Some(PolicyLine { id, number: link.number }))
}

/// When it landed, and by whom.
fn write_landing(
    folder: &Folder<'_>,
    view: &View,
    found: &Found,
    commands: &mut Vec<Command>,
) -> Result<(String, String), AppError> {
    let person = |id| {
        let known = found.keyring.keys().find(|known| known.person == id);
        known.map(|known| known.handle.clone())
    };
    let Some(FoundEntry { signed, entry }) = &found.entry else {
        let line = Describer::new(view)?.person(found.landed.by)?;
        let by = person(found.landed.by).or(line.name).unwrap_or_else(|| found.landed.by.short());
        return Ok((found.landed.time.rfc3339(), by));
    };
    folder.write(LOG_FILE, &signed.statement)?;
    folder.write(&format!("{LOG_FILE}.sig"), signed.signature.armored().as_bytes())?;
    let received = Timestamp::utc(entry.received_ms);
    let handle = person(entry.actor).unwrap_or_else(|| entry.actor.short());
    commands.push(Command {
        shows: format!("{handle} recorded the landing in the shared log"),
        line: format!(
            "ssh-keygen -Y verify -f {ALLOWED_FILE} -I {handle} -n {}{} -s {LOG_FILE}.sig < {LOG_FILE}",
            Namespace::Log,
            verify_time(received)
        ),
    });
    Ok((received.rfc3339(), handle))
}

fn write_files(
    repository: &Repository,
    view: &View,
    found: &Found,
    folder: &Path,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let wanted = found.transitions.as_slice().iter().filter_map(|transition| {
        let content = &transition.after.as_ref()?.content;
        content.file().zip(content.size())
    });
    have_content(repository, view, wanted, monitor)?;
    let view = repository.view()?;
    let content = StoredContent::new(repository, &view, monitor)?;
    let extractor = content.extractor();
    for placed in found.transitions.as_slice().iter().filter_map(|transition| transition.after.as_ref()) {
        let Held::File { id, size, .. } = placed.content else { continue };
        let path: PathBuf = folder.join(FILES_DIR).join(check_name(&placed.path));
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(AppError::io("making", parent))?;
        let mut file = fs::File::create_new(&path).map_err(AppError::io("writing", &path))?;
        extractor.write_file(id, size, &mut file)?;
    }
    Ok(())
}

fn check_text(certificate: &Certificate) -> String {
    let mut text = String::from(
        "# Type these commands in this folder. They need b3sum and ssh-keygen (OpenSSH 9.1 or newer), nothing else.\n\
         # An approval (.json) names the repository, the submission, the branch, the policy, and by their BLAKE3 the two\n\
         # lists of what was approved; the signature (.sig) is over exactly its bytes.\n\
         # allowed_signers says which keys are whose, by the policy or by whoever made this bundle: compare the keys with\n\
         # those that the people themselves tell you, and the fingerprint of the first policy as well: from there on each policy is\n\
         # signed by people of the one before it, up to the one that the approvals name.\n",
    );
    for command in &certificate.commands {
        text.push_str(&format!("\n# {}\n{}\n", command.shows, command.line));
    }
    text
}
