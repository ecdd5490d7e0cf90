//! The originals of the rules in `src/reach`, asked: istiod, Envoy and the injector answer the cases of
//! tests/originals, and answer as it was recorded there.

pub mod authorization;
pub mod injection;
pub mod peers;

use crate::read::{Answers, answers, is_recording, record};
use crate::report::Checks;

/// Compares what was answered with what is recorded, case by case, or writes it.
fn compare(checks: &mut Checks, name: &str, seen: &Answers) {
    if is_recording() {
        checks.add(&format!("{} answers are written", seen.len()), || {
            record(name, seen).map(|()| "written".into())
        });
        return;
    }
    let recorded = answers(name);
    for (case, seen) in seen {
        checks.add(case, || match recorded.get(case) {
            Some(of) if of == seen => Ok(seen.join(" ")),
            Some(of) => Err(format!("{}, recorded {}", seen.join(" "), of.join(" "))),
            None => Err(format!("{}, not recorded", seen.join(" "))),
        });
    }
}
