//! The JSON text of an action's header.

use crate::base::id::{ActionId, BodyId, PersonId, RepositoryId};
use crate::base::time::Timestamp;
use crate::object::action::{Action, ActionError, Audience, Deed};
use serde::{Deserialize, Serialize};

/// What an in-toto statement calls itself.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What the predicate of an action calls itself.
const PREDICATE_TYPE: &str = "urn:pentimento:action:v1";
/// Kinds that this program knows.
const KINDS: [&str; 8] =
    ["submit", "update", "approve", "request-changes", "reject", "withdraw", "withdraw-verdict", "comment"];

/// Names of the texts that a statement is about.
const FILES_NAME: &str = "files.b3";
const TRANSITIONS_NAME: &str = "transitions.jsonl";
const BODY_NAME: &str = "body.json";

#[derive(Serialize, Deserialize)]
struct Statement<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

/// A digest by its algorithm. That of a body is BLAKE3 in its key derivation mode, so that a body
/// can never pose as a file.
#[derive(Serialize, Deserialize)]
enum Digest {
    #[serde(rename = "blake3")]
    Plain(String),
    #[serde(rename = "blake3:pentimento action body v1")]
    Body(String),
}

#[derive(Serialize, Deserialize)]
struct Predicate<D> {
    repository: RepositoryId,
    audience: Audience,
    actor: PersonId,
    key: String,
    previous: Option<ActionId>,
    heads: Vec<ActionId>,
    time: Timestamp,
    body: BodyId,
    #[serde(flatten)]
    deed: D,
}

/// All that is read of a deed to see whether it is known.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

pub(super) fn write(action: &Action) -> Result<Vec<u8>, ActionError> {
    if let Deed::Unknown { kind } = &action.deed {
        return Err(ActionError::NotAnAction { reason: format!("nothing is known of {kind:?}") });
    }
    let mut subject = Vec::new();
    if let Some(list) = action.deed.list() {
        subject.push(Subject { name: FILES_NAME.into(), digest: Digest::Plain(list.files.to_string()) });
        let digest = Digest::Plain(list.transitions.to_string());
        subject.push(Subject { name: TRANSITIONS_NAME.into(), digest });
    }
    subject.push(Subject { name: BODY_NAME.into(), digest: Digest::Body(action.body.to_string()) });
    let statement = Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject,
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            repository: action.repository,
            audience: action.audience,
            actor: action.actor,
            key: action.key.clone(),
            previous: action.previous,
            heads: action.heads.clone(),
            time: action.time,
            body: action.body,
            deed: &action.deed,
        },
    };
    serde_json::to_vec(&statement).map_err(refuse)
}

pub(super) fn read(bytes: &[u8]) -> Result<Action, ActionError> {
    let kind: Statement<Kind> = serde_json::from_slice(bytes).map_err(refuse)?;
    if kind.statement_type != STATEMENT_TYPE || kind.predicate_type != PREDICATE_TYPE {
        return Err(ActionError::NotAnAction { reason: format!("it is {:?}", kind.predicate_type) });
    }
    let kind = kind.predicate.kind;
    if KINDS.contains(&kind.as_str()) {
        let statement: Statement<Predicate<Deed>> = serde_json::from_slice(bytes).map_err(refuse)?;
        return Ok(action_of(statement.predicate, |deed| deed));
    }
    let statement: Statement<Predicate<Kind>> = serde_json::from_slice(bytes).map_err(refuse)?;
    Ok(action_of(statement.predicate, |_| Deed::Unknown { kind }))
}

fn action_of<D>(predicate: Predicate<D>, deed: impl FnOnce(D) -> Deed) -> Action {
    Action {
        repository: predicate.repository,
        audience: predicate.audience,
        actor: predicate.actor,
        key: predicate.key,
        previous: predicate.previous,
        heads: predicate.heads,
        time: predicate.time,
        body: predicate.body,
        deed: deed(predicate.deed),
    }
}

fn refuse(error: serde_json::Error) -> ActionError {
    ActionError::NotAnAction { reason: error.to_string() }
}
