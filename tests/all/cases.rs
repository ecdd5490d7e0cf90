//! Many cases of one kind, two at a time, each on a paused clock of its own; all that failed is told at the end.
//! `CASES=404` runs only those whose words contain it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A case that takes longer is named: one that never ends would else look like many.
const LONG: Duration = Duration::from_secs(30);

pub fn on_paused_clock<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

pub fn all<C: Sync + std::fmt::Debug>(cases: &[C], work: impl AsyncFn(&C) + Sync) {
    let only = std::env::var("CASES").unwrap_or_default();
    let chosen = |case: &&C| format!("{case:?}").contains(only.as_str());
    let cases: Vec<&C> = cases.iter().filter(chosen).collect();
    assert!(!cases.is_empty(), "no case is called {only}");
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(at) else { break };
                    if at > 0 && at.is_multiple_of(100) {
                        let _ = writeln!(std::io::stderr(), "{at} of {} cases", cases.len());
                    }
                    let began = Instant::now();
                    let one = || on_paused_clock(work(case));
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(one)) {
                        let words = panic
                            .downcast_ref::<String>()
                            .map_or("panic", String::as_str);
                        let words = format!("{case:?}\n{words}");
                        // At once too: a run that is cut short has then said something.
                        let _ = writeln!(std::io::stderr(), "{words}");
                        failed.lock().unwrap().push(words);
                    }
                    let took = began.elapsed();
                    if took > LONG {
                        let _ = writeln!(std::io::stderr(), "{took:.0?} for {case:?}");
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {} cases:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n\n")
    );
}
