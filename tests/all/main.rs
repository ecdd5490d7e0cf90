mod demo_api;
mod review;
