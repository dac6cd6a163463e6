//! From a path as it is written to the module that defines what it names, through re-exports.

use super::modules::{Id, Kind, Module, Modules};

/// What a path names.
pub(super) enum Target {
    /// An item of this module.
    Item(Id),
    /// The module itself.
    Module(Id),
    /// Something of another crate, by its full path.
    External(Vec<String>),
}

/// A reference from one file to another.
pub(super) struct Edge {
    pub(super) from: Id,
    pub(super) to: Id,
    pub(super) line: usize,
    pub(super) name: String,
}

/// Imports that go through more names than this are circular.
const IMPORTS_MAX: usize = 32;

impl Modules {
    /// All references between files, but for re-exports of what is inside a module.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (from, module) in self.0.iter().enumerate() {
            for reference in &module.references {
                let to = match self.resolve(from, &reference.path, 0) {
                    Some(Target::Item(to)) => to,
                    Some(Target::Module(to)) if reference.kind == Kind::Glob => to,
                    _ => continue,
                };
                let is_own = reference.kind == Kind::Export && self.ancestry(to).contains(&from);
                if self.0[to].path != module.path && !is_own {
                    let name = reference.path.join("::");
                    edges.push(Edge { from, to, line: reference.line, name });
                }
            }
        }
        edges
    }

    /// The innermost module that has both inside it, and its children that have the one and the
    /// other; none if one has the other inside it.
    pub(super) fn siblings(&self, one: Id, other: Id) -> Option<(Id, Id, Id)> {
        let one = self.ancestry(one);
        let other = self.ancestry(other);
        let at = one.iter().zip(&other).position(|(one, other)| one != other)?;
        Some((*one.get(at.checked_sub(1)?)?, one[at], other[at]))
    }

    /// From the root to the module itself.
    fn ancestry(&self, mut id: Id) -> Vec<Id> {
        let mut ancestry = vec![id];
        while let Some(parent) = self.0[id].parent {
            ancestry.push(parent);
            id = parent;
        }
        ancestry.reverse();
        ancestry
    }

    /// What `path` names when it is written in the module `at`.
    pub(super) fn resolve(&self, at: Id, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        if depth > IMPORTS_MAX {
            return None;
        }
        let start = match first.as_str() {
            "crate" => Target::Module(self.ancestry(at)[0]),
            "self" => Target::Module(at),
            "super" => Target::Module(self.0[at].parent?),
            "Self" => return None,
            name => match self.look_up(at, name, depth) {
                Some(target) => target,
                None => Target::External(vec![name.to_owned()]),
            },
        };
        rest.iter().try_fold(start, |target, name| self.step(target, name, depth))
    }

    fn step(&self, target: Target, name: &str, depth: usize) -> Option<Target> {
        match target {
            Target::External(mut path) => {
                path.push(name.to_owned());
                Some(Target::External(path))
            }
            // A variant, or an associated item.
            Target::Item(module) => Some(Target::Item(module)),
            Target::Module(module) if name == "super" => {
                Some(Target::Module(self.0[module].parent?))
            }
            Target::Module(module) => {
                Some(self.look_up(module, name, depth).unwrap_or(Target::Item(module)))
            }
        }
    }

    /// What a name stands for in a module.
    fn look_up(&self, at: Id, name: &str, depth: usize) -> Option<Target> {
        let Module { children, items, imports, globs, .. } = &self.0[at];
        if let Some(&child) = children.get(name) {
            return Some(Target::Module(child));
        }
        if items.contains(name) {
            return Some(Target::Item(at));
        }
        if let Some(path) = imports.get(name) {
            // `use tokio;` or `use a::a;`: the name is that of a crate.
            let is_itself = path.first().is_some_and(|first| first == name);
            return if is_itself {
                Some(Target::External(path.clone()))
            } else {
                self.resolve(at, path, depth + 1)
            };
        }
        let through = |glob: &Vec<String>| match self.resolve(at, glob, depth + 1)? {
            Target::Module(module) if module != at && depth < IMPORTS_MAX => {
                self.look_up(module, name, depth + 1)
            }
            _ => None,
        };
        globs.iter().find_map(through)
    }
}
