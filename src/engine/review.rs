//! Stand-in until the room itself is merged.
use super::event::ReviewEvent;
use crate::cluster::Cluster;
use crate::plan::review::Review;
pub async fn review(
    _cluster: &Cluster,
    review: Review,
    _report: &(dyn Fn(ReviewEvent) + Send + Sync),
) -> Review {
    review
}
