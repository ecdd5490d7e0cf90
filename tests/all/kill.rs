//! The program is killed after each of its writes: going on ends as if nothing had happened, and taking back
//! as if nothing had been applied.

mod program;
mod served;

use crate::cases::{all, on_paused_clock};
use crate::journeys::{Objects, ageless, differing};
use meshscrape::words::say::commands::runs;
use meshscrape::words::say::journal;
use served::{Moment, Served, Told};
use std::sync::OnceLock;

/// Ten workloads of three kinds and a gateway: more than forty changes.
pub const CHOICES: &str = "-w default/Deployment/httpbin,shop/Deployment/cart,shop/Deployment/catalog,shop/Deployment/checkout,shop/Deployment/storefront,shop/StatefulSet/sessions,orders/Deployment/order-events,orders/Deployment/orders-api,orders/StatefulSet/orders-db,platform/DaemonSet/log-shipper -g istio-system/istio-ingressgateway";

fn apply() -> String {
    format!("meshscrape apply --yes --lose-history {CHOICES}")
}

const RESUME: &str = "meshscrape apply --resume --yes --lose-history";
const UNDO: &str = "meshscrape undo --yes --lose-history";

pub fn headers(map: &http::HeaderMap) -> Vec<(String, String)> {
    let pairs = map.iter();
    pairs
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// Everything but the records of runs: a run that went on after another leaves two.
fn without_records(mut objects: Objects) -> Objects {
    objects.retain(|_, object| object["metadata"]["labels"]["meshscrape.dev/record"].is_null());
    objects
}

/// An undisturbed run: the end of it, its writes, and the bytes of its journal.
struct Undisturbed {
    after: Objects,
    writes: Vec<String>,
    journal: usize,
}

fn undisturbed() -> &'static Undisturbed {
    static WHOLE: OnceLock<Undisturbed> = OnceLock::new();
    WHOLE.get_or_init(|| {
        on_paused_clock(async {
            let mut served = Served::new();
            let told = served.run(&apply(), None).await;
            assert_eq!(told.code, Some(0), "{}", told.words);
            Undisturbed {
                after: ageless(without_records(served.objects())),
                writes: served.written.clone(),
                journal: served.files().iter().map(String::len).sum(),
            }
        })
    })
}

fn same(what: &str, told: &Told, wanted: &Objects, is: &Objects) {
    let left = differing(wanted, is);
    assert!(
        left.is_empty(),
        "{what}:\n{}\n{}",
        left.join("\n"),
        told.words
    );
}

/// One kill, and then either way out.
async fn killed(whole: &Undisturbed, at: usize, moment: Moment, go_on: bool) {
    killed_in(&apply(), whole, at, moment, go_on).await;
}

async fn killed_in(args: &str, whole: &Undisturbed, at: usize, moment: Moment, go_on: bool) {
    let what = format!("{args}: killed {moment:?} write {at}");
    let mut served = Served::new();
    let before = served.objects();
    let told = served.run(args, Some((at, moment))).await;
    assert_eq!(told.code, None, "{what}, and ended: {}", told.words);
    way_out(&mut served, whole, &before, &what, go_on).await;
}

/// Gone on, all is as if nothing had happened; taken back, as if nothing had been applied.
async fn way_out(
    served: &mut Served,
    whole: &Undisturbed,
    before: &Objects,
    what: &str,
    go_on: bool,
) {
    if go_on {
        let mut told = served.run(RESUME, None).await;
        let nothing = [runs::NOTHING_TO_RESUME, runs::NOTHING_TO_RESUME_HERE];
        if nothing.iter().any(|words| told.words.contains(words)) {
            told = served.run(&apply(), None).await;
        }
        assert_eq!(told.code, Some(0), "{what}: {}", told.words);
        let is = ageless(without_records(served.objects()));
        same(&format!("{what}, gone on"), &told, &whole.after, &is);
    } else {
        let told = served.run(UNDO, None).await;
        let is = served.objects();
        if !told.words.contains(journal::NO_RUN_TO_UNDO) {
            assert_eq!(told.code, Some(0), "{what}: {}", told.words);
        }
        same(&format!("{what}, taken back"), &told, before, &is);
    }
}

const MOMENTS: [Moment; 3] = [Moment::AnswerLost, Moment::After, Moment::Before];

/// Each with a cluster of its own.
fn run(cases: &[(usize, Moment, bool)], whole: &Undisturbed) {
    all(cases, async |&(write, moment, go_on)| {
        killed(whole, write, moment, go_on).await;
    });
}

/// The disk is full from some byte of the journal on: the run stops before the next write and says so, and what was
/// recorded serves either way out, when there is room again.
async fn disk_full(whole: &Undisturbed, room: u64, go_on: bool) {
    let what = format!("a disk with room for {room} bytes");
    let mut served = Served::new();
    let before = served.objects();
    let told = served.run_on(&apply(), None, Some(room)).await;
    let words = &told.words;
    assert!(words.contains(journal::MAKE_ROOM), "{what}: {words}");
    if room == 0 {
        assert_eq!(told.code, Some(4), "{what}: {words}");
        assert_eq!(served.written, [""; 0], "{what}: {words}");
        assert_eq!(served.files(), [""; 0]);
    } else {
        assert_eq!(told.code, Some(5), "{what}: {words}");
        for text in served.files() {
            assert!(text.ends_with('\n'), "{what} left a torn line");
        }
    }
    way_out(&mut served, whole, &before, &what, go_on).await;
}

/// An undo that was killed is gone on with by the next one.
async fn undo_killed(at: usize, moment: Moment) {
    let what = format!("undo killed {moment:?} write {at}");
    let mut served = Served::new();
    let before = served.objects();
    let told = served.run(&apply(), None).await;
    assert_eq!(told.code, Some(0), "{}", told.words);
    let first = served.files()[0].lines().next().map(serde_json::from_str);
    let first: serde_json::Value = first.unwrap().unwrap();
    let nothing = runs::nothing_left(first["run"].as_str().unwrap());
    let told = served.run(UNDO, Some((at, moment))).await;
    assert_eq!(told.code, None, "{what}, and ended: {}", told.words);
    let told = served.run(UNDO, None).await;
    // At its last write all was taken back and recorded so: what is left is the lock.
    if !told.words.contains(journal::NO_RUN_TO_UNDO) {
        assert_eq!(told.code, Some(0), "{what}: {}", told.words);
    }
    let mut is = served.objects();
    if told.words.contains(&nothing) || told.words.contains(runs::NOTHING_TO_UNDO_HERE) {
        is.remove("Lease istio-system/meshscrape");
    }
    same(&what, &told, &before, &is);
}

#[test]
#[ignore = "takes minutes: every write of an undo"]
fn an_undo_that_is_killed_at_every_write_is_gone_on_with() {
    let writes = on_paused_clock(async {
        let mut served = Served::new();
        served.run(&apply(), None).await;
        served.run(UNDO, None).await;
        served.written.len()
    });
    assert!(writes >= 40, "{writes}");
    let cases: Vec<_> = (1..=writes).map(|at| (at, MOMENTS[at % 3])).collect();
    all(&cases, async |&(at, moment)| undo_killed(at, moment).await);
}

/// Each write, at the moments in turn, both ways out.
#[test]
#[ignore = "takes minutes: every kill point"]
fn killed_at_every_write() {
    let whole = undisturbed();
    let cases: Vec<_> = (1..=whole.writes.len())
        .flat_map(|at| [true, false].map(|go_on| (at, MOMENTS[at % 3], go_on)))
        .collect();
    run(&cases, whole);
}

/// Each write, each moment, both ways out.
#[test]
#[ignore = "takes a quarter of an hour: every kill point in every way"]
fn killed_at_every_write_in_every_way() {
    let whole = undisturbed();
    let cases: Vec<_> = (1..=whole.writes.len())
        .flat_map(|at| MOMENTS.map(|moment| [(at, moment, true), (at, moment, false)]))
        .flatten()
        .collect();
    run(&cases, whole);
}

/// A part of the cases each; the wholes stand above.
mod samples {
    use super::*;

    /// A part of the kill points, spread over moments and ways out; the wholes are the tests below.
    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn killed_after_a_write_it_goes_on_or_is_taken_back() {
        let whole = undisturbed();
        assert!(whole.writes.len() >= 40, "{:#?}", whole.writes);
        let step = 18;
        let cases: Vec<_> = (1..=whole.writes.len())
            .step_by(step)
            .map(|at| (at, MOMENTS[at % 3], at / step % 2 == 0))
            .collect();
        run(&cases, whole);
    }

    /// All at once, two policies are under way at the same time: killed before, between and after their answers.
    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn killed_between_two_policies_that_were_sent_together() {
        let whole = undisturbed();
        let together = format!("{} --pace all", apply());
        let first = whole
            .writes
            .iter()
            .position(|write| write.contains("peerauthentications"))
            .expect("a policy")
            + 1;
        assert!(whole.writes[first].contains("authorizationpolicies"));
        let cases = [
            (first, Moment::AnswerLost, true),
            (first, Moment::Before, true),
            (first + 1, Moment::Before, false),
            (first + 1, Moment::After, true),
        ];
        all(&cases, async |&(at, moment, go_on)| {
            killed_in(&together, whole, at, moment, go_on).await;
        });
    }

    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn a_disk_that_fills_up_stops_the_run_before_the_next_write() {
        let whole = undisturbed();
        let size = whole.journal as u64;
        let cases = [(0, true), (size * 2 / 5, true), (size * 4 / 5, false)];
        all(&cases, async |&(room, go_on)| {
            disk_full(whole, room, go_on).await;
        });
    }

    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn an_undo_that_is_killed_is_gone_on_with() {
        let cases = [
            (9, Moment::Before),
            (20, Moment::AnswerLost),
            (58, Moment::After),
            (59, Moment::Before),
        ];
        all(&cases, async |&(at, moment)| undo_killed(at, moment).await);
    }
}
