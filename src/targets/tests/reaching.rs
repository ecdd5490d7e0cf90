use super::super::reaching::{cause, links};
use super::super::{Expected, Ground};
use super::pod;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{AuthorizationPolicy, EnvoyFilter, Meta, NetworkPolicy};
use crate::problems::{Code, Problem, tests::absent};
use crate::reach::authorization::{Open, Rule, Why as Undecided};
use crate::reach::path::{Fault, Link, Rules, Step, Why};
use serde_json::{Value, json};

fn meta(namespace: &str) -> Meta {
    Meta {
        name: "theirs".into(),
        namespace: namespace.into(),
        ..Meta::default()
    }
}

fn ground() -> Ground {
    Ground {
        principal: Some("cluster.local/ns/mon/sa/prometheus".into()),
        namespace: "mon".into(),
        addresses: vec!["10.1.1.10".into()],
        ..Ground::default()
    }
}

fn one() -> Expected {
    Expected {
        secure_port: Some("15091".into()),
        ip: Some("10.1.2.20".into()),
        ..pod("web-1")
    }
}

fn policies(spec: Value) -> Rules {
    let metadata = meta(&one().item.namespace);
    Rules {
        policies: Ok(vec![AuthorizationPolicy { metadata, spec }]),
        ..Rules::default()
    }
}

fn filters(name: &str) -> Rules {
    let spec = json!({"configPatches": [{"applyTo": "HTTP_FILTER", "match": {"context": "SIDECAR_INBOUND"},
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": name}}}]});
    let metadata = meta(&one().item.namespace);
    Rules {
        filters: Ok(vec![EnvoyFilter { metadata, spec }]),
        ..Rules::default()
    }
}

fn network(namespace: &str) -> Rules {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let metadata = meta(namespace);
    Rules {
        network: Ok(vec![NetworkPolicy { metadata, spec }]),
        ..Rules::default()
    }
}

#[test]
fn the_object_on_the_path_is_the_cause_where_the_error_is_of_its_kind() {
    let forbidden = "server returned HTTP status 403 Forbidden";
    let timeout = "Get \"https://10.1.2.20:15091/stats/prometheus\": context deadline exceeded";
    let limited = "server returned HTTP status 429 Too Many Requests";
    let item = one().item.namespace;
    let deny = json!({"action": "DENY", "rules": [{"from": [{"source": {"notRequestPrincipals": ["*"]}}]}]});
    let of = |rules: Rules, error| cause(&links(&one(), &rules, &ground()), error, &one());
    // A policy that lets it in, a fence around others, another kind of filter.
    absent(
        Code::PolicyRefuses,
        of(policies(json!({"rules": [{}]})), forbidden),
    );
    absent(Code::NetworkPolicyStops, of(network("other"), timeout));
    absent(
        Code::FilterMayRefuse,
        of(filters("envoy.filters.http.local_ratelimit"), forbidden),
    );
    for (rules, error, expected) in [
        (policies(deny.clone()), forbidden, Some(Code::PolicyRefuses)),
        (
            policies(json!({"rules": []})),
            forbidden,
            Some(Code::PolicyRefuses),
        ),
        // A refusal answers, and does not time out.
        (policies(deny), timeout, None),
        (policies(json!({"rules": [{}]})), forbidden, None),
        (network(&item), timeout, Some(Code::NetworkPolicyStops)),
        (network("mon"), timeout, Some(Code::NetworkPolicyStops)),
        (network("other"), timeout, None),
        (network(&item), forbidden, None),
        (
            filters("envoy.filters.http.local_ratelimit"),
            limited,
            Some(Code::RateLimited),
        ),
        (filters("envoy.filters.http.ext_authz"), limited, None),
        (
            filters("envoy.filters.http.ext_authz"),
            forbidden,
            Some(Code::FilterMayRefuse),
        ),
    ] {
        let links = links(&one(), &rules, &ground());
        let found = cause(&links, error, &one());
        assert_eq!(
            found.as_ref().map(Problem::code),
            expected,
            "{error}: {rules:?}"
        );
        if let Some(found) = found {
            assert!(crate::words::sentence(&found).contains("theirs"));
        }
    }
}

#[test]
fn what_rests_on_the_unknown_is_a_cause_only_where_the_error_is_of_its_kind() {
    let forbidden = "server returned HTTP status 403 Forbidden";
    let reset = "read tcp 10.1.1.10: connection reset by peer";
    let rule = || Rule {
        policy: ObjectRef::new(Kind::AuthorizationPolicy, "shop", "theirs"),
        rule: 0,
    };
    let rests = || {
        Step::Unknown(Why::Authorization(Undecided::Rests {
            rule: rule(),
            on: Open::Header("x-theirs".into()),
        }))
    };
    let asks = || {
        Step::Unknown(Why::Authorization(Undecided::Asks {
            rule: rule(),
            provider: "login".into(),
        }))
    };
    let header = || Step::Broken(Fault::ProxyProtocol);
    let of = |step, error| cause(&[(Link::Authorization, step)], error, &one());
    absent(Code::PolicyMayRefuse, of(asks(), forbidden));
    absent(Code::PolicyAsksProvider, of(rests(), forbidden));
    absent(Code::ProxyProtocolExpected, of(header(), forbidden));
    for (step, error, expected) in [
        (rests(), forbidden, Some(Code::PolicyMayRefuse)),
        (rests(), reset, None),
        (asks(), forbidden, Some(Code::PolicyAsksProvider)),
        (asks(), reset, None),
        (header(), reset, Some(Code::ProxyProtocolExpected)),
        (header(), forbidden, None),
    ] {
        let found = cause(&[(Link::Authorization, step)], error, &one());
        assert_eq!(found.as_ref().map(Problem::code), expected, "{error}");
    }
}
