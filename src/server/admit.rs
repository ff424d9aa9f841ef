//! What a request is asked before its body is read: where it leads, how often it comes, who asks, and
//! whether they may.

use crate::app::error::AppError;
use crate::app::serve::answer::{as_sync, insist};
use crate::app::serve::places::Opened;
use crate::app::serve::rights::Rights;
use crate::repo::Repository;
use crate::rules::access::Permission;
use crate::server::handle::{Rejection, chain};
use crate::server::routes::{Act, Found, Route, find};
use crate::server::state::{State, Who};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::wire::fault::Fault;
use crate::sync::wire::request::Verb;
use hyper::http::request::Parts;
use hyper::{StatusCode, header};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long what was found out about a caller holds.
const ADMITTED_FOR: Duration = Duration::from_secs(10);

/// The route of a request, if it may come so far: what is asked of the right server, not too often.
pub(super) fn admit<'a>(
    parts: &'a Parts,
    peer: IpAddr,
    state: &State,
) -> Result<(&'static Route, &'a str), Rejection> {
    let (route, place) = match find(parts.method.as_str(), parts.uri.path()) {
        Found::Route(route, place) => (route, place),
        Found::OtherMethod(method) => {
            let detail = format!("it is asked with {method}");
            return Err(Rejection::bad(StatusCode::METHOD_NOT_ALLOWED, "the request", &detail));
        }
        Found::Nothing => return Err(Rejection::of(Fault::Nothing)),
    };
    if parts.uri.query().is_some() {
        return Err(Rejection::bad(StatusCode::BAD_REQUEST, "the request", "nothing is asked behind a ?"));
    }
    let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let host = parts.uri.authority().map(hyper::http::uri::Authority::as_str).or_else(|| text(header::HOST));
    if route.act != Act::Health && !host.is_some_and(|host| state.names.iter().any(|name| name == host)) {
        let detail = "this server has another name; whoever runs it names it with --name";
        return Err(Rejection::bad(StatusCode::MISDIRECTED_REQUEST, "the request", detail));
    }
    let Some(address) = asker(parts, peer, state.behind_proxy) else {
        let detail = "the proxy does not say for whom it asks: the end of X-Forwarded-For is no address";
        return Err(Rejection::bad(StatusCode::BAD_REQUEST, "the request", detail));
    };
    let now = Instant::now();
    let is_sign_in = matches!(route.act, Act::Challenge | Act::SignIn);
    if !state.rate.take(address, now) || (is_sign_in && !state.sign_in_rate.take(address, now)) {
        let fault = Fault::Busy { seconds: 5 };
        return Err(Rejection { status: StatusCode::TOO_MANY_REQUESTS, fault });
    }
    Ok((route, place))
}

/// For whom a request comes: a proxy that is trusted says it at the end of the last such header, since it
/// may add a line of its own below those that the client sent. Without any the proxy itself asks; `None` when
/// what it says is no address.
fn asker(parts: &Parts, peer: IpAddr, behind_proxy: bool) -> Option<IpAddr> {
    if !behind_proxy {
        return Some(peer);
    }
    let Some(said) = parts.headers.get_all("x-forwarded-for").iter().next_back() else { return Some(peer) };
    address_of(said.to_str().ok()?.rsplit(',').next()?.trim())
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

pub(super) fn identify(parts: &Parts, state: &State) -> Result<Who, Rejection> {
    let refuse = |detail: &str| Rejection::of(Fault::SignIn { detail: detail.to_owned() });
    let Some(header) = parts.headers.get(header::AUTHORIZATION) else {
        return Err(refuse("nobody signed in"));
    };
    let who = header.to_str().ok().and_then(|header| state.who(header));
    who.ok_or_else(|| refuse("the session or token does not count, or no longer"))
}

/// What is known of a caller and a place.
pub(super) struct Admitted {
    opened: Option<Arc<Opened>>,
    pub(super) rights: Rights,
    at: Instant,
}

impl Admitted {
    /// Finds out what somebody may do at a place, and insists that it is what they ask for. Whether there is
    /// anything at that place is told to nobody who may do nothing there.
    pub(super) fn to(state: &State, who: &Who, place: &str, verb: Verb) -> SyncResult<Self> {
        let looked = look(state, who, place).or_else(|error| {
            // Of a repository that cannot be opened nobody can say whom its policy lets in.
            let rights = state.rights(who, place, None).map_err(as_sync)?;
            let error = as_sync(error);
            insist(&rights, verb).inspect_err(|_| {
                state.note(&format!("{} of {place} failed: {}", verb.word(), chain(&error)));
            })?;
            Err(error)
        });
        let (opened, rights) = looked?;
        insist(&rights, verb)?;
        if verb == Verb::Begin && opened.is_some() {
            insist_on_seeing(&rights)?;
        }
        if let Who::Person { session, .. } = who {
            state.sessions.confirm(session);
        }
        Ok(Self { opened, rights, at: Instant::now() })
    }

    /// The repository, and what the caller may do with it, looked at anew where that was long ago or another
    /// one took its place.
    pub(super) fn now(
        self,
        state: &State,
        who: &Who,
        place: &str,
        verb: Verb,
    ) -> SyncResult<(Option<Arc<Opened>>, Rights)> {
        let is_same = self.opened.as_ref().is_some_and(|opened| opened.is_in_place());
        if is_same && self.at.elapsed() < ADMITTED_FOR {
            return Ok((self.opened, self.rights));
        }
        let Self { opened, rights, .. } = Self::to(state, who, place, verb)?;
        Ok((opened, rights))
    }
}

fn look(state: &State, who: &Who, place: &str) -> Result<(Option<Arc<Opened>>, Rights), AppError> {
    let opened = state.places.open(place)?;
    let repository: Option<&Repository> = opened.as_ref().map(|opened| &opened.repository);
    let rights = state.rights(who, place, repository)?;
    Ok((opened, rights))
}

/// Whoever begins what is there already is told which repository it is: they need to be able to see it.
pub(super) fn insist_on_seeing(rights: &Rights) -> SyncResult<()> {
    let verb = if rights.may.contains(&Permission::Push) { Verb::Publish } else { Verb::Describe };
    insist(rights, verb)
}

/// The same for a repository that somebody else began at the same moment.
pub(super) fn hide(error: SyncError, rights: &Rights) -> SyncError {
    match error {
        SyncError::OtherRepository { .. } => insist_on_seeing(rights).err().unwrap_or(error),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, address) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
        ] {
            assert_eq!(address_of(text), address.parse().ok(), "{text}");
        }
        for text in ["", "unknown", "_hidden", "192.0.2", "192.0.2.7 evil"] {
            assert_eq!(address_of(text), None, "{text}");
        }
    }
}
