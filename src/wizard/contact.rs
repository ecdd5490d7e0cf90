//! Whether the chosen Prometheus can be asked: a line of the checklist, and a word more before an apply.

use super::msg::{Effect, Generation};
use super::state::{About, Check, CheckLine, State, Step};
use crate::engine::contact::Contact;
use crate::error::Error;
use crate::mesh::Observation;
use crate::words::say::wizard as say;
use std::sync::Arc;

impl State {
    /// Asks whether the chosen Prometheus answers, once for each reading of the cluster.
    pub(super) fn ask_contact(&mut self) -> Vec<Effect> {
        let Some(id) = self.answers.prometheus.clone() else {
            return Vec::new();
        };
        if self.start.monitor || !self.cluster.whole || self.cluster.asks.as_ref() == Some(&id) {
            return Vec::new();
        }
        if matches!(self.mesh.server, Some(Err(_))) {
            return Vec::new();
        }
        let Some(found) = self.mesh.prometheus(&id).cloned() else {
            return Vec::new();
        };
        self.cluster.asks = Some(id);
        self.cluster.contact = None;
        self.check_contact();
        vec![Effect::Contact(self.generations.contact.advance(), found)]
    }

    pub(super) fn contact_came(&mut self, of: Generation, contact: Contact) -> Vec<Effect> {
        if of != self.generations.contact {
            return Vec::new();
        }
        self.cluster.contact = Some(contact);
        self.check_contact();
        // A plan that was made without it is made anew; one that is being reviewed or written stays.
        match self.step == Step::Options && self.seen().is_some() {
            true => self.plan_anew(),
            false => Vec::new(),
        }
    }

    /// What the chosen Prometheus scrapes, where it said so.
    pub(super) fn seen(&self) -> Option<&Arc<Observation>> {
        let asked = self.cluster.asks == self.answers.prometheus;
        let contact = self.cluster.contact.as_ref().filter(|_| asked)?;
        contact.seen()
    }

    /// Why a run could not be proved, for all that is known.
    pub(super) fn unproven(&self) -> Option<&Error> {
        let asked = self.cluster.asks == self.answers.prometheus;
        let contact = self.cluster.contact.as_ref().filter(|_| asked)?;
        contact.unproven()
    }

    pub(super) fn check_contact(&mut self) {
        self.cluster
            .checks
            .retain(|line| line.about != About::Contact);
        let line = |check, found: String, todo: String| CheckLine {
            check,
            about: About::Contact,
            found,
            todo,
        };
        let line = match (&self.cluster.asks, &self.cluster.contact) {
            (None, _) => return,
            (Some(_), None) => line(Check::Asking, say::IS_BEING_ASKED.into(), String::new()),
            (
                _,
                Some(Contact::Answers {
                    url,
                    replicas,
                    late,
                    ..
                }),
            ) => {
                let found = match url {
                    Some(url) => say::answers_at(url),
                    None => say::ANSWERS_THROUGH_SERVER.into(),
                };
                match (&late[..], url) {
                    ([], Some(_)) if *replicas > 1 => {
                        line(Check::Good, found, say::replicas_behind(*replicas))
                    }
                    ([], _) => line(Check::Good, found, String::new()),
                    (jobs, url) => line(
                        Check::Warning,
                        match url {
                            Some(url) => say::answers_at_without(url, &jobs.join(", ")),
                            None => say::answers_through_server_without(&jobs.join(", ")),
                        },
                        say::LOADED_BEFORE_CERTIFICATES.into(),
                    ),
                }
            }
            (_, Some(Contact::NotRunning(error))) => line(
                Check::Warning,
                error.what.clone(),
                say::ONCE_PROMETHEUS_RUNS.into(),
            ),
            (_, Some(Contact::Unreachable(error))) => {
                let cause = error.causes.first();
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                let hint = error.hints.first().cloned().unwrap_or_default();
                line(
                    Check::Warning,
                    format!("{}{cause}", error.what),
                    say::apply_asks_apart(&hint),
                )
            }
        };
        self.cluster.checks.push(line);
    }
}

/// What an apply without Prometheus's word comes to, for the question before it.
pub(super) fn costs(why: &Error) -> [String; 2] {
    [say::not_verifiable(&why.what), say::DOES_NOT_WAIT.into()]
}

impl State {
    /// What the reload of a Prometheus is wanted for: jobs that it loaded before their certificates were there.
    pub(super) fn late_jobs(&self) -> bool {
        let mut replicas = self.status.board.replicas.iter();
        replicas.any(|replica| !replica.late.is_empty())
    }

    pub(super) fn reload(&mut self) -> Vec<Effect> {
        vec![Effect::Reload {
            mesh: Arc::clone(&self.mesh),
            answers: Arc::new(self.effective()),
        }]
    }
}
