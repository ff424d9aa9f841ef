//! The server as its callers meet it.

mod kit;
mod limits;
mod paths;
mod replaced;
mod routes;
mod withheld;
