//! From a kube configuration to one HTTP client: TCP or a proxy, TLS, credentials.
//!
//! kube's own builder makes a whole client for each kind of proxy. Here the connection is boxed, so that one
//! client serves them all, and a server's unusual certificate is taken through any of them.

use super::tls;
use crate::words::say::cluster as say;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use rustls::pki_types::ServerName;
use std::io::{IoSlice, Result as IoResult};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;

type Connector = BoxCloneSyncService<Uri, Wire, BoxError>;

/// The client for a configuration. Runs its credential plugin, and waits for it.
///
/// # Errors
/// Certificates, keys or credentials that cannot be read or had; a proxy of a kind that is not known.
pub fn client(config: &kube::Config) -> Result<kube::Client, BoxError> {
    let connector = https(config, through_proxy(config)?)?;
    let http: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(
            DecompressionLayer::new()
                .no_br()
                .no_deflate()
                .no_zstd()
                .gzip(!config.disable_compression),
        )
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http)
        .boxed();
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

/// TLS as the configuration wants it, over any connection.
fn https(config: &kube::Config, over: Connector) -> Result<HttpsConnector<Connector>, BoxError> {
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls::client_config(config)?)
        .https_or_http();
    let builder = match &config.tls_server_name {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(
            ServerName::try_from(name.clone())?,
        )),
        None => builder,
    };
    Ok(builder.enable_http1().wrap_connector(over))
}

fn through_proxy(config: &kube::Config) -> Result<Connector, BoxError> {
    let mut tcp = HttpConnector::new();
    // TLS comes on top of it.
    tcp.enforce_http(false);
    let tcp = boxed(tcp);
    let Some(proxy) = config.proxy_url.clone() else {
        return Ok(tcp);
    };
    match proxy.scheme_str() {
        Some("socks5") => {
            let socks = SocksV5::new(proxy.clone(), tcp);
            Ok(boxed(match user(&proxy) {
                Some((name, password)) => socks.with_auth(name, password),
                None => socks,
            }))
        }
        Some("http") => Ok(boxed(tunnel(proxy, tcp)?)),
        Some("https") => {
            let inner = boxed(https(config, tcp)?);
            Ok(boxed(tunnel(proxy, inner)?))
        }
        _ => Err(say::not_a_proxy(&proxy).into()),
    }
}

fn tunnel(proxy: Uri, inner: Connector) -> Result<Tunnel<Connector>, BoxError> {
    let user = user(&proxy);
    let tunnel = Tunnel::new(proxy, inner);
    let Some((name, password)) = user else {
        return Ok(tunnel);
    };
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    Ok(tunnel.with_auth(HeaderValue::from_str(&basic)?))
}

/// Name and password of a proxy's address. In a URI both stand percent-encoded.
fn user(proxy: &Uri) -> Option<(String, String)> {
    let (user, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let plain = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        bytes.decode_utf8_lossy().into_owned()
    };
    Some((plain(name), plain(password)))
}

/// What a connection must be able to do.
trait Stream: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Stream for T {}

/// A connection of any kind.
struct Wire(Box<dyn Stream>);

fn boxed<S>(service: S) -> Connector
where
    S: Service<Uri> + Clone + Send + Sync + 'static,
    S::Response: Stream + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    let service = service.map_response(|stream| Wire(Box::new(stream)));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::Request;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

    /// Reads to the empty line that ends a request's head.
    async fn head(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.expect("a head"));
        }
        String::from_utf8(text).expect("text")
    }

    async fn ask(proxy: &str) -> Result<Bytes, BoxError> {
        let mut config = kube::Config::new("http://api.example:6443".parse()?);
        config.proxy_url = Some(proxy.parse()?);
        let client = client(&config)?;
        let answer = client.send(Request::get("/version").body(Body::empty())?);
        Ok(answer.await?.into_body().collect().await?.to_bytes())
    }

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        (listener, address)
    }

    #[tokio::test]
    async fn an_http_proxy_is_asked_for_a_tunnel_with_its_user() {
        let (listener, address) = listening().await;
        let proxy = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let connect = head(&mut stream).await;
            let made = b"HTTP/1.1 200 OK\r\n\r\n";
            stream.write_all(made).await.expect("written");
            let request = head(&mut stream).await;
            stream.write_all(ANSWER).await.expect("written");
            (connect, request)
        });
        let answer = ask(&format!("http://ann:p%40ss@{address}")).await;
        assert_eq!(answer.expect("an answer"), "hello");
        let (connect, request) = proxy.await.expect("the proxy");
        assert!(
            connect.starts_with("CONNECT api.example:6443 "),
            "{connect}"
        );
        // `ann:p@ss` in base64.
        assert!(
            connect
                .to_lowercase()
                .contains("proxy-authorization: basic yw5uonbac3m="),
            "{connect}"
        );
        assert!(request.starts_with("GET /version "), "{request}");
        assert!(
            !request.to_lowercase().contains("proxy-authorization"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn a_socks_proxy_is_given_the_name_to_look_up() {
        let (listener, address) = listening().await;
        let proxy = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).await.expect("a greeting");
            stream.write_all(&[5, 0]).await.expect("written");
            // Version, connect, reserved, by name, its length.
            let mut wanted = [0; 5];
            stream.read_exact(&mut wanted).await.expect("a request");
            assert_eq!(wanted[..4], [5, 1, 0, 3]);
            let mut name = vec![0; usize::from(wanted[4])];
            stream.read_exact(&mut name).await.expect("a name");
            let port = stream.read_u16().await.expect("a port");
            let made = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
            stream.write_all(&made).await.expect("written");
            head(&mut stream).await;
            stream.write_all(ANSWER).await.expect("written");
            (String::from_utf8(name).expect("text"), port)
        });
        let answer = ask(&format!("socks5://{address}")).await;
        assert_eq!(answer.expect("an answer"), "hello");
        assert_eq!(
            proxy.await.expect("the proxy"),
            ("api.example".to_owned(), 6443)
        );
    }

    #[tokio::test]
    async fn a_proxy_of_an_unknown_kind_is_named() {
        let error = ask("ftp://127.0.0.1:1").await.expect_err("no such proxy");
        assert!(error.to_string().contains("ftp://127.0.0.1:1"), "{error}");
    }
}
