mod apply;
mod apply_world;
