//! Addresses of remotes, parsed strictly: what is not understood is refused, and what could become an
//! option of another program, or a secret in a file, is too.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Longest address in bytes.
const ADDRESS_BYTES_MAX: usize = 4096;

/// Why text is no address. The text itself is left out where it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is empty or too long, or has characters that cannot be seen.
    #[error("that is no address")]
    Text,
    /// A kind of address that this program does not know.
    #[error("addresses that begin with {scheme}:// are not understood")]
    Scheme { scheme: String },
    /// It has a password or a key in it.
    #[error("the address has a password in it")]
    Secret,
    /// A host that is none.
    #[error("{host:?} is no host")]
    Host { host: String },
    /// A user that is none.
    #[error("{user:?} is no user")]
    User { user: String },
    /// A port that is none.
    #[error("{port:?} is no port")]
    Port { port: String },
    /// A path with `..` or other parts that lead elsewhere.
    #[error("{path:?} is no path for a remote")]
    Path { path: String },
    /// A path in the home folder of somebody who has to be asked for.
    #[error("{path:?} is in somebody's home folder, and which that is only a shell there knows")]
    HomeOfOther { path: String },
    /// A bucket that is none.
    #[error("{bucket:?} is no name of a bucket")]
    Bucket { bucket: String },
}

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A folder on this machine or on a shared disk.
    Folder { path: PathBuf },
    /// A server that speaks HTTP.
    Http { secure: bool, host: String, port: Option<u16>, path: String },
    /// A machine that is reached through the user's own `ssh`.
    Ssh { user: Option<String>, host: String, port: Option<u16>, path: String },
    /// A bucket of an S3 service.
    S3 { bucket: String, prefix: String },
    /// A container of Azure Blob Storage.
    Azure { container: String, prefix: String },
}

impl Address {
    /// Reads an address. A folder that is not absolute counts from `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, AddressError> {
        let invisible = text.chars().any(crate::base::escape::is_unsafe_to_show);
        if text.is_empty() || text.len() > ADDRESS_BYTES_MAX || invisible {
            return Err(AddressError::Text);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::with_scheme(scheme, rest);
        }
        match text.split_once(':') {
            // `host:path` as ssh knows it; `./a:b` and `/a:b` are folders.
            Some((host, path)) if !host.contains('/') && !host.is_empty() => Self::ssh_short(host, path),
            _ => Self::folder(&folder.join(text)),
        }
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        match scheme {
            "file" => Self::folder(Path::new(rest)),
            "http" | "https" => {
                let (authority, path) = split_authority(rest);
                if authority.contains('@') {
                    return Err(AddressError::Secret);
                }
                if rest.contains(['?', '#']) {
                    return Err(AddressError::Path { path: path.to_owned() });
                }
                let (host, port) = parse_host(authority)?;
                let path = parse_url_path(path)?;
                Ok(Self::Http { secure: scheme == "https", host, port, path })
            }
            "ssh" => {
                let (authority, path) = split_authority(rest);
                let (user, host) = parse_user(authority)?;
                let (host, port) = parse_host(host)?;
                let path = match path.strip_prefix('/') {
                    Some(home) if home.starts_with('~') => home,
                    _ if path.is_empty() => "/",
                    _ => path,
                };
                Ok(Self::Ssh { user, host, port, path: parse_remote_path(path)? })
            }
            "s3" => parse_bucket(rest).map(|(bucket, prefix)| Self::S3 { bucket, prefix }),
            "az" => parse_bucket(rest).map(|(container, prefix)| Self::Azure { container, prefix }),
            _ => Err(AddressError::Scheme { scheme: crate::base::escape::terminal(scheme.as_bytes()) }),
        }
    }

    fn ssh_short(authority: &str, path: &str) -> Result<Self, AddressError> {
        let (user, host) = parse_user(authority)?;
        let (host, port) = parse_host(host)?;
        if path.contains('@') {
            return Err(AddressError::Secret);
        }
        if path.is_empty() {
            return Err(AddressError::Path { path: path.to_owned() });
        }
        Ok(Self::Ssh { user, host, port, path: parse_remote_path(path)? })
    }

    fn folder(path: &Path) -> Result<Self, AddressError> {
        let refused = || AddressError::Path { path: path.display().to_string() };
        if !path.is_absolute() || path.to_str().is_none() {
            return Err(refused());
        }
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => {
                    clean.pop();
                }
                Component::CurDir => {}
                other => clean.push(other),
            }
        }
        Ok(Self::Folder { path: clean })
    }
}

fn split_authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at(end)
}

fn parse_user(authority: &str) -> Result<(Option<String>, &str), AddressError> {
    let Some((user, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    if user.contains(':') {
        return Err(AddressError::Secret);
    }
    let fits = !user.is_empty()
        && !user.starts_with('-')
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'));
    if fits { Ok((Some(user.to_owned()), host)) } else { Err(AddressError::User { user: user.to_owned() }) }
}

fn parse_host(authority: &str) -> Result<(String, Option<u16>), AddressError> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, port.strip_prefix(':').or(Some(port))),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
    let is_name = !host.is_empty()
        && host.len() <= 253
        && !host.starts_with(['-', '.'])
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if !is_address && !is_name {
        return Err(AddressError::Host { host: host.to_owned() });
    }
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port {
        None => Ok((host.to_ascii_lowercase(), None)),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && digits(port) => Ok((host.to_ascii_lowercase(), Some(number))),
            _ => Err(AddressError::Port { port: port.to_owned() }),
        },
    }
}

/// A path at the other end of ssh. It becomes an argument of a program, so it may not look like an
/// option; quoting is for whoever runs it. Programs begin in the home folder there, so `~/` says nothing, and
/// no shell has to read it.
fn parse_remote_path(path: &str) -> Result<String, AddressError> {
    let path = match path.strip_prefix('~') {
        Some("" | "/") => ".",
        Some(rest) => match rest.strip_prefix('/') {
            Some(home) if home.trim_start_matches('/').is_empty() => ".",
            Some(home) => home.trim_start_matches('/'),
            None => return Err(AddressError::HomeOfOther { path: path.to_owned() }),
        },
        None => path,
    };
    if path.starts_with('-') || path.split('/').any(|part| part == "..") {
        return Err(AddressError::Path { path: path.to_owned() });
    }
    Ok(path.to_owned())
}

fn parse_url_path(path: &str) -> Result<String, AddressError> {
    let trimmed = path.trim_matches('/');
    let part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
    };
    if trimmed.is_empty() || trimmed.split('/').all(part) {
        Ok(trimmed.to_owned())
    } else {
        Err(AddressError::Path { path: path.to_owned() })
    }
}

fn parse_bucket(rest: &str) -> Result<(String, String), AddressError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(AddressError::Secret);
    }
    let fits = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && !bucket.starts_with(['-', '.'])
        && !bucket.contains("..");
    if !fits {
        return Err(AddressError::Bucket { bucket: bucket.to_owned() });
    }
    Ok((bucket.to_owned(), parse_url_path(prefix)?))
}

/// As a person would write it: never with a secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |host: &str, port: &Option<u16>| {
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            port.map_or(host.clone(), |port| format!("{host}:{port}"))
        };
        match self {
            Self::Folder { path } => write!(f, "{}", path.display()),
            Self::Http { secure, host, port, path } => {
                let scheme = if *secure { "https" } else { "http" };
                write!(f, "{scheme}://{}/{path}", place(host, port))
            }
            Self::Ssh { user, host, port: None, path } if !path.starts_with('/') && !host.contains(':') => {
                let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
                write!(f, "{user}{host}:{path}")
            }
            Self::Ssh { user, host, port, path } => {
                let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
                let slash = if path.starts_with('/') { "" } else { "/~/" };
                write!(f, "ssh://{user}{}{slash}{path}", place(host, port))
            }
            Self::S3 { bucket, prefix } => write_bucket(f, "s3", bucket, prefix),
            Self::Azure { container, prefix } => write_bucket(f, "az", container, prefix),
        }
    }
}

fn write_bucket(f: &mut fmt::Formatter<'_>, scheme: &str, bucket: &str, prefix: &str) -> fmt::Result {
    let slash = if prefix.is_empty() { "" } else { "/" };
    write!(f, "{scheme}://{bucket}{slash}{prefix}")
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads an address that was written before; folders are absolute there.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, Path::new("/"))
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        Address::parse(text, Path::new("/studio/here"))
    }

    #[test]
    fn the_documented_forms_parse_and_print() {
        for (text, shown) in [
            ("/mnt/nas/brand", "/mnt/nas/brand"),
            ("../nas", "/studio/nas"),
            ("file:///mnt/nas", "/mnt/nas"),
            ("https://assets.example.org/brand", "https://assets.example.org/brand"),
            ("https://assets.example.org:8443/", "https://assets.example.org:8443/"),
            ("ssh://anna@host.example:22/srv/brand", "ssh://anna@host.example:22/srv/brand"),
            ("anna@host.example:brand", "anna@host.example:brand"),
            ("host.example:~/brand", "host.example:brand"),
            ("anna@host.example:~", "anna@host.example:."),
            ("ssh://host.example/~/brand", "host.example:brand"),
            ("ssh://anna@host.example:22/~/brand", "ssh://anna@host.example:22/~/brand"),
            ("ssh://host.example/srv/~/brand", "ssh://host.example/srv/~/brand"),
            ("s3://studio-assets/brand", "s3://studio-assets/brand"),
            ("az://studio/brand", "az://studio/brand"),
        ] {
            let address = parse(text).expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert_eq!(parse("./a:b").map(|a| a.to_string()), Ok("/studio/here/a:b".to_owned()));
    }

    #[test]
    fn what_could_become_an_option_or_lead_elsewhere_is_refused() {
        for bad in [
            "",
            "ssh://-oProxyCommand=touch/x",
            "ssh://-oProxyCommand=x@host/x",
            "-oProxyCommand=x:path",
            "host:-path",
            "host:~/-path",
            "host:~/../x",
            "host:~anna/x",
            "ssh://host/~anna/x",
            "host:a/../../etc",
            "ssh://host:0/x",
            "ssh://host:99999/x",
            "ssh://ho st/x",
            "https://host/a/../b",
            "https://host/a?token=1",
            "https://host/%2e%2e",
            "https:///x",
            "gopher://host/x",
            "s3://A/b",
            "s3://ab..cd/x",
            "s3://abc/../x",
            "a\u{202e}b",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} became {:?}", parse(bad));
        }
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        for bad in [
            "https://anna:hunter2@host/x",
            "https://ghp_hunter2@host/x",
            "ssh://anna:hunter2@host/x",
            "anna:hunter2@host:x",
            "s3://key:hunter2@bucket/x",
        ] {
            let error = parse(bad).expect_err(bad);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
