//! No function over 60 lines, no file over 500.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::Finding;
use super::sources::Sources;

const FUNCTION_LINES_MAX: usize = 60;
const FILE_LINES_MAX: usize = 500;

pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in sources.with_extension(&["rs"]) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            let what = format!("{lines} lines; a file has at most {FILE_LINES_MAX}");
            findings.push(Finding { path: path.to_owned(), line: 0, what });
        }
        if let Ok(file) = syn::parse_file(text) {
            Functions { path, findings: &mut findings }.visit_file(&file);
        }
    }
    findings
}

struct Functions<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    /// A function counts from `fn` to its closing brace.
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span().start().line;
        let lines = block.span().end().line + 1 - line;
        if lines > FUNCTION_LINES_MAX {
            let name = &signature.ident;
            let what =
                format!("{name} has {lines} lines; a function has at most {FUNCTION_LINES_MAX}");
            self.findings.push(Finding { path: self.path.to_owned(), line, what });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
