//! What survives a restart of the container.
