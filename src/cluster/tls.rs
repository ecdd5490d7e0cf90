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
        let parts = Parts::of(leaf)?;
        if !(parts.not_before..=parts.not_after).contains(&now.as_secs()) {
            return Some(false);
        }
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
                .filter(|algorithm| algorithm.signature_alg_id().as_ref() == parts.algorithm)
                .any(|algorithm| {
                    root.verify_signature(*algorithm, parts.signed, parts.signature)
                        .is_ok()
                })
        }))
    }
}

/// The parts of a certificate that its issuer signed, and the signature (RFC 5280, 4.1).
struct Parts<'a> {
    signed: &'a [u8],
    /// The AlgorithmIdentifier without its own tag and length, as `signature_alg_id` gives it.
    algorithm: &'a [u8],
    signature: &'a [u8],
    /// Seconds since the epoch.
    not_before: u64,
    not_after: u64,
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;

impl<'a> Parts<'a> {
    fn of(certificate: &'a [u8]) -> Option<Self> {
        let (_, _, body, _) = element(certificate, Some(SEQUENCE))?;
        let (signed, _, tbs, rest) = element(body, Some(SEQUENCE))?;
        let (_, _, algorithm, rest) = element(rest, Some(SEQUENCE))?;
        let (_, _, bits, _) = element(rest, Some(BIT_STRING))?;
        // A bit string starts with the number of its unused bits: none in a signature.
        let (0, signature) = bits.split_first()? else {
            return None;
        };
        let mut rest = tbs;
        if tbs.first() == Some(&VERSION) {
            rest = element(rest, None)?.3;
        }
        for _serial_algorithm_issuer in 0..3 {
            rest = element(rest, None)?.3;
        }
        let (_, _, validity, _) = element(rest, Some(SEQUENCE))?;
        let (_, tag, not_before, rest) = element(validity, None)?;
        let not_before = time(tag, not_before)?;
        let (_, tag, not_after, _) = element(rest, None)?;
        Some(Parts {
            signed,
            algorithm,
            signature,
            not_before,
            not_after: time(tag, not_after)?,
        })
    }
}

/// A DER element split off: the whole of it, its tag, its content, and what follows.
type Element<'a> = (&'a [u8], u8, &'a [u8], &'a [u8]);

fn element(der: &[u8], wanted: Option<u8>) -> Option<Element<'_>> {
    let (&tag, rest) = der.split_first()?;
    if wanted.is_some_and(|wanted| wanted != tag) {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 || rest.len() < count {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        let length = digits.iter().fold(0, |sum, d| sum << 8 | usize::from(*d));
        (length, rest)
    };
    if rest.len() < length {
        return None;
    }
    let (content, rest) = rest.split_at(length);
    Some((&der[..der.len() - rest.len()], tag, content, rest))
}

/// UTCTime (two digits of the year, 50 and above are 19xx) or GeneralizedTime, both ending in Z.
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        _ => text.to_owned(),
    };
    let stamp = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    let seconds = stamp
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_second();
    u64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_elements_are_split_and_never_read_past_the_end() {
        assert_eq!(
            element(&[0x30, 2, 1, 2, 9], Some(SEQUENCE)),
            Some((&[0x30, 2, 1, 2][..], 0x30, &[1, 2][..], &[9][..]))
        );
        let mut long = vec![0x04, 0x81, 0x80];
        long.extend([7; 128]);
        assert_eq!(element(&long, None).unwrap().2.len(), 128);
        for broken in [
            &[][..],
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
        ] {
            assert_eq!(element(broken, None), None, "{broken:?}");
        }
        assert_eq!(element(&[0x02, 1, 1], Some(SEQUENCE)), None);
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(time(UTC_TIME, b"700101000001Z"), Some(1));
        assert_eq!(
            time(0x18, b"20261123110439Z"),
            time(UTC_TIME, b"261123110439Z")
        );
        assert_eq!(time(UTC_TIME, b"26112311"), None);
    }
}
