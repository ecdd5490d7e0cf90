//! ConfigMaps whose name ends with the hash of their content: kustomize and `kubectl create --append-hash` make them
//! anew from a file, and write the file's text over whatever was changed in the cluster.
//!
//! Source: `sigs.k8s.io/kustomize/api/hasher`, `k8s.io/kubectl/pkg/util/hash`.

use super::objects::ConfigMap;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Characters of the hash in the name.
const LENGTH: usize = 10;

/// Its content is still that of the file.
pub(super) fn generated(map: &ConfigMap) -> bool {
    let Some((name, ending)) = map.metadata.name.rsplit_once('-') else {
        return false;
    };
    ending.len() == LENGTH && hash(name, map) == ending
}

fn hash(name: &str, map: &ConfigMap) -> String {
    let mut hashed = json!({"kind": "ConfigMap", "name": name, "data": map.data});
    if !map.binary_data.is_empty() {
        hashed["binaryData"] = json!(map.binary_data);
    }
    let digest = Sha256::digest(as_go_writes(&hashed.to_string()));
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.take(LENGTH).map(letter).collect()
}

/// Go's encoder escapes what could end a script in HTML.
fn as_go_writes(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A hexadecimal digit, without those that could make a word.
fn letter(digit: u8) -> char {
    char::from(b"gh2k456789mbcdtf"[usize::from(digit)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str, data: &[(&str, &str)], binary: &[(&str, &str)]) -> ConfigMap {
        let owned = |of: &[(&str, &str)]| {
            let pairs = of.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut map = ConfigMap {
            data: owned(data),
            binary_data: owned(binary),
            ..ConfigMap::default()
        };
        map.metadata.name = name.into();
        map
    }

    /// The values are those of the hashers' own tests.
    #[test]
    fn the_hash_is_that_of_kustomize() {
        let one = [("one", "")];
        assert!(generated(&map("-9g67k2htb6", &one, &[])));
        assert!(generated(&map("-698h7c7t9m", &one, &[("two", "")])));
        // Another name, or another text, has another hash.
        assert!(!generated(&map("config-9g67k2htb6", &one, &[])));
        assert!(!generated(&map("-9g67k2htb6", &[("one", "edited")], &[])));
        for name in ["prometheus", "a-b", "-9g67k2htb"] {
            assert!(!generated(&map(name, &one, &[])), "{name}");
        }
    }

    /// The value was computed with Go's `encoding/json`.
    #[test]
    fn characters_of_html_are_hashed_as_go_writes_them() {
        let data = [("prometheus.yml", "a: '<b> & c'\n")];
        assert!(generated(&map("prom-k7c585h6k5", &data, &[])));
    }
}
