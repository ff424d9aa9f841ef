//! A server with a repository that has a policy, and people who sign in.

use crate::app_flow::Lab;
use crate::remote_contract::http::{HandClock, TestServer};
use crate::review_kit::House;
use crate::trust_kit::{REPOSITORY, somebody};
use pentimento::base::time::Clock as _;
use pentimento::object::login::{LoginChallenge, LoginStatement};
use pentimento::object::signature::Namespace;
use pentimento::sync::error::SyncResult;
use pentimento::sync::sign_in::{SignIn, SignedAnswer};
use pentimento::trust::Signer as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub const PLACE: &str = "clients/harbour";

/// Signs in as the person of a number.
pub struct Signs {
    pub number: u8,
    pub clock: Arc<HandClock>,
}

impl SignIn for Signs {
    fn answer(&self, challenge: &LoginChallenge) -> SyncResult<SignedAnswer> {
        let person = somebody(self.number);
        let statement = LoginStatement::answer(challenge, person.id, self.clock.now()).encode();
        let signature = person.key.sign(Namespace::Login, &statement).expect("a signature").armored();
        Ok(SignedAnswer { statement, signature })
    }
}

/// Puts a house below the server's folder.
pub fn move_in(server: &TestServer, house: House) {
    let House { folder, repository, .. } = house;
    drop(repository);
    let to = server.folder.path().join(PLACE);
    std::fs::create_dir_all(to.parent().expect("a parent")).expect("folders");
    std::fs::rename(folder.keep(), to).expect("moved");
}

pub fn signs(server: &TestServer, number: u8) -> Arc<Signs> {
    Arc::new(Signs { number, clock: server.clock.clone() })
}

/// A clone-to-be of the repository of the kit.
pub fn clone_to_be() -> Lab {
    Lab::with_id(tempfile::tempdir().expect("a temporary folder"), REPOSITORY)
}

/// Sends bytes and gives the status of the answer and all of it.
pub fn raw(server: &TestServer, bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    // A server that has heard enough may close before all of it was sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status =
        std::str::from_utf8(answer.get(9..12).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
    (status.unwrap_or(0), answer)
}

/// A request as bytes.
pub fn request(
    server: &TestServer,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: &[u8],
) -> Vec<u8> {
    let host = server.address;
    let who = authorization.map_or_else(String::new, |who| format!("authorization: Bearer {who}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{who}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A request frame.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
