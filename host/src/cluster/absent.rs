//! A build without clusters: there is no node. The configuration refuses the section.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use core_engine::{Done, Engine, Envelope, Equality, OpenError, Options};
use core_model::Refusal;
use tokio::sync::watch;

use crate::config::{ClusterConfig, StoreConfig, Sync};

pub struct Node<T>(Infallible, PhantomData<T>);

pub struct Joining<T>(Infallible, PhantomData<T>);

#[derive(Clone, Copy, Debug, Default)]
pub struct EntryCounts {
    pub applied: u64,
    pub own: u64,
    pub repeated: u64,
    pub early: u64,
    pub ended: u64,
}

/// Never called: the configuration names no cluster.
pub fn follow<T: Send + 'static>(
    _: (&Path, Options),
    (node, _): (Arc<Node<T>>, Sync),
    _: impl FnMut() + Send + 'static,
    _: impl FnMut(Vec<Done<T>>) + Send + 'static,
) -> Result<(Engine<T>, Joining<T>), OpenError> {
    match node.0 {}
}

/// As [`follow`].
pub async fn prepare(_: &ClusterConfig, _: &StoreConfig) -> Result<(), Infallible> {
    unreachable!("the configuration names no cluster")
}

/// As [`follow`].
pub async fn keep<T: Send + 'static>(
    _: &ClusterConfig,
    _: &StoreConfig,
    _: (Arc<Engine<T>>, bool),
    _: impl FnMut(usize) -> io::Result<()> + Send + 'static,
) -> Result<Option<u64>, Infallible> {
    unreachable!("the configuration names no cluster")
}

impl<T> Joining<T> {
    pub async fn open(self, _: &ClusterConfig) -> Result<(), Infallible> {
        match self.0 {}
    }
}

impl<T> Node<T> {
    pub fn new(_: &str, _: impl Fn(Vec<Done<T>>) + Send + std::marker::Sync + 'static) -> Self {
        unreachable!("the configuration names no cluster")
    }

    pub fn name(&self) -> &str {
        match self.0 {}
    }

    pub fn run(&self) -> u64 {
        match self.0 {}
    }

    pub fn is_cut_off(&self) -> bool {
        match self.0 {}
    }

    pub fn is_gone(&self) -> bool {
        match self.0 {}
    }

    pub fn problem(&self) -> Option<String> {
        match self.0 {}
    }

    pub fn positions(&self) -> Option<(u64, u64)> {
        match self.0 {}
    }

    pub fn resent(&self) -> u64 {
        match self.0 {}
    }

    pub fn rules(&self) -> u32 {
        match self.0 {}
    }

    pub fn checkpoint(&self) -> Option<(u64, u64)> {
        match self.0 {}
    }

    pub fn take_doubt(&self) -> bool {
        match self.0 {}
    }

    pub fn equality(&self) -> Equality {
        match self.0 {}
    }

    pub fn counts(&self) -> EntryCounts {
        match self.0 {}
    }

    pub fn ban_changes(&self) -> u64 {
        match self.0 {}
    }

    pub fn age(&self) -> Duration {
        match self.0 {}
    }

    pub fn tick_age(&self) -> Duration {
        match self.0 {}
    }

    pub async fn fresh(&self) -> Result<(), Refusal> {
        match self.0 {}
    }

    pub async fn ended(&self) -> Arc<str> {
        match self.0 {}
    }

    pub fn lost_runs(&self) -> watch::Receiver<u64> {
        match self.0 {}
    }

    pub fn start(&self, _: &Envelope, _: T) {
        match self.0 {}
    }

    pub fn begin(&self, _: u64) {
        match self.0 {}
    }

    pub fn beat(&self, _: &[Envelope]) {
        match self.0 {}
    }

    pub fn leave_within(&self, _: Duration) {
        match self.0 {}
    }
}
