//! Lists, page by page: everywhere, else namespace by namespace.

use super::keep::Keep;
use super::{Asker, Place};
use crate::cluster::error::{ApiError, Reason};
use crate::mesh::Progress;
use crate::mesh::kinds::Kind;
use std::sync::Arc;

/// A list whose pages grew too old is begun anew, so many times.
const RESTARTS: usize = 3;
/// Without the right to list everything, so many namespaces are tried one by one.
pub(super) const MOST_NAMESPACES: usize = 200;

pub(super) fn ending(kind: Kind, outcome: &Result<usize, ApiError>) -> Progress {
    match outcome {
        Ok(_) => Progress::Complete,
        Err(error) => refused(kind, error),
    }
}

/// What a failed list means for the rows that are missing.
fn refused(kind: Kind, error: &ApiError) -> Progress {
    // Every cluster has these; of the others a CRD may be absent.
    let built_in = matches!(
        kind.group(),
        "" | "apps" | "admissionregistration.k8s.io" | "networking.k8s.io"
    );
    let named = match error.message.contains(kind.plural()) {
        true => error.message.clone(),
        false => format!("{}: {}", kind.plural(), error.message),
    };
    match error.reason {
        Reason::Forbidden => Progress::Denied(named),
        Reason::NotFound if !built_in => Progress::Absent,
        _ => Progress::Failed(crate::mesh::Failure {
            why: format!("{named}; {}", error.hint()),
            expired: error.reason == Reason::Unauthorized,
        }),
    }
}

/// Lists one kind: everywhere, else namespace by namespace.
pub(super) async fn list<T: Keep>(asker: Asker, kind: Kind, place: Place<T>) {
    let namespaced = kind.row().3;
    let only = asker.only.clone().filter(|_| namespaced);
    let namespaces = match only {
        Some(only) => only,
        None => {
            let outcome = pages(&asker, kind, None, place, 0).await;
            let denied = matches!(&outcome, Err(error) if error.reason == Reason::Forbidden);
            let known = if denied && namespaced {
                known_namespaces(&asker).await
            } else {
                None
            };
            match known {
                Some(known) if known.len() <= MOST_NAMESPACES => known,
                _ => return asker.settle(place, ending(kind, &outcome)),
            }
        }
    };
    let mut seen = 0;
    let mut missing: Vec<&str> = Vec::new();
    let mut last = None;
    for namespace in namespaces.iter() {
        match pages(&asker, kind, Some(namespace), place, seen).await {
            Ok(more) => seen += more,
            Err(error) => {
                let hopeless = error.reason != Reason::Forbidden;
                missing.push(namespace);
                last = Some(error);
                if hopeless {
                    break;
                }
            }
        }
    }
    let progress = match last {
        None => Progress::Complete,
        Some(error) if error.reason != Reason::Forbidden => refused(kind, &error),
        Some(error) if missing.len() == namespaces.len() => refused(kind, &error),
        Some(_) => Progress::DeniedIn {
            what: kind.plural(),
            namespaces: missing.into_iter().map(str::to_owned).collect(),
        },
    };
    asker.settle(place, progress);
}

/// Waits for the list of namespaces; `None`: it cannot be had.
pub(super) async fn known_namespaces(asker: &Asker) -> Option<Arc<[String]>> {
    let mut names = asker.names.clone();
    let names = names.wait_for(Option::is_some).await.ok()?;
    names.clone().flatten()
}

/// Reads all pages of one list and returns how many items there were. A page is decoded on a thread for such
/// work while the next one is on its way; no more than two are held at a time.
pub(super) async fn pages<T: Keep>(
    asker: &Asker,
    kind: Kind,
    namespace: Option<&str>,
    place: Place<T>,
    before: usize,
) -> Result<usize, ApiError> {
    let mut restarts = 0;
    'anew: loop {
        let mut seen = 0;
        let mut token: Option<String> = None;
        let mut decoding: Option<tokio::task::JoinHandle<Result<usize, String>>> = None;
        loop {
            let page = match asker
                .cluster
                .raw_page(kind, namespace, token.as_deref())
                .await
            {
                Ok(page) => page,
                Err(error) if error.reason == Reason::Gone && restarts < RESTARTS => {
                    restarts += 1;
                    // What came of the old list goes when the last page of it is decoded.
                    if let Some(decoding) = decoding {
                        let _ = decoding.await;
                    }
                    asker.tell(move |inventory| {
                        let listing = place(inventory);
                        listing.items.truncate(before);
                        listing.progress = Progress::Waiting;
                    });
                    continue 'anew;
                }
                Err(error) => return Err(error),
            };
            if let Some(decoding) = decoding.take() {
                seen += decoded(decoding, kind, namespace).await?;
            }
            let rest = page.remaining;
            token = page.next;
            let told = asker.clone();
            let so_far = before + seen;
            decoding = Some(tokio::task::spawn_blocking(move || {
                let items = decode::<T>(&page.body)?;
                let count = items.len();
                told.tell(move |inventory| {
                    let listing = place(inventory);
                    if listing.items.is_empty() {
                        listing.items.reserve_exact(count + rest.unwrap_or(0));
                    }
                    listing.items.extend(items);
                    listing.progress = Progress::Filling {
                        seen: so_far + count,
                        about: rest.map(|rest| so_far + count + rest),
                    };
                });
                Ok(count)
            }));
            if token.is_none() {
                break;
            }
        }
        if let Some(decoding) = decoding {
            seen += decoded(decoding, kind, namespace).await?;
        }
        return Ok(seen);
    }
}

fn decode<T: Keep>(body: &[u8]) -> Result<Vec<T>, String> {
    #[derive(serde::Deserialize)]
    struct Items<T> {
        items: Option<Vec<T>>,
    }
    let list: Items<T> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut items = list.items.unwrap_or_default();
    T::prune_page(&mut items);
    Ok(items)
}

async fn decoded(
    decoding: tokio::task::JoinHandle<Result<usize, String>>,
    kind: Kind,
    namespace: Option<&str>,
) -> Result<usize, ApiError> {
    match decoding.await {
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => Err(ApiError::garbled(
            &http::Method::GET,
            &kind.path(namespace),
            error,
        )),
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(failure) => Err(ApiError::cut(
                &http::Method::GET,
                &kind.path(namespace),
                failure,
            )),
        },
    }
}
