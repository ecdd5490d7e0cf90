//! API servers whose certificate says that it is a CA: kubectl connects to them, rustls refuses
//! (`CaUsedAsEndEntity`). Small clusters made by hand with openssl have such certificates.
//!
//! Only where the kubeconfig names its own CA, and only after rustls gave that very reason, the rest of the
//! check is made here: signed by that CA, valid now, issued for this host.

use kube::client::ConfigExt;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tower::BoxError;
use webpki::EndEntityCert;
use x509_cert::Certificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode, Encode};

/// rustls's word for it inside the transport's error.
const REFUSED_AS_CA: &str = "CaUsedAsEndEntity";

/// What a configuration says of TLS, such certificates allowed for.
///
/// # Errors
/// Certificates or keys that cannot be read.
pub fn client_config(config: &kube::Config) -> Result<rustls::ClientConfig, BoxError> {
    let mut tls = config.rustls_client_config()?;
    // In a pod kube reads the CA's file again and again, by a verifier of its own.
    if config.accept_invalid_certs || config.root_cert_file.is_some() {
        return Ok(tls);
    }
    let Some(roots) = config.root_cert.clone() else {
        return Ok(tls);
    };
    let mut store = RootCertStore::empty();
    for root in &roots {
        store.add(CertificateDer::from(root.clone()))?;
    }
    let inner = WebPkiServerVerifier::builder(Arc::new(store)).build()?;
    tls.dangerous()
        .set_certificate_verifier(Arc::new(Verifier { inner, roots }));
    Ok(tls)
}

#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    /// DER of the kubeconfig's CA certificates.
    roots: Vec<Vec<u8>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(leaf, others, name, ocsp, now) {
            Err(refused) if format!("{refused:?}").contains(REFUSED_AS_CA) => {
                if self.stands_otherwise(leaf, name, now) == Some(true) {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
                }
            }
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Verifier {
    /// Signed by one of the roots, for this host, and valid now. `None`: not a certificate.
    fn stands_otherwise(
        &self,
        leaf: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<bool> {
        let cert = EndEntityCert::try_from(leaf).ok()?;
        cert.verify_is_valid_for_subject_name(name).ok()?;
        let signed = Certificate::from_der(leaf).ok()?;
        let body = signed.tbs_certificate();
        let validity = body.validity();
        let (from, to) = (validity.not_before, validity.not_after);
        if !(from.to_unix_duration().as_secs()..=to.to_unix_duration().as_secs())
            .contains(&now.as_secs())
        {
            return Some(false);
        }
        // As rustls names it: without its own tag and length.
        let algorithm = signed.signature_algorithm().to_der().ok()?;
        let algorithm = AnyRef::from_der(&algorithm).ok()?.value();
        let body = body.to_der().ok()?;
        let signature = signed.signature().as_bytes()?;
        let algorithms: Vec<&'static dyn SignatureVerificationAlgorithm> =
            rustls::crypto::ring::default_provider()
                .signature_verification_algorithms
                .all
                .to_vec();
        Some(self.roots.iter().any(|root| {
            let root = CertificateDer::from(root.as_slice());
            let Ok(root) = EndEntityCert::try_from(&root) else {
                return false;
            };
            algorithms
                .iter()
                .filter(|one| one.signature_alg_id().as_ref() == algorithm)
                .any(|one| root.verify_signature(*one, &body, signature).is_ok())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use std::time::Duration;

    /// A root, and a server's certificate that it signed and that says that it is a CA: made by openssl, valid from the
    /// first of December 2026 for ten years, for `api.example.org`. Nobody has their keys.
    const ROOT: &str = "MIIBczCCARmgAwIBAgIUJodnzsIzOrSkQedWdv25iaIeR5gwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEcm9vdDAeFw0yNjEy\
         MDEwOTMyMzNaFw0zNjExMjgwOTMyMzNaMA8xDTALBgNVBAMMBHJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATZXflv\
         0Oz0J41ptw0l80JWMCjmEPoGXqgMXbtgQXZHmh/Dix2ed2NUC9VzFeH/xyr6ddWL1yPHoujhGHAfWhWzo1MwUTAdBgNVHQ4E\
         FgQULR5fbUpx1X9hLu6cBP4A3wW0YvAwHwYDVR0jBBgwFoAULR5fbUpx1X9hLu6cBP4A3wW0YvAwDwYDVR0TAQH/BAUwAwEB\
         /zAKBggqhkjOPQQDAgNIADBFAiEAx90E8nc96P2vyO9L9o1mX8eh3/SwBIkuSsKy8WCyo0MCIEOBvng0r/1HHJpdUhLXNFLg\
         UMekttxx1VM5ulkI5+QQ";
    const LEAF: &str = "MIIBjjCCATSgAwIBAgIUTi/mMIm9aCH3BEF7ldATzUImqmEwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEcm9vdDAeFw0yNjEy\
         MDEwOTMyMzNaFw0zNjExMjgwOTMyMzNaMA4xDDAKBgNVBAMMA2FwaTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCasS0co\
         fvrz5xGFIrhsczSeu+0b7fNc/M0l7Ljc0tdMrTJQqUCDoKitYzLnyx7YfRiZCn1+jd3+8kNipSKGKV6jbzBtMA8GA1UdEwEB\
         /wQFMAMBAf8wGgYDVR0RBBMwEYIPYXBpLmV4YW1wbGUub3JnMB0GA1UdDgQWBBT+mTYmCAj/lNSWuA+gs1YANNxBCzAfBgNV\
         HSMEGDAWgBQtHl9tSnHVf2Eu7pwE/gDfBbRi8DAKBggqhkjOPQQDAgNIADBFAiBW2K0mWDK3QhsqoURI4KM72Zf+P1rGWwVw\
         4xemw0KJPQIhAKydFXqERgVHJCWW5WZH+eGqhpDH7P1PTSkOZmkN/V2r";
    const VALID: u64 = 1_800_000_000;

    fn der(text: &str) -> Vec<u8> {
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(text).expect("base64")
    }

    fn stands(root: &[u8], leaf: &[u8], host: &str, at: u64) -> Option<bool> {
        let mut store = RootCertStore::empty();
        let trusted = CertificateDer::from(der(ROOT));
        store.add(trusted).expect("a root");
        let verifier = Verifier {
            inner: WebPkiServerVerifier::builder_with_provider(
                Arc::new(store),
                Arc::new(rustls::crypto::ring::default_provider()),
            )
            .build()
            .expect("a verifier"),
            roots: vec![root.to_vec()],
        };
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        verifier.stands_otherwise(&CertificateDer::from(leaf), &name, now)
    }

    #[test]
    fn a_server_that_says_it_is_a_ca_stands_by_root_host_and_time() {
        let (root, leaf) = (der(ROOT), der(LEAF));
        assert_eq!(stands(&root, &leaf, "api.example.org", VALID), Some(true));
        assert_eq!(stands(&root, &leaf, "other.example.org", VALID), None);
        for at in [VALID - 20_000_000, VALID + 600_000_000] {
            assert_eq!(
                stands(&root, &leaf, "api.example.org", at),
                Some(false),
                "{at}"
            );
        }
        // Signed by another, or changed on the way.
        assert_eq!(stands(&leaf, &leaf, "api.example.org", VALID), Some(false));
        let mut changed = leaf.clone();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        assert_ne!(
            stands(&root, &changed, "api.example.org", VALID),
            Some(true)
        );
        assert_eq!(stands(&root, &leaf[..40], "api.example.org", VALID), None);
    }
}
