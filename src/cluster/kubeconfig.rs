//! The files of a kubeconfig, merged as kubectl merges them: which of them count, and errors that name the file and the
//! place without the value there. kube reads each.

use crate::error::Error;
use crate::words::say::cluster as say;
use kube::config::Kubeconfig;
use std::path::{Path, PathBuf};

/// All files that count: the one named, else those of `$KUBECONFIG`, else `~/.kube/config`. `None` where there is
/// none at all.
///
/// # Errors
/// A file that cannot be read, or that is broken: the error names it, and the place in it.
pub(super) fn load(kubeconfig: Option<&Path>) -> Result<Option<Kubeconfig>, Error> {
    if let Some(path) = kubeconfig {
        return read(path).map(Some);
    }
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|value| {
            std::env::split_paths(&value)
                .filter(|path| !path.as_os_str().is_empty())
                .collect()
        })
        .unwrap_or_default();
    if let [only] = &listed[..] {
        return read(only).map(Some);
    }
    let paths = match listed.is_empty() {
        false => listed,
        true => home()
            .map(|home| vec![home.join(".kube/config")])
            .unwrap_or_default(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(before) => before
                .merge(next)
                .map_err(|e| broken(path, &e.to_string()))?,
        });
    }
    Ok(merged)
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
}

/// One file: its documents merged, an empty one being an empty kubeconfig; files that it names are named from where it
/// lies.
fn read(path: &Path) -> Result<Kubeconfig, Error> {
    use kube::config::KubeconfigError as Failed;
    Kubeconfig::read_from(path).map_err(|error| match error {
        Failed::ReadConfig(error, _) => Error::new(say::kubeconfig_cannot_be_read(&path.display()))
            .cause(crate::fault::io(&error))
            .hint(say::CHECK_THE_PATH),
        error => broken(path, &unquoted(&error.to_string())),
    })
}

fn broken(path: &Path, why: &str) -> Error {
    Error::new(say::kubeconfig_is_broken(&path.display()))
        .cause(first_line(why))
        .hint(say::FIX_THE_FILE)
}

/// A message without the value that it quotes, which may be a credential in the wrong place.
fn unquoted(text: &str) -> String {
    match (text.find('"'), text.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}…{}", &text[..=from], &text[to..]),
        _ => text.to_owned(),
    }
}

/// A parser's message without the excerpt of the file, which may hold credentials.
pub(super) fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    // Some parsers name the place on a line of its own.
    match lines.find_map(|line| line.strip_prefix("--> ")) {
        Some(place) => format!("{first} ({place})"),
        None => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("config");
        std::fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn files_are_named_from_where_the_kubeconfig_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file(
            folder.path(),
            "
clusters:
- {name: c, cluster: {server: 'https://h', certificate-authority: ca.crt}}
users:
- {name: u, user: {client-certificate: /abs/u.crt, client-key: keys/u.key, tokenFile: token}}
- {name: looked-up, user: {exec: {command: aws}}}
- {name: beside, user: {exec: {command: ./bin/token}}}
---
current-context: x
",
        );
        let read = read(&path).expect("a good kubeconfig");
        let here = |name: &str| Some(folder.path().join(name).to_str().unwrap().to_owned());
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority, here("ca.crt"));
        let user = |n: usize| read.auth_infos[n].auth_info.as_ref().unwrap();
        assert_eq!(user(0).client_certificate.as_deref(), Some("/abs/u.crt"));
        assert_eq!(user(0).client_key, here("keys/u.key"));
        assert_eq!(user(0).token_file, here("token"));
        let command = |n: usize| user(n).exec.as_ref().unwrap().command.clone();
        assert_eq!(command(1).as_deref(), Some("aws"));
        assert_eq!(command(2), here("./bin/token"));
        assert_eq!(read.current_context.as_deref(), Some("x"));
    }

    #[test]
    fn an_empty_file_is_an_empty_kubeconfig() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["", "# nothing\n", "---\n"] {
            let path = file(folder.path(), text);
            assert!(read(&path).expect(text).contexts.is_empty());
        }
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file(folder.path(), "users:\n- {name: u, user: s3cret-token}\n");
        let error = read(&path).expect_err("broken");
        let words = error.to_string() + &error.causes.join(" ");
        assert!(!words.contains("s3cret"), "{words}");
        assert!(words.contains("line 2"), "{words}");
    }
}
