//! What several commands do first: connect, read the cluster, plan, review.

use super::Call;
use crate::answers::Answers;
use crate::engine;
use crate::engine::contact::{Contact, contact};
use crate::engine::session::Session;
use crate::error::{Error, Result};
use crate::journal;
use crate::mesh::{Mesh, OwnerTool, Prometheus, observe};
use crate::plan::review::{ItemState, Review, RunId, skipped};
use crate::plan::{Plan, keeping};
use crate::recipe;
use crate::text::few;
use crate::words::say::commands::{self as say, review as blocked, runs};
use std::sync::Arc;

/// The cluster, read.
pub struct Opened {
    pub session: Session,
    pub mesh: Arc<Mesh>,
    pub answers: Answers,
}

/// Connects and reads the cluster.
///
/// # Errors
/// A bad kubeconfig or answers file, an API server that does not answer, expired credentials.
pub async fn open(call: &Call<'_>) -> Result<Opened> {
    let mut opened = open_any(call).await?;
    let mesh = &opened.mesh;
    if mesh.istio.control_planes.is_empty() {
        return Err(no_istio(mesh));
    }
    opened.answers.settle(mesh)?;
    Ok(opened)
}

/// The same, whether there is Istio or not; the answers as they were given.
///
/// # Errors
/// As [`open`].
pub async fn open_any(call: &Call<'_>) -> Result<Opened> {
    let answers = call.choices.answers()?;
    let direct = call.choices.direct()?;
    let mut session = call.world.connect(call.choices.context.clone()).await?;
    if direct.is_some() {
        session.cluster.prometheus = direct;
    }
    let told = answers.options.told();
    let mesh = engine::discover::discover_told(session.cluster.clone(), told, |_| {}).await;
    if let Some(Err(why)) = &mesh.server {
        return Err(Error::new(say::server_silent(&mesh.context)).cause(why));
    }
    Ok(Opened {
        session,
        mesh,
        answers,
    })
}

/// Says on the error stream that the newest run was not finished, and what can be done. What cannot be read is no
/// reason to keep anybody from his command.
pub async fn note_unfinished(call: &mut Call<'_>, opened: &Opened) {
    let homes = opened.mesh.homes();
    let found = engine::runs::unfinished(&opened.session, &homes).await;
    let words = match found {
        Ok(Some(found)) => {
            let run = &found.known.note.run;
            let ways = match &found.undo {
                Some(_) => runs::undo_or_apply_again(run),
                None => runs::resume_or_undo(run),
            };
            vec![found.words(), ways]
        }
        Ok(None) => return,
        Err(error) => vec![runs::interrupted_unknown(&error.what)],
    };
    call.note(&words);
}

/// The run to go on with.
pub struct Resume {
    /// Its id; empty: the newest of this machine that was not finished.
    pub run: String,
    /// The user says that it was made in this cluster.
    pub this_cluster: bool,
}

/// Takes the choices from the record of a run.
///
/// # Errors
/// There is no such run, its record does not say what was chosen, or it was made in another cluster.
pub async fn resume(call: &mut Call<'_>, opened: &mut Opened, of: &Resume) -> Result<()> {
    let homes = opened.mesh.homes();
    let run = of.run.as_str();
    let (run, note, answers) = if run.is_empty() {
        let found = engine::runs::unfinished_here(&opened.session, &homes).await?;
        let Some(found) = found else {
            if let Some(other) = engine::runs::unfinished(&opened.session, &homes).await? {
                let run = &other.known.note.run;
                return Err(Error::new(runs::NOTHING_TO_RESUME_HERE)
                    .cause(other.words())
                    .hint(runs::resume_by_id(run))
                    .hint(runs::LIST_RUNS));
            }
            return Err(Error::new(runs::NOTHING_TO_RESUME)
                .cause(runs::NEWEST_IS_COMPLETE)
                .hint(runs::LIST_RUNS));
        };
        if found.undo.is_some() {
            let run = &found.known.note.run;
            return Err(Error::new(runs::INTERRUPTED_IS_UNDO)
                .cause(found.words())
                .hint(runs::resume_undo(run))
                .hint(runs::apply_again(run)));
        }
        call.note(&[found.words()]);
        let note = found.known.note;
        (note.run.clone(), Some(note), found.answers)
    } else {
        let (entries, _) = engine::runs::entries(&opened.session, &homes, Some(run)).await?;
        (
            run.to_owned(),
            journal::note(&entries),
            engine::runs::answers(&entries),
        )
    };
    if let Some(note) = note {
        let made = (note.context.as_str(), note.cluster.as_deref());
        let unproven = engine::identity::check(&opened.session, &run, made).await?;
        by_word(unproven, of.this_cluster)?;
    }
    let answers = answers.ok_or_else(|| {
        Error::new(runs::choices_not_recorded(&run)).hint(runs::USE_THE_SAME_FLAGS)
    })?;
    let taken = std::mem::replace(&mut opened.answers, answers).take;
    opened.answers.take.extend(taken);
    Ok(())
}

/// What is not known of a run's cluster keeps it from being written to, unless the user says that it is this one.
///
/// # Errors
/// He did not.
pub fn by_word(unproven: Option<Error>, word: bool) -> Result<()> {
    match unproven {
        Some(error) if !word => Err(error),
        _ => Ok(()),
    }
}

fn no_istio(mesh: &Mesh) -> Error {
    let mut error = Error::new(say::NO_ISTIO).hint(say::INSTALL_ISTIO);
    for (what, progress) in &mesh.progress {
        if let Some(why) = crate::words::progress(progress) {
            error = error.cause(format!("{what}: {why}"));
        }
    }
    error
}

/// The plan of the answers, with its forecast.
fn plan(opened: &Opened) -> Result<Plan> {
    let mut plan = recipe::plan(&opened.mesh, &opened.answers)?;
    let by_user = opened.answers.leave_out.iter().cloned();
    let skipped = skipped(&plan, by_user);
    let forecast = recipe::forecast(&opened.mesh, &opened.answers, &plan, &skipped);
    plan.forecast = forecast.map(Arc::new);
    Ok(plan)
}

/// The plan of the answers, reviewed on the server.
///
/// # Errors
/// An unknown or unchoosable name, a forbidden choice.
pub async fn review(opened: &Opened) -> Result<Review> {
    chosen(opened)?;
    Ok(ask(opened, plan(opened)?).await)
}

/// The same, and beside it whether the Prometheus of the answers can be asked. What it scrapes may change the plan,
/// which is then asked anew; mostly it says no more than was computed, and nobody waits twice.
///
/// # Errors
/// As [`review`].
pub async fn reviewed(opened: &mut Opened) -> Result<(Review, Contact)> {
    chosen(opened)?;
    let selection = recipe::select(&opened.mesh, &opened.answers)?;
    let computed = plan(opened)?;
    let (mut review, contact) = tokio::join!(
        ask(opened, computed.clone()),
        contact(&opened.session, &selection.prometheus)
    );
    if let Some(seen) = contact.seen() {
        opened.mesh = Arc::new(observe(&opened.mesh, seen));
        let seen = plan(opened)?;
        match seen.changes == computed.changes {
            true => {
                review.plan.findings = seen.findings;
                review.plan.impacts = seen.impacts;
                review.plan.forecast = seen.forecast;
            }
            false => review = ask(opened, seen).await,
        }
    }
    Ok((review, contact))
}

/// Refuses a run that could not be proved.
pub fn provable(contact: &Contact) -> Option<Error> {
    let why = contact.unproven()?;
    let mut refused = Error::refused(blocked::NOT_VERIFIABLE).cause(&why.what);
    refused.causes.extend(why.causes.iter().cloned());
    refused.hints.extend(why.hints.iter().cloned());
    Some(
        refused
            .hint(blocked::QUERY_DIRECTLY)
            .hint(blocked::APPLY_UNPROVEN),
    )
}

/// Says of each name after `--force-owner` that nothing bears it: most likely a slip.
pub fn note_takes(call: &mut Call<'_>, opened: &Opened, review: &Review) {
    let mut takes = opened.answers.take.clone();
    takes.retain(|name| OwnerTool::named(name).is_none());
    for item in review.items.values() {
        for conflict in &item.conflicts {
            takes.remove(&conflict.manager);
        }
    }
    let words = takes.iter().map(|name| say::force_without_effect(name));
    call.note(&words.collect::<Vec<_>>());
}

/// # Errors
/// `--skip` names a change that the plan does not have: most likely a slip.
pub fn known_skips(call: &Call<'_>, review: &Review) -> Result<()> {
    let ids = || {
        review
            .plan
            .changes
            .iter()
            .map(|change| change.id.0.as_str())
    };
    let Some(given) = call
        .choices
        .skip
        .iter()
        .find(|skip| !ids().any(|id| id == skip.0))
    else {
        return Ok(());
    };
    let mut error = Error::new(say::no_such_change(&given.to_string()));
    if let Some(near) = crate::error::nearest(&given.0, ids()) {
        error = error.hint(crate::words::say::cluster::did_you_mean(near));
    }
    let all: Vec<String> = ids().map(str::to_owned).collect();
    Err(error.hint(say::all_changes(&few(&all, 12))))
}

/// # Errors
/// The answers choose nothing.
pub fn chosen(opened: &Opened) -> Result<()> {
    if opened.answers.chooses_something() {
        return Ok(());
    }
    Err(Error::new(say::NOTHING_CHOSEN)
        .hint(say::NAME_SOMETHING)
        .hint(say::OR_WIZARD))
}

/// Where a killed run for this Prometheus may have left locks: what another one's left is that one's.
pub fn lock_places(opened: &Opened, prometheus: &Prometheus) -> Vec<String> {
    let home = &prometheus.id.namespace;
    let root = opened.mesh.istio.root_namespace.as_ref();
    let mut places = opened.mesh.lock_places();
    places.retain(|place| Some(place) == root || place == home);
    places
}

/// Dry-runs a plan as it stands.
pub async fn ask(opened: &Opened, mut plan: Plan) -> Review {
    let run = RunId::new(opened.session.clock.now());
    keeping::keep(&mut plan, &run.0, &opened.session.who);
    let mut review = Review::new(opened.mesh.context.clone(), run, plan);
    for manager in &opened.answers.take {
        review.take(manager.clone());
    }
    for id in &opened.answers.leave_out {
        review.toggle(id);
    }
    engine::review::review(&opened.session.cluster, review, &|_| {}).await
}

/// What keeps the review from being written, as an error with every object's own reason.
pub fn stopped(review: &Review) -> Option<Error> {
    let mut error = Error::refused(blocked::BLOCKED);
    let states = review.states();
    for change in &review.plan.changes {
        let why = match states.get(&change.id)? {
            ItemState::Conflict(managers) => {
                for manager in managers {
                    error = error.hint(blocked::force_owner(manager));
                }
                blocked::fields_belong_to(&managers.join(", "))
            }
            ItemState::Refused(words) => blocked::refused(words),
            ItemState::Gate { why, .. } => blocked::not_safe(why),
            ItemState::Failed(words) => blocked::dry_run_failed(words),
            _ => continue,
        };
        error = error.cause(format!("{}: {why}", change.object));
    }
    (!error.causes.is_empty()).then(|| error.hint(blocked::SEE_EVERY_CHANGE))
}
