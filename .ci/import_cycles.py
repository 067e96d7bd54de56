"""Reports import cycles between the files of a Rust crate.

    python .ci/import_cycles.py crates/asynq/src python/src

A file imports another if its code names something that the other defines: in a `use`, or by a path
that begins with `crate`, `self` or `super`. Re-exports (`pub use`) are followed to the file that
defines the name, so a `mod.rs` which only re-exports its children takes part in no cycle. Unit
tests do not count. Exits with 1 if there is a cycle.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

USE = re.compile(r"^\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", re.MULTILINE)
PATH = re.compile(r"(?<![\w:$])\$?((?:crate|self|super)(?:::\w+)+)")
MODULE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", re.MULTILINE)
TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b.*?\)\]\s*mod \w+ \{.*?^\}", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

Path_ = tuple[str, ...]


@dataclass
class Module:
    """One file: its path in the crate, its paths to others, and its re-exports by name."""

    file: Path
    path: Path_
    used: set[Path_] = field(default_factory=set)
    exports: dict[str, Path_] = field(default_factory=dict)
    globs: list[Path_] = field(default_factory=list)


def split_tree(tree: str) -> list[str]:
    """Splits the inside of braces at its outermost commas."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(tree):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(tree[start:place])
            start = place + 1
    return [part.strip() for part in [*parts, tree[start:]] if part.strip()]


def leaves(tree: str, prefix: Path_ = ()) -> list[tuple[Path_, str]]:
    """Lists the paths of a use tree, each with the name under which it is known."""
    tree = " ".join(tree.split())
    if "{" in tree:
        head, _, rest = tree.partition("{")
        outer = prefix + tuple(part for part in head.strip().split("::") if part)
        return [leaf for part in split_tree(rest.rsplit("}", 1)[0]) for leaf in leaves(part, outer)]
    path, _, alias = tree.partition(" as ")
    parts = prefix + tuple(path.strip().split("::"))
    if parts[-1] == "self":
        parts = parts[:-1]
    return [(parts, alias.strip() or parts[-1])]


def absolute(path: Path_, module: Path_) -> Path_ | None:
    """Resolves `crate`, `self` and `super`; None for a path into another crate."""
    if path[0] == "crate":
        return path[1:]
    if path[0] not in ("self", "super"):
        return None
    base = list(module)
    for place, part in enumerate(path):
        if part == "super":
            if not base:
                return None
            base.pop()
        elif part != "self":
            return (*base, *path[place:])
    return tuple(base)


def module_path(file: Path, root: Path) -> Path_:
    parts = file.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def read(root: Path) -> dict[Path_, Module]:
    modules = {}
    for file in sorted(root.rglob("*.rs")):
        module = Module(file, module_path(file, root))
        text = TESTS.sub("", COMMENT.sub("", file.read_text()))
        children = set(MODULE.findall(text))
        for public, tree in USE.findall(text):
            for path, name in leaves(tree):
                local = ("self", *path) if path[0] in children else path
                target = absolute(local, module.path)
                if target is None:
                    continue
                if public and name == "*":
                    module.globs.append(target[:-1])
                elif public and name != "_":
                    module.exports[name] = target
                else:
                    module.used.add(target)
        rest = USE.sub("", text)
        for path in PATH.findall(rest):
            target = absolute(tuple(path.split("::")), module.path)
            if target is not None:
                module.used.add(target)
        modules[module.path] = module
    return modules


def definer(
    path: Path_, modules: dict[Path_, Module], seen: frozenset[Path_] = frozenset()
) -> Path_:
    """Finds the module that defines what `path` names."""
    depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in modules)
    home, rest = path[:depth], path[depth:]
    if not rest or path in seen:
        return home
    exported = modules[home].exports.get(rest[0])
    if exported is not None:
        return definer((*exported, *rest[1:]), modules, seen | {path})
    for glob in modules[home].globs:
        found = definer((*glob, *rest), modules, seen | {path})
        if re.search(rf"\b{rest[0]}\b", modules[found].file.read_text()):
            return found
    return home


def components(edges: dict[Path_, set[Path_]]) -> list[list[Path_]]:
    """Returns the strongly connected components of two or more modules (Tarjan 1972)."""
    index: dict[Path_, int] = {}
    low: dict[Path_, int] = {}
    stack: list[Path_] = []
    found = []

    def visit(node: Path_) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            place = stack.index(node)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "roots", nargs="+", type=Path, metavar="SRC", help="a crate's folder of sources"
    )
    parser.add_argument("--edges", action="store_true", help="list every import")
    options = parser.parse_args()
    failed = False
    for root in options.roots:
        if not list(root.rglob("*.rs")):
            parser.error(f"{root} has no Rust files")
        modules = read(root)
        edges = {
            path: {definer(used, modules) for used in module.used} - {path}
            for path, module in modules.items()
        }
        if options.edges:
            for path in sorted(edges):
                print(
                    "::".join(path) or "lib",
                    "->",
                    " ".join("::".join(e) or "lib" for e in sorted(edges[path])),
                )
        cycles = components(edges)
        failed = failed or bool(cycles)
        print(f"{root}: {len(modules)} modules, {len(cycles)} import cycles")
        for cycle in cycles:
            print(f"  {len(cycle)} modules import each other:")
            for node in cycle:
                inside = sorted("::".join(other) for other in edges[node] & set(cycle))
                print(f"    {'::'.join(node) or 'lib'} -> {', '.join(inside)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
