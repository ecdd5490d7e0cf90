//! The program from the shell: words, JSON and exit codes.

use assert_cmd::Command;
use meshscrape::words::say::commands::{self as say, review};
use meshscrape::words::say::engine;
use serde_json::Value;

fn meshscrape(args: &str) -> assert_cmd::assert::Assert {
    Command::cargo_bin("meshscrape")
        .unwrap()
        .args(args.split_whitespace())
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .timeout(std::time::Duration::from_secs(120))
        .assert()
}

/// Several at one time: the demo answers as slowly as a cluster does.
fn at_once<const N: usize>(lines: [&str; N]) -> [assert_cmd::assert::Assert; N] {
    std::thread::scope(|scope| {
        let running = lines.map(|line| scope.spawn(move || meshscrape(line)));
        running.map(|one| one.join().unwrap())
    })
}

fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

#[test]
fn help_names_every_command_and_exit_code() {
    let help = stdout(&meshscrape("--help").code(0));
    for word in [
        "plan",
        "apply",
        "export",
        "status",
        "undo",
        "--demo",
        "Exit codes",
        "undone after a failure",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn apply_and_undo_name_their_events_in_their_help() {
    let [apply, undo] = ["apply", "undo"].map(|command| {
        let help = stdout(&meshscrape(&format!("{command} --help")).code(0));
        help.split_once("Events of --json").unwrap().1.to_owned()
    });
    assert!(apply.contains("began"), "{apply}");
    assert_eq!(apply, undo);
}

#[test]
fn status_and_undo_list_only_what_they_use() {
    for (command, has, has_not) in [
        ("status", ["--no-probe", "--timeout"], ["--port", "--pace"]),
        (
            "undo",
            ["--break-lock", "--timeout"],
            ["--port", "--workload"],
        ),
    ] {
        for flag in ["--help", "-h"] {
            let help = stdout(&meshscrape(&format!("{command} {flag}")).code(0));
            let lists = |flag: &str| {
                let words: Vec<&str> = help.split_whitespace().collect();
                words.contains(&flag)
            };
            for flag in has {
                assert!(lists(flag), "{command}: {flag}\n{help}");
            }
            for flag in has_not {
                assert!(!lists(flag), "{command}: {flag}\n{help}");
            }
        }
    }
    // What is not listed still parses, since it may stand in a script for all commands.
    let plan = stdout(&meshscrape("plan --help").code(0));
    assert!(plan.contains("--port "), "{plan}");
}

#[test]
fn a_workload_may_be_named_in_part_where_there_is_one_such() {
    let [bare, in_namespace, of_kind, none, gateway] = at_once([
        "plan --demo -w httpbin",
        "plan --demo -w default/httpbin",
        "plan --demo -w deployment/httpbin",
        "plan --demo -w htpbin",
        "plan --demo -w istio-ingressgateway",
    ]);
    for plan in [bare, in_namespace, of_kind] {
        let plan = stdout(&plan.code(2));
        assert!(plan.contains("default/meshscrape-httpbin"), "{plan}");
    }
    let none = stderr(&none.code(1));
    assert!(none.contains("default/Deployment/httpbin"), "{none}");
    let gateway = stderr(&gateway.code(1));
    assert!(gateway.contains("-g istio-system/"), "{gateway}");
}

#[test]
fn what_the_wizard_alone_could_choose_has_its_flag() {
    let [kept, stopped, ported, skip] = at_once([
        "plan --demo --json -w httpbin --plaintext-jobs keep",
        "plan --demo --json -w httpbin",
        "plan --demo --yaml -w httpbin,shop/cart --port-of httpbin=15090",
        "plan --demo --json -w httpbin --skip Sidecar/default/meshscrape-httpbin#listener",
    ])
    .map(|plan| stdout(&plan.code(2)));
    let ends = |text: &str| text.contains("#plaintext-jobs");
    assert!(ends(&stopped) && !ends(&kept), "{kept}");

    assert!(ported.contains("127.0.0.1:15090") && ported.contains("127.0.0.1:15020"));

    let plan: Value = serde_json::from_str(&skip).unwrap();
    let all: Value = serde_json::from_str(&stopped).unwrap();
    assert_ne!(plan, all);
}

#[test]
fn wrong_arguments_are_an_error_and_never_two() {
    for (args, place) in [
        ("plan --port 15021 --demo", "15021"),
        ("plan -w shop/nothing --demo", "shop/nothing"),
        ("plan -w shop/Job/cart --demo", "Job"),
        ("plan --annotate never --demo", "never"),
        ("plan --timeout soon --demo", "soon"),
        ("plna --demo", "plna"),
    ] {
        let words = stderr(&meshscrape(args).code(1));
        assert!(words.contains(place), "{args}: {words}");
    }
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_valid_one() {
    let told = at_once([
        "plan --demo -w default/Deployment/htpbin",
        "plan --demo -n defualt",
        "plan --demo -g istio-system/istio-ingresgateway",
    ]);
    let names = [
        ("htpbin", "default/Deployment/httpbin"),
        ("defualt", "default"),
        ("istio-ingresgateway", "istio-ingressgateway"),
    ];
    for (told, (wrong, near)) in told.into_iter().zip(names) {
        let words = stderr(&told.code(1));
        assert!(words.contains(wrong) && words.contains(near), "{words}");
    }
}

#[test]
fn the_wizard_without_a_terminal_names_the_commands() {
    use meshscrape::words::say::wizard::{NEEDS_TERMINAL, WITHOUT_SCREEN};
    let words = stderr(&meshscrape("--demo").code(1));
    for text in [NEEDS_TERMINAL, WITHOUT_SCREEN].map(meshscrape::text::in_demo) {
        assert!(words.contains(&*text), "{words}");
    }
}

#[test]
fn a_plan_of_the_demo_shows_changes_and_writes_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let logged = format!(
        "plan --demo -w default/Deployment/httpbin --log {}",
        log.display()
    );
    let [words, json] = at_once([
        logged.as_str(),
        "plan --demo -w default/Deployment/httpbin --json",
    ])
    .map(|plan| stdout(&plan.code(2)));
    let log = std::fs::read_to_string(log).unwrap();
    for request in ["GET /api/v1/pods", "dryRun=All"] {
        let mut lines = log.lines().filter(|line| line.contains(request));
        let answered = lines.any(|line| line.contains(" 200 "));
        assert!(answered, "{request} is not in\n{log}");
    }
    for word in [
        "PeerAuthentication default/meshscrape-httpbin",
        "AuthorizationPolicy default/meshscrape-httpbin",
        "Sidecar default/meshscrape-httpbin",
        "istio-secure-merged-metrics",
    ] {
        assert!(words.contains(word), "{word} is not in\n{words}");
    }
    let plan: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["version"], 2);
    assert!(plan["summary"]["changes"].as_u64().unwrap() >= 6);
    let impacts = plan["changes"].as_array().into_iter().flatten();
    let mut impacts = impacts.flat_map(|change| change["impacts"].as_array().unwrap());
    assert!(
        impacts.any(|impact| impact["kind"] == "losesHistory"),
        "{plan}"
    );
    let policies: Vec<&Value> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["part"] == "policy")
        .collect();
    assert_eq!(policies.len(), 2);
}

#[test]
fn nothing_is_written_without_a_yes_and_no_history_is_lost_without_its_own() {
    let [unsaid, said] = at_once([
        "apply --demo -w default/Deployment/httpbin",
        "apply --demo -w default/Deployment/httpbin --yes",
    ]);
    let words = stderr(&unsaid.code(4));
    assert!(words.contains(review::YES_IS_MISSING), "{words}");
    let words = stderr(&said.code(4));
    assert!(words.contains(review::ALLOW_HISTORY_LOSS), "{words}");
}

#[test]
fn a_kubeconfig_that_is_missing_is_named() {
    let words = stderr(&meshscrape("plan -n default --kubeconfig /nonexistent/config").code(1));
    assert!(words.contains("/nonexistent/config"), "{words}");
}

#[test]
fn a_broken_answers_file_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.yaml");
    std::fs::write(&file, "version: 1\nanswers:\n  prot: 15020\n").unwrap();
    let args = format!("plan --demo --answers {}", file.display());
    let words = stderr(&meshscrape(&args).code(1));
    assert!(
        words.contains("answers.yaml") && words.contains("prot"),
        "{words}"
    );
}

#[test]
fn an_export_fills_a_folder_once_and_says_what_it_wrote() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("out");
    let folder = folder.to_str().unwrap();
    let line = format!("export --demo --read-only -w default/Deployment/httpbin --json {folder}");
    let said: Value = serde_json::from_str(&stdout(&meshscrape(&line).code(0))).unwrap();
    assert_eq!(said["version"], 2);
    assert_eq!(said["folder"], folder);
    for file in said["files"].as_array().unwrap() {
        let path = home.path().join("out").join(file.as_str().unwrap());
        assert!(path.is_file(), "{}", path.display());
    }
    let file = format!("{folder}/README.md");
    let [again, into_file, nothing] = at_once([
        line.as_str(),
        &format!("export {file} --demo -n shop"),
        &format!("export {folder}2 --demo"),
    ])
    .map(|refused| stderr(&refused.code(1)));
    assert!(again.contains(engine::REPLACE_THAT_EXPORT), "{again}");
    assert!(into_file.contains(&engine::is_a_file(&file)), "{into_file}");
    assert!(nothing.contains(say::NOTHING_CHOSEN), "{nothing}");
    let words = stdout(&meshscrape(&line.replace("--json", "--overwrite")).code(0));
    assert!(words.contains("README.md"), "{words}");
}

#[test]
fn the_runs_of_this_machine_are_listed_without_a_cluster() {
    use meshscrape::engine::session::Journal;
    use meshscrape::journal::FileJournal;
    use meshscrape::plan::record::Entry;
    let state = tempfile::tempdir().unwrap();
    for (context, run) in [
        ("lab", "20260101-100000-aa"),
        ("prod", "20260102-100000-bb"),
    ] {
        let journal = FileJournal::at(state.path().join("meshscrape").join(context));
        let line = serde_json::json!({
            "entry": "started", "version": 1, "run": run, "at": "2026-01-01T10:00:00Z",
            "context": context, "prometheus": null,
        });
        let line: Entry = serde_json::from_value(line).unwrap();
        journal.append(&line).unwrap();
    }
    let list = |args: &str| {
        Command::cargo_bin("meshscrape")
            .unwrap()
            .args(["undo", "--list"])
            .args(args.split_whitespace())
            .env("KUBECONFIG", state.path().join("none"))
            .env("XDG_STATE_HOME", state.path())
            .env("HOME", "/nonexistent")
            .timeout(std::time::Duration::from_secs(60))
            .assert()
            .code(0)
    };
    let all = list("--json");
    let runs: Value = serde_json::from_str(&stdout(&all)).unwrap();
    let contexts: Vec<&Value> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["context"])
        .collect();
    assert_eq!(contexts, ["prod", "lab"]);
    // Why the cluster's own records are not among them.
    assert!(stderr(&all).contains("kubeconfig"), "{}", stderr(&all));
    let one = stdout(&list("--context lab"));
    assert!(
        one.contains("20260101-100000-aa") && !one.contains("20260102"),
        "{one}"
    );
}
