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
use crate::words::say::commands as say;
use crate::words::say::commands::errors;
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
            let _ = writeln!(out, "  {}", say::review::warning(&flat(&words)));
        }
        out.push('\n');
    }
    for impact in &review.plan.impacts {
        let _ = writeln!(out, "{}", say::review::impact(&self::impact(impact)));
    }
    for (problem, words) in crate::words::together(&review.plan.findings) {
        let _ = writeln!(out, "{}", finding(problem, &words));
    }
    for words in crate::words::skipped(&review.plan.skipped) {
        let _ = writeln!(out, "{}", say::review::skipped(&flat(&words)));
    }
    for filter in review.filters_that_stop() {
        let _ = writeln!(
            out,
            "{}",
            say::review::filter_stops(&flat(&filter.to_string()))
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
            0 => say::review::NO_CHANGES.to_owned(),
            n => say::review::sum(
                &changes(n),
                counts.new,
                counts.patched,
                counts.deleted,
                &pods(counts.restarts)
            ),
        }
    );
    out
}

/// The targets before and after, and what is wrong with them.
fn forecast(out: &mut String, of: &Forecast) {
    let lines = crate::words::forecast(of);
    if !lines.is_empty() {
        let title = say::review::forecast(&of.prometheus.to_string());
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
                Some(Tone::Bad.of(&say::review::conflict_with(&managers)))
            }
            ItemState::Refused(_) => Some(Tone::Bad.of(say::review::REFUSED)),
            ItemState::Gate { .. } => Some(Tone::Bad.of(say::review::NOT_SAFE)),
            ItemState::Failed(_) => Some(Tone::Bad.of(say::review::NO_ANSWER)),
            ItemState::LeftOut(_) => Some(say::SKIPPED.to_owned()),
            _ if !(item.warnings.is_empty() && item.rollout_problems.is_empty()) => {
                let warnings = item.warnings.len() + item.rollout_problems.len();
                Some(Tone::Warning.of(&say::review::warnings(warnings)))
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
            .map_or_else(|| say::review::ABSENT.to_owned(), ToString::to_string);
        let (manager, field) = (flat(&conflict.manager), flat(&conflict.field));
        let was = flat(&was);
        let words = match conflict.hands {
            Hands::Person if conflict.theirs.is_none() => say::review::set_before(&manager, &field),
            Hands::Person => say::review::was_set_by(&was, &manager, &field),
            Hands::Controller if !stands_against(state, &conflict.manager) => {
                say::review::forced_over(&manager, &field, &was)
            }
            Hands::Controller => say::review::conflict(&field, &manager, &was),
        };
        let _ = writeln!(out, "  {words}");
    }
    if let Some(owner) = upstream(item) {
        let _ = writeln!(
            out,
            "  {}",
            say::review::belongs_to(&flat(&owner.owner()), owner.reverts())
        );
        for line in owner.lines() {
            let _ = writeln!(out, "    {}", flat(&line));
        }
    }
    for warning in &item.warnings {
        let _ = writeln!(out, "  {}", say::review::server_warning(&flat(warning)));
    }
    match &item.pod {
        Some(PodVerdict::Forbidden(why) | PodVerdict::Unfit(why)) => {
            let what = format!("{} {}", why.code(), why.severity().name());
            told(out, &what, &crate::words::reason(why));
        }
        Some(PodVerdict::Unknown(why)) => {
            let _ = writeln!(out, "  {}", finding(why, &crate::words::reason(why)));
            if item.change.part != Part::Undo {
                let _ = writeln!(out, "    {}", say::review::REQUIRES_UNCHECKED_PODS);
            }
        }
        Some(PodVerdict::BeyondQuota(why) | PodVerdict::AsBad(why)) => {
            let _ = writeln!(out, "  {}", finding(why, &crate::words::reason(why)));
        }
        Some(PodVerdict::Admitted {
            warnings, findings, ..
        }) => {
            for warning in warnings {
                let _ = writeln!(out, "  {}", say::review::server_warning(&flat(warning)));
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
            let _ = writeln!(out, "  {}", say::review::not_verified(&flat(why)));
        }
        Verdict::Refused(why) => {
            told(out, say::review::REFUSED_BY_SERVER, why);
        }
        Verdict::Failed(why) => {
            told(out, say::review::DRY_RUN_FAILED, why);
        }
        Verdict::Gate { why, paste } => {
            let _ = writeln!(out, "  {}", say::review::not_edited(&flat(why)));
            let _ = writeln!(out, "  {}", say::review::TO_PASTE);
            for line in paste.lines() {
                let _ = writeln!(out, "    {}", flat(line));
            }
        }
        _ => {}
    }
    if let ItemState::LeftOut(because) = state {
        let words = match because {
            LeftOut::HangsOn(id) => say::review::depends_on(&flat(&id.to_string())),
            LeftOut::ByUser => say::SKIPPED.to_owned(),
            LeftOut::NotTaken(_) => say::review::REJECTED.to_owned(),
        };
        let _ = writeln!(out, "  {words}");
    }
    for problem in &item.rollout_problems {
        let words = crate::words::sentence(problem);
        let _ = writeln!(out, "  {}", say::review::rollout(&flat(&words)));
        if let Some(to_do) = crate::words::remedy(problem) {
            let _ = writeln!(out, "    {}", say::to_do(&flat(&to_do)));
        }
    }
    for impact in &item.change.impacts {
        let _ = writeln!(out, "  {}", say::review::impact(&self::impact(impact)));
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
                let _ = writeln!(out, "\n{}", say::review::answers_at(&flat(url)));
                for line in behind(contact) {
                    let _ = writeln!(out, "  {}", flat(&line));
                }
            }
            if !late.is_empty() {
                let _ = writeln!(
                    out,
                    "\n{}",
                    say::review::jobs_not_run(&flat(&late.join(", ")))
                );
            }
        }
        Contact::NotRunning(error) => {
            let _ = writeln!(out, "\n{}", say::review::not_running(&flat(&error.what)));
        }
        Contact::Unreachable(error) => {
            let _ = writeln!(out, "\n{}", say::review::not_queried(&flat(&error.what)));
            for cause in &error.causes {
                let _ = writeln!(out, "  {}", errors::cause(&flat(cause)));
            }
            for hint in &error.hints {
                let _ = writeln!(out, "  {}", errors::hint(&flat(hint)));
            }
            let _ = writeln!(out, "  {}", say::review::WORKS_UNQUERIED);
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
        } if *replicas > 1 => vec![say::review::replicas_behind(url, *replicas)],
        _ => Vec::new(),
    }
}

/// The table of targets.
pub fn board(board: &Board) -> String {
    let mut rows: Vec<[String; 5]> = vec![[
        say::board::NAMESPACE.into(),
        say::board::WORKLOAD.into(),
        say::board::POD.into(),
        say::board::STATE.into(),
        say::board::PLAINTEXT.into(),
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
        let _ = writeln!(
            out,
            "{}",
            say::board::last_update(&since.to_string(), &flat(why))
        );
    }
    for row in &board.rows {
        let pod = flat(&row.expected.pod);
        let mut told = |question: fn(&str, &str) -> String, cause: &Problem| {
            let why = crate::words::sentence(cause);
            let _ = writeln!(out, "\n{}", question(&pod, &flat(&why)));
            if let Some(fix) = crate::words::remedy(cause) {
                let _ = writeln!(out, "  {}", say::fix(&flat(&fix)));
            }
        };
        let down = match &row.state {
            State::Down { cause, .. } => cause.as_deref(),
            _ => None,
        };
        if let Some(cause) = down {
            told(say::board::why_down, cause);
        }
        let faults = row.guard.faults().iter();
        for cause in faults.filter(|cause| Some(*cause) != down) {
            told(say::board::why_not_secured, cause);
        }
        if let Guard::Unknown(why) = &row.guard {
            let words = say::board::secured_unknown(&pod, &flat(why));
            let _ = writeln!(out, "\n{words}");
        }
    }
    if !board.shared_with.is_empty() {
        let others = few(&board.shared_with, 5);
        let _ = writeln!(
            out,
            "\n{}\n  {}",
            say::board::shared_account(&flat(&others)),
            say::fix(say::board::OWN_ACCOUNT)
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
        let place = format!("{}/{}", flat(&other.namespace), flat(&other.name));
        let words = say::board::pods_not_covered(
            &pods(other.plaintext),
            &flat(&other.kind),
            &place,
            &crate::words::why_not(&other.kind),
        );
        let _ = writeln!(out, "{words}");
    }
    out
}

/// The board in one line.
pub fn sum(board: &Board) -> String {
    let counts = board.counts;
    let targets = plural(counts.all(), say::ONE_TARGET, say::targets);
    let mut parts = vec![say::board::up_of(counts.up, &targets)];
    type Said = fn(usize) -> String;
    let counted: [(usize, Said); 7] = [
        (counts.down, say::board::all_down),
        (counts.waiting, say::board::all_waiting),
        (counts.plaintext, say::board::all_plaintext),
        (counts.not_covered, say::board::all_not_covered),
        (counts.double, say::board::all_double),
        (counts.unguarded, say::board::all_unguarded),
        (counts.left_out, say::board::all_skipped),
    ];
    for (count, words) in counted {
        if count > 0 {
            parts.push(words(count));
        }
    }
    if counts.up > 0 && counts.secured == counts.all() {
        parts.push(say::board::SECURED.into());
    } else if counts.secured > 0 {
        parts.push(say::board::secured(counts.secured));
    }
    match in_plaintext(&board.others) {
        0 => {}
        count => parts.push(say::board::others_in_plaintext(&pods(count))),
    }
    parts.join(" · ")
}

/// A target's state in words.
pub fn state(row: &Row) -> String {
    let text = match &row.state {
        _ if row.left_out => say::SKIPPED.to_owned(),
        State::Up { .. } if !row.guard.faults().is_empty() => say::board::UP_NOT_GUARDED.to_owned(),
        State::Up { double: None } => say::board::UP.to_owned(),
        State::Up { double: Some(job) } => say::board::up_double(job),
        State::Unsettled { until } => say::board::unsettled(&format!("{until:.0}")),
        State::Down { error, .. } => say::board::down(error),
        State::Waiting { on, replica } => {
            say::board::waiting(&crate::words::waits(on, replica.as_deref()))
        }
        State::Plaintext { job } => say::board::plaintext(job),
        State::NotCovered => say::board::not_covered(crate::words::not_covered()),
    };
    flat(&text).into_owned()
}

fn probe(row: &Row) -> String {
    match &row.probe {
        Probe::NotAsked => say::board::NOT_ASKED.into(),
        Probe::Refused => say::board::REFUSED.into(),
        Probe::Served => say::board::SERVED.into(),
        Probe::Unknown(why) | Probe::Unclear(why) => say::board::unknown(&flat(why)),
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
            say::board::waiting_for(&crate::words::so_far(on, *gone_by))
        }
        StepState::Writing => say::board::APPLYING.into(),
        StepState::Rollout {
            updated,
            ready,
            desired,
            note,
            ..
        } => {
            let words = say::board::rollout(*updated, *ready, *desired);
            match note.is_empty() {
                true => words,
                false => format!("{words} ({note})"),
            }
        }
        StepState::Done => say::board::DONE.into(),
        // The whole of it follows at the end.
        StepState::Failed(error) => match error.causes.first() {
            Some(cause) => say::board::failed(&format!("{}: {cause}", error.what)),
            None => say::board::failed(&error.what),
        },
        StepState::LeftOut => say::SKIPPED.into(),
        StepState::TakenBack(why) => say::board::undone(why),
        StepState::Held(why) => say::board::held(why),
    })
}

/// How it ended, with what was written and what was not.
pub fn outcome(outcome: &Outcome, undoes: bool) -> String {
    let mut out = String::new();
    let written = changes(outcome.written.len());
    let others = outcome.not_written.len();
    let words = match &outcome.ended {
        Ended::Whole if undoes && others == 0 => say::board::run_undone(&written),
        Ended::Whole if others == 0 => say::board::all_applied(&written),
        Ended::Whole => say::board::some_applied(&written, others),
        Ended::PartWay(_) if outcome.written.is_empty() => {
            say::board::STOPPED_BEFORE_ANY.to_owned()
        }
        Ended::PartWay(_) => say::board::stopped(&written, others),
        Ended::Undone => say::board::FAILED_AND_UNDONE.to_owned(),
    };
    let _ = writeln!(out, "{words}");
    if !matches!(outcome.ended, Ended::Whole) {
        for id in &outcome.written {
            let _ = writeln!(out, "  {}", say::board::one_applied(&flat(&id.title())));
        }
    }
    for id in &outcome.not_written {
        let _ = writeln!(out, "  {}", say::board::one_not_applied(&flat(&id.title())));
    }
    for id in &outcome.taken_back {
        let _ = writeln!(out, "  {}", say::board::one_undone(&flat(&id.title())));
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
fn plural(count: usize, one: &str, many: fn(usize) -> String) -> String {
    match count {
        1 => one.to_owned(),
        count => many(count),
    }
}

fn changes(count: usize) -> String {
    plural(count, say::ONE_CHANGE, say::changes)
}

fn pods(count: usize) -> String {
    plural(count, say::ONE_POD, say::pods)
}
