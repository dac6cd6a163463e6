//! One replicated log of opaque entries on NATS JetStream, and snapshots in its object store.
