//! What an export says of what it cannot hold.

use crate::plan::export::Gap;
use crate::words;

pub fn gap(of: &Gap) -> String {
    match of {
        Gap::Operator(id) => format!(
            "{id} is run by the Prometheus operator, which writes its configuration into a Secret: today's jobs are not known, so the job is Istio's usual one"
        ),
        Gap::Blocked(problem) => words::reason(problem).trim_end_matches('.').to_owned(),
        Gap::NotFound(id) => format!("the configuration of {id} was not found"),
        Gap::Unread(id, why) => format!(
            "the configuration of {id} could not be read: {}",
            words::unread(why)
        ),
    }
}
