"""The help of flags: the docstrings of a dataclass's fields, as flowing text."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from typing import get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

FLOWING = ConstructorRegistry()
"""Has tyro read dataclasses as it does, but with flowing help: its own keeps the line breaks of the source."""


def field_texts(kind: type) -> dict[str, str]:
    """Gives the docstring of each field of a dataclass that has one, in one line, or the `help` of its metadata."""
    texts = {field.name: field.metadata["help"] for field in dataclasses.fields(kind) if "help" in field.metadata}
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # the class is made by code
        return texts
    (definition,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                texts[name] = " ".join(doc.split())
    return texts


@FLOWING.struct_rule
def _read_dataclass(info: StructTypeInfo) -> StructConstructorSpec | None:
    if not dataclasses.is_dataclass(info.type):
        return None
    hints, texts = get_type_hints(info.type, include_extras=True), field_texts(info.type)
    fields = []
    for field in dataclasses.fields(info.type):
        default = field.default if field.default is not dataclasses.MISSING else tyro.MISSING_NONPROP
        if isinstance(info.default, info.type):
            default = getattr(info.default, field.name)
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields.append(StructFieldSpec(field.name, hints[field.name], default, texts.get(field.name)))
    return StructConstructorSpec(info.type, tuple(fields))
