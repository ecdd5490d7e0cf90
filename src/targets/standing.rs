//! Whether the objects that open a pod's secure port, and guard it, stand and say what they must.
//!
//! What counts is what they come to together: what others add beside is no fault, and what takes the place of an
//! object of ours is none either.

use super::{Expected, reaching};
use crate::mesh::MtlsMode;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{
    AuthorizationPolicy, Gateway, Labels, Meta, PeerAuthentication, ServiceEntry, Sidecar,
    VirtualService,
};
use crate::problems::{Effect, Problem};
use crate::reach::authorization::{self, Refused};
use crate::reach::path::{Link, Rules, Step};
use crate::reach::rights::Looks;
use crate::reach::{Verdict, by_age, mtls, sidecar};
use serde_json::Value;
use std::sync::Arc;

static EVERYTHING: Value = Value::Null;
const METRICS_PATH: &str = "/stats/prometheus";

/// What was read of one kind, or why it could not be.
pub type Read<T> = Result<Vec<T>, String>;

/// The objects of one namespace that can open or guard a port.
#[derive(Clone, Debug)]
pub struct Objects {
    pub peers: Read<PeerAuthentication>,
    pub policies: Read<AuthorizationPolicy>,
    pub sidecars: Read<Sidecar>,
    /// Of every namespace: their selectors reach into any.
    pub gateways: Read<Gateway>,
    pub routes: Read<VirtualService>,
    pub entries: Read<ServiceEntry>,
}

impl Default for Objects {
    fn default() -> Self {
        Objects {
            peers: Ok(Vec::new()),
            policies: Ok(Vec::new()),
            sidecars: Ok(Vec::new()),
            gateways: Ok(Vec::new()),
            routes: Ok(Vec::new()),
            entries: Ok(Vec::new()),
        }
    }
}

/// What holds for the whole mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ground {
    /// Prometheus's identity without `spiffe://`; `None`: not known.
    pub principal: Option<String>,
    /// Istio's root namespace; `None`: not known.
    pub root: Option<String>,
    /// Who else has that identity.
    pub shared_with: Vec<String>,
    /// Where Prometheus's pods are, for what NetworkPolicies and addresses decide.
    pub namespace: String,
    pub labels: Labels,
    pub addresses: Vec<String>,
    pub host_network: bool,
    /// The name of its ServiceAccount, and where its jobs list pods.
    pub account: String,
    pub looks: Option<Looks>,
    /// Settings of the mesh and namespaces' labels, as they were discovered; its policies are read anew.
    pub rules: Arc<Rules>,
}

/// What the objects of a pod's secure port came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Guard {
    /// There is nothing to look at: the pod is not annotated, or its own proxy keeps the port.
    #[default]
    NotAsked,
    Stands,
    /// The gravest first, never empty.
    Fails(Vec<Problem>),
    /// An object could not be read: why.
    Unknown(String),
}

/// Whether something demands mTLS on the secure port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Not asked, or not allowed to ask.
    #[default]
    Unknown,
    /// Nothing does, and no object of ours stands there.
    Absent,
    Strict,
    /// An object of ours stands there, and does not.
    NotStrict,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub guard: Guard,
    pub policy: Policy,
    /// The links of the path to it, where they were looked at.
    pub links: Vec<(Link, Step)>,
}

impl Guard {
    pub fn faults(&self) -> &[Problem] {
        match self {
            Guard::Fails(faults) => faults,
            _ => &[],
        }
    }

    /// Nothing that was looked at is wrong, and nothing was left unread.
    pub fn holds(&self) -> bool {
        matches!(self, Guard::NotAsked | Guard::Stands)
    }
}

/// Looks at one pod. `root` are the objects of Istio's root namespace, where they could be read.
pub fn standing(one: &Expected, here: &Objects, root: &Objects, ground: &Ground) -> Standing {
    let Some(port) = one.secure_port.as_deref() else {
        return Standing::default();
    };
    // Envoy's own TLS listener: it refuses whoever has no certificate of the mesh, and no object changes that.
    if one.native {
        return Standing {
            guard: Guard::NotAsked,
            policy: Policy::Strict,
            links: Vec::new(),
        };
    }
    let look = Look {
        one,
        here,
        root,
        ground,
        port,
    };
    let looked = match one.gateway {
        true => look.gateway(),
        false => look.workload(),
    };
    looked.unwrap_or_else(|why| Standing {
        guard: Guard::Unknown(why.to_owned()),
        policy: Policy::Unknown,
        links: Vec::new(),
    })
}

struct Look<'a> {
    one: &'a Expected,
    here: &'a Objects,
    root: &'a Objects,
    ground: &'a Ground,
    port: &'a str,
}

type Looked<'a, T> = Result<T, &'a str>;

fn read<T>(of: &Read<T>) -> Looked<'_, &[T]> {
    of.as_deref().map_err(String::as_str)
}

fn named<'a, T>(all: &'a [T], meta: fn(&T) -> &Meta, object: &ObjectRef) -> Option<&'a T> {
    all.iter().find(|one| {
        let meta = meta(one);
        meta.namespace == object.namespace && meta.name == object.name
    })
}

fn takes(selector: &Value, labels: &Labels) -> bool {
    let mut wanted = selector.as_object().into_iter().flatten();
    wanted.all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
}

fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map_or(&[], Vec::as_slice)
}

impl<'a> Look<'a> {
    fn workload(&self) -> Looked<'a, Standing> {
        let mut faults = Vec::new();
        faults.extend(self.listener()?);
        let (policy, fault) = self.mtls()?;
        faults.extend(fault);
        faults.extend(self.authorization()?);
        Ok(together(faults, policy))
    }

    fn ours(&self, kind: Kind) -> ObjectRef {
        let item = &self.one.item;
        item.ours(kind)
    }

    fn labels(&self) -> &'a Labels {
        &self.one.labels
    }

    fn gone(&self, object: ObjectRef, effect: Effect, breaks_scrapes: bool) -> Problem {
        let of = (&self.one.item).into();
        let (port, item) = (self.port.to_owned(), self.one.choice());
        match breaks_scrapes {
            true => Problem::ObjectGone {
                of,
                object,
                effect,
                port,
                item,
            },
            false => Problem::GuardGone {
                of,
                object,
                effect,
                port,
                item,
            },
        }
    }

    fn altered(
        &self,
        object: ObjectRef,
        field: &'static str,
        effect: Effect,
        breaks_scrapes: bool,
    ) -> Problem {
        let of = (&self.one.item).into();
        let (port, item) = (self.port.to_owned(), self.one.choice());
        match breaks_scrapes {
            true => Problem::ObjectAltered {
                of,
                object,
                field,
                effect,
                port,
                item,
            },
            false => Problem::GuardAltered {
                of,
                object,
                field,
                effect,
                port,
                item,
            },
        }
    }

    /// Another object takes effect in place of ours.
    fn overruled(&self, ours: ObjectRef, by: &ObjectRef, effect: Effect) -> Problem {
        Problem::ObjectOverruled {
            of: (&self.one.item).into(),
            object: ours,
            by: by.clone(),
            effect,
            port: self.port.to_owned(),
        }
    }

    /// Which Sidecar governs the pod, and where it leads the port.
    fn listener(&self) -> Looked<'a, Option<Problem>> {
        let all = read(&self.here.sidecars)?;
        let ours = self.ours(Kind::Sidecar);
        let so = || Effect::NotServed;
        let governing = sidecar::governing(all, read(&self.root.sidecars), self.labels());
        let own = named(all, |one| &one.metadata, &ours);
        let governing = match governing {
            Ok(governing) => governing,
            // Then none of this namespace governs the pod.
            Err(_) if own.is_none() => return Ok(Some(self.gone(ours, so(), true))),
            Err(why) => return Err(why),
        };
        let entry = governing.and_then(|sidecar| self.entry(&sidecar.spec));
        if let Some(entry) = entry {
            let endpoint = entry["defaultEndpoint"].as_str().unwrap_or_default();
            if leads_to_metrics(endpoint, self.one.behind) {
                return Ok(None);
            }
            let of = governing.map_or(ours, |sidecar| of(Kind::Sidecar, &sidecar.metadata));
            return Ok(Some(self.altered(
                of,
                "spec.ingress.defaultEndpoint",
                Effect::NotMetrics,
                true,
            )));
        }
        Ok(Some(match (own, governing) {
            (None, _) => self.gone(ours, so(), true),
            (Some(own), _) if !takes(&own.spec["workloadSelector"]["labels"], self.labels()) => {
                self.altered(ours, "spec.workloadSelector.labels", so(), true)
            }
            (Some(own), Some(other)) if self.entry(&own.spec).is_some() => {
                self.overruled(ours, &of(Kind::Sidecar, &other.metadata), so())
            }
            (Some(_), _) => self.altered(ours, "spec.ingress.port.number", so(), true),
        }))
    }

    fn entry(&self, spec: &'a Value) -> Option<&'a Value> {
        list(spec, "ingress")
            .iter()
            .find(|entry| self.is_port(&entry["port"]["number"]))
    }

    fn is_port(&self, number: &Value) -> bool {
        number
            .as_u64()
            .is_some_and(|number| number.to_string() == self.port)
    }

    fn mtls(&self) -> Looked<'a, (Policy, Option<Problem>)> {
        let all = read(&self.here.peers)?;
        let ours = self.ours(Kind::PeerAuthentication);
        let own = named(all, |one| &one.metadata, &ours);
        let is_root = self.ground.root.as_ref() == Some(&self.one.item.namespace);
        let root = read(&self.root.peers);
        let mode = match mtls::of_port(all, root, is_root, self.labels(), self.port) {
            Ok((mode, _)) => mode,
            // Then nothing of this namespace demands it.
            Err(_) => MtlsMode::Permissive,
        };
        if mode == MtlsMode::Strict {
            return Ok((Policy::Strict, None));
        }
        let so = || Effect::Plaintext;
        let Some(own) = own else {
            return Ok((Policy::Absent, Some(self.gone(ours, so(), true))));
        };
        let other = mtls::selecting(all, self.labels())
            .filter(|other| other.metadata.name != own.metadata.name);
        let fault = if !takes(&own.spec["selector"]["matchLabels"], self.labels()) {
            self.altered(ours, "spec.selector.matchLabels", so(), true)
        } else if own.spec["portLevelMtls"][self.port]["mode"] != "STRICT" {
            self.altered(ours, "spec.portLevelMtls", so(), true)
        } else if let Some(other) = other {
            self.overruled(ours, &of(Kind::PeerAuthentication, &other.metadata), so())
        } else {
            self.altered(ours, "spec.selector", so(), true)
        };
        Ok((Policy::NotStrict, Some(fault)))
    }

    /// The policies that hold for the pod.
    fn policies(&self) -> Looked<'a, Vec<&'a AuthorizationPolicy>> {
        let here = read(&self.here.policies)?.iter();
        let root = self.root.policies.as_deref().unwrap_or_default().iter();
        let name = self.ground.root.as_deref().unwrap_or_default();
        let pods = authorization::Pods {
            namespace: &self.one.item.namespace,
            labels: self.labels(),
        };
        let is_root = name == pods.namespace;
        let all = here.chain(root.filter(|_| !is_root));
        Ok(all
            .filter(|policy| authorization::attaches(policy, &pods, name))
            .collect())
    }

    fn kept(&self) -> Looked<'a, authorization::Kept> {
        let door = authorization::Door {
            port: self.port,
            path: METRICS_PATH,
        };
        Ok(authorization::kept(self.policies()?.into_iter(), &door))
    }

    /// What the policies make of Prometheus's own request; `None`: its identity is not known.
    fn scrape(&self) -> Looked<'a, Option<authorization::Decision>> {
        let (Some(principal), Ok(port)) = (&self.ground.principal, self.port.parse()) else {
            return Ok(None);
        };
        let request = authorization::Request {
            peer: authorization::Peer::Mesh(principal),
            source: None,
            destination: self.one.ip.as_deref().and_then(|ip| ip.parse().ok()),
            port,
            method: "GET",
            path: METRICS_PATH,
            host: None,
            sni: None,
            headers: authorization::HEADERS_OF_PROMETHEUS,
            listener: authorization::Listener::Http,
        };
        let ground = authorization::Ground {
            trust_domain: principal.split('/').next().unwrap_or_default(),
            aliases: &self.ground.rules.aliases,
            providers: self.ground.rules.providers.as_ref(),
        };
        let policies = self.policies()?;
        Ok(Some(authorization::decide(policies, &request, &ground)))
    }

    fn authorization(&self) -> Looked<'a, Option<Problem>> {
        const PRINCIPALS: &str = "spec.rules.from.source.notPrincipals";
        let ours = self.ours(Kind::AuthorizationPolicy);
        let own = named(read(&self.here.policies)?, |one| &one.metadata, &ours);
        let kept = self.kept()?;
        let so = || Effect::OpenToMesh { quit: true };
        let altered =
            |field, so: Effect, breaks| Ok(Some(self.altered(ours.clone(), field, so, breaks)));
        let field = |own: &AuthorizationPolicy, rule: &'static str| {
            if own.spec["action"] != "DENY" {
                "spec.action"
            } else if !takes(&own.spec["selector"]["matchLabels"], self.labels()) {
                "spec.selector.matchLabels"
            } else {
                rule
            }
        };
        match own {
            None if !kept.others => Ok(Some(self.gone(ours, so(), false))),
            Some(own) if !kept.others => altered(field(own, PRINCIPALS), so(), false),
            Some(own) if !kept.paths => {
                let so = Effect::ServesMore { quit: true };
                altered(field(own, "spec.rules.to.operation.notPaths"), so, false)
            }
            _ => self.refused(&ours),
        }
    }

    /// A policy that surely refuses Prometheus.
    fn refused(&self, ours: &ObjectRef) -> Looked<'a, Option<Problem>> {
        const PRINCIPALS: &str = "spec.rules.from.source.notPrincipals";
        let Some(Verdict::Broken(refused)) = self.scrape()? else {
            return Ok(None);
        };
        let principal = self.ground.principal.as_deref().unwrap_or_default();
        let by = match &refused {
            Refused::Denied(rule) | Refused::NoProvider { rule, .. } => Some(&rule.policy),
            Refused::NotAllowed(all) => all.first(),
        };
        if by.is_none_or(|by| by == ours) {
            let so = Effect::Refuses(principal.to_owned());
            return Ok(Some(self.altered(ours.clone(), PRINCIPALS, so, true)));
        }
        let port = self.port.to_owned();
        Ok(Some(reaching::refused(self.one, port, &refused)))
    }

    fn gateway(&self) -> Looked<'a, Standing> {
        let all = read(&self.here.gateways)?;
        let ours = self.ours(Kind::Gateway);
        let so = || Effect::NotServed;
        let mut serving: Vec<(&Gateway, &Value)> = all
            .iter()
            .filter(|gateway| takes(&gateway.spec["selector"], self.labels()))
            .filter_map(|gateway| {
                let mut servers = list(&gateway.spec, "servers").iter();
                let server = servers.find(|server| self.is_port(&server["port"]["number"]))?;
                Some((gateway, server))
            })
            .collect();
        serving.sort_by_key(|(gateway, _)| by_age(&gateway.metadata));
        let own = named(all, |one| &one.metadata, &ours);
        // Of two servers with one port and host, istiod skips the later.
        let Some((first, server)) = serving.first() else {
            let fault = match own {
                None => self.gone(ours, so(), true),
                Some(own) if !takes(&own.spec["selector"], self.labels()) => {
                    self.altered(ours, "spec.selector", so(), true)
                }
                Some(_) => self.altered(ours, "spec.servers.port.number", so(), true),
            };
            return Ok(together(vec![fault], Policy::Absent));
        };
        let object = of(Kind::Gateway, &first.metadata);
        let mut faults = Vec::new();
        let is_ours = object == ours;
        if own.is_some() && !is_ours {
            faults.push(self.overruled(ours, &object, Effect::OtherServer));
        }
        let strict = matches!(
            server["tls"]["mode"].as_str(),
            Some("ISTIO_MUTUAL" | "MUTUAL")
        );
        if !strict {
            let so = Effect::AsksNoCertificate;
            faults.push(self.altered(object.clone(), "spec.servers.tls.mode", so, true));
        }
        faults.extend(self.names(&object, server)?);
        if is_ours {
            faults.extend(self.route()?);
            faults.extend(self.name_inside()?);
        }
        let policy = match (strict, is_ours) {
            (true, _) => Policy::Strict,
            (false, true) => Policy::NotStrict,
            (false, false) => Policy::Absent,
        };
        Ok(together(faults, policy))
    }

    /// Whom the server lets in.
    fn names(&self, object: &ObjectRef, server: &Value) -> Looked<'a, Option<Problem>> {
        const FIELD: &str = "spec.servers.tls.subjectAltNames";
        let names = list(&server["tls"], "subjectAltNames");
        if names.is_empty() {
            if self.kept()?.others {
                return Ok(None);
            }
            let so = Effect::OpenToMesh { quit: false };
            return Ok(Some(self.altered(object.clone(), FIELD, so, false)));
        }
        let Some(principal) = &self.ground.principal else {
            return Ok(None);
        };
        let wanted = format!("spiffe://{principal}");
        let is_named = names.iter().any(|name| *name == *wanted);
        Ok((!is_named).then(|| self.altered(object.clone(), FIELD, Effect::Refuses(wanted), true)))
    }

    /// What of the listener leads to the metrics: that path, and nothing else.
    fn route(&self) -> Looked<'a, Option<Problem>> {
        let ours = self.ours(Kind::VirtualService);
        let so = || Effect::LeadsNowhere;
        let routes = read(&self.here.routes)?;
        let Some(own) = named(routes, |one| &one.metadata, &ours) else {
            return Ok(Some(self.gone(ours, so(), true)));
        };
        let (plain, full) = (&*ours.name, format!("{}/{}", ours.namespace, ours.name));
        let mut gateways = list(&own.spec, "gateways").iter();
        if !gateways.any(|gateway| gateway == plain || *gateway == *full) {
            return Ok(Some(self.altered(ours, "spec.gateways", so(), true)));
        }
        let matches: Vec<&Value> = list(&own.spec, "http")
            .iter()
            .flat_map(|route| match list(route, "match") {
                // Without a match a route takes everything.
                [] => vec![&EVERYTHING],
                some => some.iter().collect(),
            })
            .collect();
        let is_path = |one: &&Value| one["uri"]["exact"] == METRICS_PATH;
        let served = matches.iter().any(is_path);
        if served && matches.iter().all(is_path) {
            return Ok(None);
        }
        let so = match served {
            true => Effect::ServesMore { quit: false },
            false => Effect::PathNotServed,
        };
        Ok(Some(self.altered(ours, "spec.http.match.uri", so, !served)))
    }

    fn name_inside(&self) -> Looked<'a, Option<Problem>> {
        let ours = self.ours(Kind::ServiceEntry);
        let so = Effect::RouteWithoutAddress;
        let entries = read(&self.here.entries)?;
        let Some(own) = named(entries, |one| &one.metadata, &ours) else {
            return Ok(Some(self.gone(ours, so, true)));
        };
        let mut endpoints = list(&own.spec, "endpoints").iter();
        let inside = endpoints.all(|endpoint| endpoint["address"] == "127.0.0.1");
        let so = Effect::RouteOutOfPod;
        Ok((!inside).then(|| self.altered(ours, "spec.endpoints.address", so, true)))
    }
}

fn together(faults: Vec<Problem>, policy: Policy) -> Standing {
    let guard = match faults.is_empty() {
        true => Guard::Stands,
        false => Guard::Fails(faults),
    };
    Standing {
        guard,
        policy,
        links: Vec::new(),
    }
}

fn of(kind: Kind, meta: &Meta) -> ObjectRef {
    ObjectRef::new(kind, &meta.namespace, &meta.name)
}

/// The agent's merged endpoint, or Envoy's own, in the pod itself.
fn leads_to_metrics(endpoint: &str, behind: u16) -> bool {
    let Some((host, port)) = endpoint.rsplit_once(':') else {
        return false;
    };
    matches!(host, "" | "127.0.0.1" | "0.0.0.0" | "[::1]" | "[::]")
        && match port.parse() {
            Ok(15090) => true,
            // Somebody may have chosen the other one.
            Ok(15020) => matches!(behind, 15020 | 15090),
            Ok(port) => port == behind,
            Err(_) => false,
        }
}
