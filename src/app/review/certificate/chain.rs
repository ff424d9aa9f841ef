//! The policies that led to the one in force: each link as it was signed, and who signed it, so that a stranger gets
//! from the first policy, whose fingerprint people compare, to the one under which something landed.

use crate::app::error::AppError;
use crate::app::review::certificate::bundle::{Folder, verify_time};
use crate::app::review::certificate::{ChainLine, Command};
use crate::app::review::keys::ReviewKeys;
use crate::base::id::PolicyId;
use crate::base::time::Timestamp;
use crate::object::ObjectKind;
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::Namespace;
use crate::repo::View;
use crate::rules::keyring::allowed_signers;
use crate::rules::policy::Policy;

/// One policy on the way.
pub struct FoundLink {
    id: PolicyId,
    link: PolicyLink,
    signed: Signed,
    /// The entry of the shared log that brought it, and when it was received.
    sequence: u64,
    received: Timestamp,
    /// The keys that it names, as `ssh-keygen` reads them.
    signers: String,
}

/// The policies that the shared log, which was verified, had up to an entry, in order.
pub fn links(view: &View, keys: &ReviewKeys, until: u64) -> Result<Vec<FoundLink>, AppError> {
    let mut found = Vec::new();
    for sequence in keys.log().policies().iter().copied().filter(|sequence| *sequence <= until) {
        let Some(entry) = view.log_entry(sequence)? else { continue };
        let Ok(entry) = LogEntry::decode(&entry.statement) else { continue };
        let LogDeed::Policy(taken) = entry.deed else { continue };
        let Ok(link) = PolicyLink::decode(&taken.link.statement) else { continue };
        let (id, received) = (PolicyLink::id_of(&taken.link.statement), Timestamp::utc(entry.received_ms));
        let policy = Policy::parse(&link.policy);
        let signers = policy.map(|policy| allowed_signers(keys.keyring_of(&policy).keys()));
        let signers = signers.unwrap_or_default();
        found.push(FoundLink { id, link, signed: taken.link, sequence, received, signers });
    }
    Ok(found)
}

/// The link whose people had to sign another: the one before it, the one before those that it settles a dispute
/// of, or the first one itself.
fn judge<'l>(all: &'l [FoundLink], link: &'l FoundLink) -> &'l FoundLink {
    let with_id = |id: &PolicyId| all.iter().find(|other| other.id == *id);
    let before = match link.link.parents.as_slice() {
        [] => None,
        [one] => with_id(one),
        [first, ..] => with_id(first).and_then(|rival| rival.link.parents.first()).and_then(with_id),
    };
    before.unwrap_or(link)
}

/// Writes the links, and the commands that show who signed each.
pub fn write(
    folder: &Folder<'_>,
    all: &[FoundLink],
    commands: &mut Vec<Command>,
) -> Result<Vec<ChainLine>, AppError> {
    let mut lines = Vec::new();
    for link in all {
        let file = file_of(link);
        folder.write(&file, link.signed.statement.as_bytes())?;
        folder.write(&signers_of(link), link.signers.as_bytes())?;
        commands.push(Command {
            shows: if link.link.parents.is_empty() {
                "the fingerprint of the first policy: compare it with the people themselves".to_owned()
            } else {
                let number = link.link.number;
                format!(
                    "the id of policy {number}; as \"parents\" it names the policies before it by their ids"
                )
            },
            line: format!("b3sum --derive-key \"{}\" {file}", ObjectKind::PolicyLink.context()),
        });
        let judge = judge(all, link);
        let signed_by = write_signatures(folder, link, judge, commands)?;
        lines.push(ChainLine { id: link.id, number: link.link.number, file, signed_by });
    }
    Ok(lines)
}

fn write_signatures(
    folder: &Folder<'_>,
    link: &FoundLink,
    judge: &FoundLink,
    commands: &mut Vec<Command>,
) -> Result<Vec<String>, AppError> {
    let (file, mut signed_by) = (file_of(link), Vec::new());
    let policy = Policy::parse(&judge.link.policy).ok();
    let parsed = link.signed.parsed().unwrap_or_default();
    for (place, signature) in parsed.iter().enumerate() {
        let armored = format!("{file}.{}.sig", place + 1);
        folder.write(&armored, signature.armored().as_bytes())?;
        let held = policy.as_ref().and_then(|policy| policy.holder(signature.public_key()));
        // Whoever is not named by the policy before has no say in the next.
        let Some((handle, _, _)) = held else { continue };
        let (which, signers) = (link.link.number, signers_of(judge));
        commands.push(Command {
            shows: format!("{handle} signed policy {which}, by the keys of policy {}", judge.link.number),
            line: format!(
                "ssh-keygen -Y verify -f {signers} -I {handle} -n {}{} -s {armored} < {file}",
                Namespace::Policy,
                verify_time(link.received)
            ),
        });
        signed_by.push(handle.to_string());
    }
    Ok(signed_by)
}

fn file_of(link: &FoundLink) -> String {
    format!("policy-entry-{}.json", link.sequence)
}

fn signers_of(link: &FoundLink) -> String {
    format!("policy-entry-{}.signers", link.sequence)
}
