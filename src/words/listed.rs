//! Lists in words: how far a listing came, and the table of codes.

use super::say::commands::check as say;
use super::{explanation, title};
use crate::mesh::{Progress, Unread};
use crate::problems::Code;
use std::borrow::Cow;
use std::fmt::Write;

/// Why a list is not whole; `None`: it is, or is still on its way.
pub fn progress(of: &Progress) -> Option<Cow<'_, str>> {
    match of {
        Progress::Denied(why) => Some(why.into()),
        Progress::Failed(failure) => Some((&*failure.why).into()),
        Progress::DeniedIn { what, namespaces } => {
            Some(say::not_listed_in(what, &namespaces.join(", ")).into())
        }
        Progress::Waiting | Progress::Filling { .. } | Progress::Complete | Progress::Absent => {
            None
        }
    }
}

/// Why Prometheus's configuration could not be read.
pub fn unread(why: &Unread) -> String {
    super::en::unread(why)
}

/// The table of codes, as the README shows it.
pub fn table() -> String {
    let mut out =
        String::from("| code | severity | what | `istioctl analyze` |\n|---|---|---|---|\n");
    for code in Code::ALL {
        let _ = writeln!(
            out,
            "| {code} | {} | {} | {} |",
            code.severity().name(),
            title(*code),
            code.ist().unwrap_or("")
        );
    }
    out
}

/// One code as `check --explain` prints it.
pub fn explained(code: Code) -> String {
    let mut out = format!(
        "{code} ({}): {}\n\n{}\n\n{}\n",
        code.name(),
        title(code),
        explanation(code),
        say::severity(code.severity().name())
    );
    if !code.fields().is_empty() {
        let _ = writeln!(out, "{}", say::evidence(&code.fields().join(", ")));
    }
    if let Some(ist) = code.ist() {
        let _ = writeln!(out, "istioctl analyze: {ist}");
    }
    out
}
