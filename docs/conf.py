"""How the pages and the docstrings become one site, with nothing fetched: `make docs`.

In a docstring a single backtick names something: a link, where a page tells of it. What looks like
a class, a constant or a module must be there even where none does; other words are quotations.
"""

from __future__ import annotations

import inspect
import re
import sys
from itertools import pairwise
from operator import attrgetter
from pydoc import locate
from textwrap import dedent, indent
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

project = "medaccord"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
source_suffix = {".md": "markdown"}
nitpicky = True
default_role = "py:obj"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"page_width": "68rem", "sidebar_width": "15rem", "show_powered_by": False}
html_show_sourcelink = False
html_copy_source = False

# Types of others, told by name: their pages are not here, and nothing is fetched to find them.
_FOREIGN = sys.stdlib_module_names | {
    *(
        "annotated_types",
        "cryptography",
        "eth_account",
        "eth_keys",
        "eth_typing",
        "fastapi",
        "hexbytes",
        "httpx",
    ),
    *("pydantic", "pydantic_core", "pydantic_settings", "rich", "sqlalchemy", "starlette"),
    *("uvicorn", "web3"),
}
# What stands in signatures and nobody outside has in hand; where it is named in words, it counts.
_INNER = (
    *("client.acting", "client.believing", "client.gatekeeper_api", "client.reading"),
    *("client.session", "client.visitor", "fhir.search_parameters", "gatekeeper"),
    *("keys.masters", "keys.sealed_file", "keys.sealed_key", "ledger", "records", "store"),
)
nitpick_ignore_regex = [
    ("py:.*", rf"(?:{'|'.join(sorted(_FOREIGN))})(?:\..*|\Z)"),
    ("py:class", r"(?:medaccord\..*\.)?_\w+"),
    ("py:class", rf"medaccord\.(?:{'|'.join(_INNER)})\..*"),
]

# A class, a constant, what one of them has, or a module.
_NAME = re.compile(r"_?[A-Z]\w*(?:\.\w+)?|medaccord\.[\w.]+")
_REPOSITORY_FILE = re.compile(r"\]\((\.\./[^)\s]+)\)")
_WORD = re.compile(r"(?<![`:])`(\w+)`(?!`)")


def setup(app: Sphinx) -> None:
    """Take in what follows."""
    app.add_lexer("mermaid", TextLexer)  # drawn by GitHub; here its text stands, as it is read
    app.connect("source-read", _take_files_along)
    values = _Values()
    app.connect("autodoc-process-docstring", values.keep, priority=100)  # napoleon has 500
    app.connect("autodoc-process-docstring", values.put_back, priority=900)
    app.connect("autodoc-process-docstring", _as_it_reads, priority=200)
    app.connect("missing-reference", _found_by_its_name)


class _Values:
    """The docstrings of values, in which a colon ends no type, as napoleon would have it."""

    def __init__(self) -> None:
        self._kept: dict[str, list[str]] = {}

    def keep(
        self, app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
    ) -> None:
        """Before napoleon."""
        self._kept[name] = list(lines)

    def put_back(
        self, app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
    ) -> None:
        """After it."""
        if what in ("attribute", "data", "property"):
            lines[:] = self._kept[name]


def _take_files_along(app: Sphinx, page: str, source: list[str]) -> None:
    """Let a link to a file of the repository lead to a copy of it; one that is not there warns."""
    source[0] = _REPOSITORY_FILE.sub(r"](<path:\1>)", source[0])


def _as_it_reads(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Let a docstring be read as it is meant where reStructuredText would read it otherwise."""
    if what == "module":
        blocks = "\n".join(lines).strip("\n").split("\n\n")
        told = [_drawn(block, after) for after, block in pairwise(["", *blocks])]
        lines[:] = "\n\n".join(told).split("\n")
    elif what in ("class", "exception", "function", "method"):
        try:
            taken = inspect.signature(obj).parameters
        except (TypeError, ValueError):
            return
        for index, line in enumerate(lines):
            lines[index] = _WORD.sub(
                lambda found: f"``{found[1]}``" if found[1] in taken else found[0], line
            )


def _drawn(block: str, after: str) -> str:
    """A table of Markdown as a table, and code and a drawn tree as they stand."""
    if block.startswith("| "):
        rows = [line.strip("| ").split(" | ") for line in block.split("\n")]
        told = [
            f"   {'  ' if column else '* '}- {cell}"
            for row in (rows[0], *rows[2:])
            for column, cell in enumerate(row)
        ]
        return "\n".join([".. list-table::", "   :header-rows: 1", "", *told])
    if not after.endswith("::") and (block.startswith("    ") or "\n├ " in block):
        return "::\n\n" + indent(dedent(block), "    ")
    return block


def _found_by_its_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | nodes.TextElement | None:
    """Find what is named by the end of its name, where a page tells of exactly one."""
    target = str(node["reftarget"])
    in_words = node["reftype"] == "obj"
    if node.get("refdomain") != "py":
        return None
    if not _NAME.fullmatch(target):
        return content if in_words else None
    domain = env.domains["py"]
    assert isinstance(domain, PythonDomain)
    last = target.rpartition(".")[2] if target.startswith("medaccord.") else target
    found = {
        (entry.docname, entry.node_id)
        for name, entry in domain.objects.items()
        if name == last or name.endswith(f".{last}")
    }
    if len(found) != 1:
        return content if in_words and _is_there(target) else None
    ((page, place),) = found
    return make_refnode(app.builder, node["refdoc"], page, place, content)


def _is_there(target: str) -> bool:
    """Whether a module of the package has it, or is it."""
    if target.startswith("medaccord."):
        return locate(target) is not None
    modules = [each for name, each in sys.modules.items() if name.startswith("medaccord.")]
    return any(_reached(module, target) for module in modules)


def _reached(start: object, target: str) -> bool:
    try:
        attrgetter(target)(start)
    except AttributeError:
        return False
    return True
