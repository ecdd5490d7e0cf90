use super::*;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::record::TextRecord;
use serde_json::json;

fn job() -> serde_json::Value {
    json!({
        "job_name": "ours",
        "honor_labels": true,
        "scrape_interval": "1:30",
        "scheme": "https",
        "tls_config": {"ca_file": "/c/root.pem", "insecure_skip_verify": true},
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["on", "yes"]}}],
        "relabel_configs": [
            {"source_labels": ["a", "b"], "regex": r"(\d+);((([0-9]+?)(\.|$)){4})", "replacement": "$2:$1"},
            {"source_labels": ["a"], "replacement": "[$2]:$1", "regex": "true", "action": "drop"},
        ],
    })
}

fn insert() -> TextEdit {
    TextEdit::InsertJob {
        name: "ours".into(),
        job: job(),
    }
}

fn remove() -> TextEdit {
    TextEdit::RemoveJob {
        name: "ours".into(),
    }
}

fn rule(job: &str) -> (TextEdit, TextEdit) {
    let (job, rule) = (job.to_owned(), crate::mesh::ended::everything());
    (
        TextEdit::AddRule {
            job: job.clone(),
            rule: rule.clone(),
        },
        TextEdit::RemoveRule { job, rule },
    )
}

/// Texts that must be edited, byte for byte around the insertion.
const EDITABLE: [(&str, &str); 23] = [
    (
        "plain",
        "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n",
    ),
    (
        "indented list",
        "global: {}\nscrape_configs:\n  - job_name: a\n    relabel_configs:\n      - action: keep\nrule_files: []\n",
    ),
    (
        "comments",
        "# top\nscrape_configs: # jobs\n# first\n\n- job_name: a # a\n  # inside\n  x: 1\n# after\nglobal:\n  # g\n  y: 2\n",
    ),
    (
        "crlf",
        "global:\r\n  x: 1\r\nscrape_configs:\r\n- job_name: a\r\n  relabel_configs:\r\n  - action: keep\r\n",
    ),
    ("no line end", "scrape_configs:\n- job_name: a\n  x: 1"),
    ("last key", "scrape_configs:\n- job_name: a\nz: 1"),
    ("empty flow", "scrape_configs: []\n"),
    (
        "flow",
        "scrape_configs: [{job_name: a, x: 1}, {job_name: b}]\n",
    ),
    (
        "flow over lines",
        "scrape_configs: [ # jobs\n  {job_name: a},\n  {job_name: b}, # last\n]\n",
    ),
    ("empty", "scrape_configs:\nglobal: {}\n"),
    ("missing", "# c\nglobal:\n  x: 1\n"),
    ("missing, crlf", "global:\r\n  x: 1\r\n"),
    (
        "missing, document start",
        "---\n# c\nglobal:\n  x: 1\n...\n",
    ),
    (
        "byte order mark",
        "\u{feff}scrape_configs:\n- job_name: a\n",
    ),
    ("byte order mark, missing", "\u{feff}global:\n  x: 1\n"),
    ("quoted key", "\"scrape_configs\":\n- \"job_name\": 'a'\n"),
    (
        "wide dash",
        "scrape_configs:\n-   job_name: a\n    x: 1\n-   job_name: b\n",
    ),
    ("dash alone", "scrape_configs:\n-\n  job_name: a\n  x: 1\n"),
    (
        "block scalar",
        "x: |\n  scrape_configs:\n  - job_name: no\nscrape_configs:\n- job_name: a\n  note: |\n    - job_name: no\n      scrape_configs:\n",
    ),
    (
        "anchors",
        "d: &d\n  x: 1\nscrape_configs:\n- <<: *d\n  job_name: a\n- job_name: b\n  rules: *d\n",
    ),
    (
        "anchored list",
        "scrape_configs: &jobs\n- job_name: a\nother: *jobs\n",
    ),
    (
        "tab in a scalar",
        "scrape_configs:\n- job_name: a\n  x: \"a\tb\"\n",
    ),
    (
        "document markers",
        "%YAML 1.1\n---\nscrape_configs:\n- job_name: a\n...\n",
    ),
];

#[test]
fn a_job_comes_and_goes_without_a_trace() {
    for (what, text) in EDITABLE {
        // An alias of the whole list changes with it: the gate refuses.
        let with = match apply(text, &[insert()]) {
            Ok(with) => with,
            Err(refusal) => {
                assert_eq!(what, "anchored list", "{refusal:?}");
                continue;
            }
        };
        let first = with
            .find("job_name\": \"ours\"")
            .or_else(|| with.find("job_name: ours"));
        assert!(first.is_some(), "{what}: {with}");
        let same = with.len() - text.len();
        let start = (0..=text.len())
            .filter(|i| text.is_char_boundary(*i) && with.is_char_boundary(*i))
            .find(|i| text.starts_with(&with[..*i]) && with.ends_with(&text[*i..]));
        assert!(
            same > 0 && start.is_some(),
            "{what}: the old bytes are not prefix and suffix"
        );
        let parsed = jobs(&with).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(parsed[0].value, job(), "{what}");
        assert_eq!(
            apply(&with, &[insert()]).as_deref(),
            Ok(with.as_str()),
            "{what}: twice"
        );
        assert_eq!(
            apply(&with, &[remove()]).as_deref(),
            Ok(text),
            "{what}: taken out again"
        );
        assert_eq!(
            text.contains("\r\n"),
            with.matches('\n').count() == with.matches("\r\n").count(),
            "{what}"
        );
    }
}

#[test]
fn a_rule_comes_and_goes_without_a_trace() {
    let texts = [
        (
            "list",
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n- job_name: b\n",
        ),
        (
            "indented",
            "scrape_configs:\n  - job_name: x\n  - job_name: a\n    relabel_configs: # rules\n      # first\n      - action: keep\n        regex: a\n",
        ),
        (
            "on the dash",
            "scrape_configs:\n- relabel_configs:\n  - action: keep\n  job_name: a\n",
        ),
        (
            "none",
            "scrape_configs:\n- job_name: a\n  x: 1\n  y: 2\n- job_name: b\n",
        ),
        (
            "null",
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n  x: 1\n",
        ),
        (
            "flow",
            "scrape_configs:\n- job_name: a\n  relabel_configs: [{action: keep}]\n",
        ),
        (
            "empty flow",
            "scrape_configs:\n- job_name: a\n  relabel_configs: []\n",
        ),
        (
            "crlf",
            "scrape_configs:\r\n- job_name: a\r\n  relabel_configs:\r\n  - action: keep\r\n",
        ),
        (
            "no line end",
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep",
        ),
        (
            "trailing comment",
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n  # end\n\n- job_name: b\n",
        ),
    ];
    for (what, text) in texts {
        let (add, take) = rule("a");
        let with =
            apply(text, std::slice::from_ref(&add)).unwrap_or_else(|e| panic!("{what}: {e}"));
        let all = jobs(&with).expect("jobs");
        let changed = all.iter().find(|j| j.name == "a").expect("a");
        assert_eq!(
            changed.rules()[0],
            crate::mesh::ended::everything(),
            "{what}"
        );
        assert_eq!(
            apply(&with, &[add]).as_deref(),
            Ok(with.as_str()),
            "{what}: twice"
        );
        assert_eq!(
            apply(&with, &[take]).as_deref(),
            Ok(text),
            "{what}: taken out again"
        );
    }
}

#[test]
fn what_is_not_certain_is_refused_with_what_to_paste() {
    let texts = [
        ("tabs", "scrape_configs:\n-\tjob_name: a\n\tx: 1\n", "YAML"),
        (
            "duplicate keys",
            "global: 1\nglobal: 2\nscrape_configs: []\n",
            "YAML",
        ),
        (
            "two documents",
            "scrape_configs: []\n---\nscrape_configs: []\n",
            "YAML",
        ),
        ("a list", "- a\n", "mapping"),
        ("empty", "", "empty"),
        ("flow root", "{global: {}}\n", "place"),
        ("alias", "x: &x []\nscrape_configs: *x\n", "written"),
        ("a word", "scrape_configs: jobs\n", "list"),
        ("no line end at the key", "scrape_configs:", "line end"),
        (
            "same name",
            "scrape_configs:\n- job_name: ours\n",
            "other settings",
        ),
        (
            "twice the name",
            "scrape_configs:\n- job_name: ours\n- job_name: ours\n",
            "two jobs",
        ),
    ];
    for (what, text, why) in texts {
        let refusal = apply(text, &[insert()]).expect_err(what);
        assert!(refusal.why.contains(why), "{what}: {}", refusal.why);
        assert!(refusal.paste.contains("job_name: ours"), "{what}");
    }
}

#[test]
fn rules_in_flow_jobs_or_of_absent_jobs_are_refused() {
    let (add, _) = rule("a");
    for text in [
        "scrape_configs: [{job_name: a}]\n",
        "scrape_configs:\n- {job_name: a}\n",
        "scrape_configs:\n- job_name: b\n",
    ] {
        assert!(apply(text, std::slice::from_ref(&add)).is_err(), "{text}");
    }
}

#[test]
fn a_replaced_job_leaves_its_neighbours_alone() {
    let text = "scrape_configs:\n- job_name: b # b\n- job_name: ours\n  x: |\n    # text\n    y\n# after\n- job_name: c\n";
    let edit = TextEdit::ReplaceJob {
        name: "ours".into(),
        job: job(),
    };
    let with = apply(text, &[edit]).expect("replaced");
    assert!(with.starts_with("scrape_configs:\n- job_name: b # b\n- job_name: ours\n"));
    assert!(with.ends_with("# after\n- job_name: c\n"));
    assert_eq!(jobs(&with).expect("jobs")[1].value, job());
}

/// A replaced job comes back byte for byte, whatever happened around it meanwhile.
#[test]
fn a_replaced_job_is_restored_to_its_very_bytes() {
    let texts = [
        "scrape_configs:\n- job_name: b # b\n- job_name: 'ours'   # as the page says\n  scheme: \"https\"\n  x: {a: 1, 'b': [2]}\n# after\n- job_name: c\n",
        "scrape_configs:\n    - scheme: https\n\n      # why\n      job_name: ours\n",
        "global: {}\r\nscrape_configs:\r\n- job_name: ours\r\n  x: |\r\n    text\r\n- job_name: c\r\n",
    ];
    for text in texts {
        let was = text_of_job(text, "ours").expect("its text");
        let replace = TextEdit::ReplaceJob {
            name: "ours".into(),
            job: job(),
        };
        let restore = TextEdit::RestoreJob {
            name: "ours".into(),
            text: was,
        };
        let with = apply(text, &[replace]).expect("replaced");
        assert_ne!(with, text);
        assert_eq!(
            apply(&with, std::slice::from_ref(&restore)).as_deref(),
            Ok(text)
        );
        assert_eq!(
            apply(text, std::slice::from_ref(&restore)).as_deref(),
            Ok(text)
        );
        // Somebody else's edits of the rest stay.
        let more = format!("# theirs\n{with}");
        let back = apply(&more, &[restore]).expect("restored");
        assert_eq!(back, format!("# theirs\n{text}"));
    }
}

#[test]
fn a_list_that_was_set_deeper_since_takes_the_job_by_its_meaning() {
    let restore = TextEdit::RestoreJob {
        name: "ours".into(),
        text: "- job_name: ours\n  scheme: http # plain\n".into(),
    };
    let text = "scrape_configs:\n  - job_name: ours\n    scheme: https\n";
    let back = apply(text, &[restore]).expect("restored");
    assert_eq!(
        back,
        "scrape_configs:\n  - job_name: ours\n    scheme: http\n"
    );
}

#[test]
fn a_job_that_holds_credentials_is_not_replaced() {
    let text =
        "scrape_configs:\n- job_name: ours\n  basic_auth: {username: a, password: hunter2}\n";
    let edit = TextEdit::ReplaceJob {
        name: "ours".into(),
        job: job(),
    };
    let edits = [edit, remove()];
    for edit in edits.chunks(1) {
        let refusal = recordable(text, edit).expect_err("refused");
        assert!(
            refusal.why.contains("basic_auth.password"),
            "{}",
            refusal.why
        );
        assert!(!format!("{refusal:?}").contains("hunter2"));
        // No record holds them, whoever edits all the same.
        let record = TextRecord::new("p", edit, text, text);
        assert!(!format!("{record:?}").contains("hunter2"), "{record:?}");
        assert!(record.was.contains_key("ours") && record.was_text.is_empty());
    }
}

#[test]
fn what_a_job_of_ours_took_along_before_is_let_go() {
    let (name, job) = ("ours".to_owned(), job());
    let mut old = job.clone();
    old["http_headers"] = json!({"X": {"values": ["hunter2"]}});
    let text = format!(
        "scrape_configs:\n{}",
        emit::block_item(&old, emit::Style::default())
    );
    let edit = [TextEdit::ReplaceJob { name, job }];
    assert_eq!(recordable(&text, &edit), Ok(()));
    let after = apply(&text, &edit).expect("replaced");
    let record = TextRecord::new("p", &edit, &text, &after);
    assert!(!after.contains("hunter2") && !format!("{record:?}").contains("hunter2"));
}

#[test]
fn a_job_with_a_credential_or_its_mask_is_never_written() {
    for token in ["hunter2", mask::MASK] {
        let mut job = job();
        job["kubernetes_sd_configs"][0]["bearer_token"] = token.into();
        let name = "ours".into();
        let refusal = apply("scrape_configs: []\n", &[TextEdit::InsertJob { name, job }])
            .expect_err("refused");
        assert!(
            refusal.why.contains("kubernetes_sd_configs.bearer_token"),
            "{}",
            refusal.why
        );
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
}

#[test]
fn removing_what_is_not_there_changes_nothing() {
    let text = "scrape_configs:\n- job_name: a\n";
    assert_eq!(
        apply(text, &[remove(), rule("a").1, rule("zz").1]).as_deref(),
        Ok(text)
    );
}

#[test]
fn no_reader_of_yaml_1_1_can_misread_a_scalar() {
    for text in [
        "on",
        "Off",
        "yes",
        "NO",
        "y",
        "n",
        "true",
        "null",
        "~",
        "",
        "1:30",
        "2001-01-01",
        "0x1f",
        "1e3",
        "15091",
        ".5",
        "-1",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "[$2]:$1",
        "a\nb",
        " a",
        "a ",
        "1_000",
        "0o7",
        "=",
        "<<",
        "?",
        "|",
    ] {
        let written = emit::scalar(text, false);
        assert!(
            written.starts_with(['\'', '"']),
            "{text:?} is written {written}"
        );
        let back: String = serde_yaml::from_str(&written).expect("a string");
        assert_eq!(back, text);
        let back: Vec<String> =
            serde_yaml::from_str(&format!("[{}]", emit::scalar(text, true))).expect("a list");
        assert_eq!(back, [text]);
    }
    for text in [
        "pod",
        r"\d+",
        "$2:$1",
        "/stats/prometheus",
        "5m",
        "Pending|Failed",
        r"(\d+);((([0-9]+?)(\.|$)){4})",
    ] {
        assert_eq!(emit::scalar(text, false), text);
    }
}

#[test]
fn jobs_are_read_for_what_they_do() {
    let text = "
scrape_configs:
- job_name: plain
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
- job_name: out
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop, regex: true}
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape_slow], action: keep, regex: true}
- job_name: secure
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: .+}
- job_name: secure-envoy
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_envoy_port], action: keep, regex: .+}
- job_name: envoy-stats
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_container_port_name], action: keep, regex: '.*-envoy-prom'}
- job_name: services
  kubernetes_sd_configs: [{role: endpoints}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scrape], action: keep, regex: true}
";
    let read = jobs(text).expect("jobs");
    let flags: Vec<(&str, [bool; 5])> = read
        .iter()
        .map(|j| {
            (
                j.name.as_str(),
                [
                    j.plaintext,
                    j.envoy_stats,
                    j.secure,
                    j.secure_envoy,
                    j.leaves_annotated_out,
                ],
            )
        })
        .collect();
    assert_eq!(
        flags,
        [
            ("plain", [true, false, false, false, false]),
            ("out", [true, false, false, false, true]),
            ("secure", [false, false, true, false, false]),
            ("secure-envoy", [false, false, false, true, false]),
            ("envoy-stats", [false, true, false, false, false]),
            ("services", [true, false, false, false, false]),
        ]
    );
}

/// A plaintext job leaves workloads out by name, and scrapes them again: the very bytes, whatever came between.
#[test]
fn names_come_and_go_in_any_order_and_leave_the_text_as_it_was() {
    let named = |names: &[&str]| -> Vec<WorkloadRef> {
        names
            .iter()
            .map(|name| name.parse().expect("a workload"))
            .collect()
    };
    let end = |names: &[&str]| TextEdit::EndPlaintext {
        job: "a".into(),
        items: named(names),
    };
    let resume = |names: &[&str]| TextEdit::ResumePlaintext {
        job: "a".into(),
        items: named(names),
    };
    let all = [
        "shop/Deployment/web",
        "shop/StatefulSet/db",
        "pay/Deployment/api",
    ];
    let texts = EDITABLE
        .iter()
        .filter(|(_, text)| text.contains("job_name: a"));
    let mut tried = 0;
    for (what, text) in texts {
        let Ok(one) = apply(text, &[end(&all[..1])]) else {
            continue;
        };
        tried += 1;
        let of = |text: &str| -> Vec<String> {
            let jobs = jobs(text).expect("jobs");
            let job = jobs.iter().find(|job| job.name == "a").expect("a");
            job.leaves_out().iter().map(ToString::to_string).collect()
        };
        assert_eq!(of(&one), &all[..1], "{what}");
        let three = apply(&one, &[end(&all)]).unwrap_or_else(|e| panic!("{what}: {e}\n{one}"));
        assert_eq!(of(&three).len(), 3, "{what}");
        assert_eq!(
            apply(&three, &[end(&all[1..])]).as_deref(),
            Ok(three.as_str()),
            "{what}: twice"
        );
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let mut back = three.clone();
            for at in order {
                back = apply(&back, &[resume(&[all[at]])])
                    .unwrap_or_else(|e| panic!("{what}: {e}\n{back}"));
                assert!(!of(&back).contains(&all[at].to_owned()), "{what}");
            }
            assert_eq!(back, *text, "{what} {order:?}");
        }
    }
    assert!(tried >= 10, "{tried}");
}

#[test]
fn only_what_an_edit_would_change_is_recorded_of_it() {
    let item = |name: &str| -> WorkloadRef { name.parse().expect("a workload") };
    let text = "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n";
    let of = |items: &[&str]| TextEdit::EndPlaintext {
        job: "a".into(),
        items: items.iter().map(|name| item(name)).collect(),
    };
    let one = apply(text, &[of(&["shop/Deployment/web"])]).expect("edited");
    let both = of(&["shop/Deployment/web", "shop/Deployment/cart"]);
    let all = std::slice::from_ref(&both);
    assert_eq!(effective(text, all), all);
    assert_eq!(effective(&one, all), [of(&["shop/Deployment/cart"])]);
    let after = apply(&one, std::slice::from_ref(&both)).expect("edited");
    assert_eq!(effective(&after, all), []);
    // A job of an earlier run is not this run's to take out.
    let with_job = apply(&one, &[insert()]).expect("edited");
    assert_eq!(
        effective(&with_job, &[insert(), both.clone()]),
        [of(&["shop/Deployment/cart"])]
    );
}

#[test]
fn a_rule_that_is_taken_out_comes_back_as_it_was_written() {
    let rule = serde_json::json!({"action": "drop", "source_labels": ["x"], "regex": "true"});
    let job = || "a".to_owned();
    for text in [
        "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n  # why\n  - {action: drop, source_labels: [x], regex: 'true'} # once\n  - action: replace\n- job_name: b\n",
        "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n  - action: drop\n    source_labels:\n    - x\n    regex: \"true\"\n",
        "scrape_configs:\r\n- job_name: a\r\n  relabel_configs:\r\n  - {action: drop, source_labels: [x], regex: 'true'}\r\n  - action: keep\r\n",
    ] {
        let (was, at) = text_of_rule(text, "a", &rule).expect("found");
        let take = TextEdit::RemoveRule {
            job: job(),
            rule: rule.clone(),
        };
        let names = TextEdit::EndPlaintext {
            job: job(),
            items: vec!["shop/Deployment/web".parse().expect("a workload")],
        };
        let TextEdit::EndPlaintext { items, .. } = names.clone() else {
            unreachable!()
        };
        let after = apply(text, &[take, names]).expect("edited");
        let back = [
            TextEdit::ResumePlaintext { job: job(), items },
            TextEdit::RestoreRule {
                job: job(),
                rule: rule.clone(),
                text: was,
                at,
            },
        ];
        assert_eq!(apply(&after, &back).as_deref(), Ok(text));
    }
}
