mod demo_api;
