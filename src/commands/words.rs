//! A review, a board and an outcome as plain text, for terminals and logs.

use crate::engine::contact::Contact;
use crate::engine::event::{Ended, Outcome, StepState};
use crate::mesh::OtherPods;
use crate::mesh::others::in_plaintext;
use crate::plan::diff::LineKind;
use crate::plan::review::{Hands, ItemState, LeftOut, PodVerdict, Review, Reviewed, Verdict};
use crate::plan::upstream::upstream;
use crate::plan::{ChangeId, Impact, Part};
use crate::problems::{Problem, of_forecast};
use crate::reach::forecast::Forecast;
use crate::targets::{Board, Guard, Probe, Row, State};
use crate::text::{Tone, few, line as flat};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// The whole review: one line a change, then each that counts with its diff, then the sum.
pub fn review(review: &Review) -> String {
    let mut out = String::new();
    let states = review.states();
    overview(&mut out, review, &states);
    for change in &review.plan.changes {
        let (Some(item), Some(state)) = (review.items.get(&change.id), states.get(&change.id))
        else {
            continue;
        };
        if matches!(state, ItemState::Unchanged) {
            continue;
        }
        let _ = writeln!(
            out,
            "{}   {}",
            Tone::Strong.of(&format!(
                "{} {}",
                sign(item),
                flat(&change.object.to_string())
            )),
            flat(&crate::words::purpose(&change.purpose))
        );
        one(&mut out, item, state);
        if let Some(words) = review.not_kept(item) {
            let _ = writeln!(out, "  warning: {}", flat(&words));
        }
        out.push('\n');
    }
    for impact in &review.plan.impacts {
        let _ = writeln!(out, "impact: {}", self::impact(impact));
    }
    for (problem, words) in crate::words::together(&review.plan.findings) {
        let _ = writeln!(out, "{}", finding(problem, &words));
    }
    for words in crate::words::skipped(&review.plan.skipped) {
        let _ = writeln!(out, "skipped: {}", flat(&words));
    }
    for filter in review.filters_that_stop() {
        let _ = writeln!(
            out,
            "note: {} will stop matching, see the impact above",
            flat(&filter.to_string())
        );
    }
    if let Some(forecast) = &review.plan.forecast {
        self::forecast(&mut out, forecast);
    }
    let counts = review.counts();
    let _ = writeln!(
        out,
        "{}",
        match counts.changes {
            0 => "No changes. The cluster matches your choices.".to_owned(),
            n => format!(
                "{}: {} new, {} patched, {} deleted; {} to restart.",
                plural(n, "change"),
                counts.new,
                counts.patched,
                counts.deleted,
                plural(counts.restarts, "pod")
            ),
        }
    );
    out
}

/// The targets before and after, and what is wrong with them.
fn forecast(out: &mut String, of: &Forecast) {
    let lines = crate::words::forecast(of);
    if !lines.is_empty() {
        let title = format!("Forecast: targets of {} after this plan", of.prometheus);
        let _ = writeln!(out, "{}", Tone::Strong.of(&title));
    }
    for line in lines {
        let _ = writeln!(out, "  {}", flat(&line));
    }
    for (problem, words) in crate::words::together(&of_forecast(of)) {
        let _ = writeln!(out, "  {}", Tone::Bad.of(&finding(problem, &words)));
    }
}

/// Every change that counts in a line: what, how much, and what to look at.
fn overview(out: &mut String, review: &Review, states: &BTreeMap<ChangeId, ItemState>) {
    let rows = review.plan.changes.iter().filter_map(|change| {
        let state = states.get(&change.id)?;
        let item = review.items.get(&change.id)?;
        (!matches!(state, ItemState::Unchanged)).then_some((change, item, state))
    });
    let rows: Vec<_> = rows.collect();
    // Two are seen whole anyway.
    if rows.len() < 3 {
        return;
    }
    for (change, item, state) in rows {
        let diff = item.diff();
        let count = |kind: LineKind| diff.lines.iter().filter(|line| line.kind == kind).count();
        let words = format!("{} {}", sign(item), flat(&change.id.title()));
        let words = match item.verdict {
            Verdict::New => Tone::Added.of(&words),
            Verdict::Deletes => Tone::Removed.of(&words),
            _ => words,
        };
        let figures = match (count(LineKind::Added), count(LineKind::Removed)) {
            (added, 0) => format!("+{added}"),
            (added, removed) => format!("+{added} -{removed}"),
        };
        let stands = match state {
            ItemState::Conflict(managers) => {
                let managers = flat(&few(managers, 3)).into_owned();
                Some(Tone::Bad.of(&format!("conflict with {managers}")))
            }
            ItemState::Refused(_) => Some(Tone::Bad.of("refused")),
            ItemState::Gate { .. } => Some(Tone::Bad.of("not safe to edit")),
            ItemState::Failed(_) => Some(Tone::Bad.of("no answer")),
            ItemState::LeftOut(_) => Some("skipped".to_owned()),
            _ if !(item.warnings.is_empty() && item.rollout_problems.is_empty()) => {
                let warnings = item.warnings.len() + item.rollout_problems.len();
                Some(Tone::Warning.of(&format!("warnings: {warnings}")))
            }
            _ => None,
        };
        let stands = stands
            .map(|stands| format!("  {stands}"))
            .unwrap_or_default();
        let _ = writeln!(out, "{words}  {figures}{stands}");
    }
    out.push('\n');
}

fn one(out: &mut String, item: &Reviewed, state: &ItemState) {
    let diff = item.diff();
    for line in &diff.lines {
        let (mark, tone) = match line.kind {
            LineKind::Added => ('+', Some(Tone::Added)),
            LineKind::Removed => ('-', Some(Tone::Removed)),
            LineKind::Same | LineKind::Folded(_) => (' ', None),
        };
        let words = format!("  {mark} {}", flat(&line.text));
        let words = tone.map_or_else(|| words.clone(), |tone| tone.of(&words));
        let _ = writeln!(out, "{words}");
    }
    for conflict in &item.conflicts {
        let was = conflict
            .theirs
            .as_ref()
            .map_or_else(|| "absent".to_owned(), ToString::to_string);
        let _ = match conflict.hands {
            Hands::Person if conflict.theirs.is_none() => writeln!(
                out,
                "  set by {} before: {}",
                flat(&conflict.manager),
                flat(&conflict.field)
            ),
            Hands::Person => writeln!(
                out,
                "  was {}, set by {}: {}",
                flat(&was),
                flat(&conflict.manager),
                flat(&conflict.field)
            ),
            Hands::Controller if !stands_against(state, &conflict.manager) => writeln!(
                out,
                "  forced over {}, which may revert it: {} was {}",
                flat(&conflict.manager),
                flat(&conflict.field),
                flat(&was)
            ),
            Hands::Controller => writeln!(
                out,
                "  conflict: {} belongs to {} (now {}); it would revert the field. Force ownership with --force-owner {}",
                flat(&conflict.field),
                flat(&conflict.manager),
                flat(&was),
                flat(&conflict.manager)
            ),
        };
    }
    if let Some(owner) = upstream(item) {
        let _ = writeln!(
            out,
            "  belongs to {}. {}",
            flat(&owner.owner()),
            owner.reverts()
        );
        for line in owner.lines() {
            let _ = writeln!(out, "    {}", flat(&line));
        }
    }
    for warning in &item.warnings {
        let _ = writeln!(out, "  warning from the API server: {}", flat(warning));
    }
    match &item.pod {
        Some(PodVerdict::Forbidden(why) | PodVerdict::Unfit(why)) => {
            let what = format!("{} {}", why.code(), why.severity().name());
            told(out, &what, &crate::words::reason(why));
        }
        Some(PodVerdict::Unknown(why)) => {
            let _ = writeln!(out, "  {}", finding(why, &crate::words::reason(why)));
            if item.change.part != Part::Undo {
                let _ = writeln!(out, "    apply requires --unchecked-pods");
            }
        }
        Some(PodVerdict::BeyondQuota(why) | PodVerdict::AsBad(why)) => {
            let _ = writeln!(out, "  {}", finding(why, &crate::words::reason(why)));
        }
        Some(PodVerdict::Admitted {
            warnings, findings, ..
        }) => {
            for warning in warnings {
                let _ = writeln!(out, "  warning from the API server: {}", flat(warning));
            }
            for problem in findings {
                let words = crate::words::reason(problem);
                let _ = writeln!(out, "  {}", finding(problem, &words));
            }
        }
        None => {}
    }
    match &item.verdict {
        Verdict::Unverified(why) => {
            let _ = writeln!(out, "  not verified yet: {}", flat(why));
        }
        Verdict::Refused(why) => {
            told(out, "refused by the API server", why);
        }
        Verdict::Failed(why) => {
            told(out, "dry run failed", why);
        }
        Verdict::Gate { why, paste } => {
            let _ = writeln!(out, "  not edited: {}\n  to paste by hand:", flat(why));
            for line in paste.lines() {
                let _ = writeln!(out, "    {}", flat(line));
            }
        }
        _ => {}
    }
    if let ItemState::LeftOut(because) = state {
        let _ = match because {
            LeftOut::HangsOn(id) => {
                writeln!(
                    out,
                    "  skipped: depends on {}, which is skipped",
                    flat(&id.to_string())
                )
            }
            LeftOut::ByUser => writeln!(out, "  skipped"),
            LeftOut::NotTaken(_) => {
                writeln!(out, "  skipped: the cluster rejects it")
            }
        };
    }
    for problem in &item.rollout_problems {
        let _ = writeln!(out, "  rollout: {}", flat(&crate::words::sentence(problem)));
        if let Some(to_do) = crate::words::remedy(problem) {
            let _ = writeln!(out, "    to do: {}", flat(&to_do));
        }
    }
    for impact in &item.change.impacts {
        let _ = writeln!(out, "  impact: {}", self::impact(impact));
    }
    for (problem, words) in crate::words::together(&item.change.findings) {
        let _ = writeln!(out, "  {}", finding(problem, &words));
    }
}

/// A problem in its line, by its code.
fn finding(of: &Problem, words: &str) -> String {
    format!("{} {}: {}", of.code(), of.severity().name(), flat(words))
}

/// Words of the server, of a webhook or a policy: whole, in their own lines.
fn told(out: &mut String, what: &str, words: &str) {
    let mut lines = words.lines();
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(out, "  {what}: {}", flat(first));
    for line in lines {
        let _ = writeln!(out, "    {}", flat(line));
    }
}

/// Is the manager's word still missing, by what came of the change?
fn stands_against(state: &ItemState, manager: &str) -> bool {
    match state {
        ItemState::Conflict(untaken) => untaken.iter().any(|of| of == manager),
        ItemState::Ready | ItemState::Unverified(_) => false,
        _ => true,
    }
}

fn sign(item: &Reviewed) -> char {
    match item.verdict {
        Verdict::New => '+',
        Verdict::Deletes => '-',
        Verdict::Changes => '~',
        Verdict::Unchanged => '=',
        Verdict::Unverified(_) => '?',
        Verdict::Refused(_) | Verdict::Gate { .. } | Verdict::Failed(_) => 'x',
    }
}

/// An impact in one sentence.
pub fn impact(impact: &Impact) -> String {
    flat(&crate::words::impact(impact)).into_owned()
}

/// Whether Prometheus can be asked, and what works without.
pub fn contact(contact: &Contact) -> String {
    let mut out = String::new();
    match contact {
        Contact::Answers { url, late, .. } => {
            if let Some(url) = url {
                let _ = writeln!(out, "\nPrometheus answers at {}.", flat(url));
                for line in behind(contact) {
                    let _ = writeln!(out, "  {}", flat(&line));
                }
            }
            if !late.is_empty() {
                let _ = writeln!(
                    out,
                    "\nPrometheus does not run job {}: it loaded the job before its certificates existed. apply --yes reloads Prometheus.",
                    flat(&late.join(", "))
                );
            }
        }
        Contact::NotRunning(error) => {
            let _ = writeln!(out, "\nPrometheus does not run yet: {}", flat(&error.what));
        }
        Contact::Unreachable(error) => {
            let _ = writeln!(out, "\nPrometheus cannot be queried: {}", flat(&error.what));
            for cause in &error.causes {
                let _ = writeln!(out, "  cause: {}", flat(cause));
            }
            for hint in &error.hints {
                let _ = writeln!(out, "  try: {}", flat(hint));
            }
            let _ = writeln!(
                out,
                "  plan, export and undo still work; apply requires --unproven, and status shows no targets"
            );
        }
    }
    out
}

/// What one answer for several replicas leaves open.
pub fn behind(contact: &Contact) -> Vec<String> {
    match contact {
        Contact::Answers {
            url: Some(url),
            replicas,
            ..
        } if *replicas > 1 => vec![format!(
            "replicas behind {url}: {replicas}; only one answers each query"
        )],
        _ => Vec::new(),
    }
}

/// The table of targets.
pub fn board(board: &Board) -> String {
    let mut rows: Vec<[String; 5]> = vec![[
        "NAMESPACE".into(),
        "WORKLOAD".into(),
        "POD".into(),
        "STATE".into(),
        "PLAINTEXT".into(),
    ]];
    rows.extend(board.rows.iter().map(|row| {
        [
            flat(&row.expected.item.namespace).into_owned(),
            flat(&row.expected.item.name).into_owned(),
            flat(&row.expected.pod).into_owned(),
            state(row),
            probe(row),
        ]
    }));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(unicode_width::UnicodeWidthStr::width(cell.as_str()));
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let pad = width - unicode_width::UnicodeWidthStr::width(cell.as_str());
            let _ = write!(line, "{cell}{}  ", " ".repeat(pad));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for replica in &board.replicas {
        if let Some(error) = &replica.error {
            let _ = writeln!(out, "Prometheus {}: {}", flat(&replica.pod), flat(error));
        }
    }
    if let Some((why, since)) = &board.stale {
        let _ = writeln!(out, "Last update at {since}: {}", flat(why));
    }
    for row in &board.rows {
        let pod = flat(&row.expected.pod);
        let mut told = |question: &str, cause: &Problem| {
            let why = crate::words::sentence(cause);
            let _ = writeln!(out, "\nWhy is {pod} {question}? {}", flat(&why));
            if let Some(fix) = crate::words::remedy(cause) {
                let _ = writeln!(out, "  Fix: {}", flat(&fix));
            }
        };
        let down = match &row.state {
            State::Down { cause, .. } => cause.as_deref(),
            _ => None,
        };
        if let Some(cause) = down {
            told("DOWN", cause);
        }
        let faults = row.guard.faults().iter();
        for cause in faults.filter(|cause| Some(*cause) != down) {
            told("not secured", cause);
        }
        if let Guard::Unknown(why) = &row.guard {
            let why = flat(why);
            let _ = writeln!(out, "\nWhether {pod} is secured is not known: {why}");
        }
    }
    if !board.shared_with.is_empty() {
        let others = few(&board.shared_with, 5);
        let _ = writeln!(
            out,
            "\nPrometheus's ServiceAccount is also used by {}: they can also read the secure ports.\n  \
             Fix: give Prometheus its own ServiceAccount",
            flat(&others)
        );
    }
    out.push_str(&others(&board.others));
    let _ = writeln!(out, "{}", sum(board));
    out
}

/// Pods that no target stands for, by owner.
fn others(others: &[Arc<OtherPods>]) -> String {
    let mut out = String::new();
    for other in others.iter().filter(|other| other.plaintext > 0) {
        let _ = writeln!(
            out,
            "not covered: {} of {} {}/{} in plaintext: {}",
            plural(other.plaintext, "pod"),
            flat(&other.kind),
            flat(&other.namespace),
            flat(&other.name),
            crate::words::why_not(&other.kind)
        );
    }
    out
}

/// The board in one line.
pub fn sum(board: &Board) -> String {
    let counts = board.counts;
    let mut parts = vec![format!(
        "{} of {} UP over mTLS",
        counts.up,
        plural(counts.all(), "target")
    )];
    for (count, word) in [
        (counts.down, "DOWN"),
        (counts.waiting, "waiting"),
        (counts.plaintext, "plaintext only"),
        (counts.not_covered, "not covered"),
        (counts.double, "also scraped in plaintext"),
        (counts.unguarded, "not guarded"),
        (counts.left_out, "skipped"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if counts.up > 0 && counts.secured == counts.all() {
        parts.push("secured: every target refuses plaintext".into());
    } else if counts.secured > 0 {
        parts.push(format!("{} secured (plaintext refused)", counts.secured));
    }
    match in_plaintext(&board.others) {
        0 => {}
        pods => parts.push(format!(
            "{} of other owners in plaintext",
            plural(pods, "pod")
        )),
    }
    parts.join(" · ")
}

/// A target's state in words.
pub fn state(row: &Row) -> String {
    let text = match &row.state {
        _ if row.left_out => "skipped".to_owned(),
        State::Up { .. } if !row.guard.faults().is_empty() => "UP mTLS, not guarded".to_owned(),
        State::Up { double: None } => "UP mTLS".to_owned(),
        State::Up { double: Some(job) } => format!("UP mTLS, and in plaintext by {job}"),
        State::Unsettled { until } => {
            format!("UP, confirmed after {until:.0} (connection from before a policy change)")
        }
        State::Down { error, .. } => format!("DOWN {error}"),
        State::Waiting { on, replica } => {
            format!("waiting: {}", crate::words::waits(on, replica.as_deref()))
        }
        State::Plaintext { job } => format!("plaintext only, by {job}"),
        State::NotCovered => format!("not covered: {}", crate::words::not_covered()),
    };
    flat(&text).into_owned()
}

fn probe(row: &Row) -> String {
    match &row.probe {
        Probe::NotAsked => "not asked".into(),
        Probe::Refused => "refused".into(),
        Probe::Served => "SERVED".into(),
        Probe::Unknown(why) | Probe::Unclear(why) => format!("unknown: {}", flat(why)),
    }
}

/// One step of an apply in words; `None`: nothing worth a line.
pub fn step(state: &StepState) -> Option<String> {
    let text = step_of(state)?;
    Some(flat(&text).into_owned())
}

fn step_of(state: &StepState) -> Option<String> {
    Some(match state {
        StepState::Pending | StepState::Unchanged => return None,
        StepState::Waiting { on, gone_by } => {
            format!("waiting for {}", crate::words::so_far(on, *gone_by))
        }
        StepState::Writing => "applying".into(),
        StepState::Rollout {
            updated,
            ready,
            desired,
            note,
            ..
        } => {
            let note = if note.is_empty() {
                String::new()
            } else {
                format!(" ({note})")
            };
            format!("rollout: {updated} updated, {ready} ready of {desired}{note}")
        }
        StepState::Done => "done".into(),
        // The whole of it follows at the end.
        StepState::Failed(error) => match error.causes.first() {
            Some(cause) => format!("failed: {}: {cause}", error.what),
            None => format!("failed: {}", error.what),
        },
        StepState::LeftOut => "skipped".into(),
        StepState::TakenBack(why) => format!("undone: {why}"),
        StepState::Held(why) => format!("held: {why}"),
    })
}

/// How it ended, with what was written and what was not.
pub fn outcome(outcome: &Outcome, undoes: bool) -> String {
    let mut out = String::new();
    let _ = match &outcome.ended {
        Ended::Whole if undoes && outcome.not_written.is_empty() => {
            writeln!(
                out,
                "Run undone: {}.",
                plural(outcome.written.len(), "change")
            )
        }
        Ended::Whole if outcome.not_written.is_empty() => {
            writeln!(out, "{} applied.", plural(outcome.written.len(), "change"))
        }
        Ended::Whole => writeln!(
            out,
            "{} applied, {} not applied.",
            plural(outcome.written.len(), "change"),
            outcome.not_written.len()
        ),
        Ended::PartWay(_) if outcome.written.is_empty() => {
            writeln!(out, "Stopped: no changes applied.")
        }
        Ended::PartWay(_) => writeln!(
            out,
            "Stopped: {} applied, {} not applied.",
            plural(outcome.written.len(), "change"),
            outcome.not_written.len()
        ),
        Ended::Undone => writeln!(out, "Failed: every change of this run was undone."),
    };
    if !matches!(outcome.ended, Ended::Whole) {
        for id in &outcome.written {
            let _ = writeln!(out, "  applied      {}", flat(&id.title()));
        }
    }
    for id in &outcome.not_written {
        let _ = writeln!(out, "  not applied  {}", flat(&id.title()));
    }
    for id in &outcome.taken_back {
        let _ = writeln!(out, "  undone       {}", flat(&id.title()));
    }
    out
}

/// What it ended with, for the error stream; empty: no error.
pub fn failure(outcome: &Outcome) -> String {
    let mut out = String::new();
    if let Ended::PartWay(Some(error)) = &outcome.ended {
        for line in error.to_string().lines() {
            let _ = writeln!(out, "{}", flat(line));
        }
    }
    out
}

/// `1 pod`, `2 pods`.
pub fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}
