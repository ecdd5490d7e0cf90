//! The objects that open and guard the port: each that is gone or altered is named, with its field.

use super::super::standing::{Ground, Guard, Objects, standing};
use super::*;
use crate::mesh::objects::{
    AuthorizationPolicy, Gateway, Meta, PeerAuthentication, ServiceEntry, Sidecar, VirtualService,
};
use crate::problems::Remedy;
use serde_json::{Value, json};

const ONE: &str = "cluster.local/ns/mon/sa/prometheus";

fn meta(name: &str, age: i64) -> Meta {
    Meta {
        name: name.into(),
        namespace: "shop".into(),
        creation_timestamp: Some(at(-age)),
        ..Meta::default()
    }
}

macro_rules! make {
    ($($make:ident: $kind:ident),*) => {$(
        fn $make(name: &str, age: i64, spec: Value) -> $kind {
            $kind { metadata: meta(name, age), spec }
        }
    )*};
}
make!(peer: PeerAuthentication, policy: AuthorizationPolicy, sidecar: Sidecar, gateway: Gateway, route: VirtualService, entry: ServiceEntry);

const OURS: &str = "meshscrape-cart";

fn labelled() -> Expected {
    let labels = [("app".to_owned(), "cart".to_owned())].into();
    Expected {
        labels: Arc::new(labels),
        ..pod("cart-1")
    }
}

fn ground() -> Ground {
    Ground {
        principal: Some(ONE.into()),
        root: Some("istio-system".into()),
        ..Ground::default()
    }
}

/// Specs of ours for a workload, as they are written.
struct Specs {
    peer: Value,
    policy: Value,
    sidecar: Value,
}

fn whole() -> Specs {
    Specs {
        peer: json!({
            "selector": {"matchLabels": {"app": "cart"}}, "portLevelMtls": {"15091": {"mode": "STRICT"}},
        }),
        policy: json!({
            "selector": {"matchLabels": {"app": "cart"}}, "action": "DENY", "rules": [
                {"from": [{"source": {"notPrincipals": [ONE]}}], "to": [{"operation": {"ports": ["15091"]}}]},
                {"to": [{"operation": {"ports": ["15091"], "notPaths": ["/stats/prometheus"]}}]},
            ],
        }),
        sidecar: json!({
            "workloadSelector": {"labels": {"app": "cart"}},
            "ingress": [{"port": {"number": 15091}, "defaultEndpoint": "127.0.0.1:15020"}],
        }),
    }
}

impl Specs {
    fn objects(self) -> Objects {
        Objects {
            peers: Ok(vec![peer(OURS, 5, self.peer)]),
            policies: Ok(vec![policy(OURS, 5, self.policy)]),
            sidecars: Ok(vec![sidecar(OURS, 5, self.sidecar)]),
            ..Objects::default()
        }
    }
}

fn guard(one: &Expected, here: &Objects) -> Guard {
    standing(one, here, &Objects::default(), &ground()).guard
}

/// Code, kind and field of each fault, and whether scrapes fail by it.
fn faults(guard: &Guard) -> Vec<(&'static str, &'static str, &'static str, bool)> {
    let faults = guard.faults().iter();
    faults
        .map(|fault| {
            let (object, field, code) = match fault {
                Problem::ObjectGone { object, .. } | Problem::GuardGone { object, .. } => {
                    (object, "", "object-gone")
                }
                Problem::ObjectAltered { object, field, .. }
                | Problem::GuardAltered { object, field, .. } => (object, *field, "object-altered"),
                Problem::ObjectOverruled { object, .. } => (object, "", "object-overruled"),
                other => panic!("{other:?}"),
            };
            let applied =
                matches!(fault.remedy(), Remedy::Changes { command } if command.contains("apply"));
            assert_eq!(applied, code != "object-overruled", "{fault:?}");
            (code, object.kind.name(), field, fault.breaks_scrapes())
        })
        .collect()
}

fn of(here: &Objects) -> Vec<(&'static str, &'static str, &'static str, bool)> {
    faults(&guard(&labelled(), here))
}

#[test]
fn what_stands_as_it_was_written_holds_and_so_does_what_is_added_to_it() {
    assert_eq!(guard(&labelled(), &whole().objects()), Guard::Stands);
    let mut more = whole();
    more.peer["mtls"] = json!({"mode": "PERMISSIVE"});
    more.peer["portLevelMtls"]["8080"] = json!({"mode": "DISABLE"});
    more.policy["rules"][0]["from"][0]["source"]["notPrincipals"] =
        json!(["cluster.local/ns/other/sa/prometheus", ONE]);
    more.policy["rules"]
        .as_array_mut()
        .unwrap()
        .push(json!({"to": [{"operation": {"ports": ["8080"]}}]}));
    more.sidecar["ingress"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"port": {"number": 8080}}));
    more.sidecar["ingress"][1]["defaultEndpoint"] = json!(":15090");
    more.sidecar["outboundTrafficPolicy"] = json!({"mode": "REGISTRY_ONLY"});
    assert_eq!(guard(&labelled(), &more.objects()), Guard::Stands);
}

/// Each fault beside the one that comes: which object it is, and whether scrapes fail by it.
#[test]
fn a_fault_is_no_other() {
    let gone = |of: fn(&mut Objects)| {
        let mut here = whole().objects();
        of(&mut here);
        guard(&labelled(), &here).faults().to_vec()
    };
    // Ours is gone, and another does what it did.
    let replaced = |of: &mut Objects| {
        of.peers = Ok(vec![peer("wide", 9, json!({"mtls": {"mode": "STRICT"}}))]);
        of.policies = Ok(vec![policy("mine", 9, whole().policy)]);
    };
    absent(Code::ObjectGone, gone(replaced));
    absent(Code::GuardGone, gone(replaced));
    absent(Code::GuardGone, gone(|of| of.sidecars = Ok(vec![])));
    absent(Code::ObjectGone, gone(|of| of.policies = Ok(vec![])));
    let with = |change: fn(&mut Specs)| {
        let mut specs = whole();
        change(&mut specs);
        guard(&labelled(), &specs.objects()).faults().to_vec()
    };
    // One more port and one more path of another port.
    absent(
        Code::ObjectAltered,
        with(|of| of.peer["portLevelMtls"]["8080"] = json!({"mode": "DISABLE"})),
    );
    absent(
        Code::GuardAltered,
        with(|of| {
            let more = json!({"to": [{"operation": {"ports": ["8080"]}}]});
            of.policy["rules"].as_array_mut().unwrap().push(more);
        }),
    );
    // A younger one gives way to ours.
    absent(
        Code::ObjectOverruled,
        gone(|of| {
            let web = json!({"matchLabels": {"app": "cart"}});
            let younger = peer("younger", 1, json!({"selector": web}));
            of.peers.as_mut().unwrap().push(younger);
        }),
    );
}

#[test]
fn an_object_that_is_gone_is_named() {
    let gone = |of: fn(&mut Objects)| {
        let mut here = whole().objects();
        of(&mut here);
        self::of(&here)
    };
    let is = |kind, breaks| vec![("object-gone", kind, "", breaks)];
    assert_eq!(
        gone(|o| o.policies = Ok(vec![])),
        is("AuthorizationPolicy", false)
    );
    assert_eq!(
        gone(|o| o.peers = Ok(vec![])),
        is("PeerAuthentication", true)
    );
    assert_eq!(gone(|o| o.sidecars = Ok(vec![])), is("Sidecar", true));
    let mut here = Objects::default();
    assert_eq!(of(&here).len(), 3);
    // A policy of somebody else that does the same is as good.
    here = whole().objects();
    here.policies = Ok(vec![policy("mine", 9, whole().policy)]);
    here.peers = Ok(vec![peer(
        "namespace",
        9,
        json!({"mtls": {"mode": "STRICT"}}),
    )]);
    assert_eq!(guard(&labelled(), &here), Guard::Stands);
}

#[test]
fn an_altered_field_is_named() {
    let with = |change: &dyn Fn(&mut Specs)| {
        let mut specs = whole();
        change(&mut specs);
        of(&specs.objects())
    };
    let is = |kind, field, breaks| vec![("object-altered", kind, field, breaks)];
    let other = || json!({"app": "other"});
    let peer = "PeerAuthentication";
    assert_eq!(
        with(&|s| s.peer["portLevelMtls"]["15091"]["mode"] = json!("PERMISSIVE")),
        is(peer, "spec.portLevelMtls", true)
    );
    assert_eq!(
        with(&|s| s.peer["portLevelMtls"] = json!({"15092": {"mode": "STRICT"}})),
        is(peer, "spec.portLevelMtls", true)
    );
    assert_eq!(
        with(&|s| s.peer["selector"]["matchLabels"] = other()),
        is(peer, "spec.selector.matchLabels", true)
    );
    let policy = "AuthorizationPolicy";
    let principals = "spec.rules.from.source.notPrincipals";
    assert_eq!(
        with(&|s| s.policy["action"] = json!("AUDIT")),
        is(policy, "spec.action", false)
    );
    assert_eq!(
        with(&|s| s.policy["selector"]["matchLabels"] = other()),
        is(policy, "spec.selector.matchLabels", false)
    );
    let name = |names: Value| {
        with(&|s| s.policy["rules"][0]["from"][0]["source"]["notPrincipals"] = names.clone())
    };
    assert_eq!(name(json!([ONE, "*"])), is(policy, principals, false));
    assert_eq!(
        name(json!(["cluster.local/ns/mon/sa/other"])),
        is(policy, principals, true)
    );
    assert_eq!(
        with(&|s| drop(s.policy["rules"].as_array_mut().unwrap().remove(0))),
        is(policy, principals, false)
    );
    let paths = "spec.rules.to.operation.notPaths";
    assert_eq!(
        with(&|s| drop(s.policy["rules"].as_array_mut().unwrap().remove(1))),
        is(policy, paths, false)
    );
    assert_eq!(
        with(&|s| s.policy["rules"][1]["to"][0]["operation"]["notPaths"] = json!(["/stats/*"])),
        is(policy, paths, false)
    );
    let sidecar = "Sidecar";
    assert_eq!(
        with(&|s| s.sidecar["workloadSelector"]["labels"] = other()),
        is(sidecar, "spec.workloadSelector.labels", true)
    );
    assert_eq!(
        with(&|s| s.sidecar["ingress"][0]["port"]["number"] = json!(15093)),
        is(sidecar, "spec.ingress.port.number", true)
    );
    assert_eq!(
        with(&|s| s.sidecar["ingress"][0]["defaultEndpoint"] = json!("127.0.0.1:15000")),
        is(sidecar, "spec.ingress.defaultEndpoint", true)
    );
}

#[test]
fn an_object_that_is_older_takes_the_place_of_ours() {
    let mut here = whole().objects();
    let web = json!({"matchLabels": {"app": "cart"}});
    here.peers
        .as_mut()
        .unwrap()
        .push(peer("older", 9, json!({"selector": web})));
    let older = json!({"workloadSelector": {"labels": {"app": "cart"}}, "egress": []});
    here.sidecars
        .as_mut()
        .unwrap()
        .push(sidecar("older", 9, older));
    let is = |kind| ("object-overruled", kind, "", true);
    assert_eq!(of(&here), [is("Sidecar"), is("PeerAuthentication")]);
}

#[test]
fn what_could_not_be_read_is_not_known() {
    for at in 0..3 {
        let mut here = whole().objects();
        let why = || "may not be listed".to_owned();
        match at {
            0 => here.peers = Err(why()),
            1 => here.policies = Err(why()),
            _ => here.sidecars = Err(why()),
        }
        assert_eq!(guard(&labelled(), &here), Guard::Unknown(why()));
    }
}

#[test]
fn a_native_port_needs_none_of_them_and_an_unmarked_pod_has_no_port() {
    let native = Expected {
        native: true,
        secure_port: Some("15092".into()),
        ..labelled()
    };
    assert_eq!(guard(&native, &Objects::default()), Guard::NotAsked);
    let unannotated = Expected {
        secure_port: None,
        ..labelled()
    };
    assert_eq!(guard(&unannotated, &Objects::default()), Guard::NotAsked);
}

fn of_gateway(change: impl Fn(&mut Value, &mut Value, &mut Value)) -> Guard {
    let one = Expected {
        gateway: true,
        ..labelled()
    };
    let mut listener = json!({
        "selector": {"app": "cart"},
        "servers": [
            {"port": {"number": 80}, "hosts": ["*"]},
            {"port": {"number": 15091}, "tls": {"mode": "ISTIO_MUTUAL", "subjectAltNames": [format!("spiffe://{ONE}")]}},
        ],
    });
    let mut way = json!({
        "gateways": [OURS], "http": [{"match": [{"uri": {"exact": "/stats/prometheus"}, "port": 15091}]}],
    });
    let mut name = json!({"endpoints": [{"address": "127.0.0.1"}]});
    change(&mut listener, &mut way, &mut name);
    let some = |spec: &Value| !spec.is_null();
    let here = Objects {
        gateways: Ok([listener]
            .into_iter()
            .filter(some)
            .map(|s| gateway(OURS, 5, s))
            .collect()),
        routes: Ok([way]
            .into_iter()
            .filter(some)
            .map(|s| route(OURS, 5, s))
            .collect()),
        entries: Ok([name]
            .into_iter()
            .filter(some)
            .map(|s| entry(OURS, 5, s))
            .collect()),
        ..Objects::default()
    };
    guard(&one, &here)
}

#[test]
fn a_gateways_objects() {
    assert_eq!(of_gateway(|_, _, _| {}), Guard::Stands);
    let named = of_gateway(|_, way, _| way["gateways"] = json!([format!("shop/{OURS}")]));
    assert_eq!(named, Guard::Stands);
    let san = "spec.servers.tls.subjectAltNames";
    let uri = "spec.http.match.uri";
    for (guard, code, kind, field, breaks) in [
        (
            of_gateway(|g, _, _| *g = Value::Null),
            "object-gone",
            "Gateway",
            "",
            true,
        ),
        (
            of_gateway(|_, w, _| *w = Value::Null),
            "object-gone",
            "VirtualService",
            "",
            true,
        ),
        (
            of_gateway(|_, _, n| *n = Value::Null),
            "object-gone",
            "ServiceEntry",
            "",
            true,
        ),
        (
            of_gateway(|g, _, _| g["selector"]["app"] = json!("x")),
            "object-altered",
            "Gateway",
            "spec.selector",
            true,
        ),
        (
            of_gateway(|g, _, _| g["servers"][1]["port"]["number"] = json!(15099)),
            "object-altered",
            "Gateway",
            "spec.servers.port.number",
            true,
        ),
        (
            of_gateway(|g, _, _| g["servers"][1]["tls"]["mode"] = json!("SIMPLE")),
            "object-altered",
            "Gateway",
            "spec.servers.tls.mode",
            true,
        ),
        (
            of_gateway(|g, _, _| g["servers"][1]["tls"]["subjectAltNames"] = Value::Null),
            "object-altered",
            "Gateway",
            san,
            false,
        ),
        (
            of_gateway(|g, _, _| g["servers"][1]["tls"]["subjectAltNames"] = json!(["spiffe://x"])),
            "object-altered",
            "Gateway",
            san,
            true,
        ),
        (
            of_gateway(|_, w, _| w["http"][0]["match"][0]["uri"] = json!({"exact": "/metrics"})),
            "object-altered",
            "VirtualService",
            uri,
            true,
        ),
        (
            of_gateway(|_, w, _| w["http"].as_array_mut().unwrap().push(json!({"route": []}))),
            "object-altered",
            "VirtualService",
            uri,
            false,
        ),
        (
            of_gateway(|_, w, _| w["gateways"] = json!(["public"])),
            "object-altered",
            "VirtualService",
            "spec.gateways",
            true,
        ),
        (
            of_gateway(|_, _, n| n["endpoints"][0]["address"] = json!("10.0.0.1")),
            "object-altered",
            "ServiceEntry",
            "spec.endpoints.address",
            true,
        ),
    ] {
        assert_eq!(faults(&guard), [(code, kind, field, breaks)]);
    }
}

#[test]
fn a_target_is_secured_only_while_they_stand_and_a_missing_one_is_the_cause_of_a_failure() {
    let mut world = World::default();
    let one = labelled();
    world.probes.insert(one.uid.clone(), Probe::Refused);
    let up = [replica("p-0", 10, 0, vec![target("cart-1", Health::Up, 9)])];
    let mut see = |here: &Objects, replicas: &[Replica]| {
        let is = standing(&one, here, &Objects::default(), &ground());
        world.standing.insert(one.uid.clone(), is);
        world.look(10, std::slice::from_ref(&one), replicas)
    };
    assert_eq!(see(&whole().objects(), &up).counts.secured, 1);
    let mut open = whole().objects();
    open.policies = Ok(vec![]);
    let board = see(&open, &up);
    assert_eq!(
        (
            board.counts.up,
            board.counts.secured,
            board.counts.unguarded
        ),
        (1, 0, 1)
    );
    let mut unread = whole().objects();
    unread.policies = Err("may not be listed".into());
    let board = see(&unread, &up);
    assert_eq!((board.counts.secured, board.counts.unguarded), (0, 0));

    let down = [replica(
        "p-0",
        10,
        0,
        vec![target("cart-1", Health::Down, 9)],
    )];
    let code = |board: &Board| match &board.rows[0].state {
        State::Down { cause, .. } => cause.as_ref().map(|cause| cause.code().name()),
        other => panic!("{other:?}"),
    };
    let mut closed = whole().objects();
    closed.sidecars = Ok(vec![]);
    assert_eq!(code(&see(&closed, &down)), Some("ObjectGone"));
    // What does not break scrapes is not their cause.
    assert_eq!(code(&see(&open, &down)), Some("HandshakeUnderStrict"));
}
