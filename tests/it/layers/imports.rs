//! Reads Rust files with `syn`, and lists which file imports from which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};

/// The path of a module from the crate's root: `["store", "fault"]`.
type Names = Vec<String>;

/// The imports between the files of a source tree. A file has the name of its module, such as
/// `store::fault`. The root is `lib`.
pub struct Imports {
    uses: BTreeMap<String, BTreeSet<String>>,
    /// The paths that lead out of the crate.
    outside: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// Reads files as (path below the root, content). Ignores code under `#[cfg(test)]`.
    pub fn read(files: &[(String, String)]) -> Self {
        let mut modules: BTreeMap<String, Module> = files
            .iter()
            .map(|(path, text)| (module_of(path), Module::read(&module_of(path), text)))
            .collect();
        let tests: Vec<String> =
            modules.values().flat_map(|module| module.tests.iter().cloned()).collect();
        modules.retain(|name, _| !tests.iter().any(|test| is_within(name, test)));
        let mut found = Self { uses: BTreeMap::new(), outside: BTreeMap::new() };
        for (name, module) in &modules {
            assert!(module.globs.is_empty(), "{name}: name what is used of {:?}", module.globs);
            let used = module.paths.iter().filter_map(|path| {
                let target = resolve(&modules, &path.names, 8)?;
                // A parent that only re-exports names of its children does not depend on them.
                let shown = path.reexport && is_within(&target, name);
                (target != *name && !shown).then_some(target)
            });
            found.uses.insert(name.clone(), used.collect());
            found.outside.insert(name.clone(), module.outside.clone());
        }
        found
    }

    /// The names of all files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.uses.keys().map(String::as_str)
    }

    /// Every import of one file by another: (importing file, imported file).
    pub fn uses(&self) -> impl Iterator<Item = (&str, &str)> {
        self.uses.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), &**to)))
    }

    /// The files that name this crate.
    pub fn naming<'a>(&'a self, krate: &'a str) -> impl Iterator<Item = &'a str> {
        let files = self.outside().filter(move |(_, path)| is_within(path, krate));
        files.map(|(file, _)| file).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every path that leads out of the crate: (importing file, path as written).
    pub fn outside(&self) -> impl Iterator<Item = (&str, &str)> {
        self.outside.iter().flat_map(|(file, to)| to.iter().map(move |to| (file.as_str(), &**to)))
    }

    /// For each file that imports itself through others: the shortest such circle.
    pub fn circles(&self) -> BTreeMap<&str, Vec<&str>> {
        self.files().filter_map(|file| Some((file, self.circle(file)?))).collect()
    }

    fn circle<'a>(&'a self, file: &'a str) -> Option<Vec<&'a str>> {
        let mut seen = BTreeSet::new();
        let mut ways = VecDeque::from([vec![file]]);
        while let Some(way) = ways.pop_front() {
            for next in way.last().and_then(|here| self.uses.get(*here)).into_iter().flatten() {
                let further = [way.as_slice(), &[next]].concat();
                if next == file {
                    return Some(further);
                }
                if seen.insert(next) {
                    ways.push_back(further);
                }
            }
        }
        None
    }
}

/// Whether a module is another one or is inside it.
pub fn is_within(module: &str, outer: &str) -> bool {
    module.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `store/mod.rs` and `store.rs` are both `store`.
fn module_of(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
}

/// The imports of one file.
#[derive(Default)]
struct Module {
    /// The path of the module.
    base: Names,
    /// The modules that it declares for tests only.
    tests: Vec<String>,
    /// Names in scope that are aliases of another path in the crate.
    scope: BTreeMap<String, Names>,
    /// Modules of which all names are in scope.
    globs: Vec<Names>,
    paths: Vec<Used>,
    /// The paths that lead out of the crate.
    outside: BTreeSet<String>,
}

/// A path into the crate.
struct Used {
    names: Names,
    reexport: bool,
}

impl Module {
    fn read(name: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let base = if matches!(name, "lib" | "main") {
            Vec::new()
        } else {
            name.split("::").map(str::to_owned).collect()
        };
        let mut module = Self { base, ..Self::default() };
        // Collects the names first, and in two rounds, because code and a `use` may precede the
        // names that they need.
        Scope(&mut module).visit_file(&file);
        Scope(&mut module).visit_file(&file);
        Paths(&mut module).visit_file(&file);
        module
    }

    /// A path as seen from the root instead of from this file; `None` if it leads out of the crate.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" | "nats_userman" => Vec::new(),
            "self" => self.base.clone(),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                let above = self.base.len().checked_sub(ups)?;
                return Some([&self.base[..above], &path[ups..]].concat());
            }
            name => self.scope.get(name)?.clone(),
        };
        Some([start, rest.to_vec()].concat())
    }

    fn use_path(&mut self, path: &[String], reexport: bool) {
        match self.absolute(path) {
            Some(names) => self.paths.push(Used { names, reexport }),
            None => drop(self.outside.insert(path.join("::"))),
        }
    }
}

/// One leaf of a `use`: its path, and the name that it brings into scope; `*` for all names.
struct Leaf {
    path: Names,
    name: String,
}

fn leaves(tree: &syn::UseTree, before: &[String]) -> Vec<Leaf> {
    let with = |name: &syn::Ident| [before, &[name.unraw().to_string()]].concat();
    let leaf = |path: Names, name: String| {
        // `use a::b::{self}` brings `b`.
        let own = path.len() > 1 && path.last().is_some_and(|last| last == "self");
        let path = if own { path[..path.len() - 1].to_vec() } else { path };
        let name = if own && name == "self" { path[path.len() - 1].clone() } else { name };
        vec![Leaf { path, name }]
    };
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, &with(&path.ident)),
        syn::UseTree::Name(name) => leaf(with(&name.ident), name.ident.unraw().to_string()),
        syn::UseTree::Rename(both) => leaf(with(&both.ident), both.rename.unraw().to_string()),
        syn::UseTree::Glob(_) => vec![Leaf { path: before.to_vec(), name: "*".to_owned() }],
        syn::UseTree::Group(group) => {
            group.items.iter().flat_map(|tree| leaves(tree, before)).collect()
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The first walk: the names that `use` and `mod` bring into scope.
struct Scope<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Scope<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        } else if let syn::Item::Mod(test) = item
            && test.content.is_none()
        {
            let name = test.ident.unraw().to_string();
            self.0.tests.push([self.0.base.clone(), vec![name]].concat().join("::"));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.unraw().to_string();
        assert!(item.content.is_none(), "{}: mod {name} has no file", self.0.base.join("::"));
        self.0.scope.insert(name.clone(), [self.0.base.clone(), vec![name]].concat());
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree, &[]) {
            let Some(path) = self.0.absolute(&leaf.path) else { continue };
            match leaf.name.as_str() {
                "*" => self.0.globs.push(path),
                "_" => {}
                _ => drop(self.0.scope.insert(leaf.name, path)),
            }
        }
    }
}

/// The second walk: every path, in a `use` or in code.
struct Paths<'a>(&'a mut Module);

impl Paths<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Names = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(name.unraw().to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end(&mut path),
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Names) {
        if path.len() > 1 {
            self.0.use_path(path, false);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let reexport = !matches!(item.vis, syn::Visibility::Inherited);
        for leaf in leaves(&item.tree, &[]) {
            self.0.use_path(&leaf.path, reexport);
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let names: Names =
                path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
            self.0.use_path(&names, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

/// The file that defines the item at a path from the root, through names that other files bring
/// into scope, mainly by `pub use`. `None` if the item is outside the crate.
fn resolve(modules: &BTreeMap<String, Module>, path: &[String], depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let mut here = "lib".to_owned();
    for (index, name) in path.iter().enumerate() {
        let child = if index == 0 {
            name.clone()
        } else {
            [path[..index].join("::"), name.clone()].join("::")
        };
        if modules.contains_key(&child) {
            here = child;
            continue;
        }
        let module = modules.get(&here)?;
        if let Some(elsewhere) = module.scope.get(name) {
            let whole = [elsewhere, &path[index + 1..]].concat();
            return resolve(modules, &whole, depth);
        }
        break;
    }
    Some(here)
}
