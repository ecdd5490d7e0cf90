//! `meshscrape check`: all problems of the live cluster, by code. Reads only.

mod baseline;
mod junit;
mod plaintext;

use super::{Call, exit, flow, json, written};
use crate::engine::contact::contact;
use crate::engine::watch::{Watch, follow};
use crate::error::{Error, Result};
use crate::mesh::{Mesh, observe};
use crate::problems::{Code, Findings, Severity, of_board, of_mesh};
use crate::recipe;
use crate::targets::Board;
use crate::text::{Tone, line as flat};
use crate::words;
use crate::words::say::commands::{self as say, check as texts};
use baseline::{Baseline, Known};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// All problems as JSON.
    #[arg(long)]
    pub json: bool,
    /// The problems as JUnit XML, a suite for each severity, written to this file (`-`: the output).
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub junit: Option<PathBuf>,
    /// Explain a code, such as MS312; without one list all codes. Asks no cluster.
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "")]
    pub explain: Option<String>,
    /// From which severity on the exit code is 3 [default: risk].
    #[arg(long, value_name = "note|risk|loses|blocks")]
    pub fail_on: Option<Severity>,
    /// Leave out a code, everywhere or for one object: MS312 or MS312:shop/cart.
    #[arg(long, value_name = "CODE[:NAMESPACE/NAME]", value_parser = Known::parse, num_args = 1.., value_delimiter = ',')]
    pub ignore: Vec<Known>,
    /// Leave out the problems that this file holds, as `--json` or `--write-baseline` wrote it.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the problems that are found to this file, for `--baseline`.
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
}

pub async fn run(mut call: Call<'_>, options: &Options) -> Result<u8> {
    if let Some(code) = &options.explain {
        let text = explain(code)?;
        written(call.out.write_all(text.as_bytes()))?;
        return Ok(exit::WELL);
    }
    if let Some(flag) = call.choices.beside_namespaces() {
        return Err(Error::new(texts::takes_not(flag)).hint(texts::WHOLE_NAMESPACES));
    }
    let baseline = options.baseline.as_deref().map(Baseline::read);
    let baseline = baseline.transpose()?.unwrap_or_default();
    let mut opened = flow::open_any(&call).await?;
    if let Ok(prometheus) = follow::prometheus(&opened.mesh, &opened.answers) {
        let contact = contact(&opened.session, &prometheus).await;
        if let Some(seen) = contact.seen() {
            opened.mesh = Arc::new(observe(&opened.mesh, seen));
        }
    }
    let mesh = &opened.mesh;
    for name in &opened.answers.namespaces {
        recipe::known_namespace(mesh, name)?;
    }
    let board = look(&mut call, &opened).await;
    let mut all = of_mesh(mesh);
    if let Some(board) = &board {
        all.extend(of_board(board));
    }
    let spaces = &opened.answers.namespaces;
    // What is of no namespace concerns each.
    all.retain(|problem| {
        let of = &problem.of().namespace;
        spaces.is_empty() || of.is_empty() || spaces.contains(of)
    });
    let all = Findings::new(all, |problem| {
        options.ignore.iter().any(|known| known.knows(problem))
    });
    if let Some(file) = &options.write_baseline {
        write_file(file, &format!("{:#}\n", as_json(mesh, &all, Value::Null)))?;
    }
    let ignored = all.known;
    let mut findings = Findings::new(all.problems, |problem| baseline.knows(problem));
    findings.known += ignored;
    let scraped = plaintext::jobs(mesh, board.as_deref(), spaces);
    let fail_on = options.fail_on.unwrap_or(Severity::Risk);
    let text = match &options.junit {
        _ if options.json => {
            let jobs = plaintext::as_json(&scraped);
            format!("{:#}\n", as_json(mesh, &findings, jobs))
        }
        Some(file) if file.as_os_str() != "-" => {
            write_file(file, &junit::report(&findings, fail_on))?;
            in_words(&findings, &scraped)
        }
        Some(_) => junit::report(&findings, fail_on),
        None => in_words(&findings, &scraped),
    };
    written(call.out.write_all(text.as_bytes()))?;
    Ok(match findings.any_at(fail_on) || findings.unread() {
        true => exit::NOT_ALL,
        false => exit::WELL,
    })
}

fn write_file(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|error| {
        let file = file.display().to_string();
        Error::new(texts::file_not_written(&file)).cause(crate::fault::io(&error))
    })
}

fn explain(code: &str) -> Result<String> {
    if code.is_empty() {
        let mut out = String::new();
        for code in Code::ALL {
            let severity = code.severity().name();
            let _ = writeln!(out, "{code}  {severity:<6}  {}", words::title(*code));
        }
        return Ok(out);
    }
    let found = Code::named(code).ok_or_else(|| {
        let error = Error::new(texts::no_such_code(code));
        let names = Code::ALL.iter().map(|code| code.text());
        match crate::error::nearest(&code.to_uppercase(), names) {
            Some(near) => error.hint(format!("meshscrape check --explain {near}")),
            None => error.hint(texts::ALL_CODES),
        }
    })?;
    Ok(words::explained(found))
}

/// The targets of what is secured already. `None`: nothing is, or Prometheus is not known.
async fn look(call: &mut Call<'_>, opened: &flow::Opened) -> Option<Arc<Board>> {
    let (mesh, answers) = (&opened.mesh, &opened.answers);
    let mut secured = answers.clone();
    (secured.namespaces, secured.workloads, secured.gateways) = Default::default();
    let mut watched = follow::watched(mesh, &secured);
    let spaces = &answers.namespaces;
    watched.retain(|of| spaces.is_empty() || spaces.contains(&of.item.namespace));
    if watched.is_empty() {
        return None;
    }
    let prometheus = match follow::prometheus(mesh, answers) {
        Ok(prometheus) => prometheus,
        Err(error) => {
            call.note(&[texts::targets_not_checked(&error.what)]);
            return None;
        }
    };
    let ground = follow::ground(mesh, &prometheus);
    let probe = !call.choices.no_probe;
    let watch = Watch::new(&opened.session, prometheus, watched, probe);
    Some(watch.on(ground).look().await)
}

fn as_json(mesh: &Mesh, findings: &Findings, scraped: Value) -> Value {
    let counts = findings
        .counts()
        .map(|(severity, count)| (severity.name(), count));
    json!({
        "version": json::VERSION,
        "context": mesh.context,
        "problems": findings.problems.iter().map(json::problem).collect::<Vec<_>>(),
        "plaintextJobs": scraped,
        "summary": serde_json::Map::from_iter(
            counts.map(|(name, count)| (name.to_owned(), count.into())),
        ),
        "known": findings.known,
    })
}

fn in_words(findings: &Findings, scraped: &[plaintext::Scraper]) -> String {
    let mut out = String::new();
    for (code, problems) in findings.groups() {
        let tone = match code.severity() {
            Severity::Blocks | Severity::Loses => Tone::Bad,
            Severity::Risk => Tone::Warning,
            Severity::Note => Tone::Strong,
        };
        let ist = code.ist().map(|ist| format!(", {ist}")).unwrap_or_default();
        let head = format!("{} {code}{ist}", code.severity().name());
        let _ = writeln!(out, "{}  {}", tone.of(&head), words::title(code));
        for problem in problems {
            let _ = writeln!(out, "  {}", flat(&problem.of().to_string()));
            let _ = writeln!(out, "    {}", flat(&words::sentence(problem)));
            if let Some(to_do) = words::remedy(problem) {
                let _ = writeln!(out, "    {}", say::to_do(&flat(&to_do)));
            }
        }
        out.push('\n');
    }
    out.push_str(&plaintext::in_words(scraped));
    let counts = findings
        .counts()
        .map(|(severity, count)| format!("{}: {count}", severity.name()));
    let _ = writeln!(out, "{}", counts.join(" · "));
    if findings.known > 0 {
        let _ = writeln!(out, "{}", texts::known(findings.known));
    }
    if !findings.problems.is_empty() {
        let _ = writeln!(out, "{}", texts::WHAT_A_CODE_MEANS);
    }
    out
}
