//! The rules of `src/reach` answer as the original programs did when they were asked (tests/mesh, cells `originals-…`).

mod authorization;
mod injection;
mod network;
mod peers;
#[path = "../originals.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod read;
