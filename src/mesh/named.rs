//! A workload as a person names it: `cart`, `shop/cart`, `deployment/cart`, or whole as `shop/Deployment/cart`.

use super::Mesh;
use super::kinds::{Kind, WorkloadRef};
use crate::error::{Error, nearest};
use crate::text::few;
use std::fmt;

/// What was said of a workload's name; what was left out is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub namespace: Option<String>,
    pub kind: Option<Kind>,
    pub name: String,
}

impl From<WorkloadRef> for Named {
    fn from(of: WorkloadRef) -> Named {
        Named {
            namespace: Some(of.namespace),
            kind: Some(of.kind),
            name: of.name,
        }
    }
}

impl std::str::FromStr for Named {
    type Err = String;

    /// Of two parts the first is a kind where it is the word for one, and a namespace else.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(format!("`{text}` lacks a namespace, a kind or a name"));
        }
        Ok(match parts[..] {
            [name] => Named {
                namespace: None,
                kind: None,
                name: name.into(),
            },
            [first, name] => match Kind::of_workload(first) {
                Some(kind) => Named {
                    namespace: None,
                    kind: Some(kind),
                    name: name.into(),
                },
                None => Named {
                    namespace: Some(first.into()),
                    kind: None,
                    name: name.into(),
                },
            },
            _ => text.parse::<WorkloadRef>()?.into(),
        })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        if let Some(kind) = self.kind {
            write!(f, "{}/", kind.name())?;
        }
        f.write_str(&self.name)
    }
}

impl Named {
    /// The name where nothing of it has to be looked up.
    pub fn whole(&self) -> Option<WorkloadRef> {
        let (namespace, kind) = (self.namespace.as_ref()?, self.kind?);
        Some(WorkloadRef::new(namespace, kind, &self.name))
    }

    /// The one workload that is meant. A name given whole stands for itself, there or not: what is wrong with it is said
    /// where it is used.
    ///
    /// # Errors
    /// None is called so, or several are.
    pub fn find(&self, mesh: &Mesh) -> Result<WorkloadRef, Error> {
        if let Some(whole) = self.whole() {
            return Ok(whole);
        }
        let fits = |id: &&WorkloadRef| {
            id.name == self.name
                && self.kind.is_none_or(|kind| kind == id.kind)
                && self.namespace.as_ref().is_none_or(|ns| *ns == id.namespace)
        };
        let ids = || mesh.workloads.iter().map(|workload| &workload.id);
        let found: Vec<&WorkloadRef> = ids().filter(fits).collect();
        match found[..] {
            [one] => Ok(one.clone()),
            [] => Err(self.missing(mesh)),
            _ => {
                let names: Vec<String> = found.iter().map(ToString::to_string).collect();
                Err(
                    Error::new(format!("`{self}` names {} workloads", found.len()))
                        .cause(few(&names, 6))
                        .hint("name one of them whole: -w NAMESPACE/KIND/NAME"),
                )
            }
        }
    }

    fn missing(&self, mesh: &Mesh) -> Error {
        let error = Error::new(format!("there is no workload `{self}`"));
        let gateways = mesh.gateways.iter().map(|gateway| &gateway.workload.id);
        let mut gateways = gateways.filter(|id| id.name == self.name);
        if let Some(id) = gateways.next() {
            return error.hint(format!(
                "{} is a gateway: -g {}/{}",
                self.name, id.namespace, id.name
            ));
        }
        let names = mesh.workloads.iter().map(|workload| &workload.id);
        let near = nearest(&self.name, names.clone().map(|id| id.name.as_str()));
        let near = near.and_then(|near| names.clone().find(|id| id.name == near));
        match near {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("meshscrape in a terminal lists all workloads"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_their_number_and_by_the_words_for_kinds() {
        let said = |text: &str| text.parse::<Named>().map(|named| named.to_string());
        for (text, meant) in [
            ("cart", "cart"),
            ("shop/cart", "shop/cart"),
            ("deployment/cart", "Deployment/cart"),
            ("sts/db", "StatefulSet/db"),
            ("shop/deploy/cart", "shop/Deployment/cart"),
        ] {
            assert_eq!(said(text).as_deref(), Ok(meant), "{text}");
        }
        for text in ["", "shop/", "/cart", "shop/Job/cart", "a/b/c/d"] {
            assert!(said(text).is_err(), "{text}");
        }
    }
}
