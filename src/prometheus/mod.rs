//! Stand-in until the room itself is merged.
use crate::cluster::Cluster;
use crate::error::Error;
use crate::mesh;
use std::sync::Arc;
pub struct Prom;
pub struct Running;
impl Running {
    pub fn has(&self, _job: &str) -> bool {
        false
    }
}
impl Prom {
    pub fn new(_cluster: Cluster, _at: &mesh::Prometheus) -> Self {
        Prom
    }
    pub async fn pods(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
    pub async fn config(&self, _pod: &str) -> Result<Arc<Running>, Error> {
        Ok(Arc::new(Running))
    }
    pub async fn reload(&self, _pod: &str) -> Result<(), Error> {
        Ok(())
    }
}
