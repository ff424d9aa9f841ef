//! Policies of a repository by number or id: those that took effect and those that wait, with what each changes.

use crate::app::error::AppError;
use crate::app::policy::PolicyFailure;
use crate::base::id::PolicyId;
use crate::diff::text::{Encoding, Text, TextDiff, TextLimits, diff_text};
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Namespace, PublicKey};
use crate::repo::View;
use crate::rules::approval::{Missing, Received, asked, check_quorum, listed};
use crate::rules::policy::{Handle, Policy, Recovery, Requirement};
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// More characters than a number has: what is longer is the beginning of an id.
const NUMBER_CHARACTERS_MAX: usize = 7;

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// It is in force.
    InForce,
    /// It was in force, and others followed it.
    Past,
    /// Another one follows the same policy, and until that is settled nothing moves.
    Disputed,
    /// It waits for signatures.
    Proposed,
    /// It was announced by the recovery rule, and waits for its time.
    Announced,
    /// It waits for nothing any more: it was proposed before another one took effect.
    Late,
}

/// A policy with what was signed.
pub struct Link {
    /// Its id.
    pub id: PolicyId,
    /// What was signed.
    pub link: PolicyLink,
    /// The signatures.
    pub signed: Signed,
    /// When the shared log received it; `None` while it waits.
    pub received: Option<Received>,
    /// Whether it took effect by the recovery rule.
    pub recovery: bool,
}

/// All policies: those that took effect, in order, then those that wait. The log was verified, so what does not
/// read is of no kind that matters here.
pub fn all(view: &View, log: &VerifiedLog) -> Result<Vec<Link>, AppError> {
    let mut found = Vec::new();
    for sequence in log.policies() {
        let Some(entry) = view.log_entry(*sequence)? else { continue };
        let Ok(entry) = LogEntry::decode(&entry.statement) else { continue };
        let LogDeed::Policy(taken) = entry.deed else { continue };
        let Ok(link) = PolicyLink::decode(&taken.link.statement) else { continue };
        let received = Some(Received { sequence: *sequence, unix_ms: entry.received_ms });
        let id = PolicyLink::id_of(&taken.link.statement);
        found.push(Link { id, link, signed: taken.link, received, recovery: taken.recovery });
    }
    for (id, signed) in view.policy_proposals()? {
        let Ok(link) = PolicyLink::decode(&signed.statement) else { continue };
        let recovery = log.announced().is_some_and(|announced| announced.link == id);
        found.push(Link { id, link, signed, received: None, recovery });
    }
    Ok(found)
}

/// The policy that a number or the beginning of an id means. Of several with one number it is the one that took
/// effect.
pub fn find<'l>(links: &'l [Link], name: &str) -> Result<&'l Link, PolicyFailure> {
    let number = name.parse::<u64>().ok().filter(|_| name.len() <= NUMBER_CHARACTERS_MAX);
    let fits = |link: &&Link| match number {
        Some(number) => link.link.number == number,
        None => !name.is_empty() && link.id.to_string().starts_with(&name.to_ascii_lowercase()),
    };
    let fitting: Vec<&Link> = links.iter().filter(fits).collect();
    let taken: Vec<&Link> = fitting.iter().copied().filter(|link| link.received.is_some()).collect();
    match (taken.as_slice(), fitting.as_slice()) {
        (_, []) => Err(PolicyFailure::NoPolicy { name: name.to_owned() }),
        ([one], _) | (_, [one]) => Ok(one),
        (_, several) => {
            let ids = several.iter().map(|link| link.id.short()).collect();
            Err(PolicyFailure::Ambiguous { ids })
        }
    }
}

impl Link {
    /// Where it stands.
    pub fn state(&self, log: &VerifiedLog) -> LinkState {
        if log.dispute().is_some_and(|dispute| dispute.rivals.contains(&self.id)) {
            return LinkState::Disputed;
        }
        if log.in_force().is_some_and(|in_force| in_force.id == self.id) {
            return LinkState::InForce;
        }
        let is_timely = crate::app::common::members::is_timely(log, &self.link);
        match (self.received, self.recovery) {
            (Some(_), _) => LinkState::Past,
            (None, _) if !is_timely => LinkState::Late,
            (None, true) => LinkState::Announced,
            (None, false) => LinkState::Proposed,
        }
    }

    /// The policy that it changes, among all of them.
    pub fn before<'l>(&self, links: &'l [Link]) -> Option<&'l Link> {
        let parent = self.link.parents.first()?;
        links.iter().find(|link| link.id == *parent)
    }

    /// What it changes of the one before it; all of it when it is the first.
    pub fn changes(&self, links: &[Link]) -> TextDiff {
        let text = |text: &str| Text { encoding: Encoding::Utf8, text: text.to_owned() };
        let before = self.before(links).map_or("", |link| link.link.policy.as_str());
        diff_text(&text(before), &text(&self.link.policy), TextLimits::default())
    }

    /// Who signed it, as the policy before it or else it itself calls them; other keys by their fingerprint.
    pub fn signers(&self, links: &[Link]) -> Vec<String> {
        let before = self.before(links).and_then(|link| Policy::parse(&link.link.policy).ok());
        let own = Policy::parse(&self.link.policy).ok();
        signers(&self.signed, [before.as_ref(), own.as_ref()])
    }

    /// What is missing before it takes effect, as sentences; nothing when it did, or never will.
    pub fn missing(&self, log: &VerifiedLog, now_ms: i64) -> Vec<String> {
        let missing = match self.state(log) {
            LinkState::Proposed | LinkState::Announced => self.lacking(log, now_ms),
            LinkState::InForce | LinkState::Past | LinkState::Disputed | LinkState::Late => Vec::new(),
        };
        missing.iter().map(ToString::to_string).collect()
    }

    fn lacking(&self, log: &VerifiedLog, now_ms: i64) -> Vec<Missing> {
        let Some(policy) = judging(log) else { return Vec::new() };
        let requirements: &[Requirement] = match (self.recovery, &policy.recovery) {
            (true, Some(recovery)) => &recovery.by,
            _ => &policy.change,
        };
        let Ok(sealed) = self.signed.verified(Namespace::Policy) else { return Vec::new() };
        let keys: Vec<PublicKey> = sealed.iter().map(|sealed| sealed.key().clone()).collect();
        check_quorum(policy, requirements, &keys, now_ms, log.revoked()).err().unwrap_or_default()
    }

    /// From when on an announced policy may take effect, in milliseconds since 1970.
    pub fn ripe_ms(&self, log: &VerifiedLog) -> Option<i64> {
        let announced = log.announced().filter(|announced| announced.link == self.id)?;
        let recovery: &Recovery = log.in_force()?.policy.recovery.as_ref()?;
        Some(announced.received.unix_ms.saturating_add(recovery.after_ms))
    }
}

/// The policy whose people sign the next: the one in force, or while two are in dispute the one before these.
pub fn judging(log: &VerifiedLog) -> Option<&Policy> {
    let disputed = log.dispute().map(|dispute| &dispute.parent.policy);
    disputed.or(log.in_force().map(|in_force| &in_force.policy))
}

/// What a change of the policy takes, in words: `2 administrators`.
pub fn asked_of(requirements: &[Requirement]) -> String {
    listed(&requirements.iter().map(asked).collect::<Vec<_>>())
}

/// Who signed, by the first policy that knows the key; else the key's fingerprint.
fn signers(signed: &Signed, policies: [Option<&Policy>; 2]) -> Vec<String> {
    let keys = signed.parsed().unwrap_or_default();
    let named = |key: &PublicKey| -> String {
        let mut known = policies.iter().flatten();
        let holder = known.find_map(|policy| policy.holder(key));
        let called = |(handle, _, _): (&Handle, _, _)| handle.to_string();
        holder.map_or_else(|| key.fingerprint().to_string(), called)
    };
    keys.iter().map(|signature| named(signature.public_key())).collect()
}
