//! What is masked, and what stays.

use super::*;
use serde_json::json;

#[test]
fn credentials_in_prometheus_text_are_masked() {
    let config = "\
scrape_configs:
- job_name: a
  basic_auth:
    username: u
    password: hunter2
  bearer_token: \"abc def\"
  authorization:
    type: Bearer
    credentials: zzz # why
  remote: https://user:pw@example.org/x
- job_name: b
  basic_auth: {username: u, password: 'flow secret', x: y}
  authorization: {credentials: tok}
  oauth2: {client_id: i, client_secret: s3}
  headers: {X: Bearer abcdefghijkl}
  basic_auth_users: {admin: $2y$10$abcdefghijklmnopqrstuvwx}
  password_file: /etc/pw
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
";
    let masked = text(config);
    for leaked in [
        "hunter2",
        "abc def",
        "zzz",
        "user:pw",
        "flow secret",
        "tok}",
        "s3}",
        "abcdefghijkl",
        "abcdefghijklmnopqrstuvwx",
        "x: y}",
    ] {
        assert!(!masked.contains(leaked), "{leaked} in\n{masked}");
    }
    for kept in [
        "username: u",
        "job_name: b",
        "type: Bearer\n",
        "password_file: /etc/pw",
        "example.org/x",
        "bearer_token_file: /var/run",
        "client_id: i",
        "basic_auth:\n",
        "authorization:\n",
    ] {
        assert!(masked.contains(kept), "{kept} not in\n{masked}");
    }
    assert_eq!(masked.lines().count(), config.lines().count());
}

#[test]
fn blocks_and_private_keys_are_masked_line_by_line() {
    let masked = by_line(
        "a:\n  password: |\n    one\n    two\n  b: 1\nkey: x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nc: 2\n",
    );
    assert_eq!(
        masked,
        format!(
            "a:\n  password: |\n    {MASK}\n    {MASK}\n  b: 1\nkey: x\n{MASK}\n{MASK}\n{MASK}\nc: 2\n"
        )
    );
}

#[test]
fn secrets_show_only_that_they_differ() {
    let before = json!({"kind": "Secret", "data": {"same": "YQ==", "other": "Yg=="}});
    let after = json!({"kind": "Secret", "data": {"same": "YQ==", "other": "Yw==", "new": "ZA=="}});
    let (before, after) = pair(Some(before), Some(after));
    assert_eq!(
        before.unwrap()["data"],
        json!({"same": MASK, "other": format!("{MASK} (before)")})
    );
    assert_eq!(
        after.unwrap()["data"],
        json!({"same": MASK, "other": format!("{MASK} (after)"), "new": MASK})
    );
}

#[test]
fn variables_by_name_and_annotations_with_json() {
    let masked = masked(&json!({"kind": "Deployment",
            "metadata": {"annotations": {"j": "{\"password\":\"p1\",\"a\":1}"}},
            "spec": {"env": [{"name": "DB_PASSWORD", "value": "p2"}, {"name": "MODE", "value": "v"}],
                "secretName": "s", "automountServiceAccountToken": false,
                "serviceAccountName": "default"}}));
    let words = masked.to_string();
    assert!(!words.contains("p1") && !words.contains("p2"), "{words}");
    assert!(words.contains("\"value\":\"v\"") && words.contains("\"secretName\":\"s\""));
    assert!(words.contains("\"serviceAccountName\":\"default\""));
}

#[test]
fn istio_fields_are_not_mistaken() {
    let object = json!({"spec": {"portLevelMtls": {"15091": {"mode": "STRICT"}},
            "tls": {"mode": "ISTIO_MUTUAL", "credentialName": "c"},
            "principals": ["cluster.local/ns/istio-system/sa/prometheus"]}});
    assert_eq!(masked(&object), object);
}

/// Every kind of credential of a Prometheus configuration, in every style of YAML: `LEAK` and a number each.
const LEAKY: &str = r#"
global:
  scrape_interval: 15s
remote_write:
- url: https://user:LEAK1@example.org/push?code=LEAK2
  headers: {X-Scope: LEAK3}
  sigv4: {region: eu, access_key: LEAK4, secret_key: LEAK5, role_arn: "arn:x"}
- url: http://plain.example.org/push
  azuread: {cloud: AzurePublic, oauth: {client_id: id1, client_secret: LEAK6, tenant_id: t}}
scrape_configs:
- job_name: a
  http_headers:
    X-Api-Key:
      secrets:
      - LEAK7
      - "LEAK8"
      values: [LEAK9]
      files: [/etc/header]
  params:
    token:
      - LEAK10
    module: [LEAK11,
      LEAK12]
  proxy_url: http://me:LEAK13@proxy:3128
  proxy_connect_header:
    Proxy-Authorization: [LEAK14]
  oauth2:
    client_id: id2
    client_secret: >-
      LEAK15
      LEAK16
    endpoint_params: {audience: LEAK17}
    tls_config: {key: LEAK18, ca_file: /etc/ca}
    scopes: [read]
  basic_auth:
    username: u
    password: 'LEAK19

      LEAK20'
  tls_config:
    key: |
      -----BEGIN PRIVATE KEY-----
      LEAK21
      -----END PRIVATE KEY-----
    insecure_skip_verify: true
  relabel_configs:
  - target_label: __param_token
    replacement: LEAK22
  - {replacement: kept1, target_label: label}
  static_configs:
  - targets: [kept2]
    labels: {__param_key: LEAK23, team: kept3}
  # http_headers:
  #   X-Old:
  #     secrets: [LEAK24]
  #     values:
  #     - LEAK25
  #   password: |
  #     LEAK26
  # A word to the wise.
- job_name: b
  authorization: &auth {type: Bearer, credentials: LEAK27}
  consul_sd_configs: [{server: s, token: LEAK28}]
  metric_relabel_configs:
  - regex: kept4
    action: drop
- job_name: c
  authorization: *auth
  bearer_token: &tok
    LEAK29
- job_name: d
  x-defaults: &defaults {Key: {values: [LEAK30]}}
  http_headers:
    <<: *defaults
- "job_name": "e"
  "http_headers": {"X": {"values": ["LEAK31"]}}
  ? params
  : t: [LEAK32]
  note: "kept5"
  ec2_sd_configs:
  - secret_key: 98765432
"#;

fn leaks(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text
        .match_indices("LEAK")
        .map(|(at, _)| &text[at..(at + 7).min(text.len())])
        .collect();
    found.extend(text.matches("98765432"));
    found
}

#[test]
fn a_configuration_is_masked_by_its_structure() {
    let masked = text(LEAKY);
    assert_eq!(leaks(&masked), Vec::<&str>::new(), "{masked}");
    assert_eq!(masked.lines().count(), LEAKY.lines().count());
    for kept in [
        "kept1",
        "kept2",
        "kept3",
        "kept4",
        "kept5",
        "job_name: a",
        "X-Api-Key:",
        "/etc/header",
        "region: eu",
        "client_id: id1",
        "http://plain.example.org/push",
        "type: Bearer",
        "*auth",
        "scopes: [read]",
        "ca_file: /etc/ca",
        "insecure_skip_verify: true",
        "A word to the wise.",
        "scrape_interval: 15s",
        "username: u",
        "role_arn: \"arn:x\"",
    ] {
        assert!(masked.contains(kept), "{kept} not in\n{masked}");
    }
    assert_eq!(text(&masked), masked, "masked twice is masked once");
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let windows = format!("\u{feff}{}", LEAKY.replace('\n', "\r\n"));
    let masked = text(&windows);
    assert_eq!(leaks(&masked), Vec::<&str>::new(), "{masked}");
    assert!(masked.contains("kept4\r\n"), "{masked}");
}

#[test]
fn the_same_as_json_and_inside_another_text() {
    let mut root: serde_yaml::Value = serde_yaml::from_str(LEAKY).unwrap();
    root.apply_merge().unwrap();
    // Merged, it is no longer told from an ordinary setting.
    root["scrape_configs"][3]["x-defaults"] = serde_yaml::Value::Null;
    let json = serde_json::to_string(&root).unwrap();
    let pretty = serde_json::to_string_pretty(&root).unwrap();
    let indented: String = LEAKY.lines().map(|line| format!("    {line}\n")).collect();
    let nested = format!("a: 1\nprometheus.yml: |\n{indented}b: kept\n");
    for it in [&json, &pretty, &nested] {
        let masked = text(it);
        assert_eq!(leaks(&masked), Vec::<&str>::new(), "{masked}");
    }
    assert!(text(&nested).contains("b: kept"));
    let applied = json!({"kind": "ConfigMap", "metadata": {"annotations": {"last":
        json!({"data": {"prometheus.yml": LEAKY}}).to_string()}}, "data": {"p": json}});
    let masked = masked(&applied).to_string();
    assert_eq!(leaks(&masked), Vec::<&str>::new(), "{masked}");
}

#[test]
fn settings_of_a_job_are_masked_as_its_text_is() {
    let mut root: serde_yaml::Value = serde_yaml::from_str(LEAKY).unwrap();
    root.apply_merge().unwrap();
    // Merged, it is no longer told from an ordinary setting.
    root["scrape_configs"][3]["x-defaults"] = serde_yaml::Value::Null;
    let root = serde_json::to_value(root).unwrap();
    let masked = setting(&root).to_string();
    assert_eq!(leaks(&masked), Vec::<&str>::new(), "{masked}");
    for kept in ["kept1", "kept2", "kept3", "kept4", "kept5", "Bearer"] {
        assert!(masked.contains(kept), "{kept} not in {masked}");
    }
    let job = json!({"job_name": "j", "oauth2": {"client_id": "i", "client_secret": "s"},
        "kubernetes_sd_configs": [{"role": "pod"}, {"role": "pod", "bearer_token": "t"}],
        "params": {"a": ["b"]}, "bearer_token_file": "/f"});
    assert_eq!(
        held(&job),
        [
            "kubernetes_sd_configs.bearer_token",
            "oauth2.client_secret",
            "params.a"
        ]
    );
    assert!(!is_free(&job) && !is_free(&setting(&job)));
    assert!(is_free(
        &json!({"job_name": "j", "bearer_token_file": "/f"})
    ));
}

#[test]
fn what_cannot_be_parsed_is_hidden_whole_but_for_our_own_lines() {
    let before = "a: [\n  odd secret line\nb\n";
    let after = "a: [\n- job_name: ours\n  scheme: https\n  odd secret line\nb\n";
    let map = |text: &str| json!({"kind": "ConfigMap", "data": {"p": text}});
    let (old, new) = pair(Some(map(before)), Some(map(after)));
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!(
        new["data"]["p"],
        format!("{MASK}\n- job_name: ours\n  scheme: https\n  {MASK}\n{MASK}\n")
    );
    assert_eq!(old["data"]["p"], format!("{MASK}\n  {MASK}\n{MASK}\n"));
    for odd in [
        "{{ template }}\nx: y\n",
        "#!/bin/sh\ncurl -u a:b\n",
        "{not json",
        "a: *none\nb\n",
    ] {
        let masked = text(odd);
        assert!(!masked.chars().any(|c| c.is_ascii_lowercase()), "{masked}");
        assert_eq!(masked.lines().count(), odd.lines().count());
    }
}

/// Texts are taken apart and put together at random: whatever parses afterwards, no credential is left in it.
#[test]
fn no_shape_of_yaml_lets_a_credential_through() {
    let keys = [
        "password",
        "http_headers",
        "params",
        "bearer_token",
        "job_name",
        "authorization",
        "x",
    ];
    let mut seed = 11u64;
    let mut random = |n: usize| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    let mut structured = 0;
    for _ in 0..1500 {
        let mut config = String::new();
        for _ in 0..=random(3) {
            let indent = " ".repeat(random(3) * 2);
            let key = keys[random(keys.len())];
            let dash = ["", "- ", "- - "][random(3)];
            let value = [
                " SECRET",
                " 'SECRET\n      SECRET'",
                " |\n      SECRET\n\n      SECRET",
                " [SECRET, 'SECRET']",
                " {a: SECRET, b: [SECRET]}",
                " &a SECRET",
                " \"SEC\\x52ET SECRET\"",
                " >-\n      SECRET",
                "\n      SECRET\n      SECRET",
                "\n            - SECRET\n            - x: SECRET",
                " !!str SECRET # a word",
            ][random(11)];
            let value = match key {
                "job_name" | "x" => value.replace("SEC", "KEPT"),
                _ => value.to_owned(),
            };
            config.push_str(&format!("{indent}{dash}{key}:{value}\n"));
        }
        let Some(masked) = super::text::masked(&config) else {
            continue;
        };
        structured += 1;
        assert!(!masked.contains("SEC"), "{config}\n{masked}");
        assert_eq!(masked.lines().count(), config.lines().count());
    }
    assert!(structured > 300, "{structured}");
}
