//! Every route, and the permission that it needs.
//!
//! A path is the name of a repository, then `/-/`, then what is asked of it. One table says all there is;
//! a test walks it as every kind of caller.

use crate::app::serve::answer::needed;
use crate::rules::access::Permission;
use crate::sync::http::{API, CHALLENGE, SIGN_IN};
use crate::sync::wire::request::Verb;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Says that the server is there.
    Health,
    /// Gives out a question for somebody who wants to sign in.
    Challenge,
    /// Takes the answer and gives a session.
    SignIn,
    /// Answers a request to a repository.
    Repository(Verb),
}

/// What a route needs of whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it gives nothing away.
    Nothing,
    /// One permission for the repository that is named.
    Permission(Permission),
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// What follows the name of the repository and `/-/`; for [`Act::Health`] the whole path.
    pub rest: &'static str,
    /// What it does.
    pub act: Act,
    /// What it needs.
    pub needs: Needs,
    /// Longest body in bytes.
    pub body_max: usize,
}

/// Longest body of what is asked before anybody is known, in bytes.
const SIGN_IN_BYTES_MAX: usize = 16 << 10;

const fn of_verb(rest: &'static str, verb: Verb) -> Route {
    Route {
        method: "POST",
        rest,
        act: Act::Repository(verb),
        needs: Needs::Permission(needed(verb)),
        body_max: verb.bytes_max() + crate::sync::wire::frame::HEADER_BYTES,
    }
}

/// All routes.
pub const ROUTES: &[Route] = &[
    Route { method: "GET", rest: "/-/health", act: Act::Health, needs: Needs::Nothing, body_max: 0 },
    Route {
        method: "POST",
        rest: CHALLENGE,
        act: Act::Challenge,
        needs: Needs::Nothing,
        body_max: SIGN_IN_BYTES_MAX,
    },
    Route {
        method: "POST",
        rest: SIGN_IN,
        act: Act::SignIn,
        needs: Needs::Nothing,
        body_max: SIGN_IN_BYTES_MAX,
    },
    of_verb("v1/describe", Verb::Describe),
    of_verb("v1/have", Verb::Have),
    of_verb("v1/history", Verb::History),
    of_verb("v1/objects", Verb::Objects),
    of_verb("v1/chunks", Verb::Chunks),
    of_verb("v1/put", Verb::Put),
    of_verb("v1/holds", Verb::Holds),
    of_verb("v1/publish", Verb::Publish),
    of_verb("v1/begin", Verb::Begin),
    of_verb("v1/keep", Verb::Keep),
];

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A route, and the repository that is named.
    Route(&'static Route, &'a str),
    /// There is such a path, for another method.
    OtherMethod(&'static str),
    /// There is no such path.
    Nothing,
}

/// Finds the route of a request.
pub fn find<'a>(method: &str, path: &'a str) -> Found<'a> {
    let (place, rest) = match path.strip_prefix('/').and_then(|path| path.split_once(&format!("/{API}/"))) {
        Some((place, rest)) => (place, rest),
        None => ("", path),
    };
    let mut fits = ROUTES.iter().filter(|route| route.rest == rest).peekable();
    let Some(first) = fits.peek().map(|route| route.method) else { return Found::Nothing };
    match fits.find(|route| route.method == method) {
        Some(route) => Found::Route(route, place),
        None => Found::OtherMethod(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_its_route_under_its_own_word() {
        for verb in Verb::ALL {
            let path = format!("/clients/brand/-/v1/{}", verb.word());
            let Found::Route(route, place) = find("POST", &path) else { panic!("{path} leads nowhere") };
            assert_eq!((route.act, place), (Act::Repository(verb), "clients/brand"));
            assert!(matches!(route.needs, Needs::Permission(_)), "{path}");
            assert_eq!(find("GET", &path), Found::OtherMethod("POST"));
        }
        assert!(matches!(find("GET", "/-/health"), Found::Route(route, "") if route.act == Act::Health));
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in ["", "/", "/brand", "/brand/-/", "/brand/-/v2/describe", "/brand/v1/describe", "//-/x"] {
            assert_eq!(find("POST", path), Found::Nothing, "{path}");
        }
    }
}
