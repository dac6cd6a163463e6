//! The modules of all crates, read with syn, and what each refers to.
//!
//! A module is a file: inline modules belong to the file they are in. References are paths as they
//! are written; what a method call or a trait brings in without a path is not seen.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Item, ItemMod, UseTree, Visibility};

use super::sources::Sources;

pub(super) type Id = usize;

/// A module of one target of a crate.
pub(super) struct Module {
    pub(super) path: String,
    pub(super) parent: Option<Id>,
    pub(super) children: BTreeMap<String, Id>,
    /// Names of items that are defined here.
    pub(super) items: BTreeSet<String>,
    /// What a name that `use` brings in stands for.
    pub(super) imports: BTreeMap<String, Vec<String>>,
    pub(super) globs: Vec<Vec<String>>,
    pub(super) references: Vec<Reference>,
}

/// A path in a module's text.
pub(super) struct Reference {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Kind {
    /// `use`, or a path in code
    Use,
    /// `use …::*`
    Glob,
    /// `pub use`: gives a name, and depends on nothing
    Export,
}

#[derive(Default)]
pub(super) struct Modules(pub(super) Vec<Module>);

impl Modules {
    pub(super) fn load(sources: &Sources) -> Result<Self, String> {
        let mut modules = Self::default();
        for (manifest, _) in sources.with_extension(&["toml"]) {
            let Some(folder) = manifest.strip_suffix("Cargo.toml") else { continue };
            for (path, _) in sources.with_extension(&["rs"]) {
                if path.strip_prefix(folder).is_some_and(is_root) {
                    modules.load_file(sources, path, None, true)?;
                }
            }
        }
        Ok(modules)
    }

    /// Reads a file and the modules it declares. `owns_folder`: whether these lie beside it.
    fn load_file(
        &mut self,
        sources: &Sources,
        path: &str,
        parent: Option<Id>,
        owns_folder: bool,
    ) -> Result<Id, String> {
        let text = sources.get(path).unwrap_or_default();
        let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if owns_folder {
            folder.to_owned()
        } else {
            format!("{folder}/{}", name.trim_end_matches(".rs"))
        };
        let id = self.add(path, parent);
        self.load_items(sources, id, &folder, &file.items)?;
        Ok(id)
    }

    fn add(&mut self, path: &str, parent: Option<Id>) -> Id {
        self.0.push(Module {
            path: path.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            references: Vec::new(),
        });
        self.0.len() - 1
    }

    fn load_items(
        &mut self,
        sources: &Sources,
        id: Id,
        folder: &str,
        items: &[Item],
    ) -> Result<(), String> {
        for item in items {
            if let Item::Mod(module) = item {
                let child = self.load_module(sources, id, folder, module)?;
                self.0[id].children.insert(module.ident.to_string(), child);
            } else {
                self.0[id].items.extend(name_of(item));
                Collect(&mut self.0[id]).visit_item(item);
            }
        }
        Ok(())
    }

    fn load_module(
        &mut self,
        sources: &Sources,
        parent: Id,
        folder: &str,
        module: &ItemMod,
    ) -> Result<Id, String> {
        let name = module.ident.to_string();
        if let Some((_, items)) = &module.content {
            let path = self.0[parent].path.clone();
            let id = self.add(&path, Some(parent));
            self.load_items(sources, id, &format!("{folder}/{name}"), items)?;
            return Ok(id);
        }
        if let Some(path) = path_attribute(module) {
            let file = format!("{folder}/{path}");
            return self.load_file(sources, &file, Some(parent), true);
        }
        let beside = format!("{folder}/{name}.rs");
        match sources.get(&beside) {
            Some(_) => self.load_file(sources, &beside, Some(parent), false),
            None => self.load_file(sources, &format!("{folder}/{name}/mod.rs"), Some(parent), true),
        }
    }
}

/// Whether cargo takes this path, below the folder of a manifest, for the root of a target.
fn is_root(path: &str) -> bool {
    match *path.split('/').collect::<Vec<_>>() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
        ["tests" | "benches" | "examples", name] => name.ends_with(".rs"),
        ["src", "bin", name] => name.ends_with(".rs"),
        ["tests" | "benches" | "examples", _, "main.rs"] => true,
        _ => false,
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    let value = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    };
    module.attrs.iter().find_map(value)
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

/// Puts the references of an item into its module.
struct Collect<'a>(&'a mut Module);

impl Collect<'_> {
    fn take_use(&mut self, before: &[String], tree: &UseTree, kind: Kind) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(path) => self.take_use(&with(&path.ident), &path.tree, kind),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.take_use(before, tree, kind));
            }
            UseTree::Glob(_) => {
                self.0.globs.push(before.to_vec());
                let kind = if kind == Kind::Export { kind } else { Kind::Glob };
                self.0.references.push(Reference { path: before.to_vec(), line, kind });
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.import(before.to_vec(), None, line, kind)
            }
            UseTree::Name(name) => self.import(with(&name.ident), None, line, kind),
            UseTree::Rename(rename) => {
                self.import(with(&rename.ident), Some(rename.rename.to_string()), line, kind);
            }
        }
    }

    fn import(&mut self, path: Vec<String>, name: Option<String>, line: usize, kind: Kind) {
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.0.imports.insert(name, path.clone());
        }
        self.0.references.push(Reference { path, line, kind });
    }

    /// Paths in the arguments of macros, which syn does not read.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            let line = token.span().start().line;
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                    self.take_path(&path, line);
                }
                TokenTree::Ident(name) => {
                    path = vec![name.to_string()];
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    path.clear();
                    self.take_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => path.clear(),
            }
        }
    }

    fn take_path(&mut self, path: &[String], line: usize) {
        if path.len() > 1 {
            self.0.references.push(Reference { path: path.to_vec(), line, kind: Kind::Use });
        }
    }
}

impl<'ast> Visit<'ast> for Collect<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let kind = match item.vis {
            Visibility::Inherited => Kind::Use,
            _ => Kind::Export,
        };
        self.take_use(&[], &item.tree, kind);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.take_path(&names, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, macro_: &'ast syn::Macro) {
        self.take_tokens(macro_.tokens.clone());
        visit::visit_macro(self, macro_);
    }
}
