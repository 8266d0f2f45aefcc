//! The decision, end to end: policies as users write them, real expressions, real limits.

mod arguments;
mod audit;
mod combine;
mod demands;
mod explain;
mod foresee;
mod laws;
mod listing;
mod server_requests;
mod template;
mod world;
