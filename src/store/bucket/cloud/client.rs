//! The HTTP client that speaks to clouds. It follows no redirect: a request carries what signs in - the session
//! token of S3 in a header of its own, a shared signature in the address - and that is for the host that the
//! person named, and for no other.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService,
};
use object_store::{ClientOptions, Error};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy, Url};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// What a service answered that sends its caller to another place.
#[derive(Debug)]
pub(super) struct LedElsewhere {
    /// The host that it names.
    pub(super) host: String,
}

impl fmt::Display for LedElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it sends its callers to {}", self.host)
    }
}

impl std::error::Error for LedElsewhere {}

/// Makes clients that stay with the host they were sent to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Straight;

/// Speaks to one host and takes being sent elsewhere for an error.
#[derive(Debug)]
struct Spoken(HttpClient);

type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Spoken {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answering<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let answer = self.0.execute(request).await?;
            match answer.headers().get("location") {
                Some(place) if answer.status().is_redirection() => {
                    let url = place.to_str().ok().and_then(|place| Url::parse(place).ok());
                    let host = url.as_ref().and_then(Url::host_str).unwrap_or("another place").to_owned();
                    Err(HttpError::new(HttpErrorKind::Unknown, LedElsewhere { host }))
                }
                _ => Ok(answer),
            }
        })
    }
}

impl HttpConnector for Straight {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, Error> {
        let client =
            client(options).map_err(|error| Error::Generic { store: "remote", source: Box::new(error) })?;
        Ok(HttpClient::new(Spoken(HttpClient::new(client))))
    }
}

/// How long a request may take is for whoever waits to say, and not for the client.
fn client(options: &ClientOptions) -> Result<reqwest::Client, reqwest::Error> {
    let text = |key: ClientConfigKey| options.get_config_value(&key);
    let is_set = |key: ClientConfigKey| text(key).is_some_and(|value| value == "true");
    let mut builder = ClientBuilder::new()
        .redirect(Policy::none())
        .user_agent(concat!("pentimento/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .https_only(!is_set(ClientConfigKey::AllowHttp))
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate();
    if let Some(url) = text(ClientConfigKey::ProxyUrl) {
        let excludes = text(ClientConfigKey::ProxyExcludes);
        let except = excludes.and_then(|excludes| NoProxy::from_string(&excludes));
        builder = builder.proxy(Proxy::all(url)?.no_proxy(except));
    }
    if let Some(pem) = text(ClientConfigKey::ProxyCaCertificate) {
        builder = builder.tls_certs_merge([Certificate::from_pem(pem.as_bytes())?]);
    }
    if is_set(ClientConfigKey::AllowInvalidCertificates) {
        builder = builder.danger_accept_invalid_certs(true);
    }
    if is_set(ClientConfigKey::Http1Only) {
        builder = builder.http1_only();
    }
    builder.build()
}
