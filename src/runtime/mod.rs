use crate::engine::session::Session;
use crate::error::Result;
use crate::wizard::state::Contexts;
use futures::future::BoxFuture;
pub trait World: Send + Sync {
    fn contexts(&self) -> Result<Contexts>;
    fn connect(&self, context: Option<String>) -> BoxFuture<'static, Result<Session>>;
}
pub async fn signals(stop: tokio::sync::watch::Sender<bool>) { let _ = tokio::signal::ctrl_c().await; let _ = stop.send(true); }
