mod screens;
mod apply;
mod apply_world;
