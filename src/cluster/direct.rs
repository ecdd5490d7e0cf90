//! A Prometheus by its URL, past the API server: an ingress, or a port forwarded to this machine.
//!
//! Credentials come from files and the environment, live here alone, and are never shown or recorded.

use super::api::{Proxied, TIMEOUT};
use super::error::ApiError;
use super::stack::Asked;
use super::transport;
use crate::error::Error;
use crate::words::say::cluster as say;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use kube::client::Body;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where it is, and how it is spoken to.
#[derive(Clone, Default)]
pub struct Way {
    pub url: String,
    /// The authority that signed its certificate; without it those of this machine.
    pub ca: Option<PathBuf>,
    pub token: Option<String>,
    /// Name and password.
    pub user: Option<(String, String)>,
}

/// The way in, open.
pub struct Direct {
    client: kube::Client,
    url: String,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("url", &self.url).finish()
    }
}

/// The text of a file that holds one secret; its last line end is not part of it.
///
/// # Errors
/// It cannot be read, or is empty.
pub fn secret(path: &Path) -> Result<String, Error> {
    let failed = || Error::new(say::file_unusable(&path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| failed().cause(e))?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    match text.is_empty() {
        true => Err(failed().cause(say::IS_EMPTY)),
        false => Ok(text),
    }
}

impl Direct {
    /// Makes no request. Needs a tokio runtime.
    ///
    /// # Errors
    /// What is no URL of a Prometheus, one that carries credentials, a CA file that cannot be read.
    pub fn new(way: Way) -> Result<Direct, Error> {
        let wrong = |why: &str| {
            Error::new(say::URL_UNUSABLE)
                .cause(why)
                .hint(say::GIVE_THE_URL_AS)
        };
        let uri: Uri = way
            .url
            .trim_end_matches('/')
            .parse()
            .map_err(|_| wrong(say::IS_NO_URL))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong(say::NO_HTTP));
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(wrong(say::CARRIES_CREDENTIALS).hint(say::NAME_THE_USER));
        }
        if uri.query().is_some() {
            return Err(wrong(say::HAS_A_QUERY));
        }
        let plain = uri.scheme_str() == Some("http");
        let local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if plain && !local && (way.token.is_some() || way.user.is_some()) {
            return Err(wrong(say::CREDENTIALS_IN_PLAINTEXT).hint(say::USE_HTTPS));
        }
        let url = uri.to_string().trim_end_matches('/').to_owned();
        let mut config = kube::Config::new(uri);
        config.default_retry = false;
        if let Some(file) = &way.ca {
            let read = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<CertificateDer<'_>>, _>>)
                .map_err(|e| Error::new(say::ca_file_cannot_be_read(&file.display())).cause(e))?;
            if read.is_empty() {
                return Err(Error::new(say::ca_file_is_empty(&file.display())));
            }
            config.root_cert = Some(read.iter().map(|der| der.to_vec()).collect());
        }
        let auth = match (&way.token, &way.user) {
            (Some(token), _) => json!({"token": token}),
            (None, Some((name, password))) => json!({"username": name, "password": password}),
            (None, None) => json!({}),
        };
        // Serde's words could hold the value.
        config.auth_info = serde_json::from_value(auth)
            .map_err(|_| Error::new(say::PROMETHEUS_CREDENTIALS_UNUSABLE))?;
        let client = transport::client(&config)
            .map_err(|e| Error::new(say::prometheus_client_not_created(&url)).cause(e))?;
        Ok(Direct { client, url })
    }

    /// For words.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn ask(&self, method: Method, path: &str) -> Result<Proxied, ApiError> {
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("Accept", "application/json")
            .body(Body::empty())
            .map_err(|e| ApiError::garbled(&method, path, e))?;
        let asked = Asked::of(&method, request.uri());
        let exchange = async {
            let answer = self.client.send(request).await;
            asked.log(answer.as_ref().map(Response::status));
            let answer = answer.map_err(|e| ApiError::transport(&method, path, e))?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await;
            let body = body
                .map_err(|e| ApiError::cut(&method, path, e))?
                .to_bytes();
            Ok(Proxied { status, body })
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| ApiError::timeout(&method, path, TIMEOUT))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn way(url: &str) -> Way {
        Way {
            url: url.into(),
            ..Way::default()
        }
    }

    fn refused(way: Way) -> String {
        Direct::new(way).expect_err("refused").to_string()
    }

    #[tokio::test]
    async fn what_is_no_way_in_is_refused_without_a_word_of_its_secrets() {
        for url in ["prometheus:9090", "ftp://p", "https://p/?x=1", "http://"] {
            refused(way(url));
        }
        let words = refused(way("https://me:hunter2@p.example"));
        assert!(!words.contains("hunter2"), "{words}");
        let user = Some(("me".to_owned(), "hunter2".to_owned()));
        let words = refused(Way {
            user: user.clone(),
            ..way("http://p.example")
        });
        assert!(
            words.contains(say::CREDENTIALS_IN_PLAINTEXT) && !words.contains("hunter2"),
            "{words}"
        );
        let local = Way {
            user,
            ..way("http://127.0.0.1:9090")
        };
        let open = Direct::new(local).expect("a way");
        assert!(!format!("{open:?}").contains("hunter2"));
        refused(Way {
            ca: Some("/nowhere/ca.pem".into()),
            ..way("https://p.example")
        });
    }

    #[tokio::test]
    async fn the_prefix_and_the_credentials_go_along() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a head"));
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer).await.expect("written");
            String::from_utf8(head).expect("text").to_lowercase()
        });
        let open = Direct::new(Way {
            token: Some("t0ken".into()),
            ..way(&format!("http://{address}/metrics/"))
        });
        let answer = open.expect("a way").ask(Method::GET, "/-/ready").await;
        assert_eq!(answer.expect("an answer").status, 200);
        let head = server.await.expect("the server");
        assert!(head.starts_with("get /metrics/-/ready "), "{head}");
        assert!(head.contains("authorization: bearer t0ken"), "{head}");
    }
}
