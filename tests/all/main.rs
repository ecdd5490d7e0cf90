mod apply;
mod apply_world;
mod demo_api;
